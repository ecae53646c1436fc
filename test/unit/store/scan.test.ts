/** SCAN, RANDOMKEY, and the index giving memory back. */
import { expect, test } from "vitest";
import { Store } from "../../../src/store/store.ts";
import { checkInvariants } from "./invariants.ts";
import * as m from "./model.ts";

function put(store: Store, key: string): void {
  const bytes = m.setRecord(Buffer.from(key), Buffer.from("value"));
  store.apply(bytes, 0, bytes.length);
}
function drop(store: Store, key: string): void {
  const bytes = m.delRecord(Buffer.from(key));
  store.apply(bytes, 0, bytes.length);
}

/** Scans to the end; `between` runs after each call. */
function scanAll(
  store: Store,
  count: number,
  between: (calls: number) => void,
): Map<string, number> {
  const seen = new Map<string, number>();
  let cursor = 0;
  let calls = 0;
  do {
    cursor = store.scan(cursor, count, (bytes, from, to) => {
      const key = bytes.toString("latin1", from, to);
      seen.set(key, (seen.get(key) ?? 0) + 1);
    });
    expect(Number.isSafeInteger(cursor) && cursor >= 0).toBe(true);
    between(++calls);
  } while (cursor !== 0);
  return seen;
}

test.each([
  ["grows", 200, 20],
  ["grows in large steps", 100, 700],
  ["shrinks", 20_000, -100],
  ["shrinks in large steps", 20_000, -2500],
])(
  "the index %s during a scan => every key that stays is visited exactly once",
  (_, others, step) => {
    const store = new Store(m.TINY);
    const stay = Array.from({ length: 500 }, (__, n) => `stay${n}`);
    for (const key of stay) put(store, key);
    for (let n = 0; n < others; n++) put(store, `other${n}`);
    let at = others;
    const seen = scanAll(store, 10, () => {
      for (let n = 0; n < Math.abs(step); n++) {
        if (step > 0 && at < 40_000) put(store, `other${at++}`);
        if (step < 0 && at > 0) drop(store, `other${--at}`);
      }
      store.maintain();
    });
    for (const key of stay) expect([key, seen.get(key)]).toEqual([key, 1]);
    expect(Math.max(...seen.values())).toBe(1);
    checkInvariants(store);
  },
);

test("COUNT => about as many keys in each call, with pages of a thousand entries", () => {
  const store = new Store();
  for (let n = 0; n < 20_000; n++) put(store, `key${n}`);
  for (const count of [1, 10, 100, 5000]) {
    let cursor = 0;
    const sizes: number[] = [];
    do {
      let n = 0;
      cursor = store.scan(cursor, count, () => n++);
      sizes.push(n);
    } while (cursor !== 0 && sizes.length < 300);
    const mean = sizes.reduce((a, b) => a + b) / sizes.length;
    expect(mean).toBeGreaterThan(count * 0.6);
    expect(mean).toBeLessThan(count * 2 + 2);
    expect(Math.max(...sizes)).toBeLessThan(count * 3 + 20);
  }
});

test("a visitor that deletes what it is given => all are visited, none is left", () => {
  const store = new Store(m.TINY);
  for (let n = 0; n < 300; n++) put(store, `key${n}`);
  let cursor = 0;
  let visits = 0;
  do {
    cursor = store.scan(cursor, 50, (bytes, from, to) => {
      visits++;
      drop(store, bytes.toString("latin1", from, to));
    });
  } while (cursor !== 0);
  expect([visits, store.size]).toEqual([300, 0]);
  checkInvariants(store);
});

test("cursors of another time or of nobody => no error, an end", () => {
  const store = new Store(m.TINY);
  for (let n = 0; n < 100; n++) put(store, `key${n}`);
  for (const cursor of [1, 12345, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]) {
    let at = cursor;
    for (let calls = 0; at !== 0 || calls === 0; calls++) {
      expect(calls).toBeLessThan(500);
      at = store.scan(at, 10, () => undefined);
    }
  }
  expect(store.scan(2 ** 32, 10, () => expect.fail("visited"))).toBe(0);
  expect(store.scan(Number.MAX_SAFE_INTEGER, 10, () => expect.fail("visited"))).toBe(0);
});

test("randomKey: every key comes, none of nothing", () => {
  const store = new Store(m.TINY);
  expect(store.randomKey(() => expect.fail("visited"))).toBe(false);
  for (let n = 0; n < 50; n++) put(store, `key${n}`);
  const seen = new Set<string>();
  for (let n = 0; n < 3000; n++) {
    expect(store.randomKey((bytes, from, to) => seen.add(bytes.toString("latin1", from, to)))).toBe(
      true,
    );
  }
  expect(seen.size).toBe(50);
});

test("mass deletion => pages, chunks and directory shrink", () => {
  const store = new Store(m.TINY);
  for (let n = 0; n < 20_000; n++) put(store, `key${n}`);
  const { index } = store.parts.space;
  const before = { bytes: index.bytes, depth: index.directoryDepth };
  for (let n = 0; n < 19_900; n++) drop(store, `key${n}`);
  while (store.maintain());
  expect(index.bytes).toBeLessThan(before.bytes / 20);
  expect(index.directoryDepth).toBeLessThan(before.depth - 4);
  checkInvariants(store);
  for (let n = 0; n < 20_000; n++) put(store, `key${n}`);
  checkInvariants(store);
});
