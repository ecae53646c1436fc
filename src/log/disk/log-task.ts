/**
 * What the thread of the log does, over and over: write what was sealed, sync when it is due, rest.
 *
 *              sealed bytes                          due (sync-policy.ts)
 *      +-----------------------> writing ------------------------------> syncing
 *      |                            |                                       |
 *    resting <----------------------+---------------------------------------+
 *      |       nothing new            100 ms without anything new: MARK, sync
 *      |
 *   cut       a file begins at an offset that was asked for: nothing from there on gets into the one
 *             before, however far the log was sealed by then
 *   trouble   a write failed: nothing is written for a while, then the same again. What was written
 *             before is synced as ever
 *   dead      a sync failed: never again
 *
 * Everything that was sealed by the time a sync begins is written before it: one sync serves all who
 * wait for it.
 *
 * Pure but for a writer: the thread and the simulator call run() at the times it asks for.
 * Owns: the order, the moments. Does not own: bytes and files (log-file-writer.ts), the thread.
 */
import assert from "node:assert/strict";
import { DiskError } from "../../errors.ts";
import type { LogName } from "../history.ts";
import { leaveFailed } from "./files.ts";
import type { LogFileWriter } from "./log-file-writer.ts";
import { syncAtMs, type FsyncPolicy } from "./sync-policy.ts";

/** Without anything new for so long, the log rests, ms. */
const REST_MS = 100;
/** After a write that failed, ms: an operator makes room, or a replica's log goes. */
export const RETRY_MS = 250;
/**
 * Zeros that are written ahead of the log under `always`, bytes: a sync that has to make the file longer
 * too takes twice as long.
 */
const ZERO_BYTES = 256 * 1024;
/** For a sync of more than this the length of the file is a small part, bytes. */
const SMALL_SYNC_BYTES = 64 * 1024;

/** Whole batches, `bytes[from, to)`. */
export interface SealedRange {
  readonly bytes: Buffer;
  readonly from: number;
  readonly to: number;
}

/** Where sealed bytes come from. */
export interface SealedBytes {
  /** Those that follow what was taken, before offset `limit`; null when there is nothing new. */
  next(limit: number): SealedRange | null;
  /** So many of them are written. */
  took(count: number): void;
}

/** A log file begins at an offset, whatever was sealed behind it by then. */
interface Cut {
  readonly offset: number;
  /** Null for the name of the log until there. */
  readonly name: LogName | null;
  readonly done: (number: number) => void;
}

export interface TaskOptions {
  readonly policy: FsyncPolicy;
  readonly sealed: SealedBytes;
  /** Monotonic, ms. */
  readonly now: () => number;
  /** `written`, `durable` or `trouble` has moved. */
  readonly moved: () => void;
}

export class LogTask {
  /** Why nothing is written, null when all is well. */
  trouble: DiskError | null = null;
  /** Somebody waits until the log is durable up to here. */
  wanted = 0;
  policy: FsyncPolicy;
  readonly #writer: LogFileWriter;
  readonly #options: TaskOptions;
  /** When the oldest byte that is not synced was written, and the newest byte. */
  #dirtySinceMs = 0;
  #newestMs = 0;
  #isResting = false;
  #retryAtMs = 0;
  /** In the order of their offsets. */
  readonly #cuts: Cut[] = [];

  constructor(writer: LogFileWriter, options: TaskOptions) {
    this.#writer = writer;
    this.#options = options;
    this.policy = options.policy;
  }

  get written(): number {
    return this.#writer.written;
  }

  get durable(): number {
    return this.#writer.durable;
  }

  /** A sync failed: nothing will ever be durable again. */
  get isDead(): boolean {
    return this.#writer.isDead;
  }

  /**
   * A log file begins at `offset`, which nothing was sealed beyond when it was asked for; `done` is told
   * its number.
   */
  cut(offset: number, name: LogName | null, done: (number: number) => void): void {
    assert(offset >= this.written, "a cut below what is written");
    this.#cuts.push({ offset, name, done });
  }

  /** Does what is due. @returns when to call it again, ms; Infinity for when something is new */
  run(): number {
    const nowMs = this.#options.now();
    if (this.isDead) return Number.POSITIVE_INFINITY;
    if (this.trouble !== null && nowMs < this.#retryAtMs) return this.#retryAtMs;
    const trouble = this.#attempt(() => {
      this.#write();
    });
    // Also on a disk that is full: what got into files before is promised as ever.
    const failed = this.#attempt(() => {
      if (!this.isDead) this.#sync();
      if (trouble === null) this.#rest();
    });
    this.#setTrouble(failed ?? trouble);
    return this.#nextMs();
  }

  /** @returns why `work` failed, which is tried again later */
  #attempt(work: () => void): DiskError | null {
    try {
      work();
      return null;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#retryAtMs = this.#options.now() + RETRY_MS;
      return error;
    }
  }

  /** A log file is to begin somewhere ahead. */
  get hasCuts(): boolean {
    return this.#cuts.length > 0;
  }

  /** The last call: what is sealed is written and synced. @throws {DiskError} */
  stop(): void {
    this.#write();
    this.#writer.stop();
    this.#options.moved();
  }

  #write(): void {
    const { sealed } = this.#options;
    for (;;) {
      const [cut] = this.#cuts;
      const limit = cut?.offset ?? Number.POSITIVE_INFINITY;
      const range = sealed.next(limit);
      if (range !== null) this.#append(range);
      else if (cut !== undefined && this.written === limit) this.#begin(cut);
      else return;
    }
  }

  #append({ bytes, from, to }: SealedRange): void {
    const { sealed, now, moved } = this.#options;
    const before = this.written;
    if (this.durable === before) this.#dirtySinceMs = now();
    try {
      this.#writer.append(bytes, from, to);
    } finally {
      // Also what a write that failed has written before.
      sealed.took(this.written - before);
      this.#newestMs = now();
      this.#isResting = false;
      moved();
    }
  }

  #begin({ name, done }: Cut): void {
    if (name === null) this.#writer.startFile();
    else this.#writer.startHistory(name);
    this.#cuts.shift();
    done(this.#writer.number);
    this.#options.moved();
  }

  #sync(): void {
    if (this.#syncAtMs() > this.#options.now()) return;
    if (this.policy === "always" && this.written - this.durable <= SMALL_SYNC_BYTES)
      this.#zeroAhead();
    this.#writer.sync();
    this.#options.moved();
  }

  #rest(): void {
    const { now, moved } = this.#options;
    if (this.#isResting || now() < this.#newestMs + REST_MS || this.policy === "no") return;
    this.#writer.rest();
    this.#isResting = true;
    moved();
  }

  /** Zeros are a gift: a disk without room for them has room for batches. */
  #zeroAhead(): void {
    leaveFailed(() => this.#writer.zeroAhead(ZERO_BYTES));
  }

  #syncAtMs(): number {
    return syncAtMs(this.policy, {
      written: this.written,
      durable: this.durable,
      wanted: this.wanted,
      dirtySinceMs: this.#dirtySinceMs,
    });
  }

  #nextMs(): number {
    if (this.isDead) return Number.POSITIVE_INFINITY;
    if (this.trouble !== null) return this.#retryAtMs;
    const mayRest = !this.#isResting && this.policy !== "no";
    const restMs = mayRest ? this.#newestMs + REST_MS : Number.POSITIVE_INFINITY;
    return Math.min(this.#syncAtMs(), restMs);
  }

  #setTrouble(trouble: DiskError | null): void {
    if (this.trouble?.code === trouble?.code) return;
    this.trouble = trouble;
    this.#options.moved();
  }
}
