/**
 * Where records lie: arena segments of slots of one size, in shared memory.
 *
 *   arena segment of class c
 *   +--------+--------+--------+------+-----------+
 *   | slot 0 | slot 1 | slot 2 | ...  | not used  |
 *   +--------+--------+--------+------+-----------+
 *   `used` slots were ever given out; each is live, dead or free
 *
 * A record larger than a quarter of a segment has an arena segment of its own.
 *
 * Epochs: a freeze is E = ++epoch. A record is visible to snapshot E when birth < E and (death = 0
 * or death >= E). `pin` is the newest open snapshot's epoch, 0 without one. Invariants:
 * - A record may be changed in place only when birth >= pin: no open snapshot sees it.
 * - A dead slot may be reused only when its segment's `created` >= pin: no open snapshot scans it.
 *   Until then it stays dead (not free), and sweep() makes it free once nothing pins it.
 * - Slots beyond the `used` that a snapshot took are never read by it: they may always be given out.
 * - used = live + dead + free, for each segment.
 * - A segment that is not the current one of its class is full: used = capacity (snapshot.ts).
 *
 * Owns: slots, their liveness, the pins. Does not own: keys (key-index.ts), records' form (layout.ts),
 * addresses (addresses.ts), memory (segment-memory.ts), which segments to empty (compaction.ts).
 * Tested in: test/unit/store/store.test.ts.
 */
import assert from "node:assert/strict";
import { StoreError } from "../errors.ts";
import { Addresses } from "./addresses.ts";
import { BIRTH, DEATH, hasExpiry, LENGTHS } from "./layout.ts";
import { OWN_CLASS, type ArenaSegment, type SizeClass } from "./segment.ts";
import type { SegmentMemory, SegmentPool } from "./segment-memory.ts";
import { classBytes, classOf } from "./size-classes.ts";
import { Snapshot } from "./snapshot.ts";

/** Freezes that one arena allows; at one a second they last 136 years. */
const EPOCH_MAX = 0xffff_ffff;

export class Arena {
  readonly pool: SegmentPool;
  /** All in use, in no order that means anything; one that is closed gives its place to the last. */
  readonly segments: ArenaSegment[] = [];
  readonly addresses: Addresses;
  readonly classes: SizeClass[] = [];
  /** Current epoch; a record written now is born in it. */
  epoch = 1;
  /** Epoch of the newest open snapshot, 0 without one. */
  pin = 0;
  /** Slot bytes of live records, and of dead ones that are not free yet. */
  liveBytes = 0;
  deadBytes = 0;
  freeBytes = 0;
  records = 0;
  /** Live records with an expiry. */
  expires = 0;
  /** Bytes of the memory of its segments. */
  heldBytes = 0;
  /** Where allocate() placed its record last: the segment, and the word in it. */
  placed: ArenaSegment | null = null;
  placedAt = 0;
  readonly open: Snapshot[] = [];
  /** The segment that compaction.ts empties, closed for new records, and the slot it is at. */
  victim: ArenaSegment | null = null;
  victimSlot = 0;
  readonly #classedMax: number;
  /** Segments, from the first on, that sweep() has not looked at; it goes from the last to the first. */
  #unswept = 0;
  /** Counts freezes: each begins the lists of segments with free slots anew. */
  #listing = 1;
  #retired = false;

