/** What memory is held for: slots in place, pins, large values, giving back. */
import { expect, test } from "vitest";
import { SegmentPool } from "../../../src/store/segment-memory.ts";
import { Store } from "../../../src/store/store.ts";
import { checkInvariants, checkSettled } from "./invariants.ts";
import * as m from "./model.ts";

const NO_WAIT = Number.POSITIVE_INFINITY;
const MIB = 1024 * 1024;

function put(store: Store, key: string, value: Buffer): void {
  const bytes = m.setRecord(Buffer.from(key), value);
  store.apply(bytes, 0, bytes.length);
}
function drop(store: Store, key: string): void {
  const bytes = m.delRecord(Buffer.from(key));
  store.apply(bytes, 0, bytes.length);
}
function append(store: Store, key: string, at: number, data: Buffer): void {
  const bytes = m.patchRecord(Buffer.from(key), at, data);
  store.apply(bytes, 0, bytes.length);
}
function settle(store: Store): void {
  while (store.maintain());
  checkSettled(store);
  checkInvariants(store);
}

test("overwrites without a snapshot => in place; with one => a new version, once", () => {
  const store = new Store(m.TINY);
  put(store, "key", Buffer.alloc(50));
  const alone = store.stats();
  for (let n = 0; n < 10; n++) put(store, "key", Buffer.alloc(50, n));
  expect(store.stats()).toEqual(alone);
  const snapshot = store.freeze();
  for (let n = 0; n < 10; n++) put(store, "key", Buffer.alloc(50, n));
  expect(store.stats()).toMatchObject({ deadBytes: 72, snapshotPinnedBytes: 72, snapshotsOpen: 1 });
  snapshot.close();
  settle(store);
  expect(store.stats()).toMatchObject({ snapshotPinnedBytes: 0, snapshotsOpen: 0 });
});

test("90 % deleted => segments are emptied and given back", () => {
  const store = new Store({ arenaSegmentBytes: 4096, indexPageEntries: 64 });
  for (let n = 0; n < 20_000; n++) put(store, `key${n}`, Buffer.alloc(n % 100, n));
  const full = store.stats();
  for (let n = 0; n < 20_000; n++) if (n % 10 !== 0) drop(store, `key${n}`);
  settle(store);
  const left = store.stats();
  expect(left.keys).toBe(2000);
  expect(left.usedBytes).toBeLessThan(full.usedBytes * 0.2);
  for (let n = 0; n < 20_000; n += 10) {
    const key = Buffer.from(`key${n}`);
    expect(store.find(key, 0, key.length)).toBe(true);
    expect(store.hitBytes.subarray(store.hitFrom, store.hitTo)).toEqual(Buffer.alloc(n % 100, n));
  }
});

test("FLUSH with a snapshot open => the state is empty, the snapshot is as it was", () => {
  const store = new Store({ arenaSegmentBytes: 4096 });
  for (let n = 0; n < 1000; n++) put(store, `key${n}`, Buffer.alloc(30, n));
  const before = m.contentOf(store);
  const snapshot = store.freeze();
  store.apply(m.flushRecord(), 0, 2);
  put(store, "new", Buffer.from("value"));
  expect(store.stats()).toMatchObject({ keys: 1, snapshotsOpen: 1 });
  expect(store.stats().snapshotPinnedBytes).toBeGreaterThan(1000 * 40);
  const { payloads, records } = m.readChunks(snapshot, 512);
  m.expectSame(m.contentOf(m.loadStore(payloads, records, m.TINY)), before);
  snapshot.close();
  expect(store.stats().snapshotPinnedBytes).toBe(0);
  settle(store);
  expect(store.stats().freeSegments).toBeLessThanOrEqual(8);
});

test("committedBytes: deleting makes room at once, writing into free slots takes it back", () => {
  const store = new Store({ arenaSegmentBytes: 4096 });
  for (let n = 0; n < 1000; n++) put(store, `key${n}`, Buffer.alloc(100));
  const full = store.committedBytes;
  expect(full).toBeLessThanOrEqual(store.usedBytes);
  for (let n = 0; n < 500; n++) drop(store, `key${n}`);
  expect(store.committedBytes).toBeLessThan(full - 500 * 100);
  for (let n = 0; n < 500; n++) put(store, `key${n}`, Buffer.alloc(100));
  expect(store.committedBytes).toBe(full);
});

