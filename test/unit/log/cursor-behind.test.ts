/** A cursor behind memory: blocks from a store, and back into memory. */
import { expect, test } from "vitest";
import type { Backlog } from "../../../src/log/backlog.ts";
import { Cursor } from "../../../src/log/cursor.ts";
import { Random } from "../../../tools/random.ts";
import { FakeStore } from "./fake-store.ts";
import { batch, batchesFrom, CHAIN_0, makeBacklog } from "./tools.ts";

const FREE = Number.POSITIVE_INFINITY;

/** 20 batches of 256 bytes, of which memory has the last. */
function behind(blockBytes = 1000): { log: Backlog; store: FakeStore } {
  const store = new FakeStore(0, CHAIN_0, { blockBytes });
  const log = makeBacklog({ sizeBytes: 256, store });
  for (let n = 0; n < 20; n++) {
    batch(log, 256, n);
    log.persist();
    log.trim(FREE);
  }
  expect([log.first, log.oldest]).toEqual([19 * 256, 0]);
  return { log, store };
}

test("not_in_memory until the store answered, and told once; then block after block, then memory", () => {
  const { log, store } = behind();
  const cursor = new Cursor(log, 256);
  let told = 0;
  const places: number[] = [];
  for (let turn = 0; cursor.offset < log.next; turn++) {
    expect(turn).toBeLessThan(100);
    const found = cursor.look();
    if (found === "not_in_memory") {
      cursor.fetch(() => (told += 1));
      cursor.fetch(() => (told += 1));
      expect(store.isAsked).toBe(true);
      expect(cursor.look()).toBe("not_in_memory");
      store.answer();
      continue;
    }
    expect(found).toBe("bytes");
    places.push(cursor.offset);
    cursor.advance(cursor.bytesHere);
  }
  // Blocks of 1000 from 256 on (the last is cut short by what comes in memory), then memory.
  expect(places.slice(0, 3)).toEqual([256, 1256, 2256]);
  expect(told).toBe(store.reads);
  expect(cursor.look()).toBe("nothing_yet");
  batch(log, 256);
  expect(cursor.look()).toBe("bytes");
  cursor.close();
  expect([store.blocksOut, log.pinnedBytes]).toEqual([0, 0]);
});

test("trimmed behind it while it streams => it goes on from the store where it stopped", () => {
  const store = new FakeStore(0, CHAIN_0);
  const log = makeBacklog({ sizeBytes: 256, store });
  batch(log, 256, 1);
  const cursor = new Cursor(log, 0);
  for (let n = 2; n < 9; n++) {
    batch(log, 256, n);
    log.persist();
    log.trim(FREE);
  }
  expect([cursor.look(), cursor.bytesHere]).toEqual(["bytes", 256]);
  cursor.advance(256);
  expect(cursor.look()).toBe("not_in_memory");
  expect([cursor.offset, cursor.atBoundary]).toEqual([256, true]);
  cursor.fetch(() => undefined);
  store.answer();
  expect([cursor.look(), cursor.offset, cursor.segment.bytes[200]]).toEqual(["bytes", 256, 2]);
  cursor.close();
});

test.each(["gone", "damaged"])("the store says %s => too_old, and stays so", (how) => {
  const { log, store } = behind();
  const cursor = new Cursor(log, 256);
  expect(cursor.look()).toBe("not_in_memory");
  if (how === "gone") store.drop(512);
  else store.flip(300);
  cursor.fetch(() => undefined);
  store.answer();
  expect([cursor.look(), cursor.look(), cursor.offset]).toEqual(["too_old", "too_old", 256]);
  cursor.fetch(() => expect.unreachable("asked again"));
  expect(store.isAsked).toBe(false);
  cursor.close();
});

test("trimmed, and the store has dropped it too => too_old, nothing is asked", () => {
  const { log, store } = behind();
  const streaming = new Cursor(log, 19 * 256);
  for (let n = 0; n < 8; n++) {
    batch(log, 256);
    log.persist();
    log.trim(FREE);
  }
  store.drop(log.first);
  streaming.advance(streaming.bytesHere);
  expect(streaming.look()).toBe("too_old");
  expect([store.reads, log.oldest]).toEqual([0, log.first]);
  streaming.close();
});

test("after a reset nothing is asked of the store, whose offsets mean another log", () => {
  const store = new FakeStore(0, CHAIN_0);
  const log = makeBacklog({ store });
  batch(log, 256);
  const cursor = new Cursor(log, 0);
  cursor.advance(256);
  log.reset(100, 7);
  expect(cursor.look()).toBe("too_old");
  cursor.close();
});

test("seeds 1 to 15: any blocks, any slices, a log that grows => the bytes of the log, and its boundaries", () => {
  for (let seed = 1; seed <= 15; seed++) walk(seed);
});

/** Reads a random log in random slices; compares all that a cursor says with the log itself. */
function walk(seed: number): void {
  const random = new Random(seed);
  const store = new FakeStore(0, CHAIN_0, { blockBytes: random.between(37, 700) });
  const all = makeBacklog({ sizeBytes: 1_000_000, segmentBytes: 4096 });
  const log = makeBacklog({ sizeBytes: 600, segmentBytes: 256, store });
  const boundaries = [0];
  const grow = (): void => {
    const bytes = random.between(0, 3) === 0 ? random.between(300, 1500) : random.between(41, 90);
    for (const each of [all, log]) batch(each, bytes, bytes & 0xff);
    boundaries.push(all.next);
    log.persist();
    log.trim(FREE);
  };
  for (let n = 0; n < 30; n++) grow();
  const cursor = new Cursor(log, 0);
  const sent: Buffer[] = [];
  let more = 20;
  for (let step = 0; cursor.offset < log.next || more > 0; step++) {
    if (step > 20_000) throw new Error(`seed ${seed}: it does not get on`);
    if (more > 0 && random.between(0, 4) === 0) {
      grow();
      more -= 1;
    }
    const found = cursor.look();
    if (found === "not_in_memory") {
      cursor.fetch(() => undefined);
      if (random.between(0, 2) === 0) store.answer();
      continue;
    }
    if (found === "nothing_yet") continue;
    expect(found, `seed ${seed} at ${cursor.offset}`).toBe("bytes");
    const slice = random.between(1, Math.min(cursor.bytesHere, 200) + 1);
    check(cursor, slice, boundaries, `seed ${seed} at ${cursor.offset}`);
    const { at, segment } = cursor;
    sent.push(Buffer.from(segment.bytes.subarray(at, at + slice)));
    cursor.advance(slice);
  }
  expect(Buffer.concat(sent).equals(Buffer.concat(batchesFrom(all, 0)))).toBe(true);
  cursor.close();
  store.answer();
  expect([store.blocksOut, log.pinnedBytes]).toEqual([0, 0]);
}

function check(cursor: Cursor, slice: number, boundaries: readonly number[], where: string): void {
  const { offset, at } = cursor;
  const start = boundaries.findLast((place) => place <= offset)!;
  const end = boundaries.find((place) => place > offset)!;
  expect(cursor.atBoundary, where).toBe(start === offset);
  // What lets a batch past the window: the end of the one that the replica has not applied.
  expect(cursor.batchEnd(start), where).toBe(end);
  const last = boundaries.findLast((place) => place > offset && place <= offset + slice);
  expect(cursor.cutAtBoundary(at + slice) - at + offset, where).toBe(last ?? offset);
  // Asked with less to send, it does not forget where it is.
  if (last === undefined) expect(cursor.atBoundary, where).toBe(start === offset);
}
