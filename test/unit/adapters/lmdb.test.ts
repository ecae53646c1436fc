/** An LMDB as a state: where things are in it, transactions, what is refused, what it keeps for a snapshot. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { open, type RootDatabase } from "lmdb";
import { afterEach, expect, test } from "vitest";
import { clearRecord, deleteRecord, putRecord } from "../../../src/adapters/key-value-records.ts";
import { lmdbState } from "../../../src/adapters/lmdb.ts";
import { apply, markOf, snapshotOf, stage } from "../../tools/lent-records.ts";

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "hawser-lmdb-"));
  closers.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

type Db = RootDatabase<unknown, string>;

function database(path = folder(), options: object = {}): Db {
  const db: Db = open({ path, ...options });
  closers.push(() => db.close());
  return db;
}

const shown = (record: Buffer): string => JSON.stringify(record.toString("latin1", 5));
const put = (key: string, value: string): Buffer =>
  putRecord(Buffer.from(key, "latin1"), Buffer.from(value, "latin1"));
const del = (key: string): Buffer => deleteRecord(Buffer.from(key, "latin1"));

test("a database with content => not empty, no mark; the content is the snapshot, and stays where it is", async () => {
  const db = database();
  await db.put("a", { n: 1 });
  await db.put("z", "2");
  const state = lmdbState(db);
  expect(await state.open()).toEqual({ mark: null, empty: false });
  expect(await snapshotOf(state)).toEqual([state.put("a", { n: 1 }), state.put("z", "2")]);
  await apply(state, [state.put("b", [3]), state.delete("a"), state.delete("absent")], "m1", true);
  expect(db.get("a")).toBe(undefined);
  expect(db.get("b")).toEqual([3]);
  expect([...db.getKeys()]).toEqual(["b", "z"]);
  expect(await markOf(state)).toBe("m1");
  await apply(state, [state.put("c", 1), state.clear(), state.put("d", 1)], "m2");
  expect([...db.getRange()].map(({ key, value }) => [key, value])).toEqual([["d", 1]]);
  expect(await markOf(state)).toBe("m2");
});

test.each([
  ["texts", { encoding: "string" }, "k", "välue"],
  ["JSON", { encoding: "json" }, "k", { n: [1] }],
  [
    "bytes with keys of bytes",
    { encoding: "binary", keyEncoding: "binary" },
    Buffer.from("k"),
    Buffer.from([0, 1]),
  ],
  ["compressed", { compression: true }, "k", "v".repeat(5000)],
  ["a sequence of keys", {}, ["a", 1, true, -2.5], "v"],
  ["a long key", {}, "k".repeat(1900), ""],
  ["ordered-binary values", { encoding: "ordered-binary" }, "k", ["a", 1]],
] as const)("%s => a record has the bytes that put() stores", async (_, options, key, value) => {
  const db = database(folder(), options) as unknown as RootDatabase<unknown, never>;
  await db.put(key as never, value);
  const state = lmdbState<unknown, unknown, typeof db>(db);
  await state.open();
  const record = Buffer.from(state.put(key, value));
  expect(await snapshotOf(state)).toEqual([record]);
  await apply(state, [state.delete(key)], "m1");
  expect(db.get(key as never)).toBe(undefined);
  await apply(state, [record], "m2");
  expect(db.get(key as never)).toEqual(value);
});

test("keys of any length and more bytes than a write begins with => each where it belongs, deletes between", async () => {
  const state = lmdbState(database(folder(), { keyEncoding: "binary", encoding: "binary" }));
  await state.open();
  const keys = [1, 2, 47, 48, 49, 50, 64, 500, 1900].map((length) => "k".repeat(length));
  const some = keys.flatMap((key, n) => [put(key, "old"), del(key), put(key, key.repeat(n + 1))]);
  await apply(state, [...some, put("z", ""), del("k".repeat(48))], "m1");
  const left = keys.flatMap((key, n) => (n === 3 ? [] : [put(key, key.repeat(n + 1))]));
  expect((await snapshotOf(state)).map(shown)).toEqual([...left, put("z", "")].map(shown));
  expect(await markOf(state)).toBe("m1");
});

test("writes of all sizes, one after the other => each has its own entries alone, whatever memory it used before", async () => {
  const db = database(folder(), { keyEncoding: "binary", encoding: "binary" });
  const state = lmdbState(db);
  await state.open();
  const expected = new Map<string, string>();
  const sizes = [3, 200, 1, 60_000, 2, 2_000_000, 5, 0];
  for (const [n, size] of sizes.entries()) {
    const value = String.fromCharCode(97 + n).repeat(size);
    const records = [
      put(`a${n}`, value),
      put("shared", value),
      del(`a${n - 1}`),
      put(`b${n}`, value),
    ];
    expected.delete(`a${n - 1}`);
    for (const key of [`a${n}`, "shared", `b${n}`]) expected.set(key, value);
    await apply(state, records, `m${n}`, n % 2 === 0);
  }
  // A refused record leaves nothing of its write, also not in the one that follows.
  await expect(apply(state, [put("refused", "x"), Buffer.from([9])], "never")).rejects.toThrow(
    "begins with 9",
  );
  await apply(state, [put("last", "y")], "m");
  expected.set("last", "y");
  const found = (await snapshotOf(state)).map((record) => {
    const keyEnd = 5 + record.readUInt32LE(1);
    return [record.toString("latin1", 5, keyEnd), record.toString("latin1", keyEnd)] as const;
  });
  expect(new Map(found)).toEqual(expected);
  expect(await markOf(state)).toBe("m");
});

test("a named database => it alone; the environment's others are left", async () => {
  const env = database();
  const users = env.openDB<string, string>({ name: "users" });
  const others = env.openDB<string, string>({ name: "others" });
  await others.put("x", "1");
  const state = lmdbState(users);
  expect(await state.open()).toEqual({ mark: null, empty: true });
  await apply(state, [state.put("ann", "a")], "m1");
  const staged = await stage(state, [[state.put("bob", "b")]]);
  expect(users.get("ann")).toBe("a");
  await staged.commit("m2");
  expect([...users.getKeys()]).toEqual(["bob"]);
  expect(others.get("x")).toBe("1");
  await state.close!();
});

test.each([["root"], ["named"], ["named, keys of bytes"]])(
  "%s: keys that are each other's beginning, or all zeros => in order, each found",
  async (kind) => {
    const env = database();
    const options = kind === "named" ? {} : { keyEncoding: "binary" as const };
    const state = lmdbState(
      kind === "root" ? env : env.openDB<unknown, string>({ name: "named", ...options }),
    );
    await state.open();
    const keys = ["\0", "\0\0", "a", "a\0", "a\0\0b", "ab", "abc", "abcd", "abcde", "b", "\xff"];
    if (kind !== "named") keys.splice(2, 0, "\0".repeat(100), `${"\0".repeat(100)}a`);
    const records = keys.map((key) => put(key, key));
    await apply(state, [...records].reverse(), "m1");
    expect((await snapshotOf(state)).map(shown)).toEqual(records.map(shown));
    await apply(
      state,
      records
        .filter((_, i) => i % 2 === 0)
        .map((record) => del(record.toString("latin1", 5, 5 + record.readUInt32LE(1)))),
      "m2",
    );
    expect(await snapshotOf(state)).toEqual(records.filter((_, i) => i % 2 === 1));
    const staged = await stage(state, [[...records].reverse()]);
    await staged.commit("m3");
    expect((await snapshotOf(state)).map(shown)).toEqual(records.map(shown));
    for (const record of records)
      await apply(state, [del(record.toString("latin1", 5, 5 + record.readUInt32LE(1)))], "m4");
    expect(await snapshotOf(state)).toEqual([]);
  },
);

test("opened again => its mark and its content; a staging that was left is gone", async () => {
  const path = folder();
  const db = database(path);
  const state = lmdbState(db);
  expect(state.durability).toBe("process");
  await state.open();
  await apply(state, [put("a", "1")], "m1");
  await state.sync!();
  await stage(state, [[put("b", "2")]]);
  await state.close!();
  await db.close();
  const again = lmdbState(database(path), { durability: "power" });
  expect(again.durability).toBe("power");
  expect(await again.open()).toEqual({ mark: Buffer.from("m1"), empty: false });
  expect(await snapshotOf(again)).toEqual([put("a", "1")]);
});

test("a snapshot => as at its freeze, after writes, a clear and a swap; it counts what the file grew by", async () => {
  const state = lmdbState(database());
  await state.open();
  const records = Array.from({ length: 2000 }, (_, i) =>
    put(String(i).padStart(5, "0"), "v".repeat(200)),
  );
  await apply(state, records, "m1");
  const frozen = await state.freeze();
  expect(frozen.pinned!()).toBe(0);
  for (let i = 0; i < 5; i += 1) {
    await apply(
      state,
      records.map((record) => put(record.toString("latin1", 5, 10), `${i}`.repeat(200))),
      `m${i}`,
    );
  }
  expect(frozen.pinned!()).toBeGreaterThan(500_000);
  const staged = await stage(state, [[put("b", "2")]]);
  await staged.commit("m9");
  await apply(state, [clearRecord()], "m10");
  const seen: Buffer[] = [];
  let parts = 0;
  for await (const part of frozen.read(null)) {
    parts += 1;
    seen.push(...[...part.records].map((record) => Buffer.from(record)));
  }
  expect(seen.map(String)).toEqual(records.map(String));
  expect(parts).toBeGreaterThan(3);
  await frozen.close();
  await frozen.close();
  expect(frozen.pinned!()).toBe(0);
  expect(await snapshotOf(state)).toEqual([]);
  await state.close!();
});

test("transact => changes and mark together; a throw, at once or later, leaves neither", async () => {
  const db = database();
  const state = lmdbState(db);
  await state.open();
  await state.transact!(async (tx) => {
    await tx.put("a", 1);
    return Buffer.from("m1");
  });
  expect(db.get("a")).toBe(1);
  expect(await markOf(state)).toBe("m1");
  await state.transact!((tx) => {
    void tx.put("a", 2);
    return Buffer.from("m2");
  });
  expect([db.get("a"), await markOf(state)]).toEqual([2, "m2"]);
  const failing = [
    (tx: Db) => {
      void tx.put("a", 3);
      throw new Error("no");
    },
    async (tx: Db) => {
      void tx.put("a", 4);
      await new Promise((resolve) => setImmediate(resolve));
      throw new Error("no");
    },
  ];
  for (const body of failing) {
    await expect(state.transact!(body as never)).rejects.toThrow("no");
    expect([db.get("a"), await markOf(state)]).toEqual([2, "m2"]);
  }
});

test("keys that LMDB cannot keep => refused, and nothing of their batch is there", async () => {
  const state = lmdbState(database());
  await state.open();
  const longest = put("k".repeat(1956), "");
  await apply(state, [longest], "m1");
  for (const key of ["", "k".repeat(1957), "k".repeat(100_000)]) {
    const record = put(key, "");
    expect(() => state.check!(record, 0, record.length)).toThrow(
      `ERR_STORE_RECORD: a key has ${key.length} bytes; LMDB takes 1 to 1956`,
    );
    await expect(apply(state, [put("a", "1"), record], "m2")).rejects.toThrow("ERR_STORE_RECORD");
  }
  for (const record of [put("\x02hawser\0mark", ""), del("\x02hawser\0")])
    await expect(apply(state, [put("a", "1"), record], "m2")).rejects.toThrow(
      "hawser keeps its own",
    );
  expect(await snapshotOf(state)).toEqual([longest]);
  expect(await markOf(state)).toBe("m1");
  const staged = await stage(state, [[longest]]);
  await staged.commit("m3");
  expect(await snapshotOf(state)).toEqual([longest]);
  await state.close!();
});

test.each([
  [{ dupSort: true, encoding: "ordered-binary" }, "dupSort"],
  [{ useVersions: true }, "useVersions"],
  [{ cache: true }, "cache"],
  [{ keyEncoding: "uint32" }, "uint32"],
  [{ sharedStructuresKey: Symbol.for("structures") }, "sharedStructuresKey"],
])("a database with %o => ERR_ARGUMENT", (options, what) => {
  const db = database().openDB({ name: "special", ...(options as object) });
  expect(() => lmdbState(db)).toThrow(what);
});
