/**
 * Empties sparse arena segments, so that their memory can go back: the live records of one are
 * placed elsewhere, a few at a time. Moving is an overwrite (copy born now, original dies now), so
 * snapshots do not notice; but while one pins a segment moving frees nothing, so such are left.
 *
 * A class is worth it when its free slots would fill two segments and are a fifth of all.
 *
 * Owns: which segment to empty. Does not own: moving one record (key-space.ts).
 * Tested in: test/unit/store/memory.test.ts.
 */
import { StoreError } from "../errors.ts";
import type { Arena } from "./arena.ts";
import type { ArenaSegment, SizeClass } from "./segment.ts";
import type { KeySpace } from "./key-space.ts";
import { DEATH } from "./layout.ts";

/** Slots looked at and bytes moved in one slice: below 1 ms. */
const SLOTS_MAX = 1024;
const RECORDS_MAX = 256;
const BYTES_MAX = 256 * 1024;

/** One slice; true when there is more to do. */
export function compact(space: KeySpace): boolean {
  const arena = space.arena;
  let victim = arena.victim;
  if (victim === null || victim.isGone || victim.created < arena.pin) {
    if (victim !== null) arena.reopen(victim);
    victim = chooseVictim(arena);
    arena.victim = victim;
    arena.victimSlot = 0;
    if (victim === null) return false;
    victim.closed = true;
  }
  try {
    empty(space, victim);
  } catch (error) {
    // No memory to move a record to: what is left stays where it is.
    if (!(error instanceof StoreError)) throw error;
    arena.victim = null;
    arena.reopen(victim);
    return false;
  }
  return true;
}

function chooseVictim(arena: Arena): ArenaSegment | null {
  for (const sizeClass of arena.classes) {
    if (!isSparse(sizeClass)) continue;
    let best: ArenaSegment | null = null;
    for (const segment of sizeClass.partial) {
      if (segment.closed || segment.created < arena.pin) continue;
      if (best === null || segment.live < best.live) best = segment;
    }
    if (best !== null) return best;
  }
  return null;
}

function isSparse(sizeClass: SizeClass): boolean {
  const perSegment = sizeClass.slotsPerSegment;
  const spare = sizeClass.slots - sizeClass.live;
  return spare >= 2 * perSegment && spare * 5 > sizeClass.slots;
}

function empty(space: KeySpace, victim: ArenaSegment): void {
  const arena = space.arena;
  const words = victim.words;
  const records = Math.min(RECORDS_MAX, Math.ceil(BYTES_MAX / victim.slotBytes));
  let moved = 0;
  for (let n = 0; n < SLOTS_MAX && moved < records && arena.victimSlot < victim.used; n++) {
    const at = (arena.victimSlot++ * victim.slotBytes) >>> 2;
    if (words[at + DEATH] !== 0) continue;
    space.relocate(victim.base | (at >>> 1));
    moved++;
    if (victim.isGone) return; // That was the last one: it is given back.
  }
}
