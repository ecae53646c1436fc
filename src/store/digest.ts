/**
 * One sum over all records of a frozen state, equal for equal states whatever their order in the
 * arena: the sum (mod 2^64, not XOR: equal records must not cancel out) of a seeded 64-bit hash of
 * each record, key, value and expiry.
 *
 * The hash runs over a record's words from `lengths` to the end of its padding: the form is
 * canonical (layout.ts), so equal records are equal words. It is HalfSipHash-1-3 with a 64-bit result
 * and two more words of key: who does not know the seed cannot build two states with one sum.
 *
 * With buckets, records are also summed (32 bits) by a hash of their key, so that two differing
 * states can be narrowed down to keys.
 * Owns: sums. Does not own: threads (pool.ts), when to compare (node/).
 * Tested in: test/unit/store/store.test.ts.
 */
import { halfSipHash } from "./hash.ts";
import { expireAtOf, headOf, keyBytesOf, LENGTHS, recordBytesAt } from "./layout.ts";
import { type FrozenArena, isVisible } from "./serialize.ts";
import type { Digest, DigestOptions } from "./state.ts";

/** The seed used when none is given. */
export const DIGEST_SEED = "68617773657220646967657374203031";

/** The seed is a fixed one by default. */
export interface ArenaDigestOptions extends DigestOptions {
  /** Leave out records that expired at or before this time, ms; by default all are in. */
  readonly excludeExpiredAt?: number;
}

/** Result of hashWords: two int32. */
const pair = { high: 0, low: 0 };

/** The digest, or null when `arena` gave no segment (the reader must stop). */
export function digestArena(arena: FrozenArena, options: ArenaDigestOptions = {}): Digest | null {
  const keys = bucketKeyOf(options.seed ?? DIGEST_SEED);
  const buckets = new Uint32Array(options.buckets ?? 0);
  const expiredAt = options.excludeExpiredAt ?? 0;
  let records = 0;
  let high = 0;
  let low = 0;
  for (let index = 0; index < arena.segmentCount; index++) {
    const segment = arena.segment(index);
    if (segment === null) return null;
    const { words, slotBytes } = segment;
    for (let slot = 0; slot < segment.slots; slot++) {
      const at = (slot * slotBytes) >>> 2;
      if (!isVisible(words, at, arena.epoch)) continue;
      const expireAt = expireAtOf(words, at);
      if (expireAt !== 0 && expireAt <= expiredAt) continue;
      records++;
      hashWords(words, at + LENGTHS, at + (recordBytesAt(words, at) >>> 2), keys);
      const sum = low + (pair.low >>> 0);
      low = sum >>> 0;
      high = (high + (pair.high >>> 0) + (sum > 0xffff_ffff ? 1 : 0)) >>> 0;
      if (buckets.length === 0) continue;
      const key = (at << 2) + headOf(words[at + LENGTHS]!);
      const end = key + keyBytesOf(words[at + LENGTHS]!);
      buckets[bucketOf(segment.bytes, key, end, keys, buckets.length)]! += pair.low;
    }
  }
  const hex = (word: number): string => word.toString(16).padStart(8, "0");
  return { records, sum: hex(high) + hex(low), buckets };
}

/** A seed, 32 hex digits, as the four words of key that the sums use. */
export function bucketKeyOf(seed: string): Int32Array {
  const bytes = Buffer.from(seed, "hex");
  return Int32Array.from([0, 4, 8, 12], (at) => bytes.readInt32LE(at));
}

/** The bucket of `count` that the key bytes[from, to) falls into. */
export function bucketOf(
  bytes: Uint8Array,
  from: number,
  to: number,
  keys: Int32Array,
  count: number,
): number {
  return (halfSipHash(bytes, from, to, keys[0]!, keys[1]!) >>> 0) % count;
}

/** Hashes words[from, to) into `pair`. */
function hashWords(words: Uint32Array, from: number, to: number, keys: Int32Array): void {
  let v0 = keys[0]!;
  let v1 = keys[1]! ^ 0xee;
  let v2 = 0x6c796765 ^ keys[2]!;
  let v3 = 0x74656462 ^ keys[3]!;
  // Three empty rounds follow the words, and three more give the second half.
  const end = to + 6;
  for (let at = from; at < end; at++) {
    const m = at < to ? words[at]! | 0 : 0;
    if (at === to) v2 ^= 0xee;
    if (at === to + 3) {
      pair.high = v1 ^ v3;
      v1 ^= 0xdd;
    }
    v3 ^= m;
    v0 = (v0 + v1) | 0;
    v1 = (v1 << 5) | (v1 >>> 27);
    v1 ^= v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = (v3 << 8) | (v3 >>> 24);
    v3 ^= v2;
    v0 = (v0 + v3) | 0;
    v3 = (v3 << 7) | (v3 >>> 25);
    v3 ^= v0;
    v2 = (v2 + v1) | 0;
    v1 = (v1 << 13) | (v1 >>> 19);
    v1 ^= v2;
    v2 = (v2 << 16) | (v2 >>> 16);
    v0 ^= m;
  }
  pair.low = v1 ^ v3;
}
