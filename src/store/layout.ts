/**
 * One record as it lies in the arena, and, with both stamps zero, in a chunk of a snapshot.
 *
 *   word 0   birth     epoch in which the record was written (0: the slot was never used)
 *   word 1   death     epoch in which it was overwritten or deleted (0: it is live)
 *   word 2   lengths   bit 31 wide, bit 30 expires
 *                      narrow: bits 20..29 key bytes, bits 0..19 value bytes
 *                      wide:   bits 0..29 key bytes
 *  [word 3   value bytes]                  wide only
 *  [2 words  expireAt, low word first]     ms since 1970, when `expires`
 *   key, value, zeros up to a multiple of 8
 *
 *   16-byte key and 100-byte value: 8 + 4 + 16 + 100 = 128 bytes.
 *
 * The form is canonical: wide only when narrow cannot say it, expireAt never 0, padding zero. So
 * equal records are equal bytes. Words are in the machine's order, which must be little-endian.
 * Invariant: stamps and lengths are read and written through Uint32Array only: plain accesses to
 * aligned words do not tear there, and do through Buffer methods and DataView.
 * Owns: the form of a record. Does not own: where it lies (arena.ts).
 */
import assert from "node:assert/strict";

assert(
  new Uint8Array(new Uint32Array([1]).buffer)[0] === 1,
  "hawser needs a little-endian machine",
);

/** Words from the start of a record. */
export const BIRTH = 0;
export const DEATH = 1;
export const LENGTHS = 2;

const WIDE = 0x8000_0000;
const EXPIRES = 0x4000_0000;
const NARROW_KEY_MAX = 0x3ff;
const NARROW_VALUE_MAX = 0xf_ffff;

/** Bytes before the key of a record that is narrow and has no expiry. */
export const NARROW_HEAD_BYTES = 12;

/** The lengths word of a record that is narrow and has no expiry; -1, which no word is, for others. */
export function narrowLengths(keyBytes: number, valueBytes: number, expireAt: number): number {
  const narrow = keyBytes <= NARROW_KEY_MAX && valueBytes <= NARROW_VALUE_MAX && expireAt === 0;
  return narrow ? (keyBytes << 20) | valueBytes : -1;
}

/** Bytes before the key: 12, 16, 20 or 24. */
export function headBytes(keyBytes: number, valueBytes: number, expireAt: number): number {
  const wide = keyBytes > NARROW_KEY_MAX || valueBytes > NARROW_VALUE_MAX;
  return (wide ? 16 : 12) + (expireAt === 0 ? 0 : 8);
}

/** Rounds up to the unit of addresses. */
export function align8(bytes: number): number {
  return (bytes + 7) & -8;
}

/** Bytes of a whole record, padding included. */
export function recordBytes(keyBytes: number, valueBytes: number, expireAt: number): number {
  return align8(headBytes(keyBytes, valueBytes, expireAt) + keyBytes + valueBytes);
}

/** Writes lengths and expiry of the record at word `at`, not the stamps; returns headBytes. */
export function writeLengths(
  words: Uint32Array,
  at: number,
  keyBytes: number,
  valueBytes: number,
  expireAt: number,
): number {
  const expires = expireAt === 0 ? 0 : EXPIRES;
  let next = at + 3;
  if (keyBytes > NARROW_KEY_MAX || valueBytes > NARROW_VALUE_MAX) {
    words[at + LENGTHS] = (WIDE | expires | keyBytes) >>> 0;
    words[next++] = valueBytes;
  } else {
    words[at + LENGTHS] = expires | (keyBytes << 20) | valueBytes;
  }
  if (expires !== 0) {
    words[next++] = expireAt >>> 0;
    words[next++] = (expireAt / 0x1_0000_0000) >>> 0;
  }
  return (next - at) << 2;
}

export function isWide(lengths: number): boolean {
  return (lengths & WIDE) !== 0;
}

export function hasExpiry(lengths: number): boolean {
  return (lengths & EXPIRES) !== 0;
}

/** headBytes of a record whose lengths word is given. */
export function headOf(lengths: number): number {
  return 12 + ((lengths >>> 31) << 2) + (((lengths >>> 30) & 1) << 3);
}

export function keyBytesOf(lengths: number): number {
  return (lengths & WIDE) === 0 ? (lengths >>> 20) & NARROW_KEY_MAX : lengths & 0x3fff_ffff;
}

/** `next` is the word after lengths. */
export function valueBytesOf(lengths: number, next: number): number {
  return (lengths & WIDE) === 0 ? lengths & NARROW_VALUE_MAX : next;
}

/** ms since 1970 of the record at word `at`, 0 for none. */
export function expireAtOf(words: Uint32Array, at: number): number {
  const lengths = words[at + LENGTHS]!;
  if ((lengths & EXPIRES) === 0) return 0;
  const low = at + 3 + (lengths >>> 31);
  return words[low]! + words[low + 1]! * 0x1_0000_0000;
}

/** Bytes of the record at word `at`, padding included. */
export function recordBytesAt(words: Uint32Array, at: number): number {
  const lengths = words[at + LENGTHS]!;
  return align8(
    headOf(lengths) + keyBytesOf(lengths) + valueBytesOf(lengths, words[at + LENGTHS + 1]!),
  );
}

/** Is the form canonical? For records that a peer sent. */
export function isCanonical(keyBytes: number, valueBytes: number, wide: boolean): boolean {
  return wide === (keyBytes > NARROW_KEY_MAX || valueBytes > NARROW_VALUE_MAX);
}
