/**
 * One arena segment in use, and one size class of them: what is counted about slots.
 *
 * Owns: these notes. Does not own: what changes them (arena.ts), memory (segment-memory.ts).
 * Tested in: test/unit/store/store.test.ts.
 */
import type { SegmentMemory } from "./segment-memory.ts";

/** The class of arena segments with a single large record. */
export const OWN_CLASS = -1;

/** One arena segment in use. */
export class ArenaSegment {
  /** The address of its first slot. */
  readonly base: number;
  readonly memory: SegmentMemory;
  readonly words: Uint32Array;
  readonly bytes: Buffer;
  readonly classIndex: number;
  readonly slotBytes: number;
  /** Slots that fit. */
  readonly capacity: number;
  /** Epoch in which it was taken into use. */
  readonly created: number;
  used = 0;
  live = 0;
  free = 0;
  /** Slot number + 1 of the first free slot; the next one is in the slot's lengths word. */
  freeHead = 0;
  /** Live records with an expiry, and a lower bound of the earliest. */
  expires = 0;
  expireAtMin: number = Number.POSITIVE_INFINITY;
  /** The listing of its arena in which it is in its class's list of segments with free slots. */
  listedIn = 0;
  /** Where in that list. */
  listedAt = 0;
  /** It is being emptied, or gone: nothing is put into it. */
  closed = false;
  /** Where it is in its arena's list; -1 when its memory was given back. */
  place = -1;

  constructor(
    base: number,
    memory: SegmentMemory,
    classIndex: number,
    slotBytes: number,
    created: number,
  ) {
    this.base = base;
    this.memory = memory;
    this.words = memory.words;
    this.bytes = memory.bytes;
    this.classIndex = classIndex;
    this.slotBytes = slotBytes;
    this.capacity = classIndex === OWN_CLASS ? 1 : Math.floor(memory.bytes.length / slotBytes);
    this.created = created;
  }

  get isGone(): boolean {
    return this.place === -1;
  }

  /** Slots that are dead and not free. */
  get dead(): number {
    return this.used - this.live - this.free;
  }
}

/** One size class. */
export interface SizeClass {
  readonly slotBytes: number;
  readonly slotsPerSegment: number;
  current: ArenaSegment | null;
  /** Segments with free slots, none of them gone: a reference would keep its memory. */
  partial: ArenaSegment[];
  /** Slots of all its segments, and live records in them. */
  slots: number;
  live: number;
}
