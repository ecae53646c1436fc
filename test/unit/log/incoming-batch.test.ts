/** A replica receives: batches in pieces, applied later or never. */
import { expect, test } from "vitest";
import { BATCH_HEAD_BYTES } from "../../../src/wire/frame.ts";
import { append, batch, batchesFrom, commitAll, makeBacklog, receive } from "./tools.ts";

const source = makeBacklog({ sizeBytes: 1_000_000 });
for (let n = 0; n < 30; n++) batch(source, 50 + ((n * 37) % 150), n);
append(source, 3000, 99);
source.seal();
for (let n = 0; n < 5; n++) batch(source, 100, n);
const batches = batchesFrom(source, 0);

test("invisible until committed; afterwards the same bytes, offsets and chains", () => {
  const log = makeBacklog({ sizeBytes: 1_000_000 });
  for (const whole of batches) {
    const { next } = log;
    receive(log, whole, 7);
    expect(log.next).toBe(next);
    expect(log.tail).toBe(next + whole.length);
    log.commit();
    expect(log.next).toBe(log.tail);
    expect(log.pending()).toBeNull();
  }
  expect([log.next, log.chain]).toEqual([source.next, source.chain]);
  expect(batchesFrom(log, 0)).toEqual(batches);
  for (let offset = 0; offset <= log.next; offset++)
    expect(log.chainAt(offset)).toBe(source.chainAt(offset));
});

test("all received before anything is committed => the chain at every segment's start is right after", () => {
  const log = makeBacklog({ sizeBytes: 1_000_000 });
  for (const whole of batches) receive(log, whole);
  expect(log.next).toBe(0);
  expect(commitAll(log)).toBe(batches.length);
  for (let offset = 0; offset <= log.next; offset++)
    expect(log.chainAt(offset)).toBe(source.chainAt(offset));
});

test("an incomplete batch => partial bytes and head crc; dropped => as if it never came", () => {
  const log = makeBacklog();
  receive(log, batches[0]!);
  receive(log, batches[1]!, 5, 20);
  expect(log.partialBytes).toBe(batches[1]!.length - 20);
  expect(log.partialHeadCrc).toBe(batches[1]!.readUInt32LE(0));
  expect(log.tail - log.partialBytes).toBe(batches[0]!.length);
  expect(commitAll(log)).toBe(1);
  log.dropIncoming();
  expect([log.partialBytes, log.partialHeadCrc]).toEqual([0, 0]);
  expect(log.tail).toBe(log.next);
  receive(log, batches[1]!);
  expect(commitAll(log)).toBe(1);
  expect(log.chainAt(log.next)).toBe(source.chainAt(log.next));
});

test("dropReceived => back to what is committed, over segments", () => {
  const log = makeBacklog({ sizeBytes: 1_000_000 });
  for (const whole of batches.slice(0, 12)) receive(log, whole);
  log.commit();
  log.commit();
  receive(log, batches[12]!, 9, 30);
  log.dropReceived();
  expect(log.tail).toBe(log.next);
  expect(log.next).toBe(batches[0]!.length + batches[1]!.length);
  expect(log.pending()).toBeNull();
  for (const whole of batches.slice(2)) receive(log, whole);
  commitAll(log);
  expect([log.next, log.chain]).toEqual([source.next, source.chain]);
  for (let offset = 0; offset <= log.next; offset++)
    expect(log.chainAt(offset)).toBe(source.chainAt(offset));
});

test("what is whole and not committed is unapplied, a beginning of a batch is not", () => {
  const primary = makeBacklog({ sizeBytes: 1 << 20 });
  append(primary, 100);
  primary.seal();
  append(primary, 100);
  primary.seal();
  const [first, second] = batchesFrom(primary, 0);
  const log = makeBacklog({ sizeBytes: 1 << 20 });
  receive(log, first!, 50, 20);
  expect([log.partialBytes > 0, log.hasUnapplied]).toEqual([true, false]);
  log.receiveBytes(first!, first!.length - 20, first!.length);
  log.receiveEnd();
  expect(log.hasUnapplied).toBe(true);
  receive(log, second!, 50, 20);
  commitAll(log);
  expect([log.partialBytes > 0, log.hasUnapplied]).toEqual([true, false]);
});

test("a long batch gets memory as it arrives: at most twice what has come, and a MiB", () => {
  const big = makeBacklog({ sizeBytes: 64 << 20, segmentBytes: 1 << 16 });
  append(big, 24 << 20);
  big.seal();
  const [whole] = batchesFrom(big, 0);
  const log = makeBacklog({ sizeBytes: 1024, segmentBytes: 1 << 16 });
  log.receiveHead(whole!, 0, whole!.length);
  expect(log.bytes.length).toBeLessThanOrEqual(1 << 20);
  for (let at = BATCH_HEAD_BYTES; at < whole!.length; at += 100_000) {
    const end = Math.min(whole!.length, at + 100_000);
    log.receiveBytes(whole!, at, end);
    expect(log.bytes.length).toBeLessThanOrEqual(Math.max(1 << 20, 2 * end));
  }
  log.receiveEnd();
  expect(log.pending()).not.toBeNull();
  log.commit();
  expect(log.chain).toBe(big.chain);
});
