/**
 * What the thread of the log does, over and over: write what was sealed, sync when it is due, rest.
 *
 *              sealed bytes                          due (sync-policy.ts)
 *      +-----------------------> writing ------------------------------> syncing
 *      |                            |                                       |
 *    resting <----------------------+---------------------------------------+
 *      |       nothing new            100 ms without anything new: MARK, sync, zeros ahead
 *      |
 *   trouble   a write failed: nothing is written for a while, then the same again
 *   dead      a sync failed: never again
 *
 * Everything that was sealed by the time a sync begins is written before it: one sync serves all who
 * wait for it.
 *
 * Pure but for a writer: the thread and the simulator call run() at the times it asks for.
 * Owns: the order, the moments. Does not own: bytes and files (log-file-writer.ts), the thread.
 */
import { DiskError } from "../../errors.ts";
import type { LogFileWriter } from "./log-file-writer.ts";
import { syncAtMs, type FsyncPolicy } from "./sync-policy.ts";

/** Without anything new for so long, the log rests, ms. */
const REST_MS = 100;
/** After a write that failed, ms: an operator makes room, or a replica's log goes. */
const RETRY_MS = 250;
/** Zeros that are written ahead of the log, bytes. */
const ZERO_BYTES = 8 * 1024 * 1024;

/** Where sealed bytes come from. */
export interface SealedBytes {
  /** Whole batches that follow what was taken, `bytes[from, to)`; null when there is nothing new. */
  next(): { readonly bytes: Buffer; readonly from: number; readonly to: number } | null;
  /** So many of them are written. */
  took(count: number): void;
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

  /** Does what is due. @returns when to call it again, ms; Infinity for when something is new */
  run(): number {
    const nowMs = this.#options.now();
    if (this.isDead) return Number.POSITIVE_INFINITY;
    if (this.trouble !== null && nowMs < this.#retryAtMs) return this.#retryAtMs;
    try {
      this.#write();
      this.#sync();
      this.#rest();
      this.#setTrouble(null);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#retryAtMs = this.#options.now() + RETRY_MS;
      this.#setTrouble(error);
    }
    return this.#nextMs();
  }

  /** The last call: what is sealed is written and synced. @throws {DiskError} */
  stop(): void {
    this.#write();
    this.#writer.stop();
    this.#options.moved();
  }

  #write(): void {
    const { sealed, now } = this.#options;
    for (let range = sealed.next(); range !== null; range = sealed.next()) {
      const before = this.written;
      if (this.durable === before) this.#dirtySinceMs = now();
      try {
        this.#writer.append(range.bytes, range.from, range.to);
      } finally {
        // Also what a write that failed has written before.
        sealed.took(this.written - before);
        this.#newestMs = now();
        this.#isResting = false;
        this.#options.moved();
      }
    }
  }

  #sync(): void {
    if (this.#syncAtMs() > this.#options.now()) return;
    this.#writer.sync();
    this.#options.moved();
  }

  #rest(): void {
    const { now, moved } = this.#options;
    if (this.#isResting || now() < this.#newestMs + REST_MS || this.policy === "no") return;
    this.#writer.rest();
    this.#isResting = true;
    moved();
    this.#zeroAhead();
  }

  /** Zeros are a gift: a disk without room for them has room for batches. */
  #zeroAhead(): void {
    try {
      this.#writer.zeroAhead(ZERO_BYTES);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
    }
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
