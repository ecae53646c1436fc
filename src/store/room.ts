/**
 * Memory for several SETs, found before the first of them is applied, so that they are all or nothing.
 *
 * First what is at hand already is compared with what they take if each needs a slot of its own: a sum
 * over size classes, no look at a key. Only when that is not enough, those that will be written where
 * their key's record is now are left out, and what is still missing is allocated.
 * The index gets room for the pages that so many keys may split; it grows on if they split more.
 *
 * Owns: the count. Does not own: slots (arena.ts), memory (segment-memory.ts), pages (page-table.ts).
 * Tested in: test/unit/store/memory.test.ts.
 */
import type { KeySpace } from "./key-space.ts";
import { recordBytes } from "./layout.ts";
import { OWN_CLASS } from "./segment.ts";
import { classBytes, classOf } from "./size-classes.ts";

export class Room {
  readonly #space: KeySpace;
  /** Slots wanted, by size class. */
  readonly #slots: Uint32Array;
  /** Slot bytes of records that have an arena segment of their own. */
  readonly #large: number[] = [];
  #keys = 0;
  /** Records that a wanted SET overwrites: another of the same key finds a new one. */
  readonly #overwritten = new Set<number>();

  constructor(space: KeySpace) {
    this.#space = space;
    this.#slots = new Uint32Array(space.arena.classes.length);
  }

  /** Nothing is wanted. */
  clear(): void {
    this.#slots.fill(0);
    this.#large.length = 0;
    this.#keys = 0;
    this.#overwritten.clear();
  }

  /** Wants a slot for one SET. */
  want(keyBytes: number, valueBytes: number, expireAt = 0): void {
    const index = classOf(recordBytes(keyBytes, valueBytes, expireAt));
    this.#keys++;
    if (index < this.#slots.length) this.#slots[index]!++;
    else this.#large.push(classBytes(index));
  }

  /** The same, but where the key's record may be rewritten in its slot. */
  wantUnlessInPlace(key: Uint8Array, from: number, to: number, valueBytes: number): void {
    const space = this.#space;
    const old = space.addressOf(key, from, to);
    const stays =
      old !== 0 && !this.#overwritten.has(old) && space.keepsPlace(old, to - from, valueBytes);
    if (old !== 0) this.#overwritten.add(old);
    if (!stays) this.want(to - from, valueBytes);
  }

  /** Whether what is at hand is enough. */
  get isThere(): boolean {
    const { arena, index } = this.#space;
    if (this.#large.length > 0 || !index.hasRoomFor(this.#keys)) return false;
    const segments = this.#segments(false);
    return segments === 0 || (segments <= arena.pool.freeCount && arena.pool.mayTake(segments));
  }

  /** Makes it enough. @throws StoreError ERR_STORE_FULL when it cannot be, with nothing changed */
  secure(): void {
    const { arena, index } = this.#space;
    const segments = this.#segments(true);
    if (segments > 0) arena.addresses.require(0, segments);
    if (this.#large.length > 0) arena.addresses.require(OWN_CLASS, this.#large.length);
    index.makeRoomFor(this.#keys);
    arena.pool.secure(segments, this.#large);
  }

  /** What was secured and not used goes back. */
  release(): void {
    this.#space.arena.pool.releaseSecured();
  }

  /** Shared arena segments that the wanted slots may need anew; `exactly` looks at all with free slots. */
  #segments(exactly: boolean): number {
    const { arena } = this.#space;
    let segments = 0;
    for (let index = 0; index < this.#slots.length; index++) {
      const wanted = this.#slots[index]!;
      if (wanted === 0) continue;
      const missing = wanted - arena.roomOf(index, exactly);
      if (missing > 0) segments += Math.ceil(missing / arena.classes[index]!.slotsPerSegment);
    }
    return segments;
  }
}
