/** Records of received batches, applied in slices. */
import { describe, expect, test } from "vitest";
import { Applier } from "../../../src/replica/apply.ts";
import { append, batch, batchesFrom, makeBacklog, receive } from "../log/tools.ts";
import { recordingTarget } from "./recording-target.ts";

describe("apply", () => {
  /** A replica's log that has received two batches: 5 records of 16 bytes, and one of 100. */
  function received() {
    const source = makeBacklog({ segmentBytes: 4096 });
    for (let n = 0; n < 5; n++) append(source, 16);
    source.seal();
    batch(source, 140);
    const log = makeBacklog({ segmentBytes: 4096 });
    for (const whole of batchesFrom(source, 0)) receive(log, whole);
    return log;
  }

  test("a slice ends between records; the batch becomes visible with its last one", () => {
    const log = received();
    const state = recordingTarget();
    const boundaries: number[] = [];
    const applier = new Applier(log, state, { sliceBytes: 30 }, () => boundaries.push(log.next));
    expect([applier.step(), state.ranges, log.next, applier.atBoundary]).toEqual([
      true,
      [40],
      0,
      false,
    ]);
    applier.step();
    expect([state.ranges, log.next]).toEqual([[40, 40], 0]);
    expect(applier.step()).toBe(false);
    expect([state.ranges, log.next, applier.atBoundary]).toEqual([[40, 40, 20, 104], 276, true]);
    expect([applier.step(), boundaries]).toEqual([false, [0, 136, 276, 276]]);
  });

  test("one large slice takes all; after a reset a batch begins anew", () => {
    const log = received();
    const state = recordingTarget();
    const applier = new Applier(log, state, { sliceBytes: 30 }, () => undefined);
    applier.step();
    applier.reset();
    expect(applier.atBoundary).toBe(true);
    const all = new Applier(log, state, { sliceBytes: 1 << 20 }, () => undefined);
    expect([all.step(), log.next]).toEqual([false, 276]);
    expect(state.ranges).toEqual([40, 100, 104]);
  });

  test("a record longer than its batch => ERR_STORE_RECORD, nothing of it applied", () => {
    const log = received();
    const { segment, at } = log.pending()!;
    segment.bytes.writeUInt32LE(0xffff, at + 36 + 20);
    const state = recordingTarget();
    const applier = new Applier(log, state, { sliceBytes: 30 }, () => undefined);
    expect(() => applier.step()).toThrow("ERR_STORE_RECORD");
    expect(state.ranges).toEqual([]);
  });
});
