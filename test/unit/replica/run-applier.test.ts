/** Runs of batches for a state that answers later. */
import { describe, expect, test } from "vitest";
import { StoreError } from "../../../src/errors.ts";
import { StateCalls } from "../../../src/replica/calls.ts";
import { RunApplier } from "../../../src/replica/run-applier.ts";
import { batch, batchesFrom, makeBacklog, receive } from "../log/tools.ts";
import { NODE_BATCH } from "../wire/examples.ts";
import { LateRecorder, Turns } from "./late-target.ts";

/** A log that has received batches of these lengths, 0 for a node batch, and an applier in front of a state. */
function applying(lengths: readonly number[], sliceBytes = 1000, windowBytes = 1 << 20) {
  const source = makeBacklog({ segmentBytes: 4096 });
  for (const length of lengths)
    if (length === 0) source.beginHistory(NODE_BATCH.record);
    else batch(source, length);
  const log = makeBacklog({ segmentBytes: 4096 });
  const whole = batchesFrom(source, 0);
  const target = new LateRecorder();
  const turns = new Turns();
  const told: string[] = [];
  const run = { stopAt: Number.POSITIVE_INFINITY, mayApply: true };
  const calls = new StateCalls(target, turns.after, () => told.push("free"));
  const applier = new RunApplier(
    log,
    target,
    calls,
    { sliceBytes, windowBytes },
    {
      atBatch: () => {
        told.push(`at ${log.next}`);
        if (log.next >= run.stopAt) run.stopAt = Number.POSITIVE_INFINITY;
      },
      stopAt: () => run.stopAt,
      mayApply: () => run.mayApply,
      applied: () => told.push("applied"),
      failed: (error) => told.push(error.message),
      onNodeBatch: ({ history }) => told.push(`${history} begins at ${log.next}`),
    },
  );
  const arrive = (n: number): void => {
    for (const bytes of whole.splice(0, n)) receive(log, bytes);
  };
  return { log, target, turns, told, run, applier, arrive, whole, end: source.next };
}

describe("runs", () => {
  test("the first batch alone, then all that came meanwhile; visible when answered", () => {
    const { log, target, turns, applier, arrive } = applying([100, 140, 60, 50]);
    arrive(1);
    expect([applier.step(), applier.atBoundary, log.next]).toEqual([false, false, 0]);
    arrive(3);
    expect([applier.step(), target.asked]).toEqual([false, ["apply 0-100"]]);
    target.answer();
    expect([log.next, applier.atBoundary]).toEqual([100, true]);
    applier.step();
    expect(target.asked).toHaveLength(1);
    turns.end();
    applier.step();
    expect(target.asked).toEqual(["apply 0-100", "apply 100-350"]);
    target.answer();
    expect(log.next).toBe(350);
  });

  test("a run is about a slice, at least a batch, and ends where the state is to be summed", () => {
    const { log, target, run, applier, arrive } = applying([100, 140, 60, 50, 90], 150);
    arrive(5);
    target.atOnce = 9;
    run.stopAt = 300;
    expect(applier.step()).toBe(true);
    expect(target.asked).toEqual(["apply 0-240"]);
    applier.step();
    expect(target.asked).toEqual(["apply 0-240", "apply 240-300", "apply 300-440"]);
    expect([log.next, applier.step()]).toEqual([440, false]);
  });

  test("a node batch ends a run, becomes visible, and is given to no state", () => {
    const { log, target, told, applier, arrive, end } = applying([100, 0, 60, 50]);
    arrive(4);
    target.atOnce = 9;
    expect(applier.step()).toBe(false);
    expect(target.asked).toEqual(["apply 0-100", `apply ${end - 110}-${end}`]);
    expect([log.next, applier.atBoundary]).toEqual([end, true]);
    expect(told).toContain(`${NODE_BATCH.record.history} begins at 100`);
  });

  test("a malformed node batch => ERR_STORE_RECORD, nothing behind it is given", () => {
    const { log, target, applier, arrive, whole } = applying([100, 0, 60]);
    whole[1]![40 + 16 + 12] = 7;
    arrive(3);
    target.atOnce = 9;
    expect(() => applier.step()).toThrow("ERR_STORE_RECORD");
    expect([target.asked, log.next, applier.torn]).toEqual([["apply 0-100"], 100, false]);
    expect(applier.step()).toBe(false);
  });

  test("beside a staged state nothing is applied", () => {
    const { target, run, applier, arrive } = applying([100]);
    run.mayApply = false;
    arrive(1);
    expect([applier.step(), target.asked]).toEqual([false, []]);
  });

  test("more than a window behind the run that the state has => full", () => {
    const { target, turns, applier, arrive } = applying([100, 140, 60], 1000, 199);
    arrive(1);
    applier.step();
    arrive(1);
    expect(applier.isFull).toBe(false);
    arrive(1);
    expect(applier.isFull).toBe(true);
    target.answer();
    turns.end();
    expect(applier.isFull).toBe(false);
  });
});

describe("a run that fails", () => {
  const full = new StoreError("ERR_STORE_FULL", "as if");

  function failed(error: Error, appliedTo: number) {
    const all = applying([100, 140, 60]);
    all.arrive(3);
    all.applier.step();
    all.target.answer(error, appliedTo);
    all.turns.end();
    const { applier, log } = all;
    return { ...all, is: [applier.torn, applier.atBoundary, log.next] };
  }

  test("before its first record => not torn, nothing more is applied before a retry", () => {
    const { is, applier, target, told } = failed(full, 0);
    expect([is, told]).toEqual([
      [false, true, 0],
      ["at 0", "ERR_STORE_FULL: as if", "free"],
    ]);
    applier.step();
    expect(target.asked).toHaveLength(1);
    applier.retry();
    applier.step();
    expect(target.asked).toEqual(["apply 0-300", "apply 0-300"]);
  });

  test("between two batches => the first are visible, and it is there", () => {
    const { is, applier, target } = failed(full, 240);
    expect(is).toEqual([false, true, 240]);
    applier.retry();
    applier.step();
    expect(target.asked.at(-1)).toBe("apply 240-300");
  });

  test("inside a batch, or nobody knows where => torn, no retry", () => {
    expect(failed(full, 170).is).toEqual([true, false, 100]);
    const { is, applier, target } = failed(new Error("the disk is gone"), 240);
    expect(is).toEqual([true, false, 0]);
    applier.retry();
    applier.step();
    expect(target.asked).toHaveLength(1);
    applier.reset();
    expect(applier.atBoundary).toBe(true);
  });

  test("at once => the error is thrown", () => {
    const { target, applier, arrive, log } = applying([100]);
    arrive(1);
    target.throws = full;
    expect(() => applier.step()).toThrow("ERR_STORE_FULL");
    expect([applier.torn, applier.step(), log.next]).toEqual([false, false, 0]);
  });
});
