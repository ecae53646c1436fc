/**
 * Reads one log file from its head to its end, or to the first damage, and tells what is in it.
 *
 *   [ head | batch | MARK | batch | batch | zeros ]
 *            ^ every batch goes through the decoder of the wire: head, order, chain
 *
 *   what stands where a frame should begin           it is
 *   the end of the file, or zeros up to it           the end of the log in this file
 *   zeros, and something behind them                 damage "hole"
 *   a frame that ends beyond the file                damage "torn"
 *   a head whose crc, type or length is wrong        damage "head"
 *   a batch that does not continue the chain         damage "chain"
 *   a batch of another offset                        damage "order"
 *   what the disk cannot read                        damage "unreadable"
 *   a mark that is not whole, or not of this file,   damage "mark"
 *   or names what the file does not have
 *
 * What a state refuses ("refused") is none of the file's: see LogRecovery.finish().
 * Whether damage is a tail that a crash tore, or something worse, is not decided here (verdict.ts). For
 * that, marks are looked for behind the damage too.
 *
 * Works in steps of a block, so that a loop can do something else between them. What it tells of a
 * batch before batchEnd() is not verified. What the sink throws passes through, and ends the scan.
 * Owns: walking one file. Does not own: what damage means, which files there are.
 * Tested in: test/unit/log/disk/log-recovery.test.ts.
 */
import assert from "node:assert/strict";
import { DiskError, WireError, type WireErrorCode } from "../../errors.ts";
import { Decoder, type DecoderSink } from "../../wire/decoder.ts";
import { AT, BATCH_HEAD_BYTES, FRAME_HEAD_BYTES } from "../../wire/frame.ts";
import { FRAME } from "../../wire/messages.ts";
import type { DiskFile } from "./files.ts";
import { DISK_FRAME, MARK_BYTES, readMark, type LogHead, type SyncMark } from "./frames.ts";

/** Bytes that a step reads. */
const BLOCK_BYTES = 1024 * 1024;

/** What a disk cannot read is at least so much, bytes. */
const PAGE_BYTES = 4096;

/** The most bytes that must be there before it is clear what a frame is. */
const PEEK_BYTES = Math.max(BATCH_HEAD_BYTES, MARK_BYTES);

export type DamageKind =
  "hole" | "torn" | "head" | "chain" | "order" | "mark" | "unreadable" | "refused";

export interface LogDamage {
  readonly kind: DamageKind;
  /** Byte in the file where the frame begins that is damaged. */
  readonly fileAt: number;
  /** Offset in the log up to which all was right. */
  readonly offset: number;
}

/** What the scan tells of batches, as a decoder does. */
export type BatchSink = Pick<DecoderSink, "batchHead" | "batchBytes" | "batchEnd">;

/** Of whoever asks only how far a log is whole. */
export const NO_SINK: BatchSink = {
  batchHead: () => undefined,
  batchBytes: () => undefined,
  batchEnd: () => undefined,
};

const DAMAGE: Readonly<Partial<Record<WireErrorCode, DamageKind>>> = {
  ERR_WIRE_CHAIN: "chain",
  ERR_WIRE_OFFSET: "order",
};

export class LogFileScan {
  /** The first damage, null as long as there is none. */
  damage: LogDamage | null = null;
  /** The newest mark, those behind the damage too; null for none. */
  mark: SyncMark | null = null;
  /**
   * Byte in the file up to which all was synced, as far as marks before the damage say. Why a mark's
   * own place: nothing is written while a sync runs, so a mark names all that stands before it.
   */
  syncedAt: number;
  readonly #file: DiskFile;
  readonly #head: LogHead;
  readonly #decoder: Decoder;
  readonly #sink: PassingSink;
  readonly #block: Buffer;
  /** What was read and not taken: `#block[#from, #to)`, which ends at `#readTo` in the file. */
  #from = 0;
  #to = 0;
  #readTo: number;
  #readMost = BLOCK_BYTES;
  /** Where the present frame begins in the file, and how much of it is still to come. */
  #frameAt: number;
  #missing = 0;
  #phase: "frames" | "zeros" | "marks" | "done" = "frames";
  /** The damage was found in this very step: what is in the block is not what comes next. */
  #isReread = false;

