/**
 * Reads the log from a store for one cursor, block after block: one is sent while the next is read.
 *
 *   idle --read()--> reading --answer--> ready --take()--> idle
 *                        +--gone, damaged--> failed
 *
 * Owns: the block that is ready, what a read came to. Does not own: the place (cursor.ts), bytes per
 * run (primary/pump.ts).
 */
import type { LogBlock } from "./log-block.ts";
import type { LogStore, ReadAnswer } from "./log-store.ts";

export class BlockReader {
  readonly #store: LogStore;
  /** Where the next block begins. */
  #offset: number;
  #ready: LogBlock | null = null;
  #state: "idle" | "reading" | "ready" | "failed" | "closed" = "idle";
  #told: () => void = () => undefined;

  constructor(store: LogStore, offset: number) {
    this.#store = store;
    this.#offset = offset;
  }

  /** The store does not have it any more, or not as it was written. */
  get failed(): boolean {
    return this.#state === "failed";
  }

  /** Reads the next block, unless it is ready or asked for; calls `told` when there is an answer. */
  read(told: () => void): void {
    this.#told = told;
    this.readOn();
  }

  /** As read(), telling who was told before. */
  readOn(): void {
    if (this.#state !== "idle") return;
    this.#state = "reading";
    this.#store.read(this.#offset, this.#answered);
  }

  readonly #answered = (answer: ReadAnswer): void => {
    const block = answer.kind === "block" ? answer.block : null;
    block?.retain();
    if (this.#state === "closed") {
      block?.release();
      return;
    }
    this.#ready = block;
    if (block !== null) this.#offset = block.end;
    this.#state = block === null ? "failed" : "ready";
    this.#told();
  };

  /** The next block, retained for the caller, or null while there is none. */
  take(): LogBlock | null {
    const block = this.#ready;
    if (block === null) return null;
    this.#ready = null;
    this.#state = "idle";
    return block;
  }

  close(): void {
    this.take()?.release();
    this.#state = "closed";
  }
}
