/**
 * A piece of the log that a store read into memory, for one cursor to send.
 *
 * It is read as a log segment is, but for two things: nothing comes behind it in memory, and it may
 * begin and end inside a batch, though inside no head. Its memory goes back to who made it once nobody
 * reads it.
 *
 * Owns: what is different. Does not own: life (log-segment.ts), what it is part of (cursor.ts).
 */
import assert from "node:assert/strict";
import { BATCH_HEAD_BYTES, batchLength } from "../wire/frame.ts";
import { LogSegment, type Recycler } from "./log-segment.ts";

export class LogBlock extends LogSegment {
  /** The log from `start` on; `owner` gets the memory back. Whoever is given a block retains it. */
  constructor(bytes: Buffer, start: number, owner: Recycler) {
    super(bytes, start, 0, owner);
    this.used = bytes.length;
    this.sealed = bytes.length;
    this.trimmed = true;
  }

  /** A place in the log without bytes: where one waits for the first block. */
  static empty(start: number): LogBlock {
    return new LogBlock(NO_BYTES, start, KEEPS_NOTHING);
  }

  /** Index after the batch that starts at `at`: perhaps beyond the block. Stores check heads. */
  override batchEnd(at: number): number {
    assert(at + BATCH_HEAD_BYTES <= this.sealed, "a block ends inside a head");
    const length = batchLength(this.bytes, at);
    assert(length >= BATCH_HEAD_BYTES, "a block with a damaged head");
    return at + length;
  }
}

const NO_BYTES = Buffer.alloc(0);
const KEEPS_NOTHING: Recycler = { recycle: () => undefined };
