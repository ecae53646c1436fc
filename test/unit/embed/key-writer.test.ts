/** Writes of an embedded primary: what each does on both ends, and what is left when one is refused. */
import { describe, expect, test } from "vitest";
import { ArgumentError } from "../../../src/errors.ts";
import type { Change, Primary } from "../../../src/index.ts";
import { until } from "../../../tools/wait.ts";
import { closesWhatIsKept, codeOf, openPrimary, replicaOf } from "../../tools/embedded.ts";

closesWhatIsKept();

/** All there is, as text. */
function contents(node: Pick<Primary, "scan" | "getString">): Record<string, string | null> {
  const found: Record<string, string | null> = {};
  let cursor = 0;
  do {
    const step = node.scan(cursor, { encoding: "utf8" });
    for (const key of step.keys) found[key] = node.getString(key);
    ({ cursor } = step);
  } while (cursor !== 0);
  return found;
}

/** Records of the log, as its newest batches count them. */
const records = (primary: Primary): number => primary["parts"].keys.counters.changes;

describe("strings and bytes", () => {
  const long = "é".repeat(40_000);
  test.each<[string, string | Uint8Array]>([
    ["short ascii", "abc"],
    ["ascii up to the loop's end", "a".repeat(24)],
    ["ascii beyond it", "a".repeat(25)],
    ["not ascii at the start", "éabc"],
    ["not ascii at the end", "abcé"],
    ["four bytes", "a𝄞"],
    ["longer than the scratch memory", long],
    ["empty", ""],
    ["a Buffer", Buffer.from([0, 255, 13, 10])],
    ["a part of a Uint8Array", new Uint8Array([9, 1, 2, 9]).subarray(1, 3)],
  ])("%s => the same bytes, as key and as value, here and on a replica", async (_what, given) => {
    const primary = await openPrimary();
    const bytes = Buffer.from(given as string);
    primary.set(given, given);
    const replica = await replicaOf(primary);
    for (const node of [primary, replica]) {
      expect(node.get(given)).toEqual(bytes);
      expect(node.get(bytes)).toEqual(bytes);
      expect(node.getString(given)).toBe(bytes.toString());
      expect([node.has(given), node.size]).toEqual([true, 1]);
    }
    expect(primary.delete(bytes)).toBe(true);
    expect(primary.has(given)).toBe(false);
  });

  test("bytes that were given may be changed at once", async () => {
    const primary = await openPrimary();
    const value = Buffer.from("before");
    primary.set("key", value);
    primary.batch([{ type: "set", key: "other", value }]);
    value.fill("x");
    expect([primary.getString("key"), primary.getString("other")]).toEqual(["before", "before"]);
  });
});

describe("batch", () => {
  test("sets and deletes => in order, one record, all of it on a replica", async () => {
    const primary = await openPrimary();
    primary.set("gone", "1");
    const before = records(primary);
    const { offset } = primary.written;
    primary.batch([
      { type: "set", key: "a", value: "1" },
      { type: "set", key: "a", value: "2", ttlMs: 60_000 },
      { type: "delete", key: "gone" },
      { type: "delete", key: "never there" },
      { type: "set", key: "b", value: Buffer.from([1]) },
      { type: "delete", key: "b" },
      { type: "set", key: "b", value: "3" },
    ]);
    expect(records(primary) - before).toBe(6);
    expect(primary.written.offset).toBeGreaterThan(offset);
    const replica = await replicaOf(primary);
    for (const node of [primary, replica]) expect(contents(node)).toEqual({ a: "2", b: "3" });
    expect(replica.expireAt("a")).toBe(primary.expireAt("a"));
    expect(primary.ttlMs("a")).toBeGreaterThan(50_000);
  });

  test("nothing, and one change", async () => {
    const primary = await openPrimary();
    primary.batch([]);
    const { offset } = primary.written;
    primary.batch([{ type: "delete", key: "a" }]);
    expect(primary.written.offset).toBe(offset);
    primary.batch([{ type: "set", key: "a", value: "1" }]);
    expect(contents(primary)).toEqual({ a: "1" });
  });

  test.each<[unknown, RegExp]>([
    ["text", /a batch is of type string; an array is allowed/],
    [[null], /change 0 of the batch: it is null/],
    [
      [{ type: "set", key: "a", value: "1" }, { type: "put" }],
      /change 1 of the batch: type is "put"/,
    ],
    [[{ type: "set", key: "a" }], /change 0 of the batch: a value is of type undefined/],
    [[{ type: "set", key: "a", value: 5 }], /change 0 of the batch: a value is 5/],
    [
      [{ type: "set", key: "a", value: "1", ttl: 5 }],
      /unknown option ttl; allowed: expireAt ttlMs/,
    ],
    [[{ type: "delete", key: 7 }], /change 0 of the batch: a key is 7/],
  ])("%j => ERR_ARGUMENT that names the change, and nothing of it is done", async (batch, says) => {
    const primary = await openPrimary();
    const { offset } = primary.written;
    const run = (): void => primary.batch(batch as Change[]);
    expect(run).toThrow(says);
    expect(run).toThrow(ArgumentError);
    expect([primary.size, primary.written.offset]).toEqual([0, offset]);
  });

  test("no memory for all of it => ERR_STORE_FULL, and nothing of it is done", async () => {
    const primary = await openPrimary();
    primary.set("there", "before");
    const { pool } = primary["parts"].node.store.parts;
    pool.limitBytes = pool.usedBytes;
    const large = Buffer.alloc(600 << 10);
    const { offset } = primary.written;
    const batch: Change[] = [
      { type: "set", key: "there", value: "after" },
      { type: "set", key: "one", value: large },
      { type: "set", key: "two", value: large },
    ];
    expect(codeOf(() => primary.batch(batch))).toBe("ERR_STORE_FULL");
    expect(contents(primary)).toEqual({ there: "before" });
    expect(primary.written.offset).toBe(offset);
    pool.limitBytes = Number.POSITIVE_INFINITY;
    primary.batch(batch);
    const replica = await replicaOf(primary);
    expect([primary.size, replica.size, replica.getString("there")]).toEqual([3, 3, "after"]);
  });
});

