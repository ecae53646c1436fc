/**
 * Places in the part of the log that is in memory: which log segment an offset is in, and the chain
 * at a boundary between two batches.
 *
 * Pure. Owns: those answers, and how many records are behind an offset. Does not own: the list (segments.ts), a link's place (cursor.ts).
 */
import assert from "node:assert/strict";
import { batchChain, batchCount, isNodeBatch } from "../wire/frame.ts";
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

/**
 * Records of the batches that begin at `offset` or later, as far as they are in memory, and up to the first damaged
 * head. Those of node batches are the log's own.
 */
export function recordsFrom(segments: Segments, offset: number): number {
  const { first, next } = segments;
  if (offset >= next) return 0;
  let records = 0;
  let segment: LogSegment | null = segmentAt(segments, Math.max(offset, first));
  for (; segment !== null && segment.start < next; segment = segment.next) {
    const end = Math.min(segment.end, next) - segment.start;
    for (let at = 0; at < end;) {
      const isCounted = segment.start + at >= offset && !isNodeBatch(segment.bytes, at);
      const after = segment.batchEnd(at);
      if (after < 0) return records;
      if (isCounted) records += batchCount(segment.bytes, at);
      at = after;
    }
  }
  return records;
}
