/** The list of log segments: memory is used again, nothing stays behind. */
import { expect, test } from "vitest";
import { Cursor } from "../../../src/log/cursor.ts";
import { LogMemory } from "../../../src/log/log-memory.ts";
import { OpenBatch } from "../../../src/log/open-batch.ts";
import { Segments } from "../../../src/log/segments.ts";
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
