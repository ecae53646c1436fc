/**
 * Keys, values, counts and times as an embedder gives them, checked before anything is done with them;
 * strings are utf-8.
 *
 * A string is encoded into memory that is used again for the next one: an argument is read before the next
 * of its kind is taken. Bytes are looked at where they are.
 * Owns: what a key, a value, an expiry and a count may be. Does not own: what is done with them.
 * Tested in: test/unit/index.test.ts, test/unit/embed/key-writer.test.ts.
 */
import { ArgumentError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { didYouMean } from "../node/nearest.ts";

/** A key or a value: a string is stored as utf-8. */
export type Bytes = string | Uint8Array;

/** When a key expires: at a time, or after one. Without either it does not. */
export interface Expiry {
  /** ms since 1970, a whole number; 0 is none. One that is over hides the key at once. */
  readonly expireAt?: number;
  /** From now on, ms, a whole number from 1 on. */
  readonly ttlMs?: number;
}

/** Longer strings get memory of their own. */
const SCRATCH_BYTES = 64 * 1024;
/** utf-8 of one utf-16 unit has no more. */
const UNIT_BYTES_MAX = 3;
/** Up to here a loop over characters is faster than a call of the runtime. */
const LOOP_CHARS_MAX = 24;
const NO_BYTES = Buffer.alloc(0);

/** One argument as `bytes[0, length)`, until the next take(). */
export class Argument {
  bytes: Buffer = NO_BYTES;
  length = 0;
  readonly #what: string;
  readonly #bytesMax: number;
  readonly #scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES);

  constructor(what: string, bytesMax: number) {
    this.#what = what;
    this.#bytesMax = bytesMax;
  }

  /** @throws {ArgumentError} when it is neither a string nor a Uint8Array, or too long */
  take(given: Bytes): void {
    if (typeof given === "string") this.#takeString(given);
    else if ((given as unknown) instanceof Uint8Array) {
      this.bytes = Buffer.isBuffer(given)
        ? given
        : Buffer.from(given.buffer, given.byteOffset, given.byteLength);
      this.length = given.length;
    } else this.#refuse(given);
    if (this.length > this.#bytesMax)
      throw new ArgumentError(
        "ERR_ARGUMENT",
        `${this.#what} has ${this.length} bytes; at most ${this.#bytesMax} are allowed`,
      );
  }

  /** The same, as bytes that stay. */
  copyOf(given: Bytes): Buffer {
    this.take(given);
    return Buffer.from(this.bytes.subarray(0, this.length));
  }

  #takeString(text: string): void {
    const { length } = text;
    if (length * UNIT_BYTES_MAX > SCRATCH_BYTES) {
      this.bytes = Buffer.from(text);
      this.length = this.bytes.length;
      return;
    }
    const bytes = this.#scratch;
    this.bytes = bytes;
    if (length <= LOOP_CHARS_MAX) {
      let at = 0;
      for (; at < length; at++) {
        const unit = text.charCodeAt(at);
        if (unit >= 0x80) break;
        bytes[at] = unit;
      }
      if (at === length) {
        this.length = length;
        return;
      }
    }
    this.length = bytes.write(text);
  }

  #refuse(given: unknown): never {
    throw new ArgumentError(
      "ERR_ARGUMENT",
      `${this.#what} is ${shown(given)}; a string or a Uint8Array is allowed`,
    );
  }
}

export const keyArgument: Argument = new Argument("a key", LIMITS.keyBytesMax);
export const valueArgument: Argument = new Argument("a value", LIMITS.valueBytesMax);

/**
 * When a key expires, ms since 1970; 0 for never.
 * @throws {ArgumentError} for a time that is none, two of them, an option that does not exist
 */
export function expiryOf(given: Expiry | undefined): number {
  if (given === undefined) return 0;
  if (typeof (given as unknown) !== "object" || (given as unknown) === null)
    throw new ArgumentError(
      "ERR_ARGUMENT",
      `options are ${shown(given)}; { expireAt } or { ttlMs } is allowed`,
    );
  for (const name in given)
    if (name !== "expireAt" && name !== "ttlMs")
      throw new ArgumentError(
        "ERR_ARGUMENT",
        `unknown option ${name}${didYouMean(name, ["expireAt", "ttlMs"])}; allowed: expireAt ttlMs`,
      );
  const { expireAt, ttlMs } = given;
  if (ttlMs === undefined) return expireAt === undefined ? 0 : timeOf(expireAt);
  if (expireAt !== undefined)
    throw new ArgumentError("ERR_ARGUMENT", "expireAt and ttlMs; one of them is allowed");
  return Date.now() + ttlOf(ttlMs);
}

function timeOf(expireAt: number): number {
  if (Number.isSafeInteger(expireAt) && expireAt >= 0) return expireAt;
  throw new ArgumentError(
    "ERR_ARGUMENT",
    `expireAt is ${shown(expireAt)}; a whole number of ms since 1970 from 1 to ` +
      `${Number.MAX_SAFE_INTEGER} is allowed, or 0 for none`,
  );
}

function ttlOf(ttlMs: number): number {
  if (Number.isSafeInteger(ttlMs) && ttlMs >= 1 && ttlMs <= LIMITS.timeMsMax) return ttlMs;
  throw new ArgumentError(
    "ERR_ARGUMENT",
    `ttlMs is ${shown(ttlMs)}; a whole number of ms from 1 to ${LIMITS.timeMsMax} is allowed`,
  );
}

/** How many, or how long in ms. @throws {ArgumentError} when it is no whole number from 0 to 2^53 - 1 */
export function countOf(what: string, count: number): number {
  if (Number.isSafeInteger(count) && count >= 0) return count;
  throw new ArgumentError(
    "ERR_ARGUMENT",
    `${what} is ${shown(count)}; a whole number from 0 to ${Number.MAX_SAFE_INTEGER} is allowed`,
  );
}

/** Of whatever came in place of what is allowed. */
export function shown(value: unknown): string {
  if (typeof value === "number") return String(value);
  return value === null ? "null" : `of type ${typeof value}`;
}
