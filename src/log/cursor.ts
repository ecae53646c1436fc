/**
 * A place in the log from which one link is fed: a log segment and an index in it.
 *
 * The cursor retains its log segment, so that it can always finish it, even when it was trimmed
 * behind it. Whether it is too old is found where a log segment ends, always a batch boundary.
 *
 *   segment   [ batch | batch |  batch  | batch ]  --next-->  [ ...
 *                     ^ boundary   ^ at         ^ sealed
 *
 * Invariant: `boundary` is where some batch starts or ends, and boundary <= at <= segment.sealed, but
 * between cutAtBoundary() and the advance() to what it returned.
 *
 * A head that was damaged in memory is sent as it is: the replica sees that it is wrong, and asks for a
 * snapshot when it was wrong twice. How long its batch is nobody knows, so the next boundary is where
 * the visible part of the log segment ends.
 */
import { BATCH_HEAD_BYTES, batchHeadCrc } from "../wire/frame.ts";
import type { Backlog } from "./backlog.ts";
import type { LogSegment } from "./log-segment.ts";

export class Cursor {
  segment: LogSegment;
  at: number;
  private boundary: number;

  /** `offset` is a batch boundary in [first, next]. */
  constructor(backlog: Backlog, offset: number) {
    this.segment = backlog.segmentAt(offset);
    this.segment.retain();
    this.at = offset - this.segment.start;
    this.boundary = this.at;
  }

  /** Log offset of the next byte to send. */
  get offset(): number {
    return this.segment.start + this.at;
  }

  /** The next byte is the first of a batch, or would be. */
  get atBoundary(): boolean {
    if (this.boundary < this.at) this.hop(this.at);
    return this.boundary === this.at;
  }

  /** Bytes that can be sent from this log segment, or from the next when this one is used up. */
  available(): number {
    while (this.at === this.segment.sealed) {
      const { segment } = this;
      const after = segment.next;
      const complete = segment.sealed === segment.used;
      if (!complete || after === null || after.sealed === 0 || after.trimmed) return 0;
      this.enter(after);
    }
    return this.segment.sealed - this.at;
  }

  /** What comes next was trimmed: only a ship helps. */
  get tooOld(): boolean {
    const { segment } = this;
    return this.at === segment.sealed && segment.trimmed;
  }

  advance(bytes: number): void {
    this.at += bytes;
    if (this.at === this.segment.sealed) this.boundary = this.at;
  }

  /** The largest batch boundary in (at, limit], or `at` when there is none; as indexes. */
  cutAtBoundary(limit: number): number {
    this.hop(limit);
    return Math.max(this.boundary, this.at);
  }

  /** End (log offset) of the batch that starts at log offset `start`, -1 when none is known in here. */
  batchEnd(start: number): number {
    const { segment } = this;
    const target = start - segment.start;
    if (target < 0 || target >= segment.sealed) return -1;
    let at = this.boundary <= target ? this.boundary : 0;
    while (at >= 0 && at < target) at = segment.batchEnd(at);
    const after = at === target ? segment.batchEnd(at) : -1;
    return after < 0 ? -1 : segment.start + after;
  }

  /**
   * Skips the first `held` bytes of the batch at the cursor, when it is the batch whose head has
   * this crc; else skips nothing.
   */
  skipHeld(held: number, headCrc: number): number {
    if (held < BATCH_HEAD_BYTES || this.available() === 0) return 0;
    const { segment, at } = this;
    if (batchHeadCrc(segment.bytes, at) !== headCrc || at + held >= segment.batchEnd(at)) return 0;
    this.at += held;
    return held;
  }

  close(): void {
    this.segment.release();
  }

  private enter(segment: LogSegment): void {
    segment.retain();
    this.segment.release();
    this.segment = segment;
    this.at = 0;
    this.boundary = 0;
  }

  /** Moves `boundary` forward to the last batch boundary that is not beyond `limit`. */
  private hop(limit: number): void {
    const { segment } = this;
    const { sealed } = segment;
    let at = this.boundary;
    while (at < sealed) {
      const end = segment.batchEnd(at);
      const after = end < 0 ? sealed : end;
      if (after > limit) break;
      at = after;
    }
    this.boundary = at;
  }
}
