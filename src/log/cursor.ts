/**
 * A place in the log from which one link is fed: a log segment and an index in it.
 *
 * The cursor retains its log segment, so that it can always finish it, even when it was trimmed
 * behind it. What comes after it is found where a log segment ends, always a batch boundary:
 *
 *   segment   [ batch | batch |  batch  | batch ]  --next-->  [ ...
 *                     ^ boundary   ^ at         ^ sealed
 *
 *   bytes           there are some here
 *   nothing_yet     it has all that is sealed
 *   not_in_memory   what comes next was trimmed, and the store has it: fetch() asks for it
 *   too_old         it was trimmed, and the store has it no more: only a ship helps
 *
 * Behind memory it goes from block to block of the store, and back into memory where that begins. A
 * block may begin inside a batch; then `boundary` is where that batch ends.
 *
 * Invariant: `boundary` is where some batch starts or ends, and boundary <= at <= segment.sealed, but
 * in such a block, and between cutAtBoundary() and the advance() to what it returned.
 *
 * A head that was damaged in memory is sent as it is: the replica sees that it is wrong, and asks for a
 * snapshot when it was wrong twice. How long its batch is nobody knows, so the next boundary is where
 * the visible part of the log segment ends.
 *
 * Owns: the place of one link. Does not own: reading (block-reader.ts), how much is sent
 * (primary/link-feed.ts).
 */
import assert from "node:assert/strict";
import { BATCH_HEAD_BYTES, batchHeadCrc } from "../wire/frame.ts";
import type { Backlog } from "./backlog.ts";
import { BlockReader } from "./block-reader.ts";
import { LogBlock } from "./log-block.ts";
import type { LogSegment } from "./log-segment.ts";

/** What a cursor finds at its place. */
export type CursorAnswer = "bytes" | "nothing_yet" | "not_in_memory" | "too_old";

export class Cursor {
  segment: LogSegment;
  at: number;
  readonly #log: Backlog;
  #boundary: number;
  /** Index of the first boundary in the log segment. */
  #firstBoundary = 0;
  /** Log offsets of the batch in which the block began; -1 when it began with one. */
  #spanFrom = -1;
  #spanTo = -1;
  /** Not null behind memory. */
  #reader: BlockReader | null = null;

  /** `offset` is a batch boundary in [oldest, next]. */
  constructor(log: Backlog, offset: number) {
    this.#log = log;
    const isInMemory = offset >= log.first;
    this.segment = isInMemory ? log.segmentAt(offset) : LogBlock.empty(offset);
    this.segment.retain();
    this.at = offset - this.segment.start;
    this.#boundary = this.at;
    if (!isInMemory) this.#reader = new BlockReader(log.store, offset);
  }

  /** Log offset of the next byte to send. */
  get offset(): number {
    return this.segment.start + this.at;
  }

