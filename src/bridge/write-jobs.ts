/**
 * What waits to be written: the queue of a primary's writes, and the records of one.
 *
 *   write      records that are there, encoded as a batch has them; several become one batch
 *   update     a body that reads the state and says what is to be written
 *   transact   a body that changes the state itself, and says what it changed
 *
 * Owns: the order of those that wait, leaving before one's turn, what a body logs. Does not own: what is
 * done with them (write-order.ts), the bytes of a write (waiting-records.ts).
 * Tested in: test/unit/bridge/write-order.test.ts.
 */
import { PAYLOAD_BYTES_MAX } from "../log/draft.ts";
import { RECORD_LENGTH_BYTES } from "../wire/frame.ts";
import type { Awaitable, Log, LogPosition } from "./seam.ts";
import { checkedBytes, checkPayload, putRecord } from "./waiting-records.ts";

/** How a job ends; one of them is called, once. */
export interface Ends<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (why: unknown) => void;
}

export interface WriteJob {
  readonly kind: "write";
  readonly count: number;
  /** Its records, each a u32le length and its bytes: `bytes[from, to)`, beside those of other writes. */
  readonly bytes: Buffer;
  readonly from: number;
  readonly to: number;
  readonly ends: Ends<LogPosition>;
}

export interface BodyJob {
  readonly kind: "update" | "transact";
  /** `tx` is what a state hands to transact(). */
  readonly body: (tx: unknown, log: Log) => Awaitable<unknown>;
  readonly ends: Ends<unknown>;
}

export type Job = WriteJob | BodyJob;

/** What it adds to the log, as far as it is known. */
export function bytesOf(job: Job): number {
  return job.kind === "write" ? job.to - job.from : 0;
}

/** First in, first out, in constant time; one that left is passed over. */
export class JobQueue {
  /** Of all that wait. */
  bytes = 0;
  #jobs: (Job | null)[] = [];
  #head = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(job: Job): void {
    this.#jobs.push(job);
    this.#length += 1;
    this.bytes += bytesOf(job);
  }

  get first(): Job | null {
    for (; this.#head < this.#jobs.length; this.#head++) {
      const job = this.#jobs[this.#head];
      if (job != null) return job;
    }
    this.#jobs = [];
    this.#head = 0;
    return null;
  }

  shift(): Job | null {
    const { first } = this;
    if (first === null) return null;
    this.#jobs[this.#head] = null;
    this.#head += 1;
    this.#left(first);
    // Why here: a queue that is never empty would grow for ever.
    if (this.#head > 1024 && this.#head * 2 > this.#jobs.length) {
      this.#jobs = this.#jobs.slice(this.#head);
      this.#head = 0;
    }
    return first;
  }

  /** @returns whether it waited, and does not any more */
  leave(job: Job): boolean {
    const at = this.#jobs.indexOf(job, this.#head);
    if (at < 0) return false;
    this.#jobs[at] = null;
    this.#left(job);
    if (at === this.#head) this.#head += 1;
    return true;
  }

  /** All that wait, which do not any more. */
  takeAll(): Job[] {
    const all = this.#jobs.slice(this.#head).filter((job) => job !== null);
    this.#jobs = [];
    this.#head = 0;
    this.#length = 0;
    this.bytes = 0;
    return all;
  }

  #left(job: Job): void {
    this.#length -= 1;
    this.bytes -= bytesOf(job);
  }
}

/** What the body of an update or a transaction logs. */
export class LoggedRecords {
  count = 0;
  bytes = 0;
  readonly #check: (bytes: Buffer, from: number, to: number) => void;
  #payload: Buffer = Buffer.allocUnsafe(256);
  #isOver = false;

  /** @param check throws when the state could never apply the record */
  constructor(check: (bytes: Buffer, from: number, to: number) => void) {
    this.#check = check;
  }

  readonly log: Log = (record) => {
    if (this.#isOver) throw new Error("log() was called after its body had ended");
    const to = this.bytes + checkedBytes(record.length);
    checkPayload(to);
    if (to > this.#payload.length) this.#grow(to);
    putRecord(this.#payload, this.bytes, record);
    this.#check(this.#payload, this.bytes + RECORD_LENGTH_BYTES, to);
    this.bytes = to;
    this.count += 1;
  };

  /** Nothing more may be logged. @returns all that was */
  end(): Buffer {
    this.#isOver = true;
    return this.#payload.subarray(0, this.bytes);
  }

  #grow(bytes: number): void {
    const grown = Buffer.allocUnsafe(
      Math.min(Math.max(bytes, this.#payload.length * 2), PAYLOAD_BYTES_MAX),
    );
    this.#payload.copy(grown, 0, 0, this.bytes);
    this.#payload = grown;
  }
}
