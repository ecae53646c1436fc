/** What END says of chunks: counts and one digest, whoever brings them. */
import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { ChunkTally } from "../../../src/wire/chunk-tally.ts";

const SUMS = [0xffff_ffff, 0, 7];
const digestOf = (sums: readonly number[]): string => {
  const bytes = Buffer.alloc(4 * sums.length);
  sums.forEach((sum, n) => bytes.writeUInt32LE(sum, 4 * n));
  return createHash("sha256").update(bytes).digest("hex");
};

test("chunks in order => their number, their bytes, the SHA-256 over their sums, at any time", () => {
  const tally = new ChunkTally();
  expect([tally.chunks, tally.bytes, tally.digest]).toEqual([0, 0, digestOf([])]);
  SUMS.forEach((sum, number) => {
    tally.note(number, 100 + number, sum);
    expect(tally.digest).toBe(digestOf(SUMS.slice(0, number + 1)));
  });
  expect([tally.chunks, tally.bytes]).toEqual([3, 303]);
});

test("a chunk that was noted, and one that is not the next, count for nothing", () => {
  const tally = new ChunkTally();
  tally.note(1, 5, SUMS[1]!);
  tally.note(0, 5, SUMS[0]!);
  tally.note(0, 9, 99);
  tally.note(2, 9, 99);
  tally.note(1, 5, SUMS[1]!);
  expect([tally.chunks, tally.bytes, tally.digest]).toEqual([2, 10, digestOf(SUMS.slice(0, 2))]);
});
