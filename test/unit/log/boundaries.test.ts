/** The chain at every place in the log. */
import { expect, test } from "vitest";
import { AT, BATCH_HEAD_BYTES } from "../../../src/wire/frame.ts";
import { append, batch, CHAIN_0, makeBacklog } from "./tools.ts";

test("records from an offset on, over log segments, and none of an open batch", () => {
  const log = makeBacklog({ segmentBytes: 300 });
  const ends = [0];
  for (let n = 0; n < 12; n++) {
    batch(log, 60 + n, n);
    ends.push(log.next);
  }
  append(log, 10);
  for (const [n, offset] of ends.entries()) expect(log.recordsFrom(offset)).toBe(12 - n);
});

test("the chain at every boundary, and -1 everywhere else", () => {
  const log = makeBacklog();
  const boundaries = new Map([[0, CHAIN_0]]);
  for (let n = 0; n < 12; n++) {
    batch(log, 60 + n, n);
    boundaries.set(log.next, log.chain);
  }
  for (let offset = 0; offset <= log.next + 1; offset++)
    expect(log.chainAt(offset)).toBe(boundaries.get(offset) ?? -1);
  append(log, 10);
  expect(log.chainAt(log.tail)).toBe(-1);
});

test.each([0, BATCH_HEAD_BYTES - 1, 301, 0xffff_ffff])(
  "a stored head says %i bytes => no boundary behind it in its segment, those before it and after it stay",
  (length) => {
    const log = makeBacklog({ segmentBytes: 300 });
    const ends = [100, 50, 150, 80].map((bytes) => {
      batch(log, bytes);
      return [log.next, log.chain] as const;
    });
    log.segmentAt(100).bytes.writeUInt32LE(length, 100 + AT.length);
    for (let offset = 101; offset < 300; offset++) expect(log.chainAt(offset)).toBe(-1);
    expect(log.chainAt(0)).toBe(CHAIN_0);
    for (const n of [0, 2, 3]) expect(log.chainAt(ends[n]![0])).toBe(ends[n]![1]);
  },
);
