/**
 * Integers as decimal digits straight into a buffer: no string in between.
 *
 * Owns: digits. Does not own: reading them (numbers.ts).
 */

const ZERO = 0x30;
const MINUS = 0x2d;
/** Up to here 32-bit arithmetic does it. */
const FAST_MAX = 1_000_000_000;

/** Writes a safe integer at `at`, which needs room for 17 bytes; returns the end. */
export function writeDecimal(into: Buffer, at: number, value: number): number {
  if (value >= 0 && value < 10) {
    into[at] = ZERO + value;
    return at + 1;
  }
  if (value < 0) {
    into[at] = MINUS;
    return writeDecimal(into, at + 1, -value);
  }
  if (value >= FAST_MAX) return at + into.write(String(value), at, "latin1");
  let digits = 2;
  for (let bound = 100; value >= bound; bound *= 10) digits++;
  const end = at + digits;
  let rest = value;
  for (let place = end - 1; place >= at; place--) {
    const next = (rest / 10) | 0;
    into[place] = ZERO + rest - next * 10;
    rest = next;
  }
  return end;
}