test("large values: 1 MiB and more, wide lengths, overwritten, patched, shipped, deleted", () => {
  const store = new Store();
  for (const [n, bytes] of [MIB - 1, MIB, MIB + 1, 5 * MIB].entries()) {
    put(store, `large${n}`, Buffer.alloc(bytes, n + 1));
  }
  put(store, "large0", Buffer.alloc(MIB - 2, 9));
  append(store, "large0", MIB - 2, Buffer.alloc(7, 8)); // From narrow to wide.
  append(store, "large3", 6 * MIB, Buffer.from("end"));
  const before = m.contentOf(store);
  expect(before.get("large0")!.value.length).toBe(MIB + 5);
  expect(before.get("large3")!.value.length).toBe(6 * MIB + 3);
  const snapshot = store.freeze();
  put(store, "large1", Buffer.alloc(2 * MIB));
  drop(store, "large2");
  const { payloads, records } = m.readChunks(snapshot, 256 * 1024);
  snapshot.close();
  const loaded = m.loadStore(payloads, records, {});
  const content = m.contentOf(loaded);
  expect(content.size).toBe(4);
  for (const [key, { value }] of before) expect(content.get(key)!.value.equals(value)).toBe(true);
  for (let n = 0; n < 4; n++) drop(store, `large${n}`);
  settle(store);
  expect(store.stats()).toMatchObject({ keys: 0, datasetBytes: 0, deadBytes: 0, arenaSegments: 0 });
});

test("appending a byte at a time => slots change a logarithmic number of times", () => {
  const store = new Store();
  put(store, "key", Buffer.alloc(0));
  const key = Buffer.from("key");
  const data = Buffer.alloc(1000, 1);
  let moves = 0;
  let last: Buffer | null = null;
  let lastAt = 0;
  for (let n = 0; n < 4000; n++) {
    append(store, "key", n * 1000, data);
    store.find(key, 0, 3);
    if (store.hitBytes !== last || store.hitFrom !== lastAt) moves++;
    last = store.hitBytes;
    lastAt = store.hitFrom;
  }
  expect(store.hitTo - store.hitFrom).toBe(4_000_000);
  expect(moves).toBeLessThan(120); // Eight for each doubling: 12 doublings from 1,000 bytes.
  settle(store);
});

test("expired: only what is over, bounded, found again when it was not deleted", () => {
  const store = new Store(m.TINY);
  for (let n = 1; n <= 300; n++) {
    const bytes = m.setRecord(Buffer.from(`key${n}`), Buffer.alloc(20), n);
    store.apply(bytes, 0, bytes.length);
  }
  const collect = (nowMs: number): Set<string> => {
    const found = new Set<string>();
    for (let calls = 0; calls < 400; calls++) {
      const n = store.expired(nowMs, 7, (bytes, from, to) => {
        found.add(bytes.toString("latin1", from, to));
      });
      expect(n).toBeLessThanOrEqual(7);
    }
    return found;
  };
  expect(collect(0).size).toBe(0);
  expect(collect(100).size).toBe(100);
  expect(collect(100).size).toBe(100);
  const dels = [...collect(100)];
  for (const key of dels) drop(store, key);
  expect(collect(100).size).toBe(0);
  expect(collect(300).size).toBe(200);
  checkInvariants(store);
});

test("a lot of memory of no further use => dropped in slices that a collection can unmap quickly", () => {
  const pool = new SegmentPool(MIB);
  for (let n = 0; n < 10; n++) pool.giveChunk(pool.takeChunk(8 * MIB));
  // 80 MiB in slices of 32.
  expect([pool.release(0, NO_WAIT), pool.release(0, NO_WAIT), pool.release(0, NO_WAIT)]).toEqual([
    true,
    true,
    false,
  ]);
  expect(pool.release(0, NO_WAIT)).toBe(false);
});

test("free segments => given back once nothing took them for 10 s, but for the eight that are kept", () => {
  const pool = new SegmentPool(MIB);
  const use = (count: number): void => {
    const taken = Array.from({ length: count }, () => pool.take());
    for (const memory of taken) pool.give(memory);
  };
  use(30);
  pool.release(0, 20_000);
  expect(pool.freeCount).toBe(30);
  use(20);
  pool.release(0, 29_999);
  expect(pool.freeCount).toBe(30);
  // Ten lay idle all the time, and eight are kept.
  expect(pool.release(0, 30_000)).toBe(false);
  expect(pool.freeCount).toBe(28);
  pool.release(0, 40_000);
  expect([pool.freeCount, pool.heldBytes]).toEqual([8, 8 * MIB]);
  use(12);
  expect(pool.release(0, NO_WAIT)).toBe(false);
  expect(pool.freeCount).toBe(8);
});

test("large values that are deleted => not held any more, and given back in slices", () => {
  const pool = new SegmentPool(MIB);
  const large = Array.from({ length: 5 }, () => pool.takeOwn(24 * MIB));
  expect(pool.heldBytes).toBe(120 * MIB);
  for (const memory of large) pool.give(memory);
  expect([pool.heldBytes, pool.freeCount]).toEqual([0, 0]);
  expect([pool.release(0, NO_WAIT), pool.release(0, NO_WAIT), pool.release(0, NO_WAIT)]).toEqual([
    true,
    true,
    false,
  ]);
});
