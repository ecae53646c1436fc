/**
 * The records of a Frozen, one after another: parts and the records in them, which may come at once or
 * later. Where the newest token ended is known at each record.
 *
 *   next() -> a record, lent until the next call | null: all were read | "later": again, when it calls back
 *
 * Owns: the iterators. Does not own: what is done with the records.
 * Tested in: test/unit/bridge/source.test.ts.
 */
import { StoreError } from "../errors.ts";
import type { Frozen, Part } from "./seam.ts";

/** What a state may give as a token. */
const TOKEN_BYTES_MAX = 64 * 1024;

type PartResult = IteratorResult<Part, unknown>;

export class PartRecords {
  /** Of the newest part that was read to its end and has one. */
  token: Uint8Array | null;
  /** Records since it. */
  since = 0;
  readonly #parts: AsyncIterator<Part> | Iterator<Part>;
  readonly #wake: (error: unknown) => void;
  #part: Part | null = null;
  #records: Iterator<Uint8Array> | null = null;
  #isWaiting = false;
  #isOver = false;

  /** @param wake called when next() can go on after "later", with null or what reading failed with */
  constructor(frozen: Frozen, after: Uint8Array | null, wake: (error: unknown) => void) {
    this.token = after;
    this.#wake = wake;
    const parts = frozen.read(after);
    this.#parts =
      Symbol.asyncIterator in parts ? parts[Symbol.asyncIterator]() : parts[Symbol.iterator]();
  }

  /** @throws what reading failed with */
  next(): Uint8Array | "later" | null {
    while (!this.#isOver) {
      if (this.#isWaiting) return "later";
      if (this.#records !== null) {
        const result = this.#records.next();
        if (result.done !== true) {
          this.since += 1;
          return result.value;
        }
        this.#endPart();
      }
      const asked = this.#parts.next();
      if (asked instanceof Promise) {
        this.#await(asked);
        return "later";
      }
      this.#begin(asked as PartResult);
    }
    return null;
  }

  /** Nothing more is read. Resolves when the state knows, which may be while it still answers. */
  async close(): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#records?.return?.();
    await this.#parts.return?.();
  }

  #await(asked: Promise<PartResult>): void {
    this.#isWaiting = true;
    asked.then(
      (result) => {
        this.#isWaiting = false;
        if (this.#isOver) return;
        this.#begin(result);
        this.#wake(null);
      },
      (error: unknown) => {
        this.#isWaiting = false;
        if (!this.#isOver) this.#wake(error);
      },
    );
  }

  #begin(result: PartResult): void {
    if (result.done === true) {
      this.#isOver = true;
      return;
    }
    this.#part = result.value;
    this.#records = result.value.records[Symbol.iterator]();
  }

  #endPart(): void {
    const { token } = this.#part!;
    this.#records = null;
    this.#part = null;
    if (token === undefined) return;
    if (token.length > TOKEN_BYTES_MAX)
      throw new StoreError("ERR_STORE_FAILED", `a token of ${token.length} bytes`);
    // Why a copy: it is lent with the part.
    this.token = Uint8Array.from(token);
    this.since = 0;
  }
}
