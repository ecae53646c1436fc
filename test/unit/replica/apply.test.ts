/** Records of received batches, applied in slices. */
import { describe, expect, test } from "vitest";
import { Applier } from "../../../src/replica/apply.ts";
import { append, batch, batchesFrom, makeBacklog, receive } from "../log/tools.ts";
import type { NodeRecord } from "../../../src/wire/node-record.ts";
import { NODE_BATCH } from "../wire/examples.ts";
import { recordingTarget } from "./recording-target.ts";

const ignore = (): void => undefined;

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
    const applier = new Applier(
      log,
      state,
      { sliceBytes: 30 },
      () => boundaries.push(log.next),
      ignore,
    );
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
    const applier = new Applier(log, state, { sliceBytes: 30 }, () => undefined, ignore);
    applier.step();
    applier.reset();
    expect(applier.atBoundary).toBe(true);
    const all = new Applier(log, state, { sliceBytes: 1 << 20 }, () => undefined, ignore);
    expect([all.step(), log.next]).toEqual([false, 276]);
    expect(state.ranges).toEqual([40, 100, 104]);
  });

  describe("node batch", () => {
    function withNode(record: NodeRecord | null) {
      const source = makeBacklog({ segmentBytes: 4096 });
      batch(source, 140);
      source.beginHistory(record ?? NODE_BATCH.record);
      batch(source, 60);
      const log = makeBacklog({ segmentBytes: 4096 });
      const whole = batchesFrom(source, 0);
      // Its first field that has not any value: the flag of `parent`.
      if (record === null) whole[1]![40 + 16 + 12] = 7;
      for (const each of whole) receive(log, each);
      return { log, end: source.next };
    }

    test.each([30, 1 << 20])(
      "slices of %i bytes => visible, and no state is given it",
      (sliceBytes) => {
        const { log, end } = withNode(NODE_BATCH.record);
        const state = recordingTarget();
        const boundaries: number[] = [];
        const begun: string[] = [];
        const applier = new Applier(
          log,
          state,
          { sliceBytes },
          () => boundaries.push(log.next),
          (record) => begun.push(`${record.history} at ${log.next}`),
        );
        while (applier.step());
        expect([state.ranges, log.next, applier.atBoundary]).toEqual([[104, 24], end, true]);
        expect(new Set(boundaries)).toEqual(new Set([0, 140, end - 60, end]));
        expect(begun).toEqual([`${NODE_BATCH.record.history} at 140`]);
      },
    );

    test("malformed => ERR_STORE_RECORD, nothing torn, nothing applied behind it", () => {
      const { log } = withNode(null);
      const state = recordingTarget();
      const applier = new Applier(log, state, { sliceBytes: 1 << 20 }, () => undefined, ignore);
      expect(() => applier.step()).toThrow("ERR_STORE_RECORD");
      expect([state.ranges, log.next, applier.torn, applier.step()]).toEqual([
        [104],
        140,
        false,
        false,
      ]);
    });
  });

  test("a record longer than its batch => ERR_STORE_RECORD, nothing of it applied", () => {
    const log = received();
    const { segment, at } = log.pending()!;
    segment.bytes.writeUInt32LE(0xffff, at + 36 + 20);
    const state = recordingTarget();
    const applier = new Applier(log, state, { sliceBytes: 30 }, () => undefined, ignore);
    expect(() => applier.step()).toThrow("ERR_STORE_RECORD");
    expect(state.ranges).toEqual([]);
  });
});
