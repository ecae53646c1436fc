/** The worker pool with real threads; runs the compiled worker in dist/. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { setImmediate as turn, setTimeout as sleep } from "node:timers/promises";
import type { Worker } from "node:worker_threads";
import { afterEach, expect, test } from "vitest";
import type { FrozenState } from "../../../src/store/state.ts";
import { InlineSource } from "../../../src/store/inline-source.ts";
import { SerializerPool, type PoolOptions } from "../../../src/store/pool.ts";
import type { Ring } from "../../../src/store/ring.ts";
import { Store } from "../../../src/store/store.ts";
import { ownThreads, type ThreadKind, threadsOf } from "../../../src/threads.ts";
import { until } from "../../../tools/wait.ts";
import * as m from "./model.ts";
import { checkInvariants } from "./invariants.ts";
import { digestOf as endDigestOf, payloadOf, payloadsOf, readAll } from "./reading.ts";

const pools: SerializerPool[] = [];
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
});

function newPool(options: PoolOptions = {}): SerializerPool {
  const pool = new SerializerPool({ slots: 4, slotBytes: 4096, ...options });
  pools.push(pool);
  return pool;
}

function newStore(keys: number, seed: readonly [number, number] = [1, 2]): Store {
  const store = new Store({ arenaSegmentBytes: 16384, hashSeed: seed });
  for (let n = 0; n < keys; n++) put(store, `key${n}`, Buffer.alloc(n % 500, n));
  return store;
}

/** toEqual takes seconds for a thousand Buffers. */
function expectSameBytes(some: readonly Buffer[], others: readonly Buffer[]): void {
  expect(some.map((bytes) => bytes.length)).toEqual(others.map((bytes) => bytes.length));
  expect(Buffer.concat(some).equals(Buffer.concat(others))).toBe(true);
}

function put(store: Store, key: string, value: Buffer, expireAt = 0): void {
  const bytes = m.setRecord(Buffer.from(key), value, expireAt);
  store.apply(bytes, 0, bytes.length);
}

test("a read in the worker => the frames that a read in this thread gives", async () => {
  const store = newStore(3000);
  put(store, "large", Buffer.alloc(100_000, 5)); // Larger than a chunk and than a segment.
  const snapshot = store.freeze();
  const frozen: FrozenState = newPool().frozen(snapshot);
  const read = readAll(frozen);
  const totals = await read.done;
  const inline = m.readChunks(snapshot, 4096);
  expectSameBytes(payloadsOf(read.frames), inline.payloads);
  expect(endDigestOf(read.frames)).toBe(inline.digest);
  expect(totals.records).toBe(3001);
  expect(totals.chunks).toBe(read.frames.length);
  const digest = createHash("sha256");
  read.frames.forEach((frame, number) => {
    expect(frame.readUInt32LE(0)).toBe(crc32(frame.subarray(4, 16)));
    expect(frame.readUInt32LE(4)).toBe(crc32(frame.subarray(16)));
    expect([frame[8], frame.readUInt32LE(12)]).toEqual([8, frame.length]);
    expect(frame.readUInt32LE(16)).toBe(number);
    digest.update(frame.subarray(4, 8));
  });
  expect(endDigestOf(read.frames)).toBe(digest.digest("hex"));
  const loaded = m.loadStore(payloadsOf(read.frames), totals.records, m.TINY);
  m.expectSame(m.contentOf(loaded), m.contentOf(store));
  frozen.close();
  expect(store.stats().snapshotsOpen).toBe(0);
});

test("an empty store => no chunks, totals at once", async () => {
  const frozen = newPool().frozen(newStore(0).freeze());
  const totals = await readAll(frozen).done;
  expect(totals).toEqual({ chunks: 0, records: 0 });
  frozen.close();
});

test("a read from chunk n, known or not => the same frames from there, the same totals", async () => {
  const store = newStore(3000);
  const frozen = newPool().frozen(store.freeze());
  const unknown = readAll(frozen, 7); // Nothing is noted yet: what is before is made and skipped.
  const totals = await unknown.done;
  const all = readAll(frozen);
  expect(await all.done).toEqual(totals);
  expectSameBytes(unknown.frames, all.frames.slice(7));
  const known = readAll(frozen, 20);
  expect(await known.done).toEqual(totals);
  expectSameBytes(known.frames, all.frames.slice(20));
  const none = readAll(frozen, totals.chunks);
  expect(await none.done).toEqual(totals);
  expect(none.frames).toEqual([]);
  await expect(readAll(frozen, totals.chunks + 1).done).rejects.toThrow("there is no chunk");
  frozen.close();
});

