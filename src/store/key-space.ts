/**
 * Keys with their values and expiry: an arena and the index over it, changed together.
 *
 * Every change is one of three: the record is written in place (nobody else sees it and the slot's
 * size stays), or a new version is placed and the old one killed, or it is killed. What can fail
 * for want of memory (a page of the index, a slot) happens before anything is changed.
 *
 * Owns: the effect of one mutation on one key. Does not own: records of the log (mutations.ts),
 * when a state is replaced (store.ts).
 * Tested in: test/unit/store/store.test.ts.
 */
import type { Addresses } from "./addresses.ts";
import { Arena } from "./arena.ts";
import { copyBytes, copyTail, forgetSource } from "./copy.ts";
import { halfSipHash } from "./hash.ts";
import { KeyIndex } from "./key-index.ts";
import * as layout from "./layout.ts";
import type { SegmentPool } from "./segment-memory.ts";

const { BIRTH, LENGTHS } = layout;

const NO_BYTES = Buffer.alloc(0);
const NO_WORDS = new Uint32Array(0);

/** The index's hash key, u32 each. */
export type HashSeed = readonly [number, number];

export class KeySpace {
  readonly arena: Arena;
  readonly index: KeyIndex;
  readonly #addresses: Addresses;
  readonly #k0: number;
  readonly #k1: number;
  /** Result of read(): the value is arena.bytes of the record's segment [valueFrom, valueTo). */
  bytes: Buffer;
  /** The same memory. */
  words: Uint32Array = NO_WORDS;
  keyFrom = 0;
  valueFrom = 0;
  valueTo = 0;
  expireAt = 0;
  /** Keeps the reads of touch() from being optimized away. */
  #touched = 0;

  constructor(pool: SegmentPool, pageEntries: number, seed: HashSeed) {
    this.arena = new Arena(pool);
    this.#addresses = this.arena.addresses;
    this.index = new KeyIndex(this.arena, pageEntries);
    this.#k0 = seed[0] | 0;
    this.#k1 = seed[1] | 0;
    this.bytes = NO_BYTES;
  }

  /** Lets go of memory that is only remembered from the last call. */
  forget(): void {
    this.bytes = NO_BYTES;
    this.words = NO_WORDS;
    forgetSource();
  }

  /** Nothing will be looked up or written any more; open snapshots stay readable. */
  retire(): void {
    this.arena.retire();
    this.index.pages.dispose();
  }

