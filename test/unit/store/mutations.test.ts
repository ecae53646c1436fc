/** Records at the edges: what is refused, and what well-formed ones do to missing keys. */
import { expect, test } from "vitest";
import type { PromptTarget } from "../../../src/store/state.ts";
import { Store } from "../../../src/store/store.ts";
import { checkInvariants } from "./invariants.ts";
import * as m from "./model.ts";

const key = Buffer.from("key");
const other = Buffer.from("other");
const value = Buffer.from("value");

function storeWith(...records: Buffer[]): Store {
  const store = new Store(m.TINY);
  for (const bytes of records) store.apply(bytes, 0, bytes.length);
  return store;
}
function valueOf(store: Store, of: Buffer): string | null {
  if (!store.find(of, 0, of.length)) return null;
  return store.hitBytes.toString("latin1", store.hitFrom, store.hitTo);
}
/** The record with one change. */
function changed(bytes: Buffer, change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(bytes);
  change(copy);
  return copy;
}

test("Store satisfies PromptTarget", () => {
  const target: Omit<PromptTarget, "answers"> = new Store();
  expect(target.isEmpty()).toBe(true);
});

const set = m.setRecord(key, value);
const timed = m.setRecord(key, value, 5);
const MALFORMED: Record<string, Buffer> = {
  "no bytes": Buffer.alloc(0),
  "one byte": Buffer.from([1]),
  "type 0": Buffer.from([0, 0, 0, 0, 0, 0]),
  "type 9": Buffer.from([9, 0, 0, 0, 0, 0]),
  "type 255": Buffer.alloc(20, 255),
  "SET with unknown flags": changed(set, (b) => (b[1] = 2)),
  "SET cut in its head": set.subarray(0, 5),
  "SET whose key is longer than it": changed(set, (b) => b.writeUInt32LE(9, 2)),
  "SET whose key is longer than anything": changed(set, (b) => b.writeUInt32LE(0xffff_ffff, 2)),
  "SET with an empty expiry": changed(timed, (b) => b.fill(0, 6, 14)),
  "SET with an expiry that no double holds": changed(timed, (b) => {
    b.writeUInt32LE(1, 6);
    b.writeUInt32LE(0x20_0000, 10);
  }),
  "SET with an expiry of 2^63": changed(timed, (b) => {
    b.writeUInt32LE(0, 6);
    b.writeUInt32LE(0x8000_0000, 10);
  }),
  "DEL with flags": changed(m.delRecord(key), (b) => (b[1] = 1)),
  "DEL with bytes after the key": Buffer.concat([m.delRecord(key), Buffer.from("x")]),
  "EXPIRE cut in its time": m.expireRecord(Buffer.alloc(0), 5).subarray(0, 13),
  "EXPIRE at a time that no double holds": changed(m.expireRecord(key, 5), (b) =>
    b.writeUInt32LE(0x20_0000, 10),
  ),
  "PATCH beyond the largest value": changed(m.patchRecord(key, 0, value), (b) =>
    b.writeUInt32LE(512 * 1024 * 1024, 6),
  ),
  "PATCH cut in its head": m.patchRecord(Buffer.alloc(0), 0, Buffer.alloc(0)).subarray(0, 9),
  "FLUSH with a byte more": Buffer.from([7, 0, 0]),
  "FLUSH with flags": Buffer.from([7, 1]),
  "GROUP with flags": Buffer.from([8, 1]),
  "GROUP in a GROUP": m.groupRecord([m.groupRecord([])]),
  "GROUP that ends in a length": Buffer.concat([m.groupRecord([set]), Buffer.from([1, 0])]),
  "GROUP that ends in a record": m.groupRecord([set, set]).subarray(0, -1),
  "GROUP with a malformed last record": m.groupRecord([
    m.setRecord(other, value),
    m.flushRecord(),
    Buffer.from([1, 7, 0, 0, 0, 0]),
  ]),
};

test.each(Object.entries(MALFORMED))("%s => ERR_STORE_RECORD, nothing changes", (_, bytes) => {
  const before = m.setRecord(key, Buffer.from("before"));
  const store = storeWith(before);
  expect(() => store.apply(bytes, 0, bytes.length)).toThrow("ERR_STORE_RECORD");
  const range = m.withLengths([bytes]);
  expect(() => store.applyRange(range, 0, range.length)).toThrow("ERR_STORE_RECORD");
  expect([store.size, valueOf(store, key)]).toEqual([1, "before"]);
  checkInvariants(store);
});

