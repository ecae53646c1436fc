/** A primary appends: records, batches, memory for them. */
import { expect, test, vi } from "vitest";
import { LogError } from "../../../src/errors.ts";
import { LIMITS } from "../../../src/limits.ts";
import {
  BATCH_HEAD_BYTES,
  batchChain,
  batchClockMs,
  batchCount,
  batchOffset,
  chainOf,
} from "../../../src/wire/frame.ts";
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
