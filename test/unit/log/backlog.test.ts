/** The log in memory where its ways of growing meet, and starting over. */
import { expect, test } from "vitest";
import { Cursor } from "../../../src/log/cursor.ts";
import { FakeStore } from "./fake-store.ts";
import {
  append,
  available,
  batch,
  BATCH_EXTRA,
  batchesFrom,
  CHAIN_0,
  commitAll,
  makeBacklog,
  receive,
} from "./tools.ts";

const FREE = Number.POSITIVE_INFINITY;
const source = makeBacklog({ sizeBytes: 1_000_000 });
for (let n = 0; n < 5; n++) batch(source, 50 + n * 37, n);
const batches = batchesFrom(source, 0);

test("reset => empty at the new position; a reader of the old log keeps its memory", () => {
  const log = makeBacklog();
  for (const whole of batches.slice(0, 5)) receive(log, whole);
  commitAll(log);
  const cursor = new Cursor(log, 0);
  const before = Buffer.from(cursor.segment.bytes);
  log.reset(1_000_000, 77);
  expect([log.first, log.next, log.tail, log.chain]).toEqual([1_000_000, 1_000_000, 1_000_000, 77]);
  expect(log.chainAt(1_000_000)).toBe(77);
  expect(available(cursor)).toBeGreaterThan(0);
  expect(cursor.segment.bytes.equals(before)).toBe(true);
  cursor.close();
  expect(log.pinnedBytes).toBe(0);
});

test("an open batch of a primary is never taken for a received one", () => {
  const log = makeBacklog();
  receive(log, batches[0]!);
  commitAll(log);
  append(log, 50);
  expect(log.pending()).toBeNull();
  log.seal();
  expect(log.pending()).toBeNull();
});

test("an emptied segment, then a batch too large for it => readers get past it, trimming too", () => {
  const log = makeBacklog({ sizeBytes: 256 });
  const big = makeBacklog({ sizeBytes: 1 << 20 });
  batch(big, 250);
  batch(big, 200);
  const [first, second] = batchesFrom(big, 0);
  receive(log, first!);
  log.commit();
  const cursor = new Cursor(log, 0);
  cursor.advance(available(cursor));
  receive(log, second!, 50, 30);
  // Promoted here: the rest never comes, and a larger batch is written instead.
  log.dropReceived();
  append(log, 5000);
  log.seal();
  expect(available(cursor)).toBe(5000 + BATCH_EXTRA);
  for (let n = 0; n < 8; n++) batch(log, 256);
  while (log.trim(FREE));
  expect(log.first).toBe(log.next - 256);
  cursor.close();
});

test("watermarks: appended >= sealed = visible >= written >= durable; without a store all that is sealed", () => {
  const log = makeBacklog();
  batch(log, 100);
  append(log, 60);
  const appended = 100 + BATCH_EXTRA + 60;
  const end = { sealed: 100, visible: 100 };
  expect(log.watermarks).toEqual({ appended, ...end, written: 100, durable: 100 });
  const store = new FakeStore(0, CHAIN_0, { isLate: true });
  const stored = makeBacklog({ store });
  batch(stored, 100);
  append(stored, 60);
  stored.persist();
  expect(stored.watermarks).toEqual({ appended, ...end, written: 0, durable: 0 });
  store.settle();
  store.durable = 50;
  expect(stored.watermarks).toEqual({ appended, ...end, written: 100, durable: 50 });
});

test("what the store has not written stays in memory, however small the backlog", () => {
  const store = new FakeStore(0, CHAIN_0, { isLate: true });
  const log = makeBacklog({ sizeBytes: 0, store });
  for (let n = 0; n < 6; n++) batch(log, 256);
  log.persist();
  log.trim(FREE);
  expect([log.first, log.oldest]).toEqual([0, 0]);
  store.settle();
  batch(log, 256);
  log.trim(FREE);
  expect([log.first, log.oldest]).toEqual([6 * 256, 0]);
  store.drop(512);
  expect(log.oldest).toBe(512);
});

test("reset => the store begins anew at the same place", () => {
  const store = new FakeStore(0, CHAIN_0);
  const log = makeBacklog({ store });
  batch(log, 100);
  log.persist();
  log.reset(5000, 77);
  expect([store.first, store.written, log.oldest]).toEqual([5000, 5000, 5000]);
});
