/**
 * One log segment: memory that is filled once, front to back, and read by links in place.
 *
 *   bytes   [ batch | batch | batch | (open or incoming batch) | free ............ ]
 *           0                       ^ sealed                   ^ used
 *
 * Offsets in the log are `start + index`. Links see [0, sealed). A log segment starts and ends at
 * batch boundaries.
 *
 * A log segment lives while it is in the backlog, or somebody reads it: `readers` counts the cursors
 * in it and the writes of it that no socket has taken yet. Its memory is recycled when it is trimmed
 * and `readers` is 0, never before: a slice handed to a socket must not change.
 *
 * Owns: its bytes and their life. Does not own: which log segments there are (segments.ts), where memory
 * comes from (log-memory.ts).
 */
import assert from "node:assert/strict";
import { BATCH_HEAD_BYTES, batchLength } from "../wire/frame.ts";

/** Takes back memory of dead log segments, to be used again. */
export interface Recycler {
  recycle(bytes: Buffer, segment: LogSegment): void;
}

export class LogSegment {
  bytes: Buffer;
  /** Log offset of byte 0. */
  readonly start: number;
  /** Chain at `start`; a replica's backlog sets it once the log segment before is applied. */
  chainStart: number;
  /** Bytes of complete, visible batches. */
  sealed = 0;
  /** Bytes written, the open or incoming batch included. */
  used = 0;
  /** Wall clock of the newest sealed batch, ms. */
  clockMs = 0;
  /** The log segment after this one, once there is one. */
  next: LogSegment | null = null;
  trimmed = false;
  private readers = 0;
  private readonly owner: Recycler;

  constructor(bytes: Buffer, start: number, chainStart: number, owner: Recycler) {
    this.bytes = bytes;
    this.start = start;
    this.chainStart = chainStart;
    this.owner = owner;
  }

  /** Log offset after the last visible batch. */
  get end(): number {
    return this.start + this.sealed;
  }

  /**
   * Index after the visible batch at index `at`, or -1 when its head is damaged: a length that ends
   * within the head, or beyond what is visible, is nobody's.
   */
  batchEnd(at: number): number {
    if (at + BATCH_HEAD_BYTES > this.sealed) return -1;
    const length = batchLength(this.bytes, at);
    return length < BATCH_HEAD_BYTES || at + length > this.sealed ? -1 : at + length;
  }

  /** Goes on in other memory, which holds what `used` counts. @returns the memory it had */
  refit(bytes: Buffer): Buffer {
    const before = this.bytes;
    this.bytes = bytes;
    return before;
  }

  get pinned(): boolean {
    return this.trimmed && this.readers > 0;
  }

  retain(): void {
    this.readers += 1;
  }

  release(): void {
    assert(this.readers > 0, "a log segment was released more often than retained");
    this.readers -= 1;
    if (this.trimmed && this.readers === 0) this.free();
  }

  trim(): void {
    assert(!this.trimmed);
    this.trimmed = true;
    if (this.readers === 0) this.free();
  }

  private free(): void {
    const bytes = this.bytes;
    this.bytes = EMPTY;
    this.owner.recycle(bytes, this);
  }
}

const EMPTY = Buffer.alloc(0);
