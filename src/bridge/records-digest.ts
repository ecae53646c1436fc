/**
 * One sum over records in any order, equal for equal states: the sum (mod 2^64) of a keyed 64-bit hash of
 * each record. Who does not know the seed cannot build two states with one sum.
 *
 * A bucket is chosen by that hash too, not by a key, since nobody here knows what a record's key is: two
 * states that differ in one record differ in the buckets of both its forms, and what differs cannot be
 * narrowed down to keys.
 * Owns: the sum. Does not own: reading (source.ts).
 * Tested in: test/unit/bridge/source.test.ts.
 */
import { halfSipHash } from "../store/hash.ts";
import type { Digest, DigestOptions } from "../store/state.ts";

/** The seed used when none is given. */
const SEED = "68617773657220646967657374203032";

export class RecordsDigest {
  #records = 0;
  #high = 0;
  #low = 0;
  readonly #keys: Int32Array;
  readonly #buckets: Uint32Array;

  constructor({ seed = SEED, buckets = 0 }: DigestOptions) {
    const bytes = Buffer.from(seed, "hex");
    this.#keys = Int32Array.from([0, 4, 8, 12], (at) => bytes.readInt32LE(at));
    this.#buckets = new Uint32Array(buckets);
  }

  add(record: Uint8Array): void {
    const keys = this.#keys;
    const low = halfSipHash(record, 0, record.length, keys[0]!, keys[1]!) >>> 0;
    const high = halfSipHash(record, 0, record.length, keys[2]!, keys[3]!) >>> 0;
    const sum = this.#low + low;
    this.#low = sum >>> 0;
    this.#high = (this.#high + high + (sum > 0xffff_ffff ? 1 : 0)) >>> 0;
    this.#records += 1;
    const { length } = this.#buckets;
    if (length > 0) this.#buckets[high % length]! += low;
  }

  get result(): Digest {
    const hex = (word: number): string => word.toString(16).padStart(8, "0");
    return {
      records: this.#records,
      sum: hex(this.#high) + hex(this.#low),
      buckets: this.#buckets,
    };
  }
}
