/**
 * Reads the log from one file for a link that is behind memory: the bytes of batches as they are on
 * the wire, marks taken out, every chain checked.
 *
 *   file     [ head | batch | batch | MARK | batch | batch ...
 *                     ^ sought to     a block is read, and closed over the marks
 *   into     [ batch | batch | batch | batch ]                 whole batches, or
 *            [ part of one that is longer than `into` ]        once all of it was summed
 *
 * The chain before a batch is the `check` of the batch before it, or the start in the file's head, so
 * that reading can begin at any batch without summing what is before it.
 * Bytes that are not proven are never handed out: a sum that is wrong ends the reader.
 *
 * Owns: seeking, stripping, checking. Does not own: which file has an offset, read-ahead.
 */
import assert from "node:assert/strict";
import { DiskError } from "../../errors.ts";
import { crc32 } from "../../wire/crc.ts";
import {
  AT,
  BATCH_HEAD_BYTES,
  FRAME_HEAD_BYTES,
  batchChain,
  batchLength,
  batchOffset,
  chainOf,
  headSum,
} from "../../wire/frame.ts";
import { FRAME } from "../../wire/messages.ts";
import type { DiskFile } from "./files.ts";
import { DISK_FRAME, MARK_BYTES, type LogHead } from "./frames.ts";

/** Bytes that are read at a time where nothing is handed out: of heads, and of long batches. */
const BLOCK_BYTES = 256 * 1024;

export class LogReader {
  readonly #file: DiskFile;
  readonly #head: LogHead;
  /** Byte in the file where the next frame begins. */
  #at: number;
  #offset: number;
  #chain: number;
  /** A batch that is longer than the room, and how much of it was handed out. */
  #long = { length: 0, chain: 0 };
  #longSum = 0;
  /** All that was handed out of it is in #longSum: it was read from its start on. */
  #isSummed = false;
  #given = 0;

  /** `headBytes` is the length of the file's LOG_HEAD. */
  constructor(file: DiskFile, head: LogHead, headBytes: number) {
    this.#file = file;
    this.#head = head;
    this.#at = headBytes;
    this.#offset = head.start.offset;
    this.#chain = head.start.chain;
  }

  /** Where the next byte is in the log. */
  get offset(): number {
    return this.#offset + this.#given;
  }

  /** The chain at the start of the batch that `offset` is in. */
  get chain(): number {
    return this.#chain;
  }

  /**
   * Goes on to `offset`, also inside a batch, which is summed then. @returns false when this file does
   * not have it
   * @throws {DiskError} ERR_DISK_DAMAGED
   */
  seekInside(offset: number): boolean {
    const start = this.seek(offset);
    if (start === offset) return true;
    const head = Buffer.alloc(BATCH_HEAD_BYTES);
    const count = this.#file.read(head, 0, head.length, this.#at);
    const length = this.#frameAt(head, 0, count);
    if (length <= offset - start) return false;
    this.#long = { length, chain: batchChain(head, 0) };
    this.#sum();
    this.#given = offset - start;
    this.#isSummed = false;
    return true;
  }

