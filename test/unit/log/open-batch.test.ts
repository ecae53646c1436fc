/** A primary appends: records, batches, memory for them. */
import { describe, expect, test, vi } from "vitest";
import { LogError } from "../../../src/errors.ts";
import { LIMITS } from "../../../src/limits.ts";
import {
  BATCH_HEAD_BYTES,
  batchChain,
  batchClockMs,
  batchCount,
  batchOffset,
  chainOf,
  isNodeBatch,
} from "../../../src/wire/frame.ts";
import { readNodeBatch } from "../../../src/wire/node-record.ts";
import { NODE_BATCH } from "../wire/examples.ts";
import { append, batch, BATCH_EXTRA, batchesFrom, CHAIN_0, makeBacklog } from "./tools.ts";

test("an empty log => [0, 0), the history's chain, nothing open", () => {
  const log = makeBacklog();
  expect([log.first, log.next, log.tail, log.openBytes]).toEqual([0, 0, 0, 0]);
  expect(log.chain).toBe(CHAIN_0);
  expect(log.chainAt(0)).toBe(CHAIN_0);
  expect(log.seal()).toBe(false);
});

test("two records in one turn => invisible until sealed, then one batch of both", () => {
  const log = makeBacklog();
  append(log, 10, 1);
  append(log, 0);
  expect([log.next, log.tail]).toEqual([0, BATCH_HEAD_BYTES + 18]);
  expect(log.openBytes).toBe(BATCH_HEAD_BYTES + 18);
  expect(log.seal()).toBe(true);
  expect(log.next).toBe(log.tail);
  const [sealed] = batchesFrom(log, 0);
  expect(batchCount(sealed!, 0)).toBe(2);
  expect(batchOffset(sealed!, 0)).toBe(0);
  expect(batchClockMs(sealed!, 0)).toBe(1_000_000);
  expect(log.chain).toBe(chainOf(sealed!, 0, sealed!.length, CHAIN_0));
  expect(log.newestClockMs).toBe(1_000_000);
});

test("a record that does not fit behind the open batch => that is sealed, a new segment begins", () => {
  const log = makeBacklog();
  append(log, 150);
  append(log, 100);
  expect(log.next).toBe(150 + BATCH_EXTRA);
  expect(log.segmentCount).toBe(2);
  log.seal();
  expect(batchesFrom(log, 0).map((b) => b.length)).toEqual([150 + BATCH_EXTRA, 100 + BATCH_EXTRA]);
});

test("a batch that fills its segment to the last byte => the next one opens another", () => {
  const log = makeBacklog();
  batch(log, 256);
  expect(log.segmentCount).toBe(1);
  batch(log, 100);
  expect(log.segmentCount).toBe(2);
  expect(log.chainAt(256)).toBe(batchChain(batchesFrom(log, 0)[0]!, 0));
});

test("a record larger than a segment => a segment of its own, exactly as large", () => {
  const log = makeBacklog();
  batch(log, 100);
  append(log, 5000, 7);
  log.seal();
  batch(log, 100);
  expect(log.segmentCount).toBe(3);
  expect(batchesFrom(log, 0).map((b) => b.length)).toEqual([100, 5000 + BATCH_EXTRA, 100]);
});

test("reserve => nothing is in the log; append of as much or less => at the place that it said", () => {
  const log = makeBacklog({ segmentBytes: 256 });
  append(log, 100);
  const before = [log.tail, log.openBytes, log.next];
  expect(log.reserve(20)).toBe(log.reserve(20));
  expect([log.tail, log.openBytes, log.next]).toEqual(before);
  // Too much for this log segment: the open batch is sealed, and that is all.
  const at = log.reserve(1000);
  expect([log.openBytes, log.next, log.tail]).toEqual([0, before[0], before[0]]);
  const { bytes } = log;
  expect(log.append(1000)).toBe(at);
  expect(log.bytes).toBe(bytes);
  expect(log.tail).toBe(before[0]! + BATCH_EXTRA + 1000);
  expect(log.seal()).toBe(true);
});

test("unreserve => memory for a large record is given back, the log goes on where it was", () => {
  const log = makeBacklog({ segmentBytes: 256 });
  batch(log, 100);
  log.reserve(100_000);
  expect(log.bytes.length).toBeGreaterThan(100_000);
  log.unreserve();
  expect(log.bytes.length).toBe(256);
  batch(log, 80);
  expect([log.next, log.tail]).toEqual([180, 180]);
  expect(batchesFrom(log, 0).map((each) => each.length)).toEqual([100, 80]);
});