test("nothing is released => no more than the ring's slots are produced", async () => {
  const frozen = newPool().frozen(newStore(3000).freeze());
  const reader = frozen.read(0, { ready: () => undefined, failed: (r) => expect.fail(r) });
  const taken: NonNullable<ReturnType<typeof reader.take>>[] = [];
  const took = (count: number) => (): boolean => {
    for (let chunk = reader.take(); chunk !== null; chunk = reader.take()) taken.push(chunk);
    return taken.length >= count;
  };
  await until(took(4), { what: "as many chunks as the ring has slots" });
  await sleep(30);
  took(4)();
  expect(taken.map((chunk) => chunk.number)).toEqual([0, 1, 2, 3]);
  // Released out of order: the worker waits for the slot that comes next.
  reader.release(taken[1]!);
  await sleep(30);
  expect(reader.take()).toBe(null);
  reader.release(taken[0]!);
  await until(took(6), { what: "the chunks of the two slots" });
  expect(taken.slice(4).map((chunk) => chunk.number)).toEqual([4, 5]);
  reader.close();
  frozen.close();
});

test("a reader closed in the middle => slots that are out stay as they were, the pin goes", async () => {
  const store = newStore(3000);
  const pool = newPool({ size: 1 });
  const frozen = pool.frozen(store.freeze());
  const reader = frozen.read(0, { ready: () => undefined, failed: (r) => expect.fail(r) });
  let chunk = reader.take();
  while (chunk === null) {
    await turn();
    chunk = reader.take();
  }
  const before = payloadOf(chunk);
  reader.close();
  reader.close();
  expect(reader.take()).toBe(null);
  const again = readAll(frozen); // Takes the only worker, and must not get the ring that is out.
  await again.done;
  expect(payloadOf(chunk)).toEqual(before);
  reader.release(chunk);
  frozen.close();
  await turn();
  expect(store.stats().snapshotsOpen).toBe(0);
});

test("the snapshot is closed => open and queued readers fail with closed, later", async () => {
  const store = newStore(3000);
  const pool = newPool({ size: 1 });
  const frozen = pool.frozen(store.freeze());
  const reasons: string[] = [];
  const events = { ready: (): void => undefined, failed: (r: string) => reasons.push(r) };
  frozen.read(0, events);
  frozen.read(0, events);
  await sleep(50);
  frozen.close();
  frozen.close();
  expect(reasons).toEqual([]);
  expect(() => frozen.read(0, events)).toThrow("ERR_STORE_SNAPSHOT_CLOSED");
  await expect.poll(() => reasons).toEqual(["closed", "closed"]);
  await expect.poll(() => store.stats().snapshotsOpen).toBe(0);
});

test("more readers than workers => they queue and all end", async () => {
  const store = newStore(1000);
  const pool = newPool({ size: 2 });
  const frozen = pool.frozen(store.freeze());
  const reads = Array.from({ length: 7 }, () => readAll(frozen));
  await Promise.all(reads.map((read) => read.done));
  expect(new Set(reads.map(({ frames }) => endDigestOf(frames))).size).toBe(1);
  frozen.close();
});

test("the worker crashes => its reader fails with a reason, the next job gets a new one", async () => {
  const store = newStore(1000);
  const pool = newPool({
    size: 1,
    threads: threadsOf(new URL("./crashing-worker.mjs", import.meta.url)),
  });
  const first = store.freeze();
  const frozen = pool.frozen(first);
  await expect(readAll(frozen).done).rejects.toThrow("worker exited with code 7");
  await expect(pool.digest(first)).rejects.toThrow("ERR_STORE_WORKER");
  frozen.close();
  expect(store.stats().snapshotsOpen).toBe(0);
  const later = store.freeze();
  const again = pool.frozen(later);
  expect((await readAll(again).done).records).toBe(1000);
  expect((await pool.digest(later)).records).toBe(1000);
  again.close();
});

