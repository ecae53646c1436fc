/**
 * Keys as they lie in the arena, compared and hashed there.
 *
 * Owns: reading keys. Does not own: their place in a record (layout.ts).
 * Tested in: test/unit/store/store.test.ts.
 */
import type { Addresses } from "./addresses.ts";
import { headOf, keyBytesOf, LENGTHS } from "./layout.ts";

/** Longer keys are compared natively. */
const LOOP_BYTES_MAX = 64;

/** Is key[from, to) the key of the record at `address`? */
export function keyEquals(
  addresses: Addresses,
  address: number,
  key: Uint8Array,
  from: number,
  to: number,
): boolean {
  const words = addresses.wordsOf(address);
  const at = addresses.wordAt(address);
  const lengths = words[at + LENGTHS]!;
  const length = to - from;
  if (keyBytesOf(lengths) !== length) return false;
  const head = headOf(lengths);
  if (length > LOOP_BYTES_MAX) {
    const start = (at << 2) + head;
    return addresses.bytesOf(address).compare(key, from, to, start, start + length) === 0;
  }
  // Keys start at a word, so all but the tail is compared in words.
  let word = at + (head >>> 2);
  const wordsEnd = from + (length & -4);
  let i = from;
  for (; i < wordsEnd; i += 4) {
    const w = key[i]! | (key[i + 1]! << 8) | (key[i + 2]! << 16) | (key[i + 3]! << 24);
    if ((words[word++]! | 0) !== w) return false;
  }
  for (let tail = words[word]!; i < to; i++, tail >>>= 8) {
    if ((tail & 0xff) !== key[i]) return false;
  }
  return true;
}
