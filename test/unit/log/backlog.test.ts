/** The log in memory where its ways of growing meet, and starting over. */
import { expect, test } from "vitest";
import { Cursor } from "../../../src/log/cursor.ts";
import {
  append,
  batch,
  BATCH_EXTRA,
  batchesFrom,
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
  expect(cursor.available()).toBeGreaterThan(0);
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
  cursor.advance(cursor.available());
  receive(log, second!, 50, 30);
  // Promoted here: the rest never comes, and a larger batch is written instead.
  log.dropReceived();
  append(log, 5000);
  log.seal();
  expect(cursor.available()).toBe(5000 + BATCH_EXTRA);
  for (let n = 0; n < 8; n++) batch(log, 256);
  while (log.trim(FREE));
  expect(log.first).toBe(log.next - 256);
  cursor.close();
});