  constructor(pool: SegmentPool) {
    this.pool = pool;
    this.addresses = new Addresses(pool.segmentBytes, pool.bounds);
    this.#classedMax = Math.min(pool.bounds.largeRecordBytes, pool.segmentBytes / 4);
    for (let index = 0; index <= classOf(this.#classedMax); index++) {
      const slotBytes = classBytes(index);
      const slotsPerSegment = Math.floor(pool.segmentBytes / slotBytes);
      this.classes.push({
        slotBytes,
        slotsPerSegment,
        current: null,
        partial: [],
        slots: 0,
        live: 0,
      });
    }
  }

  /**
   * A slot for `bytes` of record, born now; the caller writes the rest. A record with a segment of
   * its own gets room for `grownBytes`.
   * @returns its address
   */
  allocate(bytes: number, grownBytes: number = bytes): number {
    if (bytes > this.#classedMax) return this.#allocateOwn(Math.max(bytes, grownBytes));
    const sizeClass = this.classes[classOf(bytes)]!;
    let segment = sizeClass.current;
    if (segment === null || !this.#hasRoom(segment)) segment = this.#nextSegment(bytes);
    sizeClass.live++;
    return this.#place(segment);
  }

  /** Slots that a size class has left: in its current segment, or in all. */
  roomOf(index: number, inAll: boolean): number {
    const { current, partial } = this.classes[index]!;
    let slots = current === null ? 0 : this.#slotsLeft(current);
    if (inAll) for (const segment of partial) slots += this.#slotsLeft(segment);
    return slots;
  }

  #slotsLeft(segment: ArenaSegment): number {
    if (segment.closed) return 0;
    const free = segment.created >= this.pin ? segment.free : 0;
    return segment.capacity - segment.used + free;
  }

  /** Does a record of `bytes`, now `before`, stay in the slot at `address`? */
  keepsSlot(address: number, before: number, bytes: number): boolean {
    if (before === bytes) return true;
    if (bytes <= this.#classedMax) return classOf(before) === classOf(bytes);
    const { slotBytes } = this.addresses.segmentOf(address);
    return before > this.#classedMax && bytes <= slotBytes && bytes > slotBytes >>> 1;
  }

  /** The record at `address` is overwritten or deleted now. */
  kill(address: number): void {
    const segment = this.addresses.segmentOf(address);
    const words = segment.words;
    const at = this.addresses.wordAt(address);
    if (words[at + DEATH] !== 0) throw new assert.AssertionError({ message: "a second death" });
    words[at + DEATH] = this.epoch;
    if (hasExpiry(words[at + LENGTHS]!)) this.forgetExpiry(segment);
    segment.live--;
    this.records--;
    this.liveBytes -= segment.slotBytes;
    if (segment.classIndex !== OWN_CLASS) this.classes[segment.classIndex]!.live--;
    if (segment.created < this.pin) {
      this.deadBytes += segment.slotBytes;
      return;
    }
    this.#free(segment, words, at);
    this.#afterFree(segment);
  }

  /** Counts the expiry of a record in `segment`. */
  noteExpiry(segment: ArenaSegment, expireAt: number): void {
    segment.expires++;
    this.expires++;
    if (expireAt < segment.expireAtMin) segment.expireAtMin = expireAt;
  }

  forgetExpiry(segment: ArenaSegment): void {
    segment.expires--;
    this.expires--;
  }

  /** Pins the arena as it is now. */
  freeze(): Snapshot {
    if (this.epoch >= EPOCH_MAX) {
      throw new StoreError("ERR_STORE_FULL", "this arena has used up its epochs");
    }
    this.epoch++;
    this.pin = this.epoch;
    const snapshot = new Snapshot(this, this.epoch);
    this.open.push(snapshot);
    // All that are listed are pinned now; sweep() lists them again.
    for (const sizeClass of this.classes) {
      if (sizeClass.partial.length > 0) sizeClass.partial = [];
    }
    this.#listing++;
    return snapshot;
  }

  /** The snapshot's last reader is gone. */
  unpin(snapshot: Snapshot): void {
    const at = this.open.indexOf(snapshot);
    assert(at >= 0);
    this.open.splice(at, 1);
    this.pin = this.open.reduce((newest, open) => Math.max(newest, open.epoch), 0);
    this.#unswept = this.segments.length;
    if (this.#retired && this.open.length === 0) this.#giveAll();
  }

  /** Bytes of slots that could be used again if these snapshots were closed and read no more. */
  reclaimableBytes(closing: ReadonlySet<Snapshot>): number {
    let pin = 0;
    for (const open of this.open) if (!closing.has(open)) pin = Math.max(pin, open.epoch);
    if (pin >= this.pin) return 0;
    let bytes = 0;
    for (const segment of this.segments)
      if (segment.created >= pin && segment.created < this.pin)
        bytes += segment.dead * segment.slotBytes;
    return bytes;
  }

  /** Nothing will be written any more; the memory goes back when the last snapshot closes. */
  retire(): void {
    this.#retired = true;
    if (this.open.length === 0) this.#giveAll();
  }

  /**
   * Looks at up to `limit` segments for slots that died while pinned and are so no more.
   * @returns true when there is more to do
   */
  sweep(limit: number): boolean {
    for (let n = 0; n < limit && this.#unswept > 0; n++) {
      // One that was closed meanwhile had its place taken by one that was looked at.
      const segment = this.segments[--this.#unswept];
      if (segment !== undefined && segment.created >= this.pin) this.#sweepSegment(segment);
    }
    return this.#unswept > 0;
  }

  /** Lets a segment that was closed for new records take some again. */
  reopen(segment: ArenaSegment): void {
    if (segment.isGone) return;
    segment.closed = false;
    if (segment.created >= this.pin && segment.free > 0) this.#afterFree(segment);
  }

  #hasRoom(segment: ArenaSegment): boolean {
    if (segment.closed) return false;
    return (
      segment.used < segment.capacity || (segment.freeHead !== 0 && segment.created >= this.pin)
    );
  }

  #place(segment: ArenaSegment): number {
    const words = segment.words;
    let slot: number;
    if (segment.freeHead !== 0 && segment.created >= this.pin) {
      slot = segment.freeHead - 1;
      segment.freeHead = words[((slot * segment.slotBytes) >>> 2) + LENGTHS]!;
      segment.free--;
      this.freeBytes -= segment.slotBytes;
    } else {
      slot = segment.used++;
    }
    const at = (slot * segment.slotBytes) >>> 2;
    words[at + BIRTH] = this.epoch;
    words[at + DEATH] = 0;
    segment.live++;
    this.records++;
    this.liveBytes += segment.slotBytes;
    this.placed = segment;
    this.placedAt = at;
    return segment.base | (at >>> 1);
  }

  #allocateOwn(bytes: number): number {
    const slotBytes = classBytes(classOf(bytes));
    this.addresses.require(OWN_CLASS);
    return this.#place(this.#open(this.pool.takeOwn(slotBytes), OWN_CLASS, slotBytes));
  }

  /** A segment with room in the class of `bytes`, now its current one. */
  #nextSegment(bytes: number): ArenaSegment {
    const index = classOf(bytes);
    const sizeClass = this.classes[index]!;
    if (this.#unswept > 0) this.sweep(8);
    const before = sizeClass.current;
    let next = before !== null && this.#hasRoom(before) ? before : null; // It was just swept.
    while (next === null && sizeClass.partial.length > 0) {
      const segment = sizeClass.partial.pop()!;
      segment.listedIn = 0;
      if (this.#hasRoom(segment)) next = segment;
    }
    if (next === null) {
      this.addresses.require(index);
      next = this.#open(this.pool.take(), index, sizeClass.slotBytes);
      sizeClass.slots += next.capacity;
    }
    sizeClass.current = next;
    return next;
  }

  #open(memory: SegmentMemory, classIndex: number, slotBytes: number): ArenaSegment {
    const segment = this.addresses.add(memory, classIndex, slotBytes, this.epoch);
    segment.place = this.segments.length;
    this.segments.push(segment);
    this.heldBytes += memory.bytes.length;
    return segment;
  }

  #free(segment: ArenaSegment, words: Uint32Array, at: number): void {
    words[at + LENGTHS] = segment.freeHead;
    segment.freeHead = (at << 2) / segment.slotBytes + 1;
    segment.free++;
    this.freeBytes += segment.slotBytes;
  }

  /** A segment that gained a free slot: gives it back when empty, else lists it. */
  #afterFree(segment: ArenaSegment): void {
    const sizeClass = this.classes[segment.classIndex];
    if (segment.live === 0 && sizeClass?.current !== segment) {
      this.#close(segment);
      return;
    }
    const isListed = segment.listedIn === this.#listing;
    if (isListed || segment.closed || sizeClass?.current === segment) return;
    segment.listedIn = this.#listing;
    segment.listedAt = sizeClass!.partial.length;
    sizeClass!.partial.push(segment);
  }

