/** A Level as a state: where things are in it, what whoever else reads it sees, what is refused. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";
import { MemoryLevel } from "memory-level";
import { afterEach, describe, expect, test } from "vitest";
import { clearRecord, deleteRecord, putRecord } from "../../../src/adapters/key-value-records.ts";
import { levelState } from "../../../src/adapters/level.ts";
import { apply, markOf, snapshotOf, stage } from "../../tools/lent-records.ts";

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "hawser-level-"));
  closers.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function classic(path = folder()): Promise<ClassicLevel> {
  const db = new ClassicLevel(path);
  await db.open();
  closers.push(() => db.close());
  return db;
}

const put = (key: string, value: string): Buffer =>
  putRecord(Buffer.from(key, "latin1"), Buffer.from(value, "latin1"));
const del = (key: string): Buffer => deleteRecord(Buffer.from(key, "latin1"));
/** Many buffers are compared as texts: faster by far. */
const texts = (records: readonly Buffer[]): string[] =>
  records.map((record) => record.toString("latin1"));
const RESERVED = /^!hawser!/;

describe.each([
  ["classic-level", classic],
  ["memory-level", () => Promise.resolve(new MemoryLevel())],
] as const)("%s", (_, make) => {
  test("a database with content => not empty, no mark; the content is the snapshot, and stays where it is", async () => {
    const db = await make();
    await db.batch([
      { type: "put", key: "a", value: "1" },
      { type: "put", key: "z", value: "2" },
      { type: "put", key: "\u{1f600}", value: "" },
    ]);
    const state = levelState(db);
    expect(await state.open()).toEqual({ mark: null, empty: false });
    const smile = Buffer.from("\u{1f600}").toString("latin1");
    expect(await snapshotOf(state)).toEqual([put("a", "1"), put("z", "2"), put(smile, "")]);
    await apply(state, [put("b", "3"), del("a"), del("absent")], "m1");
    expect(await db.get("a")).toBe(undefined);
    expect(await db.get("b")).toBe("3");
    expect(await state.get("b")).toBe("3");
    expect(await markOf(state)).toBe("m1");
    expect(await snapshotOf(state)).toEqual([put("b", "3"), put("z", "2"), put(smile, "")]);
  });

  test("keys and values of any bytes, empty ones, before and behind hawser's own => as they were", async () => {
    const db = await make();
    const state = levelState(db);
    expect(await state.open()).toEqual({ mark: null, empty: true });
    const keys = [
      "",
      "\0",
      "!",
      "!hawser",
      '!hawser"',
      "!hawser\xff",
      "\xff",
      "\xff\xff",
      "k".repeat(100_000),
    ];
    await apply(
      state,
      keys.map((key) => put(key, key)),
      "m1",
    );
    const sorted = [...keys].sort().map((key) => put(key, key));
    expect(texts(await snapshotOf(state))).toEqual(texts(sorted));
    const staged = await stage(state, [sorted.slice(0, 3), sorted.slice(3)]);
    expect(texts(await snapshotOf(state))).toEqual(texts(sorted));
    await staged.commit("m2");
    expect(texts(await snapshotOf(state))).toEqual(texts(sorted));
    expect(await markOf(state)).toBe("m2");
    await state.close!();
  });

  test("a snapshot in parts => about 64 KiB each, from any token on the rest", async () => {
    const state = levelState(await make());
    await state.open();
    const records = Array.from({ length: 3000 }, (_, i) =>
      put(String(i).padStart(5, "0"), "v".repeat(i % 7 === 0 ? 3000 : 20)),
    );
    await apply(state, records, "m1");
    const frozen = await state.freeze();
    await apply(state, [clearRecord(), put("later", "")], "m2");
    const parts: { token: Buffer; records: Buffer[] }[] = [];
    for await (const part of frozen.read(null))
      parts.push({
        token: Buffer.from(part.token!),
        records: [...part.records].map((record) => Buffer.from(record)),
      });
    expect(texts(parts.flatMap((part) => part.records))).toEqual(texts(records));
    for (const part of parts) {
      const bytes = part.records.reduce((sum, { length }) => sum + length, 0);
      expect(bytes).toBeLessThan(100_000);
    }
    const [first, second] = parts;
    const rest: Buffer[] = [];
    for await (const part of frozen.read(second!.token))
      rest.push(...[...part.records].map((record) => Buffer.from(record)));
    const taken = first!.records.length + second!.records.length;
    expect(texts(rest)).toEqual(texts(records.slice(taken)));
    await frozen.close();
    expect(await snapshotOf(state)).toEqual([put("later", "")]);
    await state.close!();
  });

  test("whoever reads all of it with JSON values => hawser's own are texts, below its prefix", async () => {
    const db = await make();
    const state = levelState(db);
    await state.open();
    await apply(state, [put("a", "1")], "m1");
    await stage(state, [[put("b", '{"c":2}')]]);
    const all = await db.iterator<string, unknown>({ valueEncoding: "json" }).all();
    expect(all.filter(([key]) => !RESERVED.test(key))).toEqual([["a", 1]]);
    expect(all.length).toBe(4);
  });

  test("clear in a batch => what follows it is all there is, at the batch's end", async () => {
    const db = await make();
    const state = levelState(db);
    await state.open();
    await apply(state, [put("a", "1"), put("b", "2"), put("c", "3")], "m1");
    await apply(
      state,
      [put("d", "4"), clearRecord(), put("b", "2"), put("e", "5"), del("e")],
      "m2",
    );
    expect(await snapshotOf(state)).toEqual([put("b", "2")]);
    await apply(state, [clearRecord()], "m3");
    expect(await snapshotOf(state)).toEqual([]);
    expect(await markOf(state)).toBe("m3");
  });

  test("a record that is refused => nothing of its batch is there", async () => {
    const state = levelState(await make());
    await state.open();
    await apply(state, [put("a", "1")], "m1");
    for (const bad of [Buffer.from([9]), put("!hawser!mark", ""), del("!hawser!x")])
      await expect(apply(state, [put("a", "2"), bad], "m2")).rejects.toThrow("ERR_STORE_RECORD");
    await expect(apply(state, [put("!hawser!", ""), clearRecord()], "m2")).rejects.toThrow(
      "hawser keeps its own",
    );
    expect(await snapshotOf(state)).toEqual([put("a", "1")]);
    expect(await markOf(state)).toBe("m1");
  });
});

