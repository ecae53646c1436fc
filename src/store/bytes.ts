/**
 * Little-endian integers in byte arrays; a third of the time of Buffer's methods.
 *
 * Tested in: test/unit/store/store.test.ts.
 */

export function u32(bytes: Uint8Array, at: number): number {
  return (
    (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0
  );
}

/** Inexact above 2^53: a reader of foreign bytes checks it. */
export function u64(bytes: Uint8Array, at: number): number {
  return u32(bytes, at) + u32(bytes, at + 4) * 0x1_0000_0000;
}

/**
 * Are these the words of a time in ms? Below 2^63, and beyond 2^53 only one that a double holds, as others
 * would not come out as they went in.
 */
export function isTime(low: number, high: number): boolean {
  if (high <= 0x1f_ffff) return true;
  const ms = low + high * 0x1_0000_0000;
  return high <= 0x7fff_ffff && ms >>> 0 === low && Math.floor(ms / 0x1_0000_0000) === high;
}
