/**
 * From key to address: extendible hashing, which grows and shrinks one small page at a time.
 *
 *   tag = hash(key), 32 bits            directory (2^depth page numbers)
 *   +---------------+---------------+   +------+------+------+------+-----
 *   | prefix        | ...     home  |   | p0   | p0   | p1   | p2   | ...    by prefix
 *   +---------------+---------------+   +------+------+------+------+-----
 *                                          page: entries of (tag, address), open addressing from
 *                                          entry `home`, address 0 = empty, no tombstones
 *
 * A page of depth d holds all tags of one prefix of d bits; a full one is split in two by the next
 * bit, from stored tags alone; two almost empty ones are merged. So the order of prefixes is the order
 * of tags, whatever splits and merges do: that is SCAN's order (scan.ts).
 * Tags and addresses are int32: V8 boxes a u32 above 2^31 when a function returns it.
 *
 * Owns: pages and directory. Does not own: keys (compared in the arena), hashing (hash.ts).
 * Tested in: test/unit/store/store.test.ts.
 */
import assert from "node:assert/strict";
import { StoreError } from "../errors.ts";
import type { Addresses } from "./addresses.ts";
import type { Arena } from "./arena.ts";
import { keyEquals } from "./keys.ts";
import { PageTable } from "./page-table.ts";

/** Prefix bits that a directory may have; more means that tags do not spread. */
const DEPTH_MAX = 28;

/**
 * Pages that so many new keys may split: pages fill at the same time, and where all are about to be
 * full one key in 70 splits one. Twice that, and some.
 */
const SPLITS_MIN = 16;
const SPLITS_PER_PAGE = 24;

/** Tags that one touch() takes. */
export const TOUCH_MAX = 64;

export class KeyIndex {
  readonly pages: PageTable;
  /** Entries of all pages. */
  size = 0;
  /** Where the last find() ended: the entry found, or the empty one where the key would go. */
  hitChunk: Int32Array;
  hitAt = 0;
  #hitPage = 0;
  #directory: Int32Array = new Int32Array(2);
  #depth = 1;
  /** 32 - #depth. */
  #prefixShift = 31;
  /** Of the page table, at hand: one load less on the way to an entry. */
  readonly #chunks: readonly Int32Array[];
  readonly #chunkShift: number;
  readonly #chunkMask: number;
  readonly #pageShift: number;
  /** Scratch of touch(). */
  readonly #touched = new Int32Array(TOUCH_MAX);
  readonly #addresses: Addresses;
  readonly #entriesMax: number;
  readonly #mergeMax: number;
  readonly #wordMask: number;
  readonly #scratch: Int32Array;
  /** Pages of each depth, to see when the directory may be halved. */
  readonly #pagesOfDepth = new Uint32Array(33);

  constructor(arena: Arena, pageEntries: number) {
    assert(pageEntries >= 4 && (pageEntries & (pageEntries - 1)) === 0);
    this.#addresses = arena.addresses;
    this.pages = new PageTable(pageEntries, arena.pool);
    this.#chunks = this.pages.chunks;
    this.#chunkShift = this.pages.chunkShift;
    this.#chunkMask = this.pages.chunkMask;
    this.#pageShift = this.pages.pageShift;
    this.#entriesMax = Math.floor((pageEntries * 13) / 16);
    this.#mergeMax = this.#entriesMax >>> 1;
    this.#wordMask = pageEntries * 2 - 1;
    this.#scratch = new Int32Array(pageEntries * 2);
    this.#directory[0] = this.#newPage(1, 0);
    this.#directory[1] = this.#newPage(1, 0x8000_0000 | 0);
    this.hitChunk = this.pages.chunks[0]!;
  }

