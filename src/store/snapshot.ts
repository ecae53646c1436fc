/**
 * One open snapshot: which arena segments it sees, how far each was used, and its epoch.
 *
 * Taking it notes its epoch and how far the current segment of each size class is used; all others are
 * full. The list waits for a reader: it is all segments opened before the epoch, and none of those is
 * closed, nor its id given to another, while the pin lasts.
 *
 * It pins its arena until it is closed and nobody reads it any more: a reader in another thread
 * cannot be stopped at once, so readers retain it.
 *
 * Why a worker may read the frozen part of the arena while the loop goes on writing:
 * 1. It reads only slots below the `used` of the freeze, of segments that were in use then. In these
 *    nothing changes while the pin lasts but the death of records that were live at the freeze, once,
 *    from 0 to a value >= epoch: slots are not reused, records seen are not changed in place, new
 *    records go beyond `used` or elsewhere (arena.ts). A property test compares the memory.
 * 2. So every byte that decides visibility or is copied is constant, except those deaths; and of a death
 *    both values, 0 and >= epoch, say "visible". Stamps are aligned words read and written through
 *    Uint32Array, which JavaScript's memory model calls tear-free: a racing read gives one of the two.
 *    The copy in a chunk has its stamps overwritten with zero, so which one does not show.
 * 3. All writes before the freeze are visible to the worker: the loop stores the epoch in the ring's
 *    control words (Atomics.store) after them, and the worker loads it from there (Atomics.load)
 *    before it reads anything else: a synchronizes-with edge.
 * 4. The memory is not taken for something else under the reader: it retains the snapshot, and the
 *    loop releases it on the worker's last message, or when the thread has ended.
 *
 * Owns: the pin's lifetime. Does not own: visibility (serialize.ts), what a pin forbids (arena.ts).
 * Tested in: test/unit/store/store.test.ts.
 */
import assert from "node:assert/strict";
import { ChunkMap } from "./chunk-map.ts";
import type { ArenaSegment } from "./segment.ts";

/** One arena segment as a snapshot sees it. */
export interface FrozenSegment {
  readonly words: Uint32Array;
  readonly bytes: Buffer;
  readonly slotBytes: number;
  /** Slots that were in use at the freeze; what is beyond is not read. */
  readonly slots: number;
}

/** What a snapshot needs of the arena that it pins. */
export interface PinnedArena {
  readonly segments: readonly ArenaSegment[];
  readonly classes: readonly { readonly current: ArenaSegment | null }[];
  readonly records: number;
  readonly liveBytes: number;
  /** The snapshot's last reader is gone. */
  unpin(snapshot: Snapshot): void;
}

export class Snapshot {
  /** A record is visible when birth < epoch and (death = 0 or death >= epoch). */
  readonly epoch: number;
  /** Keys at the freeze. */
  readonly records: number;
  /** Estimated chunk payload, bytes. */
  readonly bytes: number;
  /** What is known of its chunks, for each chunk size in use. */
  readonly chunkMaps: Map<number, ChunkMap> = new Map<number, ChunkMap>();
  readonly #arena: PinnedArena;
  /** Slots in use at the freeze, of the segments that were not full. */
  readonly #partlyUsed = new Map<ArenaSegment, number>();
  #segments: FrozenSegment[] | null = null;
  #readers = 0;
  #closed = false;

  /** Called by Arena.freeze only. */
  constructor(arena: PinnedArena, epoch: number) {
    this.#arena = arena;
    this.epoch = epoch;
    this.records = arena.records;
    this.bytes = arena.liveBytes;
    for (const { current } of arena.classes) {
      if (current !== null) this.#partlyUsed.set(current, current.used);
    }
  }

  /** In the order in which they are serialized. */
  get segments(): readonly FrozenSegment[] {
    this.#segments ??= this.#freezeSegments();
    return this.#segments;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** A reader begins; it must call release() when it will not touch the memory again. */
  retain(): void {
    assert(!this.#closed, "a closed snapshot is not read");
    this.#readers++;
  }

  release(): void {
    this.#readers--;
    assert(this.#readers >= 0);
    this.#maybeUnpin();
  }

  /** No further readers; what it pinned is released once the present ones are gone. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#maybeUnpin();
  }

  /** The map for chunks of at most `payloadMax` bytes. */
  chunkMap(payloadMax: number): ChunkMap {
    let map = this.chunkMaps.get(payloadMax);
    if (map === undefined) {
      map = new ChunkMap();
      this.chunkMaps.set(payloadMax, map);
    }
    return map;
  }

  #freezeSegments(): FrozenSegment[] {
    const segments: FrozenSegment[] = [];
    for (const segment of this.#arena.segments) {
      if (segment.created >= this.epoch) continue;
      const slots = this.#partlyUsed.get(segment) ?? segment.capacity;
      const { words, bytes, slotBytes } = segment;
      segments.push({ words, bytes, slotBytes, slots });
    }
    return segments;
  }

  #maybeUnpin(): void {
    if (!this.#closed || this.#readers > 0) return;
    this.#arena.unpin(this);
    // Whoever still has the snapshot must not keep its memory.
    this.#segments = [];
    this.#partlyUsed.clear();
  }
}
