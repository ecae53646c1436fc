/** The list of log segments: memory is used again, nothing stays behind. */
import { describe, expect, test } from "vitest";
import { Cursor } from "../../../src/log/cursor.ts";
import { LogMemory } from "../../../src/log/log-memory.ts";
import { OpenBatch } from "../../../src/log/open-batch.ts";
import { Segments } from "../../../src/log/segments.ts";
import { SegmentPool } from "../../../src/store/segment-memory.ts";
import { append, available, batch, BATCH_EXTRA, CHAIN_0, makeBacklog } from "./tools.ts";

const FREE = Number.POSITIVE_INFINITY;

test("a trimmed segment without readers is used again", () => {
  const log = makeBacklog({ sizeBytes: 256 });
  batch(log, 256);
  const memory = log.bytes;
  batch(log, 256);
  log.trim(FREE);
  batch(log, 256);
  expect(log.bytes === memory).toBe(true);
});

test("a trimmed segment that a cursor reads is not, until it is left; pinnedBytes says so", () => {
  const log = makeBacklog({ sizeBytes: 256 });
  batch(log, 256, 1);
  const memory = log.bytes;
  const cursor = new Cursor(log, 0);
  for (let n = 2; n < 6; n++) {
    batch(log, 256, n);
    log.trim(FREE);
    expect(log.bytes === memory).toBe(false);
  }
  expect(log.first).toBeGreaterThan(0);
  expect(log.pinnedBytes).toBe(256);
  expect(available(cursor)).toBe(256);
  expect(cursor.segment.bytes[255]).toBe(1);
  cursor.close();
  expect(log.pinnedBytes).toBe(0);
  batch(log, 256, 9);
  expect(log.bytes === memory).toBe(true);
});

test("an oversize segment's memory is not recycled as one of the usual size", () => {
  const log = makeBacklog({ sizeBytes: 256 });
  append(log, 5000);
  log.seal();
  for (let n = 0; n < 4; n++) batch(log, 256);
  log.trim(FREE);
  for (let n = 0; n < 4; n++) {
    batch(log, 256);
    expect(log.bytes).toHaveLength(256);
  }
});

test("no segment object stays behind once dropped and left, though nobody asks for pinnedBytes", () => {
  const segments = new Segments(0, CHAIN_0, new LogMemory(256));
  const open = new OpenBatch(segments, () => 1);
  for (let n = 0; n < 50; n++) {
    const read = segments.newest;
    read.retain();
    for (let k = 0; k < 2; k++) {
      open.append(256 - BATCH_EXTRA);
      open.seal();
    }
    while (segments.list.length > 1) segments.dropOldest();
    expect(segments.detachedCount).toBe(1);
    read.release();
    expect(segments.detachedCount).toBe(0);
  }
});

describe("free memory of a log that is shared with threads", () => {
  test("two blocks are kept, the others are free segments of the state, and come back from there", () => {
    const pool = new SegmentPool(256);
    const memory = new LogMemory(256, true, pool);
    const blocks = Array.from({ length: 20 }, () => memory.take(256));
    for (const block of blocks) memory.giveBack(block);
    expect([pool.freeCount, pool.heldBytes, pool.usedBytes]).toEqual([18, 18 * 256, 0]);
    const taken = Array.from({ length: 12 }, () => memory.take(256).buffer);
    const known = new Set<unknown>(blocks.map(({ buffer }) => buffer));
    expect(taken.every((buffer) => known.delete(buffer))).toBe(true);
    // The state keeps some for itself.
    expect([pool.freeCount, pool.heldBytes]).toEqual([8, 8 * 256]);
    expect(known.has(memory.take(256).buffer)).toBe(false);
  });

  test.each([
    ["of another size", 512, true],
    ["that no thread may be given", 256, false],
  ])("blocks %s are kept by the log alone", (_what, bytes, isShared) => {
    const pool = new SegmentPool(256);
    const memory = new LogMemory(bytes, isShared, pool);
    const blocks = Array.from({ length: 5 }, () => memory.take(bytes));
    for (const block of blocks) memory.giveBack(block);
    expect(pool.heldBytes).toBe(0);
    expect(new Set(blocks.map(() => memory.take(bytes)))).toEqual(new Set(blocks));
  });
});