  /** `headBytes` is the length of the file's LOG_HEAD. */
  constructor(file: DiskFile, head: LogHead, headBytes: number, sink: BatchSink) {
    this.#file = file;
    this.#head = head;
    this.#block = Buffer.allocUnsafe(Math.min(BLOCK_BYTES, file.sizeBytes + PEEK_BYTES));
    this.#readTo = headBytes;
    this.#frameAt = headBytes;
    this.syncedAt = headBytes;
    this.#sink = new PassingSink(sink);
    this.#decoder = new Decoder(new Set([FRAME.batch]), this.#sink);
    this.#decoder.expect(head.start.offset, head.start.chain);
  }

  /** The log is whole up to here, as far as it was read. */
  get offset(): number {
    return this.#decoder.offset;
  }

  /** The chain there. */
  get chain(): number {
    return this.#decoder.chain;
  }

  /** Byte in the file after the last whole frame. */
  get fileAt(): number {
    return this.#frameAt;
  }

  /** Bytes that were read, for a progress line. */
  get readBytes(): number {
    return this.#readTo;
  }

  /** Reads a block and takes what is in it. @returns false once the file is done */
  step(): boolean {
    if (this.isDone) return false;
    const isEnd = !this.#refill();
    if (this.#phase === "frames") this.#takeFrames(isEnd);
    if (this.#phase === "zeros") this.#takeZeros(isEnd);
    if (this.#phase === "marks") this.#lookForMarks(isEnd);
    return !this.isDone;
  }

  get isDone(): boolean {
    return this.#phase === "done";
  }

  /** Reads on. False when the file has no more. */
  #refill(): boolean {
    this.#block.copyWithin(0, this.#from, this.#to);
    this.#to -= this.#from;
    this.#from = 0;
    const room = Math.min(this.#readMost, this.#block.length - this.#to);
    let count: number;
    try {
      count = this.#file.read(this.#block, this.#to, room, this.#readTo);
    } catch (error) {
      if (!(error instanceof DiskError) || error.code !== "ERR_DISK_READ") throw error;
      this.#cannotRead();
      return this.#readTo < this.#file.sizeBytes;
    }
    this.#to += count;
    this.#readTo += count;
    return count === room;
  }

  /** A part of the file is lost: marks may be behind it. */
  #cannotRead(): void {
    if (this.#phase !== "marks") this.#damaged("unreadable");
    // A page at a time from here on, and those that cannot be read are passed.
    else if (this.#readMost > PAGE_BYTES) this.#readMost = PAGE_BYTES;
    else {
      this.#readTo += PAGE_BYTES;
      this.#to = 0;
    }
  }

  // --- frames -------------------------------------------------------------------------------------

  #takeFrames(isEnd: boolean): void {
    while (this.#phase === "frames") {
      if (this.#missing > 0) {
        if (this.#from === this.#to) break;
        this.#takeBatch();
      } else if (this.#to - this.#from >= PEEK_BYTES || isEnd) {
        if (this.#from === this.#to) break;
        this.#takeHead();
      } else return;
    }
    if (this.#phase !== "frames" || !isEnd) return;
    if (this.#missing > 0) this.#damaged("torn");
    else this.#phase = "done";
  }

  #takeHead(): void {
    const block = this.#block;
    const at = this.#from;
    const there = this.#to - at;
    if (isZero(block, at, Math.min(this.#to, at + FRAME_HEAD_BYTES))) this.#phase = "zeros";
    else if (there < FRAME_HEAD_BYTES) this.#damaged("torn");
    else if (block[at + AT.type] === DISK_FRAME.mark) this.#takeMark();
    else if (there < BATCH_HEAD_BYTES) this.#damaged("torn");
    else this.#missing = Math.max(block.readUInt32LE(at + AT.length), BATCH_HEAD_BYTES);
  }

  #takeMark(): void {
    const mark = readMark(this.#block, this.#from, this.#head.salt);
    if (mark === null || mark.durable > this.offset || !this.#agrees(mark)) {
      this.#damaged("mark");
      return;
    }
    this.mark = mark;
    this.syncedAt = this.#frameAt;
    this.#from += MARK_BYTES;
    this.#frameAt += MARK_BYTES;
  }

  #agrees(mark: SyncMark): boolean {
    return mark.durable < this.offset || mark.chain === this.chain;
  }

  #takeBatch(): void {
    const to = Math.min(this.#to, this.#from + this.#missing);
    const from = this.#from;
    const before = this.offset;
    try {
      this.#decoder.push(this.#block, from, to);
    } catch (error) {
      if (!(error instanceof WireError) || this.#sink.hasThrown) throw error;
      this.#damaged(DAMAGE[error.code] ?? "head");
      return;
    }
    this.#missing -= to - from;
    this.#from = to;
    if (this.#missing > 0) return;
    assert(this.offset > before, "a frame without a batch");
    this.#frameAt += this.offset - before;
  }

  // --- what is behind the frames ------------------------------------------------------------------

  #takeZeros(isEnd: boolean): void {
    if (!isZero(this.#block, this.#from, this.#to)) this.#damaged("hole");
    else {
      this.#from = this.#to;
      if (isEnd) this.#phase = "done";
    }
  }

  #damaged(kind: DamageKind): void {
    this.damage = { kind, fileAt: this.#frameAt, offset: this.offset };
    this.#decoder.stop();
    this.#phase = "marks";
    // Of a batch that is damaged, some may have been taken in blocks before: read it again.
    this.#readTo = this.#frameAt;
    this.#from = 0;
    this.#to = 0;
    this.#isReread = true;
  }

  /** Marks are found by the salt: it is random, so what looks like a mark was written as one. */
  #lookForMarks(isEnd: boolean): void {
    if (this.#isReread) {
      this.#isReread = false;
      return;
    }
    const salt = Buffer.from(this.#head.salt, "hex");
    const there = this.#block.subarray(0, this.#to);
    for (let at = 0; ;) {
      const found = there.indexOf(salt, at);
      if (found < 0) break;
      this.#believe(found - FRAME_HEAD_BYTES, there);
      at = found + 1;
    }
    this.#from = Math.max(0, this.#to - MARK_BYTES + 1);
    if (isEnd) this.#phase = "done";
  }

  #believe(at: number, there: Buffer): void {
    const mark = at < 0 ? null : readMark(there, at, this.#head.salt);
    if (mark !== null && mark.durable >= (this.mark?.durable ?? 0)) this.mark = mark;
  }
}

/** Passes batches on, and knows whether it was the receiver who threw. */
class PassingSink implements DecoderSink {
  hasThrown = false;
  readonly #to: BatchSink;

  constructor(to: BatchSink) {
    this.#to = to;
  }

  batchHead(head: Buffer, at: number, length: number): void {
    this.hasThrown = true;
    this.#to.batchHead(head, at, length);
    this.hasThrown = false;
  }

  batchBytes(bytes: Buffer, from: number, to: number): void {
    this.hasThrown = true;
    this.#to.batchBytes(bytes, from, to);
    this.hasThrown = false;
  }

  batchEnd(): void {
    this.hasThrown = true;
    this.#to.batchEnd();
    this.hasThrown = false;
  }

  control(): void {
    assert.fail("the decoder let through what is no batch");
  }

  chunkHead(): void {
    assert.fail("the decoder let through what is no batch");
  }

  chunkBytes(): void {
    assert.fail("the decoder let through what is no batch");
  }

  chunkEnd(): void {
    assert.fail("the decoder let through what is no batch");
  }
}

function isZero(bytes: Buffer, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (bytes[at] !== 0) return false;
  return true;
}
