/**
 * Keys, values, counts and times as an embedder gives them, checked before anything is done with them;
 * strings are utf-8.
 * Tested in: test/unit/index.test.ts.
 */
import { ArgumentError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { Keyspace } from "../node/keyspace.ts";

export type Bytes = string | Uint8Array;

/** @throws {ArgumentError} when it is neither a string nor a Uint8Array, or too long */
export function keyOf(bytes: Bytes): Buffer {
  return toBuffer("a key", bytes, LIMITS.keyBytesMax);
}

/** @throws {ArgumentError} when it is neither a string nor a Uint8Array, or too long */
export function valueOf(bytes: Bytes): Buffer {
  return toBuffer("a value", bytes, LIMITS.valueBytesMax);
}

function toBuffer(what: string, bytes: Bytes, bytesMax: number): Buffer {
  if (typeof bytes !== "string" && !((bytes as unknown) instanceof Uint8Array)) {
    const given = typeof (bytes as unknown);
    throw new ArgumentError(
      "ERR_ARGUMENT",
      `${what} is of type ${given}; a string or a Uint8Array is allowed`,
    );
  }
  const buffer =
    typeof bytes === "string"
      ? Buffer.from(bytes)
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.length <= bytesMax) return buffer;
  throw new ArgumentError(
    "ERR_ARGUMENT",
    `${what} has ${buffer.length} bytes; at most ${bytesMax} are allowed`,
  );
}

/**
 * When a key expires, ms since 1970; 0 for never.
 * @throws {ArgumentError} when it is no whole number from 0 to 2^53 - 1
 */
export function expiryOf(expireAt: number | undefined): number {
  if (expireAt === undefined) return 0;
  if (Number.isSafeInteger(expireAt) && expireAt >= 0) return expireAt;
  throw new ArgumentError(
    "ERR_ARGUMENT",
    `expireAt is ${shown(expireAt)}; a whole number of ms since 1970 from 1 to ` +
      `${Number.MAX_SAFE_INTEGER} is allowed, or 0 for none`,
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

/** Of whatever came in place of a number. */
function shown(value: unknown): string {
  return typeof value === "number" ? String(value) : `of type ${typeof value}`;
}

/** A copy of a key's value: the store's memory is used again by later writes. */
export function readValue(keys: Keyspace, key: Buffer): Buffer | null {
  if (!keys.read(key, 0, key.length)) return null;
  const { hitBytes, hitFrom, hitTo } = keys.store;
  return Buffer.from(hitBytes.subarray(hitFrom, hitTo));
}
