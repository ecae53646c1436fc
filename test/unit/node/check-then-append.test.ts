/**
 * Check, then append: what the store does not take is not in the log, and log and state never differ.
 * Memory is made to run out with the pool's limit.
 */
import { expect, test } from "vitest";
import { Housekeeping } from "../../../src/node/housekeeping.ts";
import { Keyspace } from "../../../src/node/keyspace.ts";
import { LogError, StoreError } from "../../../src/errors.ts";
import { Store } from "../../../src/store/store.ts";
import { Random } from "../../../tools/random.ts";
import { liveDigest } from "../../sim/truth.ts";
import { FakeClient, FakePort } from "../resp/fake-node.ts";

const OOM = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";

/** What a replica has that applied the whole log. */
function replayed(port: FakePort): string {
  const store = new Store({ arenaSegmentBytes: 4096 });
  for (const record of port.node.records()) store.apply(record, 0, record.length);
  return digest(store);
}

function digest(store: Store): string {
  const { records, sum } = liveDigest(store);
  return `${records}:${sum}`;
}

/** A port over a store of small arena segments. */
function smallPort(): FakePort {
  const port = new FakePort();
  port.node.store = new Store({ arenaSegmentBytes: 4096, indexPageEntries: 16 });
  return port;
}

/** From now on the store gets `more` bytes. */
function limit(store: Store, more: number): void {
  const { pool } = store.parts;
  pool.limitBytes = pool.heldBytes + pool.chunkBytes + more;
}

const SEEDS = Number(process.env["SEED"] ?? 0) || 0;
const LARGE = "x".repeat(3000);

test.each([
  ["SET", "new", LARGE],
  ["SET", "small", LARGE],
  ["SET", "small", LARGE, "EX", "100"],
  ["SETEX", "small", "100", LARGE],
  ["SETNX", "new", LARGE],
  ["GETSET", "none", LARGE],
  ["APPEND", "small", LARGE],
  ["APPEND", "new", LARGE],
  ["SETRANGE", "small", "3000", "x"],
  ["MSET", "new", LARGE],
  ["COPY", "large", "new"],
  ["RENAME", "large", "new"],
  ["EXPIRE", "large", "100"],
  ["PERSIST", "largex"],
  ["FLUSHALL"],
])("%s %s at the end of memory => OOM, nothing in the log, nothing in the state", (...words) => {
  const port = smallPort();
  const client = new FakeClient(port);
  client.call("SET", "small", "v");
  client.call("SET", "large", LARGE);
  client.call("SET", "largex", LARGE, "EX", "1000");
  const { store, log } = port.node;
  limit(store, 0);
  const [tail, before] = [log.tail, digest(store)];
  const answer = client.call(...words);
  expect(answer.endsWith(OOM), answer.slice(0, 80)).toBe(true);
  expect([log.tail, digest(store)]).toEqual([tail, before]);
  store.parts.pool.limitBytes = Number.POSITIVE_INFINITY;
  expect(client.call(...words)).not.toContain("OOM");
  expect(log.tail).toBeGreaterThan(tail);
  expect(replayed(port)).toBe(digest(store));
});

test("EXEC, one command of which has no memory => its own OOM, the others' records in one GROUP", () => {
  const port = smallPort();
  const client = new FakeClient(port);
  client.call("SET", "a", "1");
  limit(port.node.store, 0);
  client.call("MULTI");
  client.call("INCR", "a");
  client.call("SET", "b", LARGE);
  client.call("INCR", "a");
  expect(client.call("EXEC")).toBe(`*3\r\n:2\r\n${OOM}:3\r\n`);
  expect(replayed(port)).toBe(digest(port.node.store));
  expect(client.call("GET", "a")).toBe("$1\r\n3\r\n");
});

/** Four more than fit into what is limited: each takes an arena segment of its own, or most of one. */
const PAIRS = ["a", LARGE, "b", LARGE, "c", LARGE, "d", LARGE];

