/**
 * The least that a lookup of a key can cost where keys and values lie in typed arrays: one read of an index whose
 * places are hashes, one of the record that it names, and a copy of the value. No key is hashed or compared, no
 * expiry looked at, nothing checked: what is left is the memory's.
 *
 * Owns: an index and records of as many keys as are asked about. Does not own: which are asked about (keys.ts).
 */
const WORD_BYTES = 4;
/** Of a record's head: as the built-in store has it. */
const HEAD_BYTES = 16;
const KEY_BYTES = 16;

type CopyOut = typeof import("../../src/store/copy.ts").copyOut;

export class BareProbe {
  readonly #places: Int32Array;
  readonly #records: Buffer;
  readonly #words: Uint32Array;
  /** Where in the index each key is; as a hash would say, in no order. */
  readonly #hashes: Uint32Array;
  readonly #valueBytes: number;
  readonly #copyOut: CopyOut;

  /** @param copyOut the store's own, the fastest that is known (src/store/copy.ts) */
  constructor(keys: number, valueBytes: number, copyOut: CopyOut) {
    this.#copyOut = copyOut;
    const recordBytes = (HEAD_BYTES + KEY_BYTES + valueBytes + 7) & -8;
    const slots = 2 ** Math.ceil(Math.log2(keys * 1.3));
    this.#valueBytes = valueBytes;
    this.#places = new Int32Array(slots * 2);
    const memory = new SharedArrayBuffer(keys * recordBytes);
    this.#records = Buffer.from(memory).fill(1);
    this.#words = new Uint32Array(memory);
    this.#hashes = new Uint32Array(keys);
    for (let key = 0; key < keys; key++) {
      let slot = Math.floor(Math.random() * slots);
      while (this.#places[slot * 2 + 1] !== 0) slot = (slot + 1) & (slots - 1);
      this.#hashes[key] = slot;
      this.#places[slot * 2 + 1] = (key * recordBytes) / WORD_BYTES + 1;
    }
  }

  /** Of the keys with these numbers: where the index has each. */
  hashesOf(numbers: Uint32Array): Uint32Array {
    return numbers.map((key) => this.#hashes[key]!);
  }

  has(hash: number): boolean {
    return this.#words[this.#places[hash * 2 + 1]! - 1]! !== 0;
  }

  get(hash: number): Buffer {
    const word = this.#places[hash * 2 + 1]! - 1;
    const from = word * WORD_BYTES + HEAD_BYTES + KEY_BYTES + (this.#words[word]! === 0 ? 1 : 0);
    return this.#copyOut(this.#words, this.#records, from, from + this.#valueBytes);
  }
}