  tagOf(key: Uint8Array, from: number, to: number): number {
    return halfSipHash(key, from, to, this.#k0, this.#k1);
  }

  /** Describes the record at `address` in bytes, keyFrom, valueFrom, valueTo and expireAt. */
  read(address: number): void {
    const words = this.#addresses.wordsOf(address);
    const at = this.#addresses.wordAt(address);
    const lengths = words[at + LENGTHS]!;
    this.bytes = this.#addresses.bytesOf(address);
    this.words = words;
    this.keyFrom = (at << 2) + layout.headOf(lengths);
    this.valueFrom = this.keyFrom + layout.keyBytesOf(lengths);
    this.valueTo = this.valueFrom + layout.valueBytesOf(lengths, words[at + LENGTHS + 1]!);
    this.expireAt = layout.hasExpiry(lengths) ? layout.expireAtOf(words, at) : 0;
  }

  /** Sets key bytes[from, keyTo) to the value bytes[keyTo, to); expireAt 0 for no expiry. */
  set(
    tag: number,
    bytes: Uint8Array,
    from: number,
    keyTo: number,
    to: number,
    expireAt: number,
  ): void {
    const arena = this.arena;
    const old = this.index.find(tag, bytes, from, keyTo);
    if (old === 0) this.index.reserve(tag);
    else if (this.#rewrite(old, bytes, from, keyTo, to, expireAt)) return;
    const address = arena.allocate(layout.recordBytes(keyTo - from, to - keyTo, expireAt));
    const start = this.#head(keyTo - from, to - keyTo, expireAt);
    const { words, bytes: target } = arena.placed!;
    copyTail(words, target, start, bytes, from, to);
    this.#publish(tag, address, old);
  }

  /** Sets the key's record where it is; false when it must not be changed or does not fit there. */
  #rewrite(
    old: number,
    bytes: Uint8Array,
    from: number,
    keyTo: number,
    to: number,
    expireAt: number,
  ): boolean {
    const arena = this.arena;
    const words = this.#addresses.wordsOf(old);
    const at = this.#addresses.wordAt(old);
    const keyBytes = keyTo - from;
    const lengths = layout.narrowLengths(keyBytes, to - keyTo, expireAt);
    // Most writes keep their value's length: then all but the value stays.
    if (words[at + LENGTHS] === lengths && words[at + BIRTH]! >= arena.pin) {
      const kept = keyBytes & -4;
      const start = (at << 2) + layout.NARROW_HEAD_BYTES + kept;
      copyTail(words, this.#addresses.bytesOf(old), start, bytes, from + kept, to);
      return true;
    }
    if (!this.#mayChange(old, layout.recordBytes(keyBytes, to - keyTo, expireAt))) return false;
    if (layout.hasExpiry(words[at + LENGTHS]!)) arena.forgetExpiry(this.#addresses.segmentOf(old));
    const head = layout.writeLengths(words, at, keyBytes, to - keyTo, expireAt);
    if (expireAt !== 0) arena.noteExpiry(this.#addresses.segmentOf(old), expireAt);
    copyTail(words, this.#addresses.bytesOf(old), (at << 2) + head, bytes, from, to);
    return true;
  }

  /** Where the key's record is, 0 without one. */
  addressOf(key: Uint8Array, from: number, to: number): number {
    return this.index.find(this.tagOf(key, from, to), key, from, to);
  }

  /** Whether a SET without expiry would rewrite the record at `address` in its slot. */
  keepsPlace(address: number, keyBytes: number, valueBytes: number): boolean {
    return this.#mayChange(address, layout.recordBytes(keyBytes, valueBytes, 0));
  }

  /** Deletes the key; true when it was there. */
  remove(tag: number, key: Uint8Array, from: number, to: number): boolean {
    const address = this.index.find(tag, key, from, to);
    if (address === 0) return false;
    this.index.remove(tag);
    this.arena.kill(address);
    return true;
  }

  /** Gives the key an expiry, or with 0 takes it away. */
  expire(tag: number, key: Uint8Array, from: number, to: number, expireAt: number): void {
    const arena = this.arena;
    const old = this.index.find(tag, key, from, to);
    if (old === 0) return;
    this.read(old);
    if (this.expireAt === expireAt) return;
    const keyBytes = this.valueFrom - this.keyFrom;
    const valueBytes = this.valueTo - this.valueFrom;
    const size = layout.recordBytes(keyBytes, valueBytes, expireAt);
    if (this.expireAt !== 0 && expireAt !== 0 && this.#mayChange(old, size)) {
      const segment = this.#addresses.segmentOf(old);
      arena.forgetExpiry(segment);
      arena.noteExpiry(segment, expireAt);
      const at = this.#addresses.wordAt(old);
      layout.writeLengths(segment.words, at, keyBytes, valueBytes, expireAt);
      return;
    }
    const address = arena.allocate(size);
    const start = this.#head(keyBytes, valueBytes, expireAt);
    const { words, bytes: target } = arena.placed!;
    copyTail(words, target, start, this.bytes, this.keyFrom, this.valueTo);
    this.#publish(tag, address, old);
  }

  /**
   * Writes bytes[keyTo, to) into the value of key bytes[from, keyTo) at `valueAt`; a gap becomes
   * zeros. The expiry stays. An append to a record with room in its slot copies nothing else.
   */
  patch(
    tag: number,
    bytes: Uint8Array,
    from: number,
    keyTo: number,
    to: number,
    valueAt: number,
  ): void {
    const old = this.index.find(tag, bytes, from, keyTo);
    const end = valueAt + (to - keyTo);
    if (old === 0) {
      this.#create(tag, bytes, from, keyTo, to, valueAt);
      return;
    }
    const arena = this.arena;
    this.read(old);
    const keyBytes = keyTo - from;
    const before = this.valueTo - this.valueFrom;
    const after = Math.max(before, end);
    const size = layout.recordBytes(keyBytes, after, this.expireAt);
    const sameHead =
      layout.headBytes(keyBytes, before, this.expireAt) ===
      layout.headBytes(keyBytes, after, this.expireAt);
    if (sameHead && this.#mayChange(old, size)) {
      layout.writeLengths(
        this.#addresses.wordsOf(old),
        this.#addresses.wordAt(old),
        keyBytes,
        after,
        this.expireAt,
      );
      this.#splice(this.bytes, this.valueFrom, before, after, valueAt, bytes, keyTo, to);
      return;
    }
    // Half as much again, so that appending to a large value copies it three times in all, not nine.
    const address = arena.allocate(size, end > before ? size + (size >>> 1) : size);
    const start = this.#head(keyBytes, after, this.expireAt);
    const target = arena.placed!.bytes;
    copyBytes(target, start, this.bytes, this.keyFrom, this.valueTo);
    this.#splice(target, start + keyBytes, before, after, valueAt, bytes, keyTo, to);
    this.#publish(tag, address, old);
  }

  /** Gives the value and expiry of key bytes[from, keyTo) to the key bytes[keyTo, to). */
  copyKey(
    tag: number,
    newTag: number,
    bytes: Uint8Array,
    from: number,
    keyTo: number,
    to: number,
    removeSource: boolean,
  ): void {
    const arena = this.arena;
    const source = this.index.find(tag, bytes, from, keyTo);
    if (source === 0) return;
    const old = this.index.find(newTag, bytes, keyTo, to);
    if (old === source) return;
    if (old === 0) this.index.reserve(newTag);
    this.read(source);
    const keyBytes = to - keyTo;
    const valueBytes = this.valueTo - this.valueFrom;
    const address = arena.allocate(layout.recordBytes(keyBytes, valueBytes, this.expireAt));
    const start = this.#head(keyBytes, valueBytes, this.expireAt);
    const target = arena.placed!.bytes;
    copyBytes(target, start, bytes, keyTo, to);
    this.#fill(target, start + keyBytes, this.bytes, this.valueFrom, this.valueTo);
    this.#publish(newTag, address, old);
    if (removeSource) this.remove(tag, bytes, from, keyTo);
  }

  /** Lets the index name a record that is in its slot; false when the key is there already. */
  adopt(tag: number, key: Uint8Array, from: number, to: number, address: number): boolean {
    if (this.index.find(tag, key, from, to) !== 0) return false;
    this.index.reserve(tag);
    this.index.insert(tag, address);
    return true;
  }

  /** The same for a record whose bytes have all arrived in its slot: counts its expiry too. */
  adoptPlaced(address: number): boolean {
    this.read(address);
    const tag = this.tagOf(this.bytes, this.keyFrom, this.valueFrom);
    if (!this.adopt(tag, this.bytes, this.keyFrom, this.valueFrom, address)) return false;
    for (let i = this.valueTo; (i & 7) !== 0; i++) this.bytes[i] = 0; // A peer's may not be.
    if (this.expireAt !== 0)
      this.arena.noteExpiry(this.#addresses.segmentOf(address), this.expireAt);
    return true;
  }

  /** Copies the record at `address` to another slot and lets the index name that. */
  relocate(address: number): void {
    const arena = this.arena;
    this.read(address);
    const tag = this.tagOf(this.bytes, this.keyFrom, this.valueFrom);
    if (!this.index.findAddress(tag, address)) throw new Error("a live record is in the index");
    const keyBytes = this.valueFrom - this.keyFrom;
    const valueBytes = this.valueTo - this.valueFrom;
    const to = arena.allocate(layout.recordBytes(keyBytes, valueBytes, this.expireAt));
    const start = this.#head(keyBytes, valueBytes, this.expireAt);
    const { words, bytes } = arena.placed!;
    copyTail(words, bytes, start, this.bytes, this.keyFrom, this.valueTo);
    this.index.setAddress(to);
    arena.kill(address);
  }

  /** Reads what finds of these keys will read, so that the waits for memory overlap (D20). */
  touch(tags: Int32Array, n: number): void {
    this.#touched ^= this.index.touch(tags, n);
  }

  /** May the record be rewritten with `size` bytes where it is? */
  #mayChange(address: number, size: number): boolean {
    const arena = this.arena;
    const words = this.#addresses.wordsOf(address);
    const at = this.#addresses.wordAt(address);
    if (words[at + BIRTH]! < arena.pin) return false;
    return arena.keepsSlot(address, layout.recordBytesAt(words, at), size);
  }

  /** Writes lengths and expiry of the record just placed; returns where in its segment its key goes. */
  #head(keyBytes: number, valueBytes: number, expireAt: number): number {
    const arena = this.arena;
    const segment = arena.placed!;
    const at = arena.placedAt;
    if (expireAt !== 0) arena.noteExpiry(segment, expireAt);
    return (at << 2) + layout.writeLengths(segment.words, at, keyBytes, valueBytes, expireAt);
  }

  /** Copies source[from, to) to target[at, ...), the end of a record, and zeros the padding. */
  #fill(target: Buffer, at: number, source: Uint8Array, from: number, to: number): void {
    copyBytes(target, at, source, from, to);
    const end = at + (to - from);
    for (let i = end; (i & 7) !== 0; i++) target[i] = 0;
  }

  #splice(
    target: Buffer,
    valueFrom: number,
    before: number,
    after: number,
    valueAt: number,
    bytes: Uint8Array,
    from: number,
    to: number,
  ): void {
    if (valueAt > before) target.fill(0, valueFrom + before, valueFrom + valueAt);
    copyBytes(target, valueFrom + valueAt, bytes, from, to);
    for (let i = valueFrom + after; (i & 7) !== 0; i++) target[i] = 0;
  }

  #create(
    tag: number,
    bytes: Uint8Array,
    from: number,
    keyTo: number,
    to: number,
    valueAt: number,
  ): void {
    const keyBytes = keyTo - from;
    const end = valueAt + (to - keyTo);
    this.index.reserve(tag);
    const address = this.arena.allocate(layout.recordBytes(keyBytes, end, 0));
    const start = this.#head(keyBytes, end, 0);
    const target = this.arena.placed!.bytes;
    copyBytes(target, start, bytes, from, keyTo);
    this.#splice(target, start + keyBytes, 0, end, valueAt, bytes, keyTo, to);
    this.#publish(tag, address, 0);
  }

  /** The key that find() looked for is now at `address`; `old`, if there was one, dies. */
  #publish(tag: number, address: number, old: number): void {
    if (old === 0) {
      this.index.insert(tag, address);
      return;
    }
    this.index.setAddress(address);
    this.arena.kill(old);
  }
}
