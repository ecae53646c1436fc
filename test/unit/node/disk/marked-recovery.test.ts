/** A log on disk and a state that keeps its own data: replayed from its mark, or why the two do not fit. */
import { describe, expect, test } from "vitest";
import { NO_BOOT, type MarkedPlace } from "../../../../src/bridge/mark.ts";
import type { Strayed } from "../../../../src/node/disk/disk-recovery.ts";
import { anew, checkStrayed } from "../../../../src/node/disk/marked-log.ts";
import { logFileName } from "../../../../src/log/disk/log-file-names.ts";
import { HISTORY, LateTexts, RecoveryMachine } from "./recovery-machine.ts";

const OTHER = "ffeeddccbbaa99887766554433221100";

/** Where the machine is now. */
function placeOf({ history, offset, chain, term, lineage }: RecoveryMachine): MarkedPlace {
  const rank = { term, run: 0 };
  return { history, offset, chain, rank, lineage, clockMs: 0, bootId: NO_BOOT };
}

/** A log of three files; the state has what came before the last file, and one batch of it. */
function threeFiles() {
  const machine = new RecoveryMachine().append("a").append("b").checkpoint().append("c");
  machine.checkpoint().append("d");
  const place = placeOf(machine);
  machine.append("e").node().append("f").sync();
  return { machine, place };
}

function recovers(machine: RecoveryMachine, place: MarkedPlace | null, empty = false) {
  const state = new LateTexts();
  const { recovery, log } = machine.runs(state, { place, empty });
  return { recovery, log, texts: state.texts };
}

describe("the log from a mark", () => {
  test("in the middle of a file: what is behind it alone is applied; memory begins there", () => {
    const { machine, place } = threeFiles();
    const { recovery, log, texts } = recovers(machine, place);
    expect(texts).toEqual(["e", "f"]);
    expect(recovery.result).toMatchObject({
      hasState: true,
      replayed: 2,
      checkpoint: null,
      lastLog: 3,
    });
    expect([log.first, log.next, log.chain]).toEqual([place.offset, machine.offset, machine.chain]);
    expect(recovery.result!.position.offset).toBe(machine.offset);
  });

  test("checkpoints are not looked at: damaged ones are no trouble", () => {
    const { machine, place } = threeFiles();
    machine.folder.lose("checkpoint-00000003");
    expect(recovers(machine, place).recovery.result!.damaged).toEqual([]);
  });

  test("at the end of the log: nothing is applied", () => {
    const { machine } = threeFiles();
    const { recovery, texts } = recovers(machine, placeOf(machine));
    expect([texts, recovery.strayed]).toEqual([[], null]);
    expect(recovery.result).toMatchObject({ replayed: 0, hasState: true });
  });

  test("in an older file: its log and that of the later ones, files before it are not read", () => {
    const machine = new RecoveryMachine().append("a").roll().append("b");
    const place = placeOf(machine);
    machine.append("c").roll().append("d").sync().flip(logFileName(1), 300);
    const { recovery, texts } = recovers(machine, place);
    expect(texts).toEqual(["c", "d"]);
    expect(recovery.result!.verdict.kind).toBe("whole");
  });

  test("no mark, and empty: the log from its beginning is the state", () => {
    const { machine } = threeFiles();
    expect(recovers(machine, null, true).texts).toEqual(["a", "b", "c", "d", "e", "f"]);
  });

  const strays: readonly [
    string,
    Strayed["why"],
    (m: RecoveryMachine, place: MarkedPlace) => MarkedPlace | null,
    boolean?,
  ][] = [
    ["behind its end", "beyond", (m) => ({ ...placeOf(m), offset: m.offset + 10 })],
    [
      "behind its end, of a history that it led to",
      "beyond",
      (m) => ({
        ...placeOf(m),
        history: OTHER,
        lineage: [{ history: HISTORY, left: m.offset, term: 1, run: 0 }],
        offset: m.offset + 10,
      }),
    ],
    [
      "behind its end, of an unrelated history",
      "other",
      (m) => ({ ...placeOf(m), history: OTHER, offset: m.offset + 10 }),
    ],
    ["inside a batch", "other", (_m, place) => ({ ...place, offset: place.offset + 1 })],
    [
      "at a boundary with another chain",
      "other",
      (_m, place) => ({ ...place, chain: place.chain ^ 1 }),
    ],
    ["at the end with another chain", "other", (m) => ({ ...placeOf(m), chain: 1 })],
    ["not there, with data", "unmarked", () => null],
  ];
  test.each(strays)(
    "a mark %s: %s, nothing is applied, the answers are given back",
    (_, why, makePlace) => {
      const { machine, place } = threeFiles();
      const state = new LateTexts();
      const before = state.onAnswer;
      const { recovery } = machine.runs(state, { place: makePlace(machine, place), empty: false });
      expect(recovery.strayed).toMatchObject({ why, hadState: true, lacks: false });
      expect([recovery.result, state.calls, state.onAnswer]).toEqual([null, 0, before]);
    },
  );

  test("before the first file that there is; and empty without a mark when the beginning is gone", () => {
    const { machine, place } = threeFiles();
    machine.write({ firstLog: 3 });
    machine.folder.lose(logFileName(1));
    machine.folder.lose(logFileName(2));
    const older = recovers(machine, { ...place, offset: 10 });
    expect(older.recovery.strayed).toMatchObject({ why: "before", hadState: true });
    expect(recovers(machine, null, true).recovery.strayed).toMatchObject({ why: "lost" });
  });

  test("beyond what is left of a log that had been synced further", () => {
    const machine = new RecoveryMachine().append("a").append("this rots").sync();
    const place = placeOf(machine);
    machine.append("c").checkpoint().append("d").sync();
    machine.flip(logFileName(1), machine.folder.bytesOf(logFileName(1)).indexOf("this rots"));
    const { strayed } = recovers(machine, place).recovery;
    expect(strayed).toMatchObject({ why: "beyond", lacks: true });
  });

  test("a log that was never of a state", () => {
    const machine = new RecoveryMachine(0).sync();
    expect(recovers(machine, null).recovery.strayed).toMatchObject({
      why: "unmarked",
      hadState: false,
    });
  });
});

describe("what a start makes of it", () => {
  const strayed = (why: Strayed["why"], more: Partial<Strayed> = {}): Strayed => ({
    why,
    hadState: true,
    lacks: false,
    manifest: new RecoveryMachine().manifest,
    ...more,
  });

  test.each(["before", "other", "unmarked", "lost"] as const)(
    "%s: only who leads is refused",
    (why) => {
      expect(() => checkStrayed(strayed(why), true, false)).toThrow("ERR_DISK_DAMAGED");
      checkStrayed(strayed(why), false, false);
      checkStrayed(strayed(why), true, true);
      checkStrayed(strayed(why, { hadState: false }), true, false);
    },
  );

  test("beyond: refused only when the log lacks what was synced", () => {
    checkStrayed(strayed("beyond"), true, false);
    expect(() => checkStrayed(strayed("beyond", { lacks: true }), true, false)).toThrow(
      /synced further/,
    );
  });

  test("the log that begins anew has a generation above all others, and nothing in it", () => {
    const { manifest } = new RecoveryMachine().append("a").checkpoint();
    expect(anew(manifest, [1, 4])).toEqual({
      directoryId: manifest.directoryId,
      generation: 5,
      firstLog: 1,
      lastLog: 0,
      checkpoints: [],
      incompleteTo: null,
    });
  });
});