  /** The next byte is the first of a batch, or would be. */
  get atBoundary(): boolean {
    if (this.#boundary < this.at) this.#hop(this.at);
    return this.#boundary === this.at;
  }

  /** What is at its place; goes on into the next log segment or block when this one is used up. */
  look(): CursorAnswer {
    return this.at < this.segment.sealed ? "bytes" : this.#goOn();
  }

  /** It is fed by the store of the log, block after block. */
  get isBehindMemory(): boolean {
    return this.#reader !== null;
  }

  /** Bytes that can be sent from this log segment. */
  get bytesHere(): number {
    return this.segment.sealed - this.at;
  }

  #goOn(): CursorAnswer {
    if (this.#reader !== null) return this.#goOnBehind(this.#reader);
    const { segment } = this;
    const after = segment.next;
    const complete = segment.sealed === segment.used;
    if (complete && after !== null && after.sealed > 0 && !after.trimmed) {
      after.retain();
      this.#enter(after, 0);
      return "bytes";
    }
    if (!segment.trimmed) return "nothing_yet";
    // Why the second: after a reset nothing comes behind it, and offsets mean another log.
    if (this.#log.store.first > this.offset || after === null) return "too_old";
    this.#reader = new BlockReader(this.#log.store, this.offset);
    return this.#goOnBehind(this.#reader);
  }

  #goOnBehind(reader: BlockReader): CursorAnswer {
    const log = this.#log;
    if (this.offset >= log.first) {
      this.#reader = null;
      reader.close();
      this.#enterMemory();
      return this.look();
    }
    const block = reader.take();
    if (block === null) return reader.failed ? "too_old" : "not_in_memory";
    this.#enterBlock(block);
    if (block.end < log.first) reader.readOn();
    return "bytes";
  }

  /** After "not_in_memory": asks the store, once; `told` is called when look() says something else. */
  fetch(told: () => void): void {
    this.#reader?.read(told);
  }

  advance(bytes: number): void {
    this.at += bytes;
    if (this.at === this.segment.sealed && this.#reader === null) this.#boundary = this.at;
  }

  /** The largest batch boundary in (at, limit], or `at` when there is none; as indexes. */
  cutAtBoundary(limit: number): number {
    this.#hop(limit);
    const boundary = this.#boundary;
    return boundary > this.at && boundary <= limit ? boundary : this.at;
  }

  /** End (log offset) of the batch that starts at log offset `start`, -1 when none is known in here. */
  batchEnd(start: number): number {
    if (start === this.#spanFrom) return this.#spanTo;
    const { segment } = this;
    const target = start - segment.start;
    if (target < 0 || target >= segment.sealed) return -1;
    let at = this.#boundary <= target ? this.#boundary : this.#firstBoundary;
    while (at >= 0 && at < target) at = segment.batchEnd(at);
    const after = at === target ? segment.batchEnd(at) : -1;
    return after < 0 ? -1 : segment.start + after;
  }

  /**
   * Skips the first `held` bytes of the batch at the cursor, when it is the batch whose head has
   * this crc; else skips nothing.
   */
  skipHeld(held: number, headCrc: number): number {
    if (held < BATCH_HEAD_BYTES || this.look() !== "bytes") return 0;
    const { segment, at } = this;
    if (batchHeadCrc(segment.bytes, at) !== headCrc || at + held >= segment.batchEnd(at)) return 0;
    this.at += held;
    return held;
  }

  close(): void {
    this.segment.release();
    this.#reader?.close();
  }

  /** Goes on at the start of `segment`, which is retained and has its first boundary at `boundary`. */
  #enter(segment: LogSegment, boundary: number): void {
    this.segment.release();
    this.segment = segment;
    this.at = 0;
    this.#boundary = boundary;
    this.#firstBoundary = boundary;
  }

  #enterBlock(block: LogBlock): void {
    const { segment } = this;
    assert(block.start === this.offset, "a block from another place of the log");
    this.#hop(segment.sealed);
    const last = this.#boundary;
    // Beyond: this one was all inside the batch in which it began, and the next begins in it too.
    if (last <= segment.sealed) {
      const isInside = last < segment.sealed;
      this.#spanFrom = isInside ? segment.start + last : -1;
      this.#spanTo = isInside ? segment.start + segment.batchEnd(last) : block.start;
    }
    this.#enter(block, this.#spanTo - block.start);
  }

  /** From a block, perhaps inside a batch. */
  #enterMemory(): void {
    const { offset } = this;
    const segment = this.#log.segmentAt(offset);
    segment.retain();
    this.#enter(segment, 0);
    this.#spanFrom = -1;
    this.at = offset - segment.start;
    this.#hop(this.at);
  }

  /** Moves `boundary` forward to the last batch boundary that is not beyond `limit`. */
  #hop(limit: number): void {
    const { segment } = this;
    const { sealed } = segment;
    let at = this.#boundary;
    while (at < sealed) {
      const end = segment.batchEnd(at);
      const after = end < 0 ? sealed : end;
      if (after > limit) break;
      at = after;
    }
    this.#boundary = at;
  }
}