describe("changes that look first", () => {
  test("setIfAbsent => once; an expired key is absent", async () => {
    const primary = await openPrimary();
    expect(primary.setIfAbsent("a", "1", { ttlMs: 20 })).toBe(true);
    expect(primary.setIfAbsent("a", "2")).toBe(false);
    expect(primary.getString("a")).toBe("1");
    await until(() => !primary.has("a"), { what: "the key to expire" });
    expect(primary.setIfAbsent("a", "3")).toBe(true);
    expect([primary.getString("a"), primary.expireAt("a")]).toEqual(["3", Infinity]);
  });

  test("compareAndSet => only what is expected, null for what is not there", async () => {
    const primary = await openPrimary();
    expect(primary.compareAndSet("a", "1", "2")).toBe(false);
    expect(primary.has("a")).toBe(false);
    expect(primary.compareAndSet("a", null, "1")).toBe(true);
    expect(primary.compareAndSet("a", null, "2")).toBe(false);
    expect(primary.compareAndSet("a", "", "2")).toBe(false);
    expect(primary.compareAndSet("a", Buffer.from("1"), "2")).toBe(true);
    expect(primary.compareAndSet("a", "1", null)).toBe(false);
    expect(primary.getString("a")).toBe("2");
    expect(primary.compareAndSet("a", "2", null)).toBe(true);
    expect(primary.compareAndSet("a", null, null)).toBe(true);
    expect(primary.size).toBe(0);
  });

  test("update => what the function makes of it, the expiry stays; null deletes", async () => {
    const primary = await openPrimary();
    const expireAt = Date.now() + 60_000;
    expect(primary.update("a", (value) => (value === null ? "new" : "old"))).toBe("new");
    primary.expire("a", { expireAt });
    primary.update("a", (value) => `${String(value)}er`);
    expect([primary.getString("a"), primary.expireAt("a")]).toEqual(["newer", expireAt]);
    primary.update("a", () => "plain", {});
    expect(primary.expireAt("a")).toBe(Infinity);
    expect(primary.update("a", () => null)).toBe(null);
    expect(primary.has("a")).toBe(false);
    const { offset } = primary.written;
    primary.update("a", () => null);
    expect(primary.written.offset).toBe(offset);
  });

  test("update whose function writes the same key, and others => that happens before", async () => {
    const primary = await openPrimary();
    primary.set("a", "1");
    primary.update("a", (value) => {
      primary.set("a", "between");
      primary.set("b", "beside");
      return `${String(value)}!`;
    });
    expect(contents(primary)).toEqual({ a: "1!", b: "beside" });
    const replica = await replicaOf(primary);
    expect(contents(replica)).toEqual(contents(primary));
  });

  test("update whose function throws, or is asynchronous => nothing changed", async () => {
    const primary = await openPrimary();
    primary.set("a", "1");
    const { offset } = primary.written;
    expect(() =>
      primary.update("a", () => {
        throw new Error("of mine");
      }),
    ).toThrow("of mine");
    const later = (() => Promise.resolve("2")) as unknown as () => string;
    expect(() => primary.update("a", later)).toThrow(/a value is of type object/);
    expect(() => primary.update("a", "2" as unknown as () => string)).toThrow(
      /a change is of type/,
    );
    expect([primary.getString("a"), primary.written.offset]).toEqual(["1", offset]);
  });

  test("increment => the sum, as digits; the expiry stays", async () => {
    const primary = await openPrimary();
    expect(primary.increment("n")).toBe(1);
    expect(primary.increment("n", -11)).toBe(-10);
    primary.expire("n", { ttlMs: 60_000 });
    expect(primary.increment("n", 10)).toBe(0);
    expect([primary.getString("n"), (primary.ttlMs("n") ?? 0) > 50_000]).toEqual(["0", true]);
    primary.set("n", String(Number.MAX_SAFE_INTEGER - 1));
    expect(primary.increment("n")).toBe(Number.MAX_SAFE_INTEGER);
    expect(codeOf(() => primary.increment("n"))).toBe("ERR_NOT_INTEGER");
    expect(primary.getString("n")).toBe(String(Number.MAX_SAFE_INTEGER));
    for (const value of ["", "1.5", "01", "-0", "+1", "1 ", "x", "9".repeat(16), "1".repeat(400)]) {
      primary.set("n", value);
      expect(
        codeOf(() => primary.increment("n")),
        value,
      ).toBe("ERR_NOT_INTEGER");
    }
    for (const by of [0.5, NaN, Infinity, "1" as unknown as number])
      expect(codeOf(() => primary.increment("m", by))).toBe("ERR_ARGUMENT");
    expect(primary.has("m")).toBe(false);
  });

  test("clear => nothing is left, on the replica neither, one record", async () => {
    const primary = await openPrimary();
    for (let n = 0; n < 1000; n++) primary.set(`key${n}`, "v");
    const replica = await replicaOf(primary);
    const before = records(primary);
    primary.clear();
    primary.clear();
    primary.set("after", "1");
    expect(records(primary) - before).toBe(2);
    await replica.reached(primary.written, { timeoutMs: 10_000 });
    for (const node of [primary, replica]) expect(contents(node)).toEqual({ after: "1" });
  });
});

