/**
 * Active expiry: finds records that have expired. Each arena segment keeps a lower bound of its
 * earliest expiry, so segments without any (or with later ones) cost one comparison; in the others
 * the slots are looked at in order. Segments and slots are a bounded number in a call.
 *
 * Owns: where the search stands. Does not own: deleting (the caller logs it), hiding (the reader).
 * Tested in: test/unit/store/memory.test.ts.
 */
import type { Arena } from "./arena.ts";
import type { ArenaSegment } from "./segment.ts";
import { DEATH, expireAtOf, hasExpiry, LENGTHS } from "./layout.ts";

/** Slots looked at in one call: about 50 us. */
const SLOTS_MAX = 4096;
/** Segments looked at in one call; with a million large records all of them would take 50 ms. */
const SEGMENTS_MAX = 32_768;

export class ExpirySearch {
  /** Segments of the arena, from the first on, that are to come; it goes from the last to the first. */
  #left = 0;
  #slot = 0;
  /** Earliest expiry seen in the segment that is being searched. */
  #earliest = Number.POSITIVE_INFINITY;
  #inside: ArenaSegment | null = null;

  /**
   * Visits up to `limit` records that expired at or before `nowMs`; goes on where it stopped.
   * @returns how many were visited
   */
  run(arena: Arena, nowMs: number, limit: number, visit: (address: number) => void): number {
    const segmentsMax = Math.min(arena.segments.length + 1, SEGMENTS_MAX);
    let visited = 0;
    let slots = SLOTS_MAX;
    for (let n = 0; n < segmentsMax && slots > 0 && visited < limit; n++) {
      const segment = this.#enter(arena, nowMs);
      if (segment === null) continue;
      while (this.#slot < segment.used && slots > 0 && visited < limit) {
        slots--;
        const at = (this.#slot++ * segment.slotBytes) >>> 2;
        const expireAt = this.#expiryOf(segment, at);
        if (expireAt === 0) continue;
        if (expireAt > nowMs) {
          this.#earliest = Math.min(this.#earliest, expireAt);
          continue;
        }
        visited++;
        visit(segment.base | (at >>> 1));
        if (segment.isGone) {
          this.#inside = null; // It was the last record.
          break;
        }
        // Not deleted (or not yet): the segment is searched again.
        if (this.#expiryOf(segment, at) !== 0) this.#earliest = Math.min(this.#earliest, expireAt);
      }
      if (this.#inside !== null && this.#slot >= segment.used) this.#leave(segment);
    }
    return visited;
  }

  /** The segment to go on in, or null when the next one has nothing to find. */
  #enter(arena: Arena, nowMs: number): ArenaSegment | null {
    const inside = this.#inside;
    // The arena may have been replaced as a whole.
    if (inside !== null && arena.segments[inside.place] === inside) return inside;
    this.#inside = null;
    if (this.#left === 0 || this.#left > arena.segments.length) this.#left = arena.segments.length;
    if (this.#left === 0) return null;
    const segment = arena.segments[--this.#left]!;
    if (segment.expires === 0 || segment.expireAtMin > nowMs) return null;
    // From here on the bound collects what is written into the segment during the search.
    segment.expireAtMin = Number.POSITIVE_INFINITY;
    this.#inside = segment;
    this.#slot = 0;
    this.#earliest = Number.POSITIVE_INFINITY;
    return segment;
  }

  #leave(segment: ArenaSegment): void {
    segment.expireAtMin = Math.min(segment.expireAtMin, this.#earliest);
    this.#inside = null;
  }

  #expiryOf(segment: ArenaSegment, at: number): number {
    const words = segment.words;
    if (words[at + DEATH] !== 0 || !hasExpiry(words[at + LENGTHS]!)) return 0;
    return expireAtOf(words, at);
  }
}
