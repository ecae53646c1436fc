/** A data directory becomes a state again: from the newest whole checkpoint and the log, or it says why not. */
import { describe, expect, test } from "vitest";
import { checkpointName } from "../../../../src/log/disk/checkpoint-writer.ts";
import { logFileName } from "../../../../src/log/disk/log-file-names.ts";
import { CLOCK_MS, HISTORY, LateTexts, PromptTexts, RecoveryMachine } from "./recovery-machine.ts";

const OTHER = "ffeeddccbbaa99887766554433221100";
const KINDS = [
  ["at once", () => new PromptTexts()],
  ["later", () => new LateTexts()],
] as const;

describe.each(KINDS)("a state that answers %s", (_, makeState) => {
  test("comes back from the log alone, with position, history and clock", () => {
    const machine = new RecoveryMachine().append("a", "b").append("c");
    const lastClockMs = machine.offset;
    machine.append("d").sync();
    const { texts, position, hasState, log, verdict, nextNumber, records } =
      machine.recover(makeState());
    expect(texts).toEqual(["a", "b", "c", "d"]);
    expect(position).toEqual({ history: HISTORY, offset: machine.offset, chain: machine.chain });
    expect([log.next, log.chain, log.first]).toEqual([machine.offset, machine.chain, 0]);
    expect(log.newestClockMs).toBe(CLOCK_MS + lastClockMs);
    expect({ hasState, nextNumber, records }).toEqual({
      hasState: true,
      nextNumber: 2,
      records: 4,
    });
    expect(verdict).toMatchObject({ kind: "whole", reason: "end" });
  });

  test("comes back from a checkpoint and the log behind it, not from what is before", () => {
    const machine = new RecoveryMachine().append("a").append("b").checkpoint(["a", "b"]);
    machine.flip(logFileName(1), 300);
    machine.append("c").sync();
    const { texts, checkpoint, log, records, damaged } = machine.recover(makeState());
    expect(texts).toEqual(["a", "b", "c"]);
    expect(checkpoint).toMatchObject({ log: 2 });
    expect(log.first).toBe(checkpoint!.position.offset);
    expect([records, damaged]).toEqual([3, []]);
  });

  test.each([
    ["a bit of it is wrong", (m: RecoveryMachine) => m.flip(checkpointName(3), -150)],
    ["its end is wrong", (m: RecoveryMachine) => m.flip(checkpointName(3), -1)],
    ["it is gone", (m: RecoveryMachine) => m.folder.lose(checkpointName(3))],
    ["it is empty", (m: RecoveryMachine) => m.folder.overwrite(checkpointName(3), Buffer.alloc(0))],
  ])("the newest checkpoint is damaged: %s => the older one and a longer log", (_what, damage) => {
    const machine = new RecoveryMachine().append("a").checkpoint().append("b");
    machine.checkpoint(["a", "b"]).append("c").sync();
    damage(machine);
    const { texts, checkpoint, damaged, verdict, onDisk } = machine.recover(makeState());
    expect(texts).toEqual(["a", "b", "c"]);
    expect(checkpoint).toMatchObject({ log: 2 });
    expect(damaged).toHaveLength(1);
    expect(verdict.kind).toBe("whole");
    expect(onDisk.checkpoints.map(({ log }) => log)).toEqual([2]);
  });

  test("the state refuses a chunk of the newest: nothing of it is left, and the older one is used", () => {
    const machine = new RecoveryMachine().append("a").checkpoint().append("b");
    machine.checkpoint(["a", "refused", "b"]).append("c").sync();
    const { texts, damaged } = machine.recover(makeState());
    expect(texts).toEqual(["a", "b", "c"]);
    expect(damaged).toEqual(["ERR_STORE_CHUNK: refused"]);
  });

  test("both checkpoints are damaged: the log from its beginning", () => {
    const machine = new RecoveryMachine().append("a").checkpoint().append("b").checkpoint();
    machine.append("c").sync().flip(checkpointName(2), 40).flip(checkpointName(3), 40);
    const { texts, damaged, onDisk } = machine.recover(makeState());
    expect(texts).toEqual(["a", "b", "c"]);
    expect([damaged.length, onDisk.checkpoints]).toEqual([2, []]);
  });

  test("a node batch comes back as a part of the log, counts as no record, and is told when it differs", () => {
    const machine = new RecoveryMachine().node().append("a");
    machine.term = 2;
    machine.history = OTHER;
    machine.roll().node(3).append("b").sync();
    const { texts, log, records, differing } = machine.recover(makeState());
    expect([texts, log.next, records]).toEqual([["a", "b"], machine.offset, 2]);
    expect(differing).toEqual([`rank 3.0 of ${OTHER}, known is 2.0`]);
  });

  test("is asked in steps: blocks, and a run at a time", () => {
    const machine = new RecoveryMachine();
    for (let i = 0; i < 3000; i++) machine.append(`${i}`.repeat(100));
    const { recovery } = machine.recovery(makeState());
    const before = recovery.progress;
    for (let i = 0; i < 3; i++) recovery.step();
    const { totalBytes, loadedBytes } = recovery.progress;
    expect(before.loadedBytes).toBe(0);
    expect(loadedBytes).toBeGreaterThan(0);
    expect(loadedBytes).toBeLessThan(totalBytes);
    recovery.abandon();
  });
});