describe("expiry", () => {
  test("expireAt, ttlMs, expire => what is left can be read; {} takes it away", async () => {
    const primary = await openPrimary();
    const expireAt = Date.now() + 60_000;
    primary.set("a", "1", { expireAt });
    primary.set("b", "1", { ttlMs: 60_000 });
    primary.set("c", "1");
    expect(primary.expireAt("a")).toBe(expireAt);
    expect(primary.expireAt("b")).toBeGreaterThanOrEqual(expireAt);
    expect([primary.expireAt("c"), primary.ttlMs("c")]).toEqual([Infinity, Infinity]);
    expect([primary.expireAt("d"), primary.ttlMs("d")]).toEqual([null, null]);
    expect(primary.ttlMs("a")).toBeGreaterThan(50_000);
    const replica = await replicaOf(primary);
    expect(replica.expireAt("b")).toBe(primary.expireAt("b"));
    expect(primary.expire("a", {})).toBe(true);
    expect(primary.expire("d", { ttlMs: 5 })).toBe(false);
    expect(primary.expireAt("a")).toBe(Infinity);
    primary.set("b", "2");
    expect(primary.expireAt("b")).toBe(Infinity);
    primary.expire("c", { expireAt: 1 });
    expect([primary.has("c"), primary.get("c"), primary.delete("c")]).toEqual([false, null, false]);
  });

  test.each<[unknown, RegExp]>([
    [{ ttlMs: 0 }, /ttlMs is 0; a whole number of ms from 1/],
    [{ ttlMs: 1.5 }, /ttlMs is 1\.5/],
    [{ ttlMs: 2 ** 53 }, /ttlMs is 9007199254740992/],
    [{ ttlMs: "5" }, /ttlMs is of type string/],
    [{ ttlMs: 5, expireAt: 5 }, /expireAt and ttlMs; one of them/],
    [{ ttl: 5 }, /unknown option ttl; allowed: expireAt ttlMs/],
    [5, /options are 5/],
    [null, /options are null/],
  ])("%j => ERR_ARGUMENT, nothing changed", async (expiry, says) => {
    const primary = await openPrimary();
    expect(() => primary.set("a", "1", expiry as object)).toThrow(says);
    expect(() => primary.setIfAbsent("a", "1", expiry as object)).toThrow(ArgumentError);
    expect(primary.size).toBe(0);
  });
});

