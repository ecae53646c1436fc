/**
 * From an address to where its record lies.
 *
 *   address (u32, kept as int32)
 *   +--------------+--------------+
 *   | segment id   | offset / 8   |     a record in a shared arena segment; ids start at 1
 *   +--------------+--------------+
 *   +------+----------------------+
 *   | 0xff | number               |     a large record, which has an arena segment of its own
 *   +------+----------------------+
 *   0 is no address
 *
 * Why two forms: with a segment id for each, 32,767 large records used up all addresses. So segment ids
 * are for shared segments, 31.9 GiB of them, and large records are numbered: 16.7 million.
 *
 * Owns: ids and numbers, and what each access needs at hand. Does not own: slots (arena.ts).
 * Tested in: test/unit/store/store.test.ts.
 */
import assert from "node:assert/strict";
import { StoreError } from "../errors.ts";
import { OWN_CLASS, ArenaSegment } from "./segment.ts";
import type { ArenaBounds, SegmentMemory } from "./segment-memory.ts";

const LARGE_PREFIX = 0xff;
const LARGE_SHIFT = 24;
const LARGE_FIRST = 0xff00_0000;
const LARGE_MASK = 0x00ff_ffff;

const NO_WORDS = new Uint32Array(0);
const NO_BYTES = Buffer.alloc(0);
const NO_MEMORY = { buffer: new SharedArrayBuffer(0), words: NO_WORDS, bytes: NO_BYTES };
/** What the addresses of a segment that was given back name. */
const GONE = new ArenaSegment(0, NO_MEMORY, OWN_CLASS, 8, 0);

export class Addresses {
  /** Shared segments by id, and their words and bytes: one load less on the way to a record. */
  readonly #shared: ArenaSegment[] = [GONE];
  readonly #words: Uint32Array[] = [NO_WORDS];
  readonly #bytes: Buffer[] = [NO_BYTES];
  /** Segments of large records by number. */
  readonly #large: ArenaSegment[] = [];
  readonly #unitShift: number;
  readonly #unitMask: number;
  readonly #freeIds: number[] = [];
  readonly #freeNumbers: number[] = [];
  readonly #idsMax: number;
  readonly #largeMax: number;

  constructor(segmentBytes: number, bounds: ArenaBounds) {
    const units = segmentBytes / 8;
    assert(units >= 16 && (units & (units - 1)) === 0);
    this.#unitShift = 31 - Math.clz32(units);
    this.#unitMask = units - 1;
    this.#idsMax = Math.min(bounds.segmentsMax, LARGE_FIRST / units - 1);
    this.#largeMax = Math.min(bounds.largeRecordsMax, LARGE_MASK + 1);
  }

  segmentOf(address: number): ArenaSegment {
    if (address >>> LARGE_SHIFT === LARGE_PREFIX) return this.#large[address & LARGE_MASK]!;
    return this.#shared[address >>> this.#unitShift]!;
  }

  /** The words of its segment; none when it was given back. */
  wordsOf(address: number): Uint32Array {
    if (address >>> LARGE_SHIFT === LARGE_PREFIX) return this.#large[address & LARGE_MASK]!.words;
    return this.#words[address >>> this.#unitShift]!;
  }

  bytesOf(address: number): Buffer {
    if (address >>> LARGE_SHIFT === LARGE_PREFIX) return this.#large[address & LARGE_MASK]!.bytes;
    return this.#bytes[address >>> this.#unitShift]!;
  }

  /** The word of its segment at which the record starts. */
  wordAt(address: number): number {
    return address >>> LARGE_SHIFT === LARGE_PREFIX ? 0 : (address & this.#unitMask) << 1;
  }

  /** Throws StoreError ERR_STORE_FULL when `count` further segments of the class cannot be added. */
  require(classIndex: number, count: number = 1): void {
    if (classIndex === OWN_CLASS) {
      if (this.#freeNumbers.length + this.#largeMax - this.#large.length >= count) return;
      throw new StoreError("ERR_STORE_FULL", `all ${this.#largeMax} large records are there`);
    }
    if (this.#freeIds.length + this.#idsMax + 1 - this.#shared.length >= count) return;
    throw new StoreError("ERR_STORE_FULL", `all ${this.#idsMax} arena segments are in use`);
  }

  /** A segment over `memory`, with addresses; after require(). */
  add(memory: SegmentMemory, classIndex: number, slotBytes: number, created: number): ArenaSegment {
    if (classIndex === OWN_CLASS) {
      const number = this.#freeNumbers.pop() ?? this.#large.length;
      const base = LARGE_FIRST | number | 0;
      return (this.#large[number] = new ArenaSegment(base, memory, classIndex, slotBytes, created));
    }
    const id = this.#freeIds.pop() ?? this.#shared.length;
    this.#words[id] = memory.words;
    this.#bytes[id] = memory.bytes;
    const base = id << this.#unitShift;
    return (this.#shared[id] = new ArenaSegment(base, memory, classIndex, slotBytes, created));
  }

  /** Its addresses may be given to another. */
  remove(segment: ArenaSegment): void {
    if (segment.classIndex === OWN_CLASS) {
      const number = segment.base & LARGE_MASK;
      this.#large[number] = GONE;
      this.#freeNumbers.push(number);
      return;
    }
    const id = segment.base >>> this.#unitShift;
    this.#shared[id] = GONE;
    this.#words[id] = NO_WORDS;
    this.#bytes[id] = NO_BYTES;
    this.#freeIds.push(id);
  }

  /** Whoever still has it must not keep the memory. */
  clear(): void {
    this.#large.length = 0;
    for (const list of [this.#shared, this.#words, this.#bytes]) list.length = 1;
  }
}