test("who it was is what the newest whole file says: history, rank, lineage", () => {
  const machine = new RecoveryMachine().append("a");
  machine.lineage = [{ history: HISTORY, left: machine.offset, term: 1, run: 0 }];
  machine.history = OTHER;
  machine.term = 2;
  machine.roll().append("b").sync();
  const { position, rank, lineage } = machine.recover();
  expect(position.history).toBe(OTHER);
  expect(rank).toEqual({ term: 2, run: 0 });
  expect(lineage).toEqual(machine.lineage);
});

test("a log that nobody has led is of a node that never had a state", () => {
  const hasState = [0, 1].map((term) => {
    const machine = new RecoveryMachine(term);
    machine.writer.stop();
    return machine.recover().hasState;
  });
  expect(hasState).toEqual([false, true]);
});

test("after a start that wrote nothing its file is replaced", () => {
  const machine = new RecoveryMachine().append("a").sync().roll();
  expect(machine.recover().nextNumber).toBe(2);
});

describe("what was cut off", () => {
  test("a torn tail goes, with a copy, and the log goes on before it", () => {
    const machine = new RecoveryMachine().append("a").sync().append("b").append("c");
    machine.flip(logFileName(1), -1);
    const { texts, verdict, repair, incompleteTo } = machine.recover();
    expect(texts).toEqual(["a", "b"]);
    expect(verdict).toMatchObject({ kind: "torn", reason: "chain" });
    expect(repair.cutBytes).toBeGreaterThan(0);
    expect(repair.copiedBytes).toBe(repair.cutBytes);
    expect(incompleteTo).toBeNull();
    expect(machine.tree.folder("quarantine").list()).toEqual([
      expect.stringMatching(/^generation-00000001-00000001.log.at-\d+$/),
    ]);
  });

  test("below the proof: incomplete, and still so after another start", () => {
    const machine = new RecoveryMachine().append("a").append("b");
    const at = machine.folder.bytesOf(logFileName(1)).length - 3;
    machine.append("c").sync();
    const proven = machine.offset;
    machine.flip(logFileName(1), at);
    const first = machine.recover();
    expect(first.texts).toEqual(["a"]);
    expect(first.verdict.kind).toBe("incomplete");
    expect(first.incompleteTo).toBe(proven);
    expect(first.onDisk.incompleteTo).toBe(proven);
    const second = machine.recover();
    expect([second.texts, second.incompleteTo]).toEqual([["a"], proven]);
  });

  test("what is past the proof again is not missing any more", () => {
    const machine = new RecoveryMachine().append("a").append("b").sync();
    machine.write({ incompleteTo: machine.offset });
    const { incompleteTo, onDisk } = machine.recover();
    expect([incompleteTo, onDisk.incompleteTo]).toEqual([null, null]);
  });

  test("a file in the middle is gone: what is behind it is set aside", () => {
    const machine = new RecoveryMachine().append("a").roll().append("b").roll().append("c").sync();
    machine.folder.lose(logFileName(2));
    const { texts, verdict, repair } = machine.recover();
    expect(texts).toEqual(["a"]);
    expect(verdict.kind).toBe("incomplete");
    expect(repair.filesAside).toBe(1);
    expect(machine.folder.list()).toContain(`${logFileName(3)}.cut`);
  });
});

test("no whole checkpoint, and a log that does not begin at its beginning: an error, nothing changed", () => {
  const machine = new RecoveryMachine().append("a").checkpoint().append("b").sync();
  machine.write({ firstLog: 2 });
  machine.folder.lose(logFileName(1));
  machine.flip(checkpointName(2), 40);
  const before = machine.folder.list();
  expect(machine.whyNot()).toMatch(
    /no whole checkpoint, and no log from its beginning \(00000002.checkpoint: .*; 00000002.log is not the beginning\)/,
  );
  expect(machine.folder.list()).toEqual(before);
});

test("the log behind the checkpoint is gone => who it was is what the checkpoint says", () => {
  const machine = new RecoveryMachine().append("a");
  machine.lineage = [{ history: HISTORY, left: machine.offset, term: 1, run: 0 }];
  machine.history = OTHER;
  machine.term = 7;
  machine.checkpoint().sync();
  machine.folder.lose(logFileName(2));
  const { position, rank, lineage } = machine.recover();
  expect(position.history).toBe(OTHER);
  expect(rank).toEqual({ term: 7, run: 0 });
  expect(lineage).toEqual(machine.lineage);
});