  /** Gives the memory of an empty, unpinned segment back. */
  #close(segment: ArenaSegment): void {
    // Slots that died while pinned may not have been swept yet.
    this.deadBytes -= segment.dead * segment.slotBytes;
    this.freeBytes -= segment.free * segment.slotBytes;
    if (segment.classIndex !== OWN_CLASS) {
      const sizeClass = this.classes[segment.classIndex]!;
      sizeClass.slots -= segment.capacity;
      if (sizeClass.current === segment) sizeClass.current = null;
      this.#unlist(sizeClass, segment);
    }
    if (this.victim === segment) this.victim = null;
    if (this.placed === segment) this.placed = null;
    segment.closed = true;
    const last = this.segments.pop()!;
    if (last !== segment) {
      this.segments[segment.place] = last;
      last.place = segment.place;
    }
    segment.place = -1;
    this.addresses.remove(segment);
    this.heldBytes -= segment.memory.bytes.length;
    this.pool.give(segment.memory);
  }

  #unlist(sizeClass: SizeClass, segment: ArenaSegment): void {
    if (segment.listedIn !== this.#listing) return;
    segment.listedIn = 0;
    const last = sizeClass.partial.pop()!;
    if (last === segment) return;
    sizeClass.partial[segment.listedAt] = last;
    last.listedAt = segment.listedAt;
  }

  #sweepSegment(segment: ArenaSegment): void {
    if (segment.dead > 0) this.#freeDead(segment);
    if (segment.live === 0) this.#close(segment);
    else if (segment.free > 0) this.#afterFree(segment);
  }

  /** Rebuilds the free list of an unpinned segment from the stamps. */
  #freeDead(segment: ArenaSegment): void {
    const words = segment.words;
    this.deadBytes -= segment.dead * segment.slotBytes;
    this.freeBytes -= segment.free * segment.slotBytes;
    segment.free = 0;
    segment.freeHead = 0;
    if (segment.live === 0) {
      // It will be closed at once: only the counts matter.
      segment.free = segment.used;
      this.freeBytes += segment.free * segment.slotBytes;
      return;
    }
    for (let slot = segment.used - 1; slot >= 0; slot--) {
      const at = (slot * segment.slotBytes) >>> 2;
      if (words[at + DEATH] !== 0) this.#free(segment, words, at);
    }
  }

  #giveAll(): void {
    for (const segment of this.segments) this.pool.give(segment.memory);
    // Whoever still has the arena must not keep its memory.
    this.segments.length = 0;
    this.addresses.clear();
    this.classes.length = 0;
    this.placed = null;
    this.victim = null;
    this.heldBytes = 0;
  }
}