test.each([
  ["MSET", ...PAIRS],
  ["MSETNX", ...PAIRS],
  ["MSET", "small", "w", "a", LARGE, "b", LARGE],
  ["MSET", "small", "x".repeat(200), "large", "y", "a", LARGE],
  ["MSET", "small", LARGE, "small", "w"],
  ["MSET", "small", "w", "small", LARGE, "a", LARGE],
  ["MSET", ...Array.from({ length: 200 }, (_, i) => [`k${i}`, "v".repeat(i * 3)]).flat()],
])("%s %s with memory for some pairs => OOM, none applied, all memory given back", (...words) => {
  for (const more of [0, 4096, 8192]) {
    const port = smallPort();
    const client = new FakeClient(port);
    client.call("SET", "small", "v");
    client.call("SET", "large", LARGE);
    const { store, log } = port.node;
    const { pool } = store.parts;
    limit(store, more);
    // The index may keep a chunk that it got first.
    const usedBytes = (): number => pool.usedBytes - pool.chunkBytes;
    const [tail, before, used] = [log.tail, digest(store), usedBytes()];
    const answer = client.call(...words);
    if (answer === OOM) {
      expect([log.tail, digest(store), usedBytes()]).toEqual([tail, before, used]);
      client.call("MULTI");
      client.call("SET", "small", "z");
      client.call(...words);
      expect(client.call("EXEC")).toBe(`*2\r\n+OK\r\n${OOM}`);
      expect(replayed(port)).toBe(digest(store));
      pool.limitBytes = Number.POSITIVE_INFINITY;
      expect(client.call(...words)).not.toContain("OOM");
    }
    expect(replayed(port)).toBe(digest(store));
    if (more === 0) expect(answer).toBe(OOM);
  }
});

test("MSET over values of the same size at the end of memory => written where they are", () => {
  const port = smallPort();
  const client = new FakeClient(port);
  const pairs = (letter: string): string[] =>
    Array.from({ length: 50 }, (_, i) => [`k${i}`, letter.repeat(20 * i)]).flat();
  client.call("MSET", ...pairs("v"));
  const { pool } = port.node.store.parts;
  limit(port.node.store, 0);
  while (pool.freeCount > 0) pool.take();
  limit(port.node.store, 0);
  expect(client.call("MSET", ...pairs("w"))).toBe("+OK\r\n");
  expect(client.call("GET", "k2")).toBe(`$40\r\n${"w".repeat(40)}\r\n`);
  expect(replayed(port)).toBe(digest(port.node.store));
});

test("MSET in random states with random memory => all pairs or none", () => {
  const seeds = SEEDS === 0 ? [1, 2, 3, 4, 5, 6] : [SEEDS];
  let refused = 0;
  for (const seed of seeds) {
    const random = new Random(seed);
    const port = smallPort();
    const client = new FakeClient(port);
    const { store, log } = port.node;
    const { pool } = store.parts;
    let snapshot = store.freeze();
    for (let round = 0; round < 50; round++) {
      const value = (): string => "v".repeat(random.pick([0, 3, 40, 400, 900, 1100, 3000, 9000]));
      const pairs = Array.from({ length: random.between(2, 30) }, () => [
        `k${random.between(0, 60)}`,
        value(),
      ]).flat();
      limit(store, random.between(0, 16) * 2048);
      const [tail, before] = [log.tail, digest(store)];
      const answer = client.call(random.pick(["MSET", "MSET", "MSETNX"]), ...pairs);
      if (answer === OOM) {
        refused++;
        expect([log.tail, digest(store)], `SEED=${seed}`).toEqual([tail, before]);
      } else expect(answer, `SEED=${seed}`).toMatch(/^(\+OK|:[01])\r\n$/);
      pool.limitBytes = Number.POSITIVE_INFINITY;
      const dropped = Array.from({ length: 20 }, () => `k${random.between(0, 60)}`);
      if (random.fraction() < 0.5) client.call("DEL", ...dropped);
      if (random.fraction() < 0.2) {
        snapshot.close();
        snapshot = store.freeze();
      }
      if (random.fraction() < 0.3) store.maintain();
    }
    snapshot.close();
    expect(replayed(port), `SEED=${seed}`).toBe(digest(store));
  }
  expect(refused).toBeGreaterThan(seeds.length);
});