test("no memory => ERR_LOG_FULL, and the log goes on once there is some", () => {
  const log = makeBacklog({ segmentBytes: 256 });
  batch(log, 200);
  const taken = vi.spyOn(Buffer, "allocUnsafeSlow").mockImplementation(() => {
    throw new RangeError("Array buffer allocation failed");
  });
  try {
    expect(() => log.append(200)).toThrow(/ERR_LOG_FULL: no memory for 256 more bytes/);
    expect(() => log.append(20_000)).toThrow(/ERR_LOG_FULL/);
    expect([log.next, log.tail, log.openBytes]).toEqual([200, 200, 0]);
  } finally {
    taken.mockRestore();
  }
  batch(log, 220);
  expect(batchesFrom(log, 0).map((each) => each.length)).toEqual([200, 220]);
});

test("a record above recordBytesMax => ERR_LOG_RECORD_SIZE, nothing changed", () => {
  const log = makeBacklog();
  append(log, 10);
  const before = [log.tail, log.openBytes, log.segmentCount];
  expect(() => log.append(LIMITS.recordBytesMax + 1)).toThrow(LogError);
  expect([log.tail, log.openBytes, log.segmentCount]).toEqual(before);
});

describe("a history begins", () => {
  test("its node batch is in the log with its first record, before it, and once", () => {
    const log = makeBacklog({ segmentBytes: 4096 });
    batch(log, 100);
    log.beginHistory(NODE_BATCH.record);
    expect([log.seal(), log.next, log.tail]).toEqual([false, 100, 100]);
    append(log, 8);
    append(log, 8);
    log.seal();
    batch(log, 60);
    const [, node, first, second] = batchesFrom(log, 0);
    expect([node, first, second].map((bytes) => isNodeBatch(bytes!, 0))).toEqual([
      true,
      false,
      false,
    ]);
    expect(readNodeBatch(node!, 0)).toEqual(NODE_BATCH.record);
    expect([batchCount(first!, 0), batchOffset(first!, 0)]).toEqual([2, 100 + node!.length]);
    expect(log.chainAt(100 + node!.length)).toBe(batchChain(node!, 0));
    expect(log.records).toBe(4);
  });

  test("in a log segment that is full, or smaller than both => both are in the next one", () => {
    for (const segmentBytes of [256, 100]) {
      const log = makeBacklog({ segmentBytes });
      batch(log, segmentBytes - 10);
      log.beginHistory(NODE_BATCH.record);
      const at = log.reserve(80);
      expect([log.tail, log.reserve(80)]).toEqual([segmentBytes - 10, at]);
      expect(log.append(80)).toBe(at);
      log.seal();
      expect(log.segmentCount).toBe(2);
      expect(batchesFrom(log, 0).map((bytes) => isNodeBatch(bytes, 0))).toEqual([
        false,
        true,
        false,
      ]);
    }
  });

  test.each([4096, 150])(
    "at once, in segments of %i => a batch of its own, before any record",
    (segmentBytes) => {
      const log = makeBacklog({ segmentBytes });
      batch(log, 100);
      append(log, 8);
      log.seal();
      expect(log.hasBegun).toBe(true);
      const from = log.next;
      log.beginHistory(NODE_BATCH.record);
      expect(log.hasBegun).toBe(false);
      log.writeHistory();
      log.writeHistory();
      expect([log.hasBegun, log.tail]).toEqual([true, log.next]);
      batch(log, 60);
      const [node, first] = batchesFrom(log, from);
      expect([node, first].map((bytes) => isNodeBatch(bytes!, 0))).toEqual([true, false]);
      expect(readNodeBatch(node!, 0)).toEqual(NODE_BATCH.record);
      expect(log.chainAt(from + node!.length)).toBe(batchChain(node!, 0));
    },
  );

  test("the record that was reserved is not appended => nothing is in the log", () => {
    const log = makeBacklog();
    log.beginHistory(NODE_BATCH.record);
    log.reserve(20);
    log.unreserve();
    expect([log.seal(), log.next, log.tail]).toEqual([false, 0, 0]);
  });
});