test("a range that ends in a length or a record => ERR_STORE_RECORD", () => {
  const range = m.withLengths([set]);
  for (const cut of [1, 3, 4, 10, range.length - 1]) {
    const store = storeWith();
    expect(() => store.applyRange(range, 0, cut)).toThrow("ERR_STORE_RECORD");
    expect(store.isEmpty()).toBe(true);
  }
});

test("a record in the middle of other bytes => only its range is read", () => {
  const bytes = Buffer.concat([Buffer.from("junk"), set, Buffer.from("junk")]);
  const store = storeWith();
  store.apply(bytes, 4, 4 + set.length);
  expect(valueOf(store, key)).toBe("value");
});

test("missing keys => DEL, EXPIRE, RENAME and COPY do nothing, PATCH creates", () => {
  const store = storeWith(
    m.delRecord(key),
    m.expireRecord(key, 5),
    m.moveRecord("rename", key, other),
    m.moveRecord("copy", key, other),
  );
  expect(store.size).toBe(0);
  const patch = m.patchRecord(key, 3, value);
  store.apply(patch, 0, patch.length);
  expect(valueOf(store, key)).toBe("\0\0\0value");
});

test("RENAME and COPY onto itself => nothing; onto another => value and expiry move along", () => {
  const store = storeWith(
    timed,
    m.setRecord(other, Buffer.from("longer than before"), 9),
    m.moveRecord("rename", key, key),
    m.moveRecord("copy", key, key),
  );
  expect([valueOf(store, key), store.hitExpireAt, store.size]).toEqual(["value", 5, 2]);
  const copy = m.moveRecord("copy", key, other);
  store.apply(copy, 0, copy.length);
  expect([valueOf(store, other), store.hitExpireAt, store.size]).toEqual(["value", 5, 2]);
  const rename = m.moveRecord("rename", other, Buffer.alloc(0));
  store.apply(rename, 0, rename.length);
  expect(valueOf(store, other)).toBe(null);
  expect([valueOf(store, Buffer.alloc(0)), store.hitExpireAt]).toEqual(["value", 5]);
  checkInvariants(store);
});

test("SET takes the expiry away, PATCH keeps it, EXPIRE 0 takes it away", () => {
  const store = storeWith(timed, m.patchRecord(key, 5, value));
  expect([valueOf(store, key), store.hitExpireAt, store.stats().expires]).toEqual([
    "valuevalue",
    5,
    1,
  ]);
  const none = m.expireRecord(key, 0);
  store.apply(none, 0, none.length);
  expect([valueOf(store, key), store.hitExpireAt, store.stats().expires]).toEqual([
    "valuevalue",
    0,
    0,
  ]);
  store.apply(timed, 0, timed.length);
  store.apply(set, 0, set.length);
  expect([valueOf(store, key), store.hitExpireAt, store.stats().expires]).toEqual(["value", 0, 0]);
});

test("the same key twice in a range, a FLUSH between => in order", () => {
  const store = storeWith();
  const range = m.withLengths([
    set,
    m.setRecord(other, value),
    m.flushRecord(),
    m.patchRecord(key, 2, value),
    m.moveRecord("rename", key, other),
    m.setRecord(key, Buffer.from("last")),
    m.groupRecord([
      m.delRecord(key),
      m.flushRecord(),
      set,
      m.patchRecord(key, 0, Buffer.from("V")),
    ]),
  ]);
  store.applyRange(range, 0, range.length);
  expect([store.size, valueOf(store, key)]).toEqual([1, "Value"]);
});

test("expiries beyond 2^53 that a double holds => kept exactly, in the store, a snapshot and a copy", () => {
  const store = new Store(m.TINY);
  const times = [2 ** 53, 2 ** 53 + 2, 2 ** 62 + 1024, 2 ** 63 - 1024];
  const names = times.map((_, n) => Buffer.from(`key ${n}`));
  for (const [n, time] of times.entries()) {
    const set = m.setRecord(names[n]!, Buffer.from("v"), n % 2 === 0 ? time : 0);
    store.apply(set, 0, set.length);
    const expire = m.expireRecord(names[n]!, time);
    store.apply(expire, 0, expire.length);
  }
  const { payloads, records } = m.readChunks(store.freeze(), 300);
  for (const one of [store, m.loadStore(payloads, records, m.TINY)]) {
    const found = names.map((name) => {
      expect(one.find(name, 0, name.length)).toBe(true);
      return one.hitExpireAt;
    });
    expect(found).toEqual(times);
  }
});
