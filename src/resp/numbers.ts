/**
 * Numbers as redis reads them from strings: 64-bit integers without blanks, plus signs or leading
 * zeros, and option arguments within a range.
 *
 * Values that fit a JS number stay numbers; what does not is a bigint, so nothing is ever rounded.
 * Owns: syntax and range of integers. Does not own: floats (long-double.ts), error replies.
 */
import { latin1Within } from "../node/bounded-text.ts";

export const I64_MAX: bigint = 0x7fff_ffff_ffff_ffffn;
export const I64_MIN: bigint = -0x8000_0000_0000_0000n;
/** Digits that always fit a double exactly. */
const SAFE_DIGITS = 15;
/** "-9223372036854775808". */
const I64_CHARS_MAX = 20;

/**
 * `bytes[from, to)` as a 64-bit integer, as string2ll takes it.
 * @returns a number when it is at most 15 digits, else a bigint; null when it is no such integer
 */
export function readInteger(bytes: Buffer, from: number, to: number): number | bigint | null {
  const negative = bytes[from] === 0x2d;
  const start = negative ? from + 1 : from;
  const digits = to - start;
  if (digits < 1 || to - from > I64_CHARS_MAX) return null;
  if (bytes[start] === 0x30) return digits === 1 && !negative ? 0 : null;
  let value = 0;
  for (let at = start; at < to; at++) {
    const digit = bytes[at]! - 0x30;
    if (digit < 0 || digit > 9) return null;
    value = value * 10 + digit;
  }
  if (digits <= SAFE_DIGITS) return negative ? -value : value;
  const exact = BigInt(latin1Within(bytes, from, to, I64_CHARS_MAX) ?? "");
  return exact > I64_MAX || exact < I64_MIN ? null : exact;
}

/** The same, as a bigint. */
export function readBigInteger(bytes: Buffer, from: number, to: number): bigint | null {
  const value = readInteger(bytes, from, to);
  return value === null ? null : BigInt(value);
}

/** The same, clamped to what a double holds exactly; for counts, cursors and offsets. */
export function readClamped(bytes: Buffer, from: number, to: number): number | null {
  const value = readInteger(bytes, from, to);
  if (typeof value !== "bigint") return value;
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) return Number.MAX_SAFE_INTEGER;
  return value < BigInt(Number.MIN_SAFE_INTEGER) ? Number.MIN_SAFE_INTEGER : Number(value);
}