  /** Makes an empty index ready for `entries` keys. */
  presize(entries: number): void {
    assert(this.size === 0);
    const perPage = (this.#entriesMax * 3) >>> 2;
    let depth = this.#depth;
    while (2 ** depth * perPage < entries) depth++;
    for (const page of new Set(this.#directory)) {
      this.#pagesOfDepth[this.pages.depths[page]!]!--;
      this.pages.free(page);
    }
    this.#directory = new Int32Array(2 ** depth);
    this.#depth = depth;
    this.#prefixShift = 32 - depth;
    for (let i = 0; i < this.#directory.length; i++) {
      this.#directory[i] = this.#newPage(depth, i << this.#prefixShift);
    }
  }

  /** Bytes of pages and directory. */
  get bytes(): number {
    return this.pages.bytes + this.#directory.byteLength;
  }

  get directoryDepth(): number {
    return this.#depth;
  }

  /** The page that holds `tag`. */
  pageOf(tag: number): number {
    return this.#directory[tag >>> this.#prefixShift]!;
  }

  /** The address of the key, whose hash is `tag`, or 0. Sets hitChunk and hitAt. */
  find(tag: number, key: Uint8Array, from: number, to: number): number {
    const page = this.#directory[tag >>> this.#prefixShift]!;
    const chunk = this.#chunks[page >>> this.#chunkShift]!;
    const base = (page & this.#chunkMask) << this.#pageShift;
    this.#hitPage = page;
    const mask = this.#wordMask;
    const records = this.#addresses;
    let at = (tag << 1) & mask;
    for (;;) {
      const address = chunk[base + at + 1]!;
      if (address === 0) break;
      if (chunk[base + at] === tag && keyEquals(records, address, key, from, to)) {
        this.hitChunk = chunk;
        this.hitAt = base + at;
        return address;
      }
      at = (at + 2) & mask;
    }
    this.hitChunk = chunk;
    this.hitAt = base + at;
    return 0;
  }

  /** Finds the entry of a record that is in the index, by its address. Sets hitChunk and hitAt. */
  findAddress(tag: number, address: number): boolean {
    const page = this.pageOf(tag);
    const chunk = this.pages.chunkOf(page);
    const base = this.pages.baseOf(page);
    for (let at = (tag << 1) & this.#wordMask; ; at = (at + 2) & this.#wordMask) {
      const found = chunk[base + at + 1]!;
      if (found === 0) return false;
      if (found === address) {
        this.hitChunk = chunk;
        this.hitAt = base + at;
        return true;
      }
    }
  }

  /**
   * Reads the home entries of `n` <= TOUCH_MAX tags, then the headers of the records that they name,
   * so that the waits for memory overlap: three loops, because the probing's mispredicted branches
   * stop what would overlap when it shares a loop with the reads of records (540 against 290 ns).
   * The result only keeps the reads from being optimized away.
   */
  touch(tags: Int32Array, n: number): number {
    const addresses = this.#touched;
    const chunks = this.#chunks;
    const mask = this.#wordMask;
    let sum = 0;
    for (let i = 0; i < n; i++) {
      const tag = tags[i]!;
      const page = this.#directory[tag >>> this.#prefixShift]!;
      const base = (page & this.#chunkMask) << this.#pageShift;
      sum ^= chunks[page >>> this.#chunkShift]![base + ((tag << 1) & mask)]!;
    }
    for (let i = 0; i < n; i++) {
      const tag = tags[i]!;
      const page = this.#directory[tag >>> this.#prefixShift]!;
      const base = (page & this.#chunkMask) << this.#pageShift;
      const chunk = chunks[page >>> this.#chunkShift]!;
      let at = (tag << 1) & mask;
      while (chunk[base + at] !== tag && chunk[base + at + 1] !== 0) at = (at + 2) & mask;
      addresses[i] = chunk[base + at + 1]!;
    }
    const records = this.#addresses;
    for (let i = 0; i < n; i++) {
      const address = addresses[i]!;
      if (address !== 0) sum ^= records.wordsOf(address)[records.wordAt(address)]!;
    }
    return sum;
  }

  /** The key found has a new address. */
  setAddress(address: number): void {
    this.hitChunk[this.hitAt + 1] = address;
  }

  /** After find() returned 0: makes sure that insert() has room. Throws before any effect. */
  reserve(tag: number): void {
    let page = this.#hitPage;
    if (this.pages.counts[page]! < this.#entriesMax) return;
    while (this.pages.counts[page]! >= this.#entriesMax) {
      this.#split(page);
      page = this.pageOf(tag);
    }
    this.#seekEmpty(tag);
  }

  /** Whether `keys` more can be inserted without memory, but for splits beyond all likelihood. */
  hasRoomFor(keys: number): boolean {
    return this.pages.unused >= this.#splitsOf(keys);
  }

  /** @throws StoreError ERR_STORE_FULL, as the memory does */
  makeRoomFor(keys: number): void {
    this.pages.makeRoomFor(this.#splitsOf(keys));
  }

  #splitsOf(keys: number): number {
    return Math.min(keys, SPLITS_MIN + Math.ceil((keys * SPLITS_PER_PAGE) / this.#entriesMax));
  }

  /** After find() returned 0 and reserve(): the key is at `address`. */
  insert(tag: number, address: number): void {
    this.hitChunk[this.hitAt] = tag;
    this.hitChunk[this.hitAt + 1] = address;
    this.pages.counts[this.#hitPage]!++;
    this.size++;
  }

  /** Removes the entry that find() found for `tag`. */
  remove(tag: number): void {
    const chunk = this.hitChunk;
    const mask = this.#wordMask;
    const base = this.hitAt & ~mask;
    let hole = this.hitAt & mask;
    // Backward shift: an entry moves into the hole unless its home lies after the hole.
    for (let at = (hole + 2) & mask; chunk[base + at + 1] !== 0; at = (at + 2) & mask) {
      const home = (chunk[base + at]! << 1) & mask;
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      chunk[base + hole] = chunk[base + at]!;
      chunk[base + hole + 1] = chunk[base + at + 1]!;
      hole = at;
    }
    chunk[base + hole] = 0;
    chunk[base + hole + 1] = 0;
    this.size--;
    const page = this.pageOf(tag);
    const left = --this.pages.counts[page]!;
    if (left * 2 <= this.#mergeMax) this.#maybeMerge(page);
  }

  /** One bounded step of giving pages back; true when there is more to do. */
  shrink(limit: number): boolean {
    const deepest = this.#deepest();
    if (this.#depth - deepest >= 2) this.#halve();
    return this.pages.shrink(limit, (from, to) => {
      const depth = this.pages.depths[to]!;
      this.#point(this.pages.prefixes[to]!, depth, to);
      assert(from !== to);
    });
  }

  #seekEmpty(tag: number): void {
    const page = this.pageOf(tag);
    const chunk = this.pages.chunkOf(page);
    const base = this.pages.baseOf(page);
    let at = (tag << 1) & this.#wordMask;
    while (chunk[base + at + 1] !== 0) at = (at + 2) & this.#wordMask;
    this.hitChunk = chunk;
    this.hitAt = base + at;
    this.#hitPage = page;
  }

  #newPage(depth: number, prefix: number): number {
    const page = this.pages.allocate(depth, prefix);
    this.#pagesOfDepth[depth]!++;
    return page;
  }

  /** Lets the directory's entries of a prefix of `depth` bits name `page`. */
  #point(prefix: number, depth: number, page: number): void {
    const first = prefix >>> (32 - this.#depth);
    this.#directory.fill(page, first, first + (1 << (this.#depth - depth)));
  }

  #split(page: number): void {
    const depth = this.pages.depths[page]!;
    if (depth >= DEPTH_MAX) throw new StoreError("ERR_STORE_FULL", "key hashes do not spread");
    if (depth === this.#depth) this.#double();
    const bit = 0x8000_0000 >>> depth;
    const prefix = this.pages.prefixes[page]!;
    const other = this.#newPage(depth + 1, prefix | bit);
    this.#pagesOfDepth[depth]!--;
    this.#pagesOfDepth[depth + 1]!++;
    this.pages.depths[page] = depth + 1;
    this.#point(prefix | bit, depth + 1, other);
    const chunk = this.pages.chunkOf(page);
    const base = this.pages.baseOf(page);
    this.#scratch.set(chunk.subarray(base, base + this.#scratch.length));
    chunk.fill(0, base, base + this.#scratch.length);
    this.pages.counts[page] = 0;
    this.#refill(page, other, bit);
  }

  #maybeMerge(page: number): void {
    for (;;) {
      const depth = this.pages.depths[page]!;
      if (depth <= 1) return;
      const bit = 0x8000_0000 >>> (depth - 1);
      const prefix = this.pages.prefixes[page]!;
      const buddy = this.pageOf(prefix ^ bit);
      if (this.pages.depths[buddy] !== depth) return;
      if (this.pages.counts[page]! + this.pages.counts[buddy]! > this.#mergeMax) return;
      this.#merge(page, buddy, depth, prefix & ~bit);
    }
  }

  #merge(page: number, buddy: number, depth: number, prefix: number): void {
    const base = this.pages.baseOf(buddy);
    this.#scratch.set(this.pages.chunkOf(buddy).subarray(base, base + this.#scratch.length));
    this.pages.depths[page] = depth - 1;
    this.pages.prefixes[page] = prefix;
    this.#pagesOfDepth[depth]! -= 2;
    this.#pagesOfDepth[depth - 1]!++;
    this.pages.free(buddy);
    this.#point(prefix, depth - 1, page);
    this.#refill(page, page, 0);
  }

  /** Puts the entries in the scratch page into `other` where `bit` is set in the tag, else `page`. */
  #refill(page: number, other: number, bit: number): void {
    const scratch = this.#scratch;
    const mask = this.#wordMask;
    const chunk = this.pages.chunkOf(page);
    const base = this.pages.baseOf(page);
    const otherChunk = this.pages.chunkOf(other);
    const otherBase = this.pages.baseOf(other);
    let moved = 0;
    let stayed = 0;
    for (let i = 0; i < scratch.length; i += 2) {
      const address = scratch[i + 1]!;
      if (address === 0) continue;
      const tag = scratch[i]!;
      if ((tag & bit) === 0) {
        put(chunk, base, mask, tag, address);
        stayed++;
      } else {
        put(otherChunk, otherBase, mask, tag, address);
        moved++;
      }
    }
    this.pages.counts[page]! += stayed;
    this.pages.counts[other]! += moved;
  }

  #double(): void {
    const larger = directoryOf(this.#directory.length * 2);
    for (let i = 0; i < this.#directory.length; i++) {
      larger[2 * i] = this.#directory[i]!;
      larger[2 * i + 1] = this.#directory[i]!;
    }
    this.#directory = larger;
    this.#depth++;
    this.#prefixShift--;
  }

  #halve(): void {
    const smaller = new Int32Array(this.#directory.length / 2);
    for (let i = 0; i < smaller.length; i++) smaller[i] = this.#directory[2 * i]!;
    this.#directory = smaller;
    this.#depth--;
    this.#prefixShift++;
  }

  #deepest(): number {
    let depth = this.#depth;
    while (this.#pagesOfDepth[depth] === 0) depth--;
    return depth;
  }
}

function directoryOf(entries: number): Int32Array {
  try {
    return new Int32Array(entries);
  } catch (cause) {
    throw new StoreError("ERR_STORE_FULL", `no memory for ${entries} pages`, { cause });
  }
}

/** Writes an entry into the page at `base` that has room and not yet this key. */
function put(chunk: Int32Array, base: number, mask: number, tag: number, address: number): void {
  let at = (tag << 1) & mask;
  while (chunk[base + at + 1] !== 0) at = (at + 2) & mask;
  chunk[base + at] = tag;
  chunk[base + at + 1] = address;
}
