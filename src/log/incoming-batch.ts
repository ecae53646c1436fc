/**
 * What a replica receives: the batch that is arriving, and the complete ones before it that are not
 * applied yet.
 *
 *     next                            tail
 *      |  received  |  received  |  arriving  |
 *      ^ pending()               ^ at
 *
 * Owns: where the arriving batch is, its announced length. Does not own: memory (segments.ts), what
 * is in the batches (wire/decoder.ts has checked it), applying (replica/apply.ts).
 */
import assert from "node:assert/strict";
import {
  BATCH_HEAD_BYTES,
  batchChain,
  batchClockMs,
  batchHeadCrc,
  batchLength,
} from "../wire/frame.ts";
import { segmentAt } from "./boundaries.ts";
import type { LogSegment } from "./log-segment.ts";
import type { Segments } from "./segments.ts";

/** A batch that is longer gets more memory as it arrives, not as it was announced. */
const FIRST_BYTES_MAX = 1024 * 1024;

/** A complete batch that is not applied. */
export interface PendingBatch {
  readonly segment: LogSegment;
  /** Index in the log segment. */
  readonly at: number;
}

export class IncomingBatch {
  readonly #segments: Segments;
  /** Index in the newest log segment where it starts. */
  #at = -1;
  /** Its announced length, 0 when none is arriving. */
  #length = 0;

  constructor(segments: Segments) {
    this.#segments = segments;
  }

  /** Bytes of it that are here, its head included; 0 when none is arriving. */
  get bytes(): number {
    return this.#length === 0 ? 0 : this.#segments.newest.used - this.#at;
  }

  /** Where it starts in the newest log segment. */
  get at(): number {
    assert(this.#length > 0, "no batch is arriving");
    return this.#at;
  }

  /** Its headCrc, 0 when none is arriving. */
  get headCrc(): number {
    return this.#length === 0 ? 0 : batchHeadCrc(this.#segments.newest.bytes, this.#at);
  }

  /** One of `length` bytes begins; head[at, at + 36) is its verified head. */
  begin(head: Buffer, at: number, length: number): void {
    assert(this.#length === 0, "a batch inside a batch");
    const segments = this.#segments;
    let segment = segments.newest;
    if (segment.used + length > segment.bytes.length) {
      const bytes = Math.min(Math.max(length, segments.usualBytes), FIRST_BYTES_MAX);
      segment = segments.extend(segments.tail, segments.chain, bytes);
    }
    this.#at = segment.used;
    this.#length = length;
    head.copy(segment.bytes, segment.used, at, at + BATCH_HEAD_BYTES);
    segment.used += BATCH_HEAD_BYTES;
  }

  /** Its payload, any split. */
  add(bytes: Buffer, from: number, to: number): void {
    const segment = this.#segments.newest;
    const used = segment.used + (to - from);
    assert(used - this.#at <= this.#length, "more bytes than the batch has");
    if (used > segment.bytes.length) this.#grow(segment, used);
    bytes.copy(segment.bytes, segment.used, from, to);
    segment.used = used;
  }

  /** Doubles the log segment of a batch that is larger than one; nobody else reads it yet. */
  #grow(segment: LogSegment, need: number): void {
    const whole = this.#at + this.#length;
    this.#segments.grow(segment, Math.min(whole, Math.max(need, segment.bytes.length * 2)));
  }

  /** It is complete and its chain verified; it waits for commit(). */
  end(): void {
    assert(this.#segments.newest.used - this.#at === this.#length, "the batch is not complete");
    this.#length = 0;
  }

  /** It never came. */
  drop(): void {
    if (this.#length === 0) return;
    this.#segments.newest.used = this.#at;
    this.#length = 0;
  }

  /** Its bytes go with the log segment that they are in. */
  forget(): void {
    this.#length = 0;
  }

  /** The complete batch at `next`, null when there is none; `to` is where complete ones end. */
  pending(to: number): PendingBatch | null {
    const { next } = this.#segments;
    if (next >= to) return null;
    const segment = segmentAt(this.#segments, next);
    return { segment, at: next - segment.start };
  }

  /** The batch that pending() gave is applied. */
  commit({ segment, at }: PendingBatch): void {
    assert(at === segment.sealed);
    const { bytes } = segment;
    const chain = batchChain(bytes, at);
    this.#segments.sealed(segment, batchLength(bytes, at), chain, batchClockMs(bytes, at));
    // A log segment begun before its predecessor was applied learns the chain at its start.
    const after = segment.next;
    if (after !== null && segment.sealed === segment.used) after.chainStart = chain;
  }
}
