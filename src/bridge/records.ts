/**
 * Bytes of the log as the records that a public state is given: whole batches, head by head, a node batch
 * passed over, since its record is the log's own.
 *
 *   bytes[from, to)   [ head | u32 record | u32 record ][ head, node ][ head | u32 record ]
 *                                each() visits these ------------------------------^
 *
 * All lengths are looked at before a state is given anything: what a peer sends must not lead beyond it.
 * Owns: counting and walking batches. Does not own: chunks of a snapshot (chunk-records.ts), marks
 * (mark.ts).
 */
import { StoreError } from "../errors.ts";
import {
  BATCH_HEAD_BYTES,
  batchChain,
  batchClockMs,
  batchCount,
  batchLength,
  batchOffset,
  isNodeBatch,
  RECORD_LENGTH_BYTES,
} from "../wire/frame.ts";
import type { Batch, Mark } from "./seam.ts";

/** Writes the mark of a place in the log. */
export interface MarkWriter {
  markAt(offset: number, chain: number, clockMs: number): Mark;
}

type Visit = (bytes: Buffer, from: number, to: number) => void;

/** The batches in `bytes[from, to)`, one or more. */
export class LogBatch implements Batch {
  readonly count: number;
  readonly bytes: number;
  readonly #log: Buffer;
  readonly #from: number;
  readonly #to: number;
  /** Index of the last head. */
  readonly #last: number;
  readonly #marks: MarkWriter;
  #end: Mark | null = null;

  /** @throws {StoreError} ERR_STORE_RECORD when records and batches do not end where they say */
  constructor(log: Buffer, from: number, to: number, marks: MarkWriter) {
    let count = 0;
    let bytes = 0;
    let last = from;
    for (let at = from; at < to; at = last + batchLength(log, last)) {
      last = at;
      const end = endOfBatch(log, at, to);
      if (isNodeBatch(log, at)) continue;
      const records = batchCount(log, at);
      checkRecords(log, at + BATCH_HEAD_BYTES, end, records);
      count += records;
      bytes += end - at - BATCH_HEAD_BYTES - records * RECORD_LENGTH_BYTES;
    }
    this.count = count;
    this.bytes = bytes;
    this.#log = log;
    this.#from = from;
    this.#to = to;
    this.#last = last;
    this.#marks = marks;
  }

  /** Written when it is asked for: a state without a durability never does. */
  get end(): Mark {
    this.#end ??= this.#marks.markAt(this.endOffset, this.endChain, this.clockMs);
    return this.#end;
  }

  get endOffset(): number {
    return batchOffset(this.#log, this.#last) + batchLength(this.#log, this.#last);
  }

  get endChain(): number {
    return batchChain(this.#log, this.#last);
  }

  get clockMs(): number {
    return batchClockMs(this.#log, this.#last);
  }

  each(visit: Visit): void {
    const log = this.#log;
    const to = this.#to;
    for (let at = this.#from; at < to;) {
      const end = at + batchLength(log, at);
      if (!isNodeBatch(log, at)) eachRecord(log, at + BATCH_HEAD_BYTES, end, visit);
      at = end;
    }
  }

  *[Symbol.iterator](): Iterator<Buffer> {
    const log = this.#log;
    const to = this.#to;
    for (let at = this.#from; at < to;) {
      const end = at + batchLength(log, at);
      if (!isNodeBatch(log, at)) yield* recordsIn(log, at + BATCH_HEAD_BYTES, end);
      at = end;
    }
  }
}

/** Visits the records in `bytes[from, to)`, each a u32le length and that many bytes. */
export function eachRecord(bytes: Buffer, from: number, to: number, visit: Visit): void {
  for (let at = from; at < to;) {
    const start = at + RECORD_LENGTH_BYTES;
    at = start + lengthAt(bytes, at);
    visit(bytes, start, at);
  }
}

/** The same, as views. */
export function* recordsIn(bytes: Buffer, from: number, to: number): Generator<Buffer> {
  for (let at = from; at < to;) {
    const start = at + RECORD_LENGTH_BYTES;
    at = start + lengthAt(bytes, at);
    yield bytes.subarray(start, at);
  }
}

/** The u32le at `at`; four reads, since Buffer's own checks cost 8 ns a word. */
export function lengthAt(bytes: Buffer, at: number): number {
  return (
    (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
  );
}

function endOfBatch(log: Buffer, at: number, to: number): number {
  const length = to - at < BATCH_HEAD_BYTES ? 0 : batchLength(log, at);
  if (length >= BATCH_HEAD_BYTES && at + length <= to) return at + length;
  throw new StoreError("ERR_STORE_RECORD", `a batch of ${length} bytes, with ${to - at} there`);
}

/** @throws {StoreError} ERR_STORE_RECORD unless bytes[from, to) is exactly `count` records */
function checkRecords(bytes: Buffer, from: number, to: number, count: number): void {
  let at = from;
  let seen = 0;
  while (at + RECORD_LENGTH_BYTES <= to) {
    at += RECORD_LENGTH_BYTES + lengthAt(bytes, at);
    seen += 1;
  }
  if (at === to && seen === count) return;
  const why = at === to ? `${seen} records in a batch of ${count}` : "records do not fill a batch";
  throw new StoreError("ERR_STORE_RECORD", why);
}
