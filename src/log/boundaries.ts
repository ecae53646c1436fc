/**
 * Places in the part of the log that is in memory: which log segment an offset is in, and the chain
 * at a boundary between two batches.
 *
 * Pure. Owns: those two answers. Does not own: the list (segments.ts), a link's place (cursor.ts).
 */
import assert from "node:assert/strict";
import { batchChain } from "../wire/frame.ts";
import type { LogSegment } from "./log-segment.ts";
import type { Segments } from "./segments.ts";

/** The log segment in which a reader at `offset` goes on; first <= offset <= tail. */
export function segmentAt(segments: Segments, offset: number): LogSegment {
  if (offset < segments.first || offset > segments.tail)
    assert.fail(`offset ${offset} is not in memory`);
  const { list } = segments;
  let low = 0;
  let high = list.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (list[middle]!.start <= offset) low = middle;
    else high = middle - 1;
  }
  return list[low]!;
}

/**
 * Chain at `offset`, or -1 when it is outside [first, next] or not a batch boundary, as far as can be
 * told: behind a damaged head in the log segment nothing is one.
 */
export function chainAt(segments: Segments, offset: number): number {
  if (offset === segments.next) return segments.chain;
  if (offset < segments.first || offset > segments.next) return -1;
  const segment = segmentAt(segments, offset);
  const target = offset - segment.start;
  let chain = segment.chainStart;
  let at = 0;
  while (at < target) {
    const after = segment.batchEnd(at);
    if (after < 0) return -1;
    chain = batchChain(segment.bytes, at);
    at = after;
  }
  return at === target ? chain : -1;
}