test("maxmemory => what grows is refused by code, deletes and reads go on, and room helps", async () => {
  const primary = await openPrimary({ maxmemory: 8 << 20 });
  const value = Buffer.alloc(100 << 10);
  let n = 0;
  const fill = (): void => {
    for (;;) primary.set(`key${n++}`, value);
  };
  expect(codeOf(fill)).toBe("ERR_MAXMEMORY");
  const { size } = primary;
  expect(size).toBeGreaterThan(10);
  for (const write of [
    () => primary.set("x", "1"),
    () => primary.setIfAbsent("x", "1"),
    () => primary.compareAndSet("x", null, "1"),
    () => primary.update("x", () => "1"),
    () => primary.increment("x"),
    () => primary.batch([{ type: "set", key: "x", value: "1" }]),
  ])
    expect(codeOf(write)).toBe("ERR_MAXMEMORY");
  expect(primary.get("key0")).toEqual(value);
  primary.batch([{ type: "delete", key: "key0" }]);
  expect(primary.compareAndSet("key1", value, null)).toBe(true);
  primary.update("key2", () => null);
  for (let i = 3; i < size; i++) primary.delete(`key${i}`);
  expect(primary.size).toBe(0);
  primary.set("x", "1");
  expect(primary.getString("x")).toBe("1");
});

test("minReplicasToWrite => every write is refused by code until a replica is near, with nothing changed", async () => {
  const primary = await openPrimary({ minReplicasToWrite: 1 });
  for (const write of [
    () => primary.set("x", "1"),
    () => primary.delete("x"),
    () => primary.batch([{ type: "set", key: "x", value: "1" }]),
    () => primary.increment("x"),
    () => primary.clear(),
  ])
    expect(codeOf(write)).toBe("ERR_NO_REPLICAS");
  expect(primary.written.offset).toBe(0);
  const replica = await replicaOf(primary);
  await until(() => !primary.status().near.lacksReplicas, { what: "a near replica" });
  primary.set("x", "1");
  await replica.reached(primary.written, { timeoutMs: 20_000 });
  await replica.close();
  await until(() => primary.status().near.lacksReplicas, { what: "no replica" });
  expect(codeOf(() => primary.set("x", "2"))).toBe("ERR_NO_REPLICAS");
  expect(primary.getString("x")).toBe("1");
});

test("replicaMaxStalenessMs => a replica whose primary went away refuses reads by code, and says how old", async () => {
  const primary = await openPrimary();
  primary.set("x", "1");
  const replica = await replicaOf(primary, { replicaMaxStalenessMs: 2_000 });
  await replica.reached(primary.written, { timeoutMs: 20_000 });
  await until(() => !replica.status().near.isStale, { what: "a first word on the root" });
  expect(replica.getString("x")).toBe("1");
  await primary.close();
  await until(() => replica.status().near.isStale, { what: "a stale replica" });
  for (const read of [() => replica.get("x"), () => replica.size, () => replica.scan(0)])
    expect(codeOf(read)).toBe("ERR_STALE");
});

test("a primary that is fenced, and one that follows => ERR_READONLY names who leads, or who is followed", async () => {
  const primary = await openPrimary();
  const { roles, identity } = primary["parts"].node.core;
  primary.set("x", "1");
  const at = identity.rank;
  const leader = { host: "127.0.0.1", port: 1 };
  const { clusterId, history, lineage } = identity;
  roles.heardLeader(
    {
      clusterId,
      history: "f".repeat(32),
      rank: { term: at.term + 1, run: 0 },
      lineage: [...lineage, { history, left: 0, ...at }],
      leader,
    },
    "127.0.0.1:9",
  );
  const messageOf = (write: () => unknown): string => {
    try {
      write();
    } catch (error) {
      return (error as Error).message;
    }
    return "";
  };
  expect(messageOf(() => primary.set("x", "2"))).toMatch(
    /this node is fenced: it led with rank .*, and 127\.0\.0\.1:1 leads with rank/,
  );
  roles.follow("replicaof", { host: "127.0.0.1", port: 2 });
  expect(messageOf(() => primary.set("x", "2"))).toMatch(
    "this node follows 127.0.0.1:2: write to its primary",
  );
  expect(primary.getString("x")).toBe("1");
});