test("no thread can be started => the reader and the digest fail with the reason, a later job is done", async () => {
  const store = newStore(100);
  let hasThreads = false;
  const start = (kind: ThreadKind): Worker => {
    if (!hasThreads) throw new Error("ERR_WORKER_INIT_FAILED"); // What new Worker says.
    return ownThreads().start(kind);
  };
  const pool = newPool({ size: 1, threads: { start } });
  const snapshot = store.freeze();
  const frozen = pool.frozen(snapshot);
  const heard: string[] = [];
  const events = { ready: () => undefined, failed: (reason: string) => heard.push(reason) };
  const reader = frozen.read(0, events);
  expect(heard).toEqual([]);
  await until(() => heard.length === 1, { what: "the failure" });
  expect(heard[0]).toMatch(/^the worker did not start: .*ERR_WORKER_INIT_FAILED/);
  expect([reader.take(), reader.totals]).toEqual([null, null]);
  const queued = Promise.all([pool.digest(snapshot), pool.digest(snapshot)]);
  await expect(queued).rejects.toThrow(/ERR_STORE_WORKER: the worker did not start/);
  await expect(readAll(frozen).done).rejects.toThrow("the worker did not start");
  hasThreads = true;
  expect((await readAll(frozen).done).records).toBe(100);
  frozen.close();
  await turn();
  expect(store.stats().snapshotsOpen).toBe(0);
  await pool.close();
});

test("no memory for the ring => the reader fails, and so does the next; the pool goes on", async () => {
  const store = newStore(100);
  const pool = newPool({ size: 1 });
  const takeRing = (): Ring => SerializerPool.prototype.takeRing.call(pool);
  pool.takeRing = () => {
    throw new RangeError("Array buffer allocation failed");
  };
  const frozen = pool.frozen(store.freeze());
  await expect(readAll(frozen).done).rejects.toThrow("Array buffer allocation failed");
  await expect(readAll(frozen).done).rejects.toThrow("Array buffer allocation failed");
  pool.takeRing = takeRing;
  expect((await readAll(frozen).done).records).toBe(100);
  frozen.close();
  await until(() => store.stats().snapshotsOpen === 0, { what: "the snapshot to be let go" });
});

test("digest => equal for equal states in any order and under any hash seed", async () => {
  const pool = newPool();
  const store = newStore(2000);
  put(store, "timed", Buffer.from("v"), 1000);
  const other = new Store({ ...m.TINY, hashSeed: [77, 78] });
  put(other, "timed", Buffer.from("old"));
  for (let n = 1999; n >= 0; n--) put(other, `key${n}`, Buffer.alloc(600, 9));
  put(other, "timed", Buffer.from("v"), 1000);
  for (let n = 1999; n >= 0; n--) put(other, `key${n}`, Buffer.alloc(n % 500, n));
  const digestOf = async (of: Store, options = {}): Promise<unknown> => {
    const snapshot = of.freeze();
    const digest = pool.digest(snapshot, options);
    snapshot.close(); // Retained by the job.
    return digest;
  };
  const before = await digestOf(store, { buckets: 64 });
  expect(before).toMatchObject({ records: 2001 });
  expect((before as { sum: string }).sum).toMatch(/^[0-9a-f]{16}$/);
  expect(await digestOf(other, { buckets: 64 })).toEqual(before);
  expect(await digestOf(store, { buckets: 64, seed: "00".repeat(16) })).not.toEqual(before);
  const without = await digestOf(store, { excludeExpiredAt: 1000 });
  const del = m.delRecord(Buffer.from("timed"));
  other.apply(del, 0, del.length);
  expect(await digestOf(other)).toEqual(without);
  put(other, "key5", Buffer.from("differs"));
  const differs = (await digestOf(other, { buckets: 64 })) as { buckets: Uint32Array };
  const buckets = (before as { buckets: Uint32Array }).buckets;
  const changed = buckets.filter((sum, n) => sum !== differs.buckets[n]).length;
  expect(changed).toBeGreaterThan(0);
  expect(changed).toBeLessThanOrEqual(2); // That of key5, and that of the deleted key.
  expect(store.stats().snapshotsOpen + other.stats().snapshotsOpen).toBe(0);
});