test("no memory for the log => OOM, nothing applied; in a transaction too", () => {
  const port = smallPort();
  const client = new FakeClient(port);
  const { log, store } = port.node;
  client.call("SET", "a", "1");
  const failing = { fails: true };
  const reserve = log.reserve.bind(log);
  log.reserve = (length) => {
    if (failing.fails) throw new LogError("ERR_LOG_FULL", "as if");
    return reserve(length);
  };
  const [tail, before] = [log.tail, digest(store)];
  expect(client.call("SET", "a", "2")).toBe(OOM);
  expect(client.call("MSET", "a", "2", "b", "2")).toBe(OOM);
  expect(client.call("DEL", "b", "a")).toBe(OOM);
  client.call("MULTI");
  client.call("SET", "a", "2");
  client.call("SET", "c", "2");
  expect(client.call("EXEC")).toBe(`*2\r\n${OOM}${OOM}`);
  expect([log.tail, digest(store)]).toEqual([tail, before]);
  failing.fails = false;
  expect(client.call("MSET", "a", "2", "b", "2")).toBe("+OK\r\n");
  expect(replayed(port)).toBe(digest(store));
});

test.each([Number.NaN, Number.POSITIVE_INFINITY, 0.5, 2 ** 64])(
  "a record with the time %s => refused whole, nothing in the log",
  (expireAt) => {
    const port = smallPort();
    const { log, store } = port.node;
    const keys = new Keyspace(port.node);
    const key = Buffer.from("k");
    expect(() => keys.set(key, 0, 1, key, 0, 1, expireAt)).toThrow(StoreError);
    expect([log.tail, store.size]).toEqual([0, 0]);
    keys.beginGroup();
    expect(() => keys.set(key, 0, 1, key, 0, 1, expireAt)).toThrow(StoreError);
    keys.set(key, 0, 1, key, 0, 1, 0);
    keys.endGroup();
    expect(replayed(port)).toBe(digest(store));
  },
);

test("no memory to move records to => housekeeping goes on, nothing is lost", () => {
  const port = smallPort();
  const client = new FakeClient(port);
  for (let n = 0; n < 400; n++) client.call("SET", `k${n}`, "v".repeat(100));
  for (let n = 0; n < 400; n++) if (n % 4 !== 0) client.call("DEL", `k${n}`);
  const { store } = port.node;
  limit(store, -1);
  const { keys } = port.server.context;
  const housekeeping = new Housekeeping({ node: port.node, keys });
  for (let n = 0; n < 50; n++) housekeeping.tick();
  expect(store.size).toBe(100);
  expect(replayed(port)).toBe(digest(store));
});

test("random commands at random limits => the log replayed is the state, after each of them", () => {
  for (let seed = SEEDS || 1; seed <= (SEEDS || 12); seed++) {
    const random = new Random(seed);
    const port = smallPort();
    const client = new FakeClient(port);
    let refused = 0;
    for (let n = 0; n < 60; n++) {
      const { store } = port.node;
      if (random.between(0, 5) === 0) limit(store, random.pick([0, 0, 4096, 20_000, 1e9]));
      if (client.call(...drawCommand(random)).includes("OOM")) refused++;
      if (n % 10 === 9)
        expect(replayed(port), `seed ${seed}; replay: SEED=${seed}`).toBe(digest(store));
    }
    if (seed === 1) expect(refused).toBeGreaterThan(0);
  }
}, 60_000);

function drawCommand(random: Random): string[] {
  const key = (): string => `k${random.between(0, 12)}`;
  const value = (): string => "v".repeat(random.pick([0, 10, 300, 1500, 9000]));
  return random.pick([
    () => ["SET", key(), value()],
    () => ["SET", key(), value(), "PX", "100000"],
    () => ["GETSET", key(), value()],
    () => ["MSET", key(), value(), key(), value(), key(), value()],
    () => ["DEL", key(), key()],
    () => ["APPEND", key(), value()],
    () => ["SETRANGE", key(), String(random.between(0, 5000)), value()],
    () => ["INCR", `n${random.between(0, 3)}`],
    () => ["RENAME", key(), key()],
    () => ["COPY", key(), key(), "REPLACE"],
    () => ["EXPIRE", key(), "100"],
    () => ["PERSIST", key()],
    () => ["FLUSHALL"],
  ])();
}
