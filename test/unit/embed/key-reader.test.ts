/** Reads and walks of an embedded node: copies, patterns, and what a walk finds while keys change. */
import { describe, expect, test } from "vitest";
import { Replica } from "../../../src/index.ts";
import { until } from "../../../tools/wait.ts";
import { closesWhatIsKept, codeOf, keep, openPrimary, replicaOf } from "../../tools/embedded.ts";

closesWhatIsKept();

async function gathered<T>(walk: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const each of walk) found.push(each);
  return found;
}

describe("a walk", () => {
  test("keys, values, entries, of the node itself => all of them once, as bytes or text", async () => {
    const primary = await openPrimary();
    for (let n = 0; n < 1000; n++) primary.set(`key${n}`, `value${n}`);
    const wanted = Array.from({ length: 1000 }, (_, n) => `key${n}`).sort();
    const keys = await gathered(primary.keys({ encoding: "utf8" }));
    expect(keys.sort()).toEqual(wanted);
    expect((await gathered(primary.keys())).map(String).sort()).toEqual(wanted);
    const values = await gathered(primary.values({ encoding: "utf8" }));
    expect(new Set(values).size).toBe(1000);
    const entries = await gathered(primary.entries({ encoding: "utf8" }));
    for (const [key, value] of entries) expect(value).toBe(key.replace("key", "value"));
    const own = await gathered(primary);
    expect([own.length, Buffer.isBuffer(own[0]![0]), Buffer.isBuffer(own[0]![1])]).toEqual([
      1000,
      true,
      true,
    ]);
  });

  test.each([
    [{ prefix: "user:" }, ["user:", "user:1", "user:2"]],
    [{ prefix: Buffer.from("user:1") }, ["user:1"]],
    [{ prefix: "" }, ["use", "user:", "user:1", "user:2", "x:1"]],
    [{ prefix: "none" }, []],
    [{ match: "*:1" }, ["user:1", "x:1"]],
    [{ match: "user:?" }, ["user:1", "user:2"]],
    [{ match: "[x-z]*" }, ["x:1"]],
  ])("%j => those keys", async (options, wanted) => {
    const primary = await openPrimary();
    for (const key of ["use", "user:", "user:1", "user:2", "x:1"]) primary.set(key, "v");
    const found = await gathered(primary.keys({ ...options, encoding: "utf8" }));
    expect(found.sort()).toEqual(wanted);
    const step = primary.scan(0, { ...options, encoding: "utf8", count: 10_000 });
    expect([step.cursor, step.keys.sort()]).toEqual([0, wanted]);
  });

  test("keys that have expired are not in it", async () => {
    const primary = await openPrimary();
    primary.set("a", "1", { expireAt: 1 });
    primary.set("b", "1");
    expect(await gathered(primary.keys({ encoding: "utf8" }))).toEqual(["b"]);
  });

  test("changes meanwhile => what is there all the time is found once, nothing twice", async () => {
    const primary = await openPrimary();
    for (let n = 0; n < 5000; n++) primary.set(`stays${n}`, "v");
    for (let n = 0; n < 5000; n++) primary.set(`goes${n}`, "v");
    const found: string[] = [];
    let n = 0;
    for await (const key of primary.keys({ encoding: "utf8" })) {
      found.push(key);
      // It doubles in size, which splits every page, and half of it goes.
      primary.set(`comes${n}`, "v");
      primary.set(`comes${n + 1_000_000}`, "v");
      primary.delete(`goes${n++ % 5000}`);
      if (n > 30_000) throw new Error("it finds no end");
    }
    expect(new Set(found).size).toBe(found.length);
    expect(found.filter((key) => key.startsWith("stays"))).toHaveLength(5000);
  });

  test("clear() meanwhile => it ends, and finds what comes later or not", async () => {
    const primary = await openPrimary();
    for (let n = 0; n < 2000; n++) primary.set(`key${n}`, "v");
    const found: string[] = [];
    for await (const [key] of primary.entries({ encoding: "utf8" })) {
      if (found.length === 0) {
        primary.clear();
        primary.set("later", "1");
      }
      found.push(key);
    }
    expect(found.length).toBeLessThanOrEqual(2);
  });

  test("a turn of the loop looks at some hundred keys: others run in between", async () => {
    const primary = await openPrimary();
    for (let n = 0; n < 5000; n++) primary.set(`key${n}`, "v");
    let turns = 0;
    let isOver = false;
    const count = (): void => {
      turns++;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    expect(await gathered(primary.keys({ match: "none" }))).toEqual([]);
    isOver = true;
    expect(turns).toBeGreaterThan(10);
  });

  test("left early => nothing goes on", async () => {
    const primary = await openPrimary();
    for (let n = 0; n < 2000; n++) primary.set(`key${n}`, "v");
    for await (const key of primary.keys()) {
      expect(key.length).toBeGreaterThan(0);
      break;
    }
    const walk = primary.keys();
    await walk.next();
    expect(await walk.return?.()).toEqual({ value: undefined, done: true });
    expect((await walk.next()).done).toBe(true);
  });

  test("on a replica whose state a full sync replaces meanwhile => keys of both are found once", async () => {
    const primary = await openPrimary({ backlogBytes: 16_384 });
    for (let n = 0; n < 3000; n++) primary.set(`key${n}`, "v");
    const replica = await replicaOf(primary);
    const walk = replica.keys({ encoding: "utf8" });
    const found = [(await walk.next()).value as string];
    const node = replica["parts"].node;
    node.session.stop("by the test", 0);
    for (let n = 0; n < 100; n++) primary.set(`new${n}`, Buffer.alloc(4000));
    await until(() => primary.status().backlog.oldest > 0, { what: "the log to be cut" });
    node.session.start(0);
    await replica.synced({ timeoutMs: 20_000 });
    await replica.reached(primary.written, { timeoutMs: 20_000 });
    expect(primary.status().counters["sync_full"]).toBe(2);
    found.push(...(await gathered(walk)));
    expect(new Set(found).size).toBe(found.length);
    expect(found.filter((key) => key.startsWith("key"))).toHaveLength(3000);
  });
});

test.each<[unknown, RegExp]>([
  [{ prefix: "a", match: "b" }, /prefix and match; one of them/],
  [{ prefix: 5 }, /a key is 5/],
  [{ match: "a".repeat(20_000) }, /match has 20000 bytes; at most 16384/],
  [{ encoding: "latin1" }, /encoding is of type string; "buffer" or "utf8"/],
  [{ pattern: "a" }, /unknown option pattern; allowed: prefix match encoding count/],
  [{ count: 0 }, /count is 0; a whole number from 1 to 10000/],
  [{ count: 10_001 }, /count is 10001/],
])("%j => ERR_ARGUMENT at once", async (options, says) => {
  const primary = await openPrimary();
  expect(() => primary.scan(0, options as object)).toThrow(says);
  expect(codeOf(() => primary.scan(0, options as object))).toBe("ERR_ARGUMENT");
  if (!("count" in (options as object)))
    for (const walk of ["keys", "values", "entries"] as const)
      expect(() => primary[walk](options as object)).toThrow(says);
});

test("scan from a cursor that is none => ERR_ARGUMENT; from beyond the end => the end", async () => {
  const primary = await openPrimary();
  primary.set("a", "1");
  for (const cursor of [-1, 0.5, NaN, "0" as unknown as number])
    expect(codeOf(() => primary.scan(cursor))).toBe("ERR_ARGUMENT");
  expect(primary.scan(2 ** 52)).toEqual({ cursor: 0, keys: [] });
});

test("a replica without a state yet => every read throws ERR_NOT_SYNCED", async () => {
  const replica = keep(await Replica.open({ of: "127.0.0.1:1" }));
  for (const read of [
    () => replica.get("a"),
    () => replica.getString("a"),
    () => replica.has("a"),
    () => replica.expireAt("a"),
    () => replica.ttlMs("a"),
    () => replica.size,
    () => replica.scan(0),
    () => replica.keys(),
    () => replica.values(),
    () => replica.entries(),
  ])
    expect(codeOf(read)).toBe("ERR_NOT_SYNCED");
});
