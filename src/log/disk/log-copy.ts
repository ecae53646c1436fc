/**
 * Batches that are read of one log become the log of another directory, up to a point:
 *
 *   read     [ batch | batch | batch | batch | batch ...
 *                    ^ from          ^ the first batch above the point: it, and all behind it, stay out
 *   written          [ batch | batch ]
 *
 *   point    the first batch above it
 *   end      none
 *   offset   ends behind the offset
 *   time     has a later clock; a batch's clock never decreases
 *
 * A batch is written when all of it was right. What memory this needs is a MiB, or a batch that is longer.
 * Owns: which batches, whether what is read goes on where the copy begins. Does not own: reading
 * (log-recovery.ts), files that are written (log-file-writer.ts).
 * Tested in: test/unit/node/disk/log-source.test.ts.
 */
import { DiskError } from "../../errors.ts";
import {
  BATCH_HEAD_BYTES,
  batchChain,
  batchClockMs,
  batchCount,
  batchOffset,
} from "../../wire/frame.ts";
import type { LogName } from "../history.ts";
import type { BatchSink } from "./log-file-scan.ts";
import type { LogFileWriter } from "./log-file-writer.ts";
import type { LogStart } from "./verdict.ts";

/** Up to where a log is taken. */
export type LogPoint =
  | { readonly kind: "end" }
  | { readonly kind: "offset"; readonly offset: number }
  /** Wall clock of the root, ms. */
  | { readonly kind: "time"; readonly ms: number };

export interface LogCopyParts {
  /** Where the log begins that is read, and the clock of the batch before it, 0 for none. */
  readonly start: LogStart;
  readonly startClockMs: number;
  /** Where the copy begins, at `start` or later. */
  readonly from: LogStart;
  readonly point: LogPoint;
  /** It stands at `from`. */
  readonly writer: LogFileWriter;
  /** The name under which the copy begins. */
  readonly own: LogName;
  /** The name that what is read now has; null for a copy that keeps its own. */
  readonly name: () => LogName | null;
}

/** Bytes that are gathered before they are written. */
const WRITE_BYTES = 1024 * 1024;

export class LogCopy implements BatchSink {
  /** A batch above the point was met: nothing more is taken. */
  isOver = false;
  /** In the batches that were taken. */
  records = 0;
  /** Clock of the newest batch that was taken or is before `from`, ms; 0 for none. */
  clockMs: number;
  /** The same at `from`. */
  fromClockMs: number;
  readonly #parts: LogCopyParts;
  #name: LogName;
  /** Where what was read ends. */
  #read: LogStart;
  /** Whole batches are `#bytes[0, #whole)`, of the one under way `#bytes[#whole, #filled)`. */
  #bytes: Buffer = Buffer.allocUnsafe(WRITE_BYTES);
  #whole = 0;
  #filled = 0;
  /** Of the batch under way. */
  #batch = { end: 0, chain: 0, clockMs: 0, records: 0, isTaken: false };

  constructor(parts: LogCopyParts) {
    this.#parts = parts;
    this.#read = parts.start;
    this.clockMs = parts.startClockMs;
    this.fromClockMs = parts.startClockMs;
    this.#name = parts.own;
    if (parts.from.offset === parts.start.offset) this.#meet();
  }

  /** Where it begins. */
  get from(): LogStart {
    return this.#parts.from;
  }

  /** The name that it ends under, and the chain there. */
  get name(): LogName {
    return this.#name;
  }

  get chain(): number {
    return this.#read.chain;
  }

  batchHead(head: Buffer, at: number, length: number): void {
    const offset = batchOffset(head, at);
    const end = offset + length;
    const clockMs = batchClockMs(head, at);
    const { from } = this.#parts;
    if (offset === from.offset && this.#read.offset === offset) this.#meet();
    if (offset < from.offset && end > from.offset) notOfThisLog(from.offset);
    this.isOver ||= offset >= from.offset && this.#isAbove(end, clockMs);
    const isTaken = !this.isOver && offset >= from.offset;
    this.#batch = { end, chain: batchChain(head, at), clockMs, records: 0, isTaken };
    if (!isTaken) return;
    this.#rename();
    this.#batch.records = batchCount(head, at);
    this.#filled = this.#whole;
    this.#put(head, at, at + BATCH_HEAD_BYTES);
  }

  batchBytes(bytes: Buffer, from: number, to: number): void {
    if (this.#batch.isTaken) this.#put(bytes, from, to);
  }

  batchEnd(): void {
    if (this.isOver) return;
    const { end, chain, clockMs, records, isTaken } = this.#batch;
    this.#read = { offset: end, chain };
    this.clockMs = clockMs;
    if (!isTaken) {
      this.fromClockMs = clockMs;
      return;
    }
    this.records += records;
    this.#whole = this.#filled;
    if (this.#whole >= WRITE_BYTES) this.#flush();
  }

  /**
   * All that is to be read was. `isWholeLog` lets the copy end under the newest name.
   * @throws {DiskError} when the copy's beginning was not met
   */
  finish(isWholeLog: boolean): void {
    const { from } = this.#parts;
    if (this.#read.offset < from.offset) notOfThisLog(from.offset, this.#read.offset);
    if (this.#read.offset === from.offset) this.#meet();
    if (isWholeLog) this.#rename();
    this.#flush();
  }

  /** What was read is at the copy's beginning. */
  #meet(): void {
    const { from } = this.#parts;
    if (this.#read.chain !== from.chain) notOfThisLog(from.offset);
  }

  #isAbove(end: number, clockMs: number): boolean {
    const { point } = this.#parts;
    switch (point.kind) {
      case "end":
        return false;
      case "offset":
        return end > point.offset;
      case "time":
        return clockMs > point.ms;
    }
  }

  /** What follows may be of another history. */
  #rename(): void {
    const name = this.#parts.name();
    if (name === null || name.history === this.#name.history) return;
    this.#flush();
    this.#parts.writer.startHistory(name);
    this.#name = name;
  }

  #put(bytes: Buffer, from: number, to: number): void {
    const needed = this.#filled + to - from;
    if (needed > this.#bytes.length) {
      // Why by what has come and not by what the head says: that may not be there.
      const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#bytes.length));
      this.#bytes.copy(larger, 0, 0, this.#filled);
      this.#bytes = larger;
    }
    this.#filled += bytes.copy(this.#bytes, this.#filled, from, to);
  }

  #flush(): void {
    if (this.#whole > 0) this.#parts.writer.append(this.#bytes, 0, this.#whole);
    this.#whole = 0;
    this.#filled = 0;
  }
}

function notOfThisLog(offset: number, end = -1): never {
  const why =
    end >= 0 ? `the log ends at ${end}, before it` : "the log is another one there, by its chain";
  throw new DiskError("ERR_DISK_DAMAGED", `the checkpoint is of offset ${offset}: ${why}`);
}
