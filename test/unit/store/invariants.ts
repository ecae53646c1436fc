/** Walks all of a store and compares what it counts with what is there. */
import assert from "node:assert/strict";
import type { Arena } from "../../../src/store/arena.ts";
import { OWN_CLASS, type ArenaSegment } from "../../../src/store/segment.ts";
import { DEATH, hasExpiry, LENGTHS } from "../../../src/store/layout.ts";
import type { Store } from "../../../src/store/store.ts";

/** `elsewhere`: bytes of segments that staged stores and replaced, pinned arenas hold. */
export function checkInvariants(store: Store, elsewhere = 0): void {
  const { space, pool } = store.parts;
  const arena = space.arena;
  const live = checkArena(arena);
  checkIndex(store, live);
  const stats = store.stats();
  assert.equal(stats.keys, live.size);
  assert.equal(pool.heldBytes - elsewhere, arena.heldBytes + pool.freeCount * pool.segmentBytes);
  assert.equal(stats.usedBytes, pool.heldBytes + stats.indexBytes);
  assert(arena.heldBytes >= stats.datasetBytes + stats.deadBytes);
}

function checkArena(arena: Arena): Set<number> {
  const live = new Set<number>();
  const sum = { segments: 0, held: 0, live: 0, dead: 0, free: 0, expires: 0 };
  const classes = arena.classes.map(() => ({ slots: 0, live: 0 }));
  for (const [place, segment] of arena.segments.entries()) {
    assert.equal(segment.place, place);
    assert.equal(arena.addresses.segmentOf(segment.base), segment);
    assert.equal(arena.addresses.wordsOf(segment.base), segment.words);
    assert.equal(arena.addresses.bytesOf(segment.base), segment.bytes);
    const found = checkSegment(segment, live);
    sum.segments++;
    sum.held += segment.memory.bytes.length;
    sum.live += found.live * segment.slotBytes;
    sum.dead += segment.dead * segment.slotBytes;
    sum.free += segment.free * segment.slotBytes;
    sum.expires += found.expires;
    if (segment.classIndex === OWN_CLASS) continue;
    classes[segment.classIndex]!.slots += segment.capacity;
    classes[segment.classIndex]!.live += found.live;
  }
  assert.deepEqual(sum, {
    segments: arena.segments.length,
    held: arena.heldBytes,
    live: arena.liveBytes,
    dead: arena.deadBytes,
    free: arena.freeBytes,
    expires: arena.expires,
  });
  assert.deepEqual(
    classes,
    arena.classes.map(({ slots, live: n }) => ({ slots, live: n })),
  );
  assert.equal(arena.records, live.size);
  assert.equal(arena.pin, Math.max(0, ...arena.open.map((snapshot) => snapshot.epoch)));
  return live;
}

function checkSegment(
  segment: ArenaSegment,
  addresses: Set<number>,
): { live: number; expires: number } {
  const words = segment.memory.words;
  let live = 0;
  let expires = 0;
  for (let slot = 0; slot < segment.used; slot++) {
    const at = (slot * segment.slotBytes) >>> 2;
    if (words[at + DEATH] !== 0) continue;
    live++;
    if (hasExpiry(words[at + LENGTHS]!)) expires++;
    addresses.add(segment.base | (at >>> 1));
  }
  const free = new Set<number>();
  for (let head = segment.freeHead; head !== 0;) {
    assert.equal(free.has(head), false);
    free.add(head);
    const at = ((head - 1) * segment.slotBytes) >>> 2;
    assert.notEqual(words[at + DEATH], 0);
    head = words[at + LENGTHS]!;
  }
  assert.deepEqual(
    { live, free: free.size, expires },
    {
      live: segment.live,
      free: segment.free,
      expires: segment.expires,
    },
  );
  assert(segment.dead >= 0);
  assert(segment.used <= segment.capacity);
  return { live, expires };
}

/** After all housekeeping, with no snapshot open: every free slot can be found. */
export function checkSettled(store: Store): void {
  const { arena } = store.parts.space;
  assert.equal(arena.deadBytes, 0);
  for (const segment of arena.segments) {
    const sizeClass = arena.classes[segment.classIndex];
    assert.equal(segment.dead, 0);
    if (segment.free === 0 || sizeClass?.current === segment) continue;
    assert(sizeClass!.partial.includes(segment));
  }
}

function checkIndex(store: Store, live: Set<number>): void {
  const { space } = store.parts;
  const { index } = space;
  const seen = new Set<number>();
  const pages = new Set<number>();
  for (let i = 0; i < 1 << index.directoryDepth; i++) {
    const prefix = (i << (32 - index.directoryDepth)) | 0;
    const page = index.pageOf(prefix);
    const depth = index.pages.depths[page]!;
    assert(depth <= index.directoryDepth);
    assert.equal(prefix >>> (32 - depth), index.pages.prefixes[page]! >>> (32 - depth));
    if (pages.has(page)) continue;
    pages.add(page);
    const chunk = index.pages.chunkOf(page);
    const base = index.pages.baseOf(page);
    let entries = 0;
    for (let at = base; at < base + (1 << index.pages.pageShift); at += 2) {
      const address = chunk[at + 1]!;
      if (address === 0) continue;
      entries++;
      assert.equal(live.has(address), true);
      assert.equal(seen.has(address), false);
      seen.add(address);
      space.read(address);
      const tag = space.tagOf(space.bytes, space.keyFrom, space.valueFrom);
      assert.equal(chunk[at], tag);
      assert.equal(index.find(tag, space.bytes, space.keyFrom, space.valueFrom), address);
    }
    assert.equal(index.pages.counts[page], entries);
  }
  assert.equal(pages.size, index.pages.used);
  assert.equal(seen.size, live.size);
  assert.equal(index.size, live.size);
}