  /**
   * Goes on to the batch that has `offset`. @returns where that batch begins
   * @throws {DiskError} ERR_DISK_DAMAGED when a head on the way is
   */
  seek(offset: number): number {
    assert(offset >= this.offset, "a seek backwards");
    const block = Buffer.allocUnsafe(BLOCK_BYTES);
    for (;;) {
      const before = this.#at;
      const count = this.#file.read(block, 0, block.length, before);
      if (this.#walk(block, count, offset)) return this.#offset;
      // Why a batch longer than the block ends here too: its head told where the next one begins.
      if (this.#at === before) return this.#offset;
    }
  }

  /** Passes batches that end at or before `offset`. True when the one that has it was met. */
  #walk(block: Buffer, count: number, offset: number): boolean {
    const from = this.#at;
    while (this.#offset < offset) {
      const at = this.#at - from;
      if (at > count) return false;
      const length = this.#frameAt(block, at, count);
      if (length === 0) return false;
      if (block[at + AT.type] === DISK_FRAME.mark) this.#at += MARK_BYTES;
      else if (this.#offset + length > offset) return true;
      else this.#pass(batchChain(block, at), length);
    }
    return true;
  }

  /**
   * Fills `into` with what follows, up to offset `end`, a boundary that was written.
   * @returns bytes of the log; 0 at `end`, and at the end of the file: the next file begins at `offset`,
   * or something is missing between them
   * @throws {DiskError} ERR_DISK_DAMAGED; then this reader is of no use any more
   */
  read(into: Buffer, end: number): number {
    assert(into.length >= MARK_BYTES, `${into.length} bytes are no room for a frame`);
    if (this.#given > 0) return this.#readPart(into);
    while (this.#offset < end) {
      const before = this.#at;
      const count = this.#file.read(into, 0, into.length, before);
      const filled = this.#take(into, count, end);
      if (filled > 0) return filled;
      // Only marks were there.
      if (this.#at > before) continue;
      const length = this.#frameAt(into, 0, count);
      if (length <= count) return 0;
      this.#long = { length, chain: batchChain(into, 0) };
      this.#sum();
      this.#isSummed = true;
      return this.#readPart(into);
    }
    return 0;
  }

  /** Checks what is in `into[0, count)`, and closes it over the marks. @returns bytes of batches */
  #take(into: Buffer, count: number, end: number): number {
    let filled = 0;
    let at = 0;
    while (this.#offset < end) {
      const length = this.#frameAt(into, at, count);
      if (length === 0 || at + length > count) break;
      if (into[at + AT.type] === DISK_FRAME.mark) this.#at += MARK_BYTES;
      else {
        if (chainOf(into, at, length, this.#chain) !== batchChain(into, at))
          this.#damaged("a batch");
        this.#pass(batchChain(into, at), length);
        if (filled < at) into.copyWithin(filled, at, at + length);
        filled += length;
      }
      at += length;
    }
    return filled;
  }

  /** A part of the batch that is longer than `into`; all of it was summed. */
  #readPart(into: Buffer): number {
    const { length, chain } = this.#long;
    const bytes = Math.min(into.length, length - this.#given);
    if (this.#file.read(into, 0, bytes, this.#at + this.#given) < bytes)
      this.#damaged("the end of the file");
    // Why again: these are not the bytes that were summed, but another reading of them.
    const sum = this.#given === 0 ? this.#chain : this.#longSum;
    this.#longSum = crc32(into, this.#given === 0 ? AT.type : 0, bytes, sum);
    this.#given += bytes;
    if (this.#given === length) {
      if (this.#isSummed && this.#longSum !== chain) this.#damaged("a batch");
      this.#given = 0;
      this.#pass(chain, length);
    }
    return bytes;
  }

  /** All of the long batch, before any of it is handed out. */
  #sum(): void {
    const { length, chain } = this.#long;
    const block = Buffer.allocUnsafe(Math.min(BLOCK_BYTES, length));
    let sum = this.#chain;
    for (let done = 0; done < length;) {
      const bytes = Math.min(block.length, length - done);
      if (this.#file.read(block, 0, bytes, this.#at + done) < bytes)
        this.#damaged("the end of the file");
      sum = crc32(block, done === 0 ? AT.type : 0, bytes, sum);
      done += bytes;
    }
    if (sum !== chain) this.#damaged("a batch");
  }

  #pass(chain: number, length: number): void {
    this.#chain = chain;
    this.#at += length;
    this.#offset += length;
  }

  /** Length of the frame at `at`, its head checked; 0 when the head is not all there. */
  #frameAt(bytes: Buffer, at: number, count: number): number {
    if (count - at < FRAME_HEAD_BYTES) return 0;
    const type = bytes[at + AT.type]!;
    const headBytes = type === DISK_FRAME.mark ? FRAME_HEAD_BYTES : BATCH_HEAD_BYTES;
    if (count - at < headBytes) return 0;
    if (bytes.readUInt32LE(at + AT.headCrc) !== headSum(bytes, at, headBytes))
      this.#damaged("a head");
    if (type === DISK_FRAME.mark) return MARK_BYTES;
    if (type !== FRAME.batch || batchOffset(bytes, at) !== this.#offset)
      this.#damaged("the order of batches");
    return batchLength(bytes, at);
  }

  #damaged(what: string): never {
    const { number } = this.#head;
    throw new DiskError(
      "ERR_DISK_DAMAGED",
      `log file ${number}, byte ${this.#at}, offset ${this.#offset}: ${what} is not what was written`,
    );
  }
}