test("an idle pool does not keep the process alive", () => {
  const dist = new URL("../../../dist/store/", import.meta.url).href;
  const script = `
    import { Store } from "${dist}store.js";
    import { SerializerPool } from "${dist}pool.js";
    const store = new Store();
    const pool = new SerializerPool();
    const snapshot = store.freeze();
    const { records } = await pool.digest(snapshot);
    console.log("records", records);`;
  const out = execFileSync(process.execPath, ["--input-type=module", "-e", script], {
    timeout: 20_000,
    encoding: "utf8",
  });
  expect(out).toBe("records 0\n");
});

test("the pool is closed in the middle => readers and digests end, nothing is left", async () => {
  const store = newStore(3000);
  const pool = newPool();
  const snapshot = store.freeze();
  const frozen = pool.frozen(snapshot);
  const read = readAll(frozen);
  const digest = pool.digest(snapshot);
  await Promise.all([
    expect(read.done).rejects.toThrow("closed"),
    expect(digest).rejects.toThrow("ERR_STORE_WORKER"),
    pool.close(),
  ]);
  frozen.close();
  expect(store.stats().snapshotsOpen).toBe(0);
});

test("stress: a writer at full speed and two serializers => every scan equals the model", async () => {
  const seed = Number(process.env["SEED"] ?? Date.now() & 0xffff);
  console.log(
    `store stress: SEED=${seed} npx vitest run --project unit test/unit/store/pool.test.ts`,
  );
  let state = seed | 1;
  const random = (below: number): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
  const store = new Store({ arenaSegmentBytes: 4096, indexPageEntries: 64 });
  const model: m.Model = new Map();
  const pool = newPool({ slots: 3, slotBytes: 1024 });
  const write = (): void => {
    const key = Buffer.from(`k${random(1200)}`);
    const kind = random(20);
    const value = Buffer.alloc(random(random(10) === 0 ? 2000 : 90), random(256));
    const bytes =
      kind < 13
        ? m.setRecord(key, value, kind < 2 ? 1 + random(1000) : 0)
        : kind < 17
          ? m.delRecord(key)
          : kind < 18
            ? m.patchRecord(key, random(100), value)
            : kind < 19
              ? m.moveRecord("rename", key, Buffer.from(`k${random(1200)}`))
              : m.expireRecord(key, random(1000));
    store.apply(bytes, 0, bytes.length);
    m.applyToModel(model, bytes);
  };
  let scans = 0;
  let writing = true;
  const scan = async (): Promise<void> => {
    while (writing) {
      const frozen = pool.frozen(store.freeze());
      const expected = new Map(model);
      const read = readAll(frozen);
      const totals = await read.done;
      frozen.close();
      m.expectSame(
        m.contentOf(m.loadStore(payloadsOf(read.frames), totals.records, m.TINY)),
        expected,
      );
      scans++;
    }
  };
  const scanning = [scan(), scan()];
  const end = performance.now() + Number(process.env["STRESS_MS"] ?? 2000);
  let writes = 0;
  while (performance.now() < end) {
    for (let n = 0; n < 200; n++) write();
    writes += 200;
    if (random(200) === 0) {
      store.apply(m.flushRecord(), 0, 2);
      model.clear();
    }
    store.maintain();
    await turn();
  }
  writing = false;
  await Promise.all(scanning);
  expect(scans).toBeGreaterThan(2);
  expect(writes).toBeGreaterThan(1000);
  while (store.maintain());
  m.expectSame(m.contentOf(store), model);
  checkInvariants(store);
  console.log(`store stress: ${scans} scans beside ${writes} writes`);
}, 60_000);

test("an inline source closed in the middle => its reader fails with closed at the next step", () => {
  const store = newStore(100);
  const source = new InlineSource(store.freeze(), { slots: 2, slotBytes: 1024 });
  const reasons: string[] = [];
  const reader = source.read(0, { ready: () => undefined, failed: (r) => reasons.push(r) });
  expect([source.step(), source.step(), source.step()]).toEqual([true, true, false]);
  source.close();
  expect(reader.take()).toBe(null);
  expect(reasons).toEqual([]);
  expect(source.step()).toBe(true);
  expect(reasons).toEqual(["closed"]);
  expect(store.stats().snapshotsOpen).toBe(0);
});
