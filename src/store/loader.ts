/**
 * Chunks of a snapshot into a fresh key space: the inverse of serialize.ts.
 *
 * The bytes come from a peer. A chunk is walked first: every head is checked and every length
 * compared with what is there; only then is memory taken and anything copied. Nothing is sized by an
 * announcement, but for one record larger than a chunk, whose slot is reserved at its announced size
 * (within LIMITS) and touched as its parts arrive.
 *
 * Owns: parsing and placing. Does not own: order and digests of chunks (replica/), swap (store.ts).
 */
import { StoreError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { isTime, u32 } from "./bytes.ts";
import { copyTail } from "./copy.ts";
import { TOUCH_MAX } from "./key-index.ts";
import type { KeySpace } from "./key-space.ts";
import * as layout from "./layout.ts";

/** Records handled together, so that the waits for memory overlap. */
const GROUP = TOUCH_MAX;

export class StagedStore {
  readonly #space: KeySpace;
  #records = 0;
  #state: "open" | "finished" | "taken" | "discarded" = "open";
  /** The record whose parts are arriving: its address (0 for none), bytes in, bytes in all. */
  #partAddress = 0;
  #partDone = 0;
  #partBytes = 0;
  readonly #starts = new Uint32Array(GROUP);
  readonly #sizes = new Uint32Array(GROUP);
  readonly #lengths = new Uint32Array(GROUP);
  readonly #addresses = new Int32Array(GROUP);
  readonly #tags = new Int32Array(GROUP);

  /** Called by Store.stage only. */
  constructor(space: KeySpace) {
    this.#space = space;
  }

  /** Records loaded so far. */
  get records(): number {
    return this.#records;
  }

  /** Bytes of its arena segments and index. */
  get usedBytes(): number {
    return this.#space.arena.heldBytes + this.#space.index.bytes;
  }

  /**
   * Loads one chunk's payload, in order.
   * @throws StoreError ERR_STORE_CHUNK when it is malformed; the staged store must then be dropped
   */
  load(bytes: Buffer, from: number, to: number): void {
    if (this.#state !== "open") refuse(`a chunk for a store that is ${this.#state}`);
    let at = from;
    if (this.#partAddress !== 0) at = this.#continuePart(bytes, from, to);
    while (at < to) {
      let n = 0;
      while (n < GROUP && at < to) {
        const size = checkHead(bytes, at, to);
        if (size > to - at) break;
        checkPadding(bytes, at, size);
        this.#starts[n] = at;
        this.#lengths[n] = u32(bytes, at + 8);
        this.#sizes[n++] = size;
        at += size;
      }
      if (n === 0) {
        this.#beginPart(bytes, at, to);
        return;
      }
      this.#place(bytes, n);
    }
  }

  /** All chunks are in. Throws StoreError ERR_STORE_CHUNK when a record or a part is missing. */
  finish(totals: { readonly records: number }): void {
    if (this.#state !== "open") refuse(`the end of a store that is ${this.#state}`);
    if (this.#partAddress !== 0) refuse("the snapshot ends inside a record");
    if (this.#records !== totals.records) {
      refuse(`${this.#records} records arrived, ${totals.records} were announced`);
    }
    this.#state = "finished";
  }

  /** Gives the memory back, unless a store took it; idempotent. */
  discard(): void {
    if (this.#state === "taken" || this.#state === "discarded") return;
    this.#state = "discarded";
    this.#space.retire();
  }

  /** Called by Store.swap only: hands the loaded state over. */
  takeSpace(): KeySpace {
    if (this.#state !== "finished") {
      throw new StoreError("ERR_STORE_CHUNK", `swap of a staged store that is ${this.#state}`);
    }
    this.#state = "taken";
    return this.#space;
  }

  /** Places the `n` whole records at #starts, then lets the index name them. */
  #place(bytes: Buffer, n: number): void {
    const space = this.#space;
    for (let i = 0; i < n; i++) {
      const key = this.#starts[i]! + layout.headOf(this.#lengths[i]!);
      this.#tags[i] = space.tagOf(bytes, key, key + layout.keyBytesOf(this.#lengths[i]!));
    }
    space.touch(this.#tags, n);
    for (let i = 0; i < n;) i = this.#copyRun(bytes, i, n);
    for (let i = 0; i < n; i++) {
      const key = this.#starts[i]! + layout.headOf(this.#lengths[i]!);
      const keyTo = key + layout.keyBytesOf(this.#lengths[i]!);
      if (!space.adopt(this.#tags[i]!, bytes, key, keyTo, this.#addresses[i]!)) {
        refuse("a key that the snapshot had before");
      }
    }
    this.#records += n;
  }

  /**
   * Copies record `first` and those after it that go into the slots after its own, in one piece.
   * @returns the first record that was not copied
   */
  #copyRun(bytes: Buffer, first: number, n: number): number {
    const arena = this.#space.arena;
    const size = this.#sizes[first]!;
    this.#addresses[first] = arena.allocate(size);
    const segment = arena.placed!;
    const word = arena.placedAt;
    let next = first + 1;
    if (size === segment.slotBytes && segment.freeHead === 0) {
      while (next < n && this.#sizes[next] === size && segment.used < segment.capacity) {
        this.#addresses[next++] = arena.allocate(size);
      }
    }
    const from = this.#starts[first]!;
    const to = from + (next - first) * size;
    copyTail(segment.words, segment.bytes, word << 2, bytes, from, to);
    for (let i = first, at = word; i < next; i++, at += size >>> 2) {
      segment.words[at] = arena.epoch; // The copy brought the stamps of the chunk, which are zero.
      if (!layout.hasExpiry(this.#lengths[i]!)) continue;
      arena.noteExpiry(segment, layout.expireAtOf(segment.words, at));
    }
    return next;
  }

  /** The head of a record larger than what is left of the chunk: reserves its slot. */
  #beginPart(bytes: Buffer, at: number, to: number): void {
    const arena = this.#space.arena;
    const size = checkHead(bytes, at, to);
    const address = arena.allocate(size);
    const start = arena.addresses.wordAt(address) << 2;
    arena.addresses.bytesOf(address).set(bytes.subarray(at + 8, to), start + 8);
    this.#partAddress = address;
    this.#partDone = to - at;
    this.#partBytes = size;
  }

  #continuePart(bytes: Buffer, from: number, to: number): number {
    const arena = this.#space.arena;
    const address = this.#partAddress;
    const start = arena.addresses.wordAt(address) << 2;
    const size = Math.min(to - from, this.#partBytes - this.#partDone);
    const target = arena.addresses.bytesOf(address);
    target.set(bytes.subarray(from, from + size), start + this.#partDone);
    this.#partDone += size;
    if (this.#partDone === this.#partBytes) {
      this.#partAddress = 0;
      if (!this.#space.adoptPlaced(address)) refuse("a key that the snapshot had before");
      this.#records++;
    }
    return from + size;
  }
}

/** Checks the head of the record at `at`; returns its size, which may reach beyond `to`. */
function checkHead(bytes: Buffer, at: number, to: number): number {
  if (to - at < 16) refuse(`${to - at} bytes are no record`);
  if (u32(bytes, at) !== 0 || u32(bytes, at + 4) !== 0) refuse("a stamped record");
  const lengths = u32(bytes, at + 8);
  const head = layout.headOf(lengths);
  const wide = layout.isWide(lengths);
  const keyBytes = layout.keyBytesOf(lengths);
  const valueBytes = layout.valueBytesOf(lengths, u32(bytes, at + 12));
  if (!layout.isCanonical(keyBytes, valueBytes, wide)) refuse("lengths of another form");
  if (keyBytes > LIMITS.keyBytesMax || valueBytes > LIMITS.valueBytesMax) {
    refuse(`a key of ${keyBytes} and a value of ${valueBytes} bytes`);
  }
  if (layout.hasExpiry(lengths)) {
    if (to - at < head) refuse("a record that ends in its head");
    const low = u32(bytes, at + head - 8);
    const high = u32(bytes, at + head - 4);
    if ((low === 0 && high === 0) || !isTime(low, high)) refuse("an expiry that is no time");
  }
  return layout.align8(head + keyBytes + valueBytes);
}

/** The bytes after the value of a record that is here as a whole. */
function checkPadding(bytes: Buffer, at: number, size: number): void {
  const lengths = u32(bytes, at + 8);
  const end =
    at +
    layout.headOf(lengths) +
    layout.keyBytesOf(lengths) +
    layout.valueBytesOf(lengths, u32(bytes, at + 12));
  for (let i = end; i < at + size; i++) if (bytes[i] !== 0) refuse("padding that is not zero");
}

function refuse(detail: string): never {
  throw new StoreError("ERR_STORE_CHUNK", detail);
}