test("a database that has such keys => refused, with the key and the way out; another name does", async () => {
  const db = new MemoryLevel();
  await db.sublevel("hawser").put("rope", "1");
  await expect(async () => levelState(db).open()).rejects.toThrow(
    'ERR_ARGUMENT: the store has a key "!hawser!rope" that is not hawser\'s',
  );
  const state = levelState(db, { sublevel: "replication" });
  expect(await state.open()).toEqual({ mark: null, empty: false });
  expect(await snapshotOf(state)).toEqual([put("!hawser!rope", "1")]);
});

test("a sublevel as the database => all of it, and nothing beside it", async () => {
  const db = await classic();
  await db.put("beside", "1");
  const users = db.sublevel("users");
  const state = levelState(users);
  expect(await state.open()).toEqual({ mark: null, empty: true });
  await apply(state, [state.put("ann", "x")], "m1");
  expect(await users.get("ann")).toBe("x");
  const staged = await stage(state, [[put("bob", "y")]]);
  await staged.commit("m2");
  expect(await snapshotOf(state)).toEqual([put("bob", "y")]);
  expect(await db.get("beside")).toBe("1");
  expect(await db.get("!users!bob")).toBe("y");
  await state.close!();
});

test("encodings of the database => records have the bytes that put() would store", async () => {
  const db = new MemoryLevel<string, { n: number }>({ valueEncoding: "json" });
  await db.put("a", { n: 1 });
  const state = levelState(db);
  await state.open();
  expect(Buffer.from(state.put("a", { n: 1 }))).toEqual((await snapshotOf(state))[0]);
  await apply(state, [state.put("b", { n: 2 }), state.delete("a")], "m1");
  expect(await db.get("b")).toEqual({ n: 2 });
  expect(await state.get("b")).toEqual({ n: 2 });
  expect(await state.get("a")).toBe(undefined);
  expect(() => state.put("c", undefined as never)).toThrow("ERR_ARGUMENT: a value is undefined");
});

test("opened again => its mark, its content; sync() leaves the mark", async () => {
  const path = folder();
  const db = await classic(path);
  const state = levelState(db);
  expect(state.durability).toBe("process");
  await state.open();
  await apply(state, [put("a", "1")], "m1");
  await state.sync!();
  await state.close!();
  await db.close();
  const again = levelState(await classic(path), { durability: "power" });
  expect(again.durability).toBe("power");
  expect(await again.open()).toEqual({ mark: Buffer.from("m1"), empty: false });
  expect(await snapshotOf(again)).toEqual([put("a", "1")]);
});

test("a database in memory, and a record that is refused => thrown at once, as there is no mark to look at", async () => {
  const state = levelState(new MemoryLevel());
  await state.open();
  const batch = {
    count: 1,
    bytes: 1,
    each: (visit: (bytes: Buffer, from: number, to: number) => void) =>
      visit(Buffer.from([9]), 0, 1),
  };
  expect(() => void state.apply(batch as never)).toThrow("ERR_STORE_RECORD");
});

test("a database in memory => it outlives nothing, and gives no mark back", async () => {
  const db = new MemoryLevel();
  const state = levelState(db);
  expect(state.durability).toBe("none");
  await state.open();
  await apply(state, [put("a", "1")], "m1");
  expect(await levelState(db).open()).toEqual({ mark: null, empty: false });
});

test("what cannot be a state => ERR_ARGUMENT says what is missing", () => {
  const older = { ...bare(), supports: { encodings: { buffer: true } } };
  expect(() => levelState(older)).toThrow("no explicit snapshots; abstract-level 3");
  expect(() => levelState(new MemoryLevel({ storeEncoding: "utf8" }))).toThrow("texts only");
  for (const sublevel of ["", "a!b", "ä"])
    expect(() => levelState(new MemoryLevel(), { sublevel })).toThrow(`sublevel is "${sublevel}"`);
});

function bare() {
  const db = new MemoryLevel();
  return {
    supports: {} as object,
    open: () => db.open(),
    keyEncoding: () => db.keyEncoding(),
    valueEncoding: () => db.valueEncoding(),
    get: () => Promise.resolve(),
    batch: () => Promise.resolve(),
    iterator: () => undefined,
    snapshot: () => undefined,
  };
}
