import { expect, test } from "vitest";
import { Cursor } from "../../../src/log/cursor.ts";
import { AT, BATCH_HEAD_BYTES, batchHeadCrc } from "../../../src/wire/frame.ts";
import { available, batch, makeBacklog, tooOld } from "./tools.ts";

const NOTHING_HELD = Number.POSITIVE_INFINITY;

test("reads block after block; finishes one that was trimmed behind it, and is too old after it", () => {
  const log = makeBacklog({ sizeBytes: 100, segmentBytes: 200 });
  batch(log, 100);
  batch(log, 100);
  const cursor = new Cursor(log, 0);
  batch(log, 200);
  batch(log, 200);
  log.trim(NOTHING_HELD);
  expect(log.first).toBe(400);
  expect(log.pinnedBytes).toBe(200);
  expect([available(cursor), tooOld(cursor)]).toEqual([200, false]);
  cursor.advance(200);
  expect([available(cursor), tooOld(cursor)]).toEqual([0, true]);
  cursor.close();
  expect(log.pinnedBytes).toBe(0);
});

test("goes on in the next block once there is something in it", () => {
  const log = makeBacklog({ segmentBytes: 100 });
  batch(log, 100);
  const cursor = new Cursor(log, 0);
  cursor.advance(100);
  expect([available(cursor), tooOld(cursor)]).toEqual([0, false]);
  batch(log, 60);
  expect([available(cursor), cursor.offset]).toEqual([60, 100]);
});

test("knows batch boundaries wherever it stands", () => {
  const log = makeBacklog({ segmentBytes: 1000 });
  for (const bytes of [100, 50, 70]) batch(log, bytes);
  const cursor = new Cursor(log, 100);
  expect(cursor.atBoundary).toBe(true);
  expect(cursor.cutAtBoundary(219)).toBe(150);
  cursor.advance(50);
  expect(cursor.atBoundary).toBe(true);
  cursor.advance(20);
  expect(cursor.atBoundary).toBe(false);
  expect(cursor.cutAtBoundary(219)).toBe(170);
  expect(cursor.cutAtBoundary(220)).toBe(220);
  expect([cursor.batchEnd(150), cursor.batchEnd(151), cursor.batchEnd(220)]).toEqual([220, -1, -1]);
});

test("skips what is held of a batch only when it is that batch", () => {
  const log = makeBacklog({ segmentBytes: 1000 });
  batch(log, 100);
  const crc = batchHeadCrc(log.bytes, 0);
  const skip = (held: number, headCrc: number): number =>
    new Cursor(log, 0).skipHeld(held, headCrc);
  expect(skip(BATCH_HEAD_BYTES, crc)).toBe(BATCH_HEAD_BYTES);
  expect(skip(99, crc)).toBe(99);
  expect(skip(BATCH_HEAD_BYTES - 1, crc)).toBe(0);
  expect(skip(100, crc)).toBe(0);
  expect(skip(60, (crc ^ 1) >>> 0)).toBe(0);
  expect(new Cursor(log, 100).skipHeld(60, crc)).toBe(0);
});

test.each([0, BATCH_HEAD_BYTES - 1, 1001, 0xffff_ffff])(
  "a stored head says %i bytes => its end is unknown, the next boundary is the segment's end",
  (length) => {
    const log = makeBacklog({ segmentBytes: 300 });
    for (const bytes of [100, 50, 70]) batch(log, bytes);
    const crc = batchHeadCrc(log.bytes, 100);
    log.bytes.writeUInt32LE(length, 100 + AT.length);
    const cursor = new Cursor(log, 0);
    expect([cursor.batchEnd(0), cursor.batchEnd(100), cursor.batchEnd(150)]).toEqual([100, -1, -1]);
    expect([cursor.cutAtBoundary(99), cursor.cutAtBoundary(219)]).toEqual([0, 100]);
    expect(new Cursor(log, 100).skipHeld(40, crc)).toBe(0);
    cursor.advance(160);
    expect(cursor.atBoundary).toBe(false);
    expect([available(cursor), cursor.cutAtBoundary(220)]).toEqual([60, 220]);
    batch(log, 200);
    cursor.advance(60);
    expect([cursor.atBoundary, available(cursor), cursor.offset]).toEqual([true, 200, 220]);
  },
);
