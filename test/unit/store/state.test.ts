/**
 * The seam as a reader of its own uses it, a checkpoint say: a snapshot of a busy store is read in
 * order and in bounded memory, stopped, gone on with from chunk n, and an error is a value. Nothing of
 * a feeder is needed for it.
 */
import { setImmediate as turn } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import { ArenaState } from "../../../src/store/arena-state.ts";
import { InlineSource } from "../../../src/store/inline-source.ts";
import { type PoolOptions, SerializerPool } from "../../../src/store/pool.ts";
import {
  CHUNK_ROOM_BYTES,
  type ChunkTotals,
  type FrozenState,
  type ReadyChunk,
} from "../../../src/store/state.ts";
import { Store } from "../../../src/store/store.ts";
import { threadsOf } from "../../../src/threads.ts";
import { CHUNK_HEAD_BYTES, chunkSum } from "../../../src/wire/frame.ts";
import * as m from "./model.ts";
import { payloadOf } from "./reading.ts";

const SLOTS = 3;
const pools: SerializerPool[] = [];
afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()));
});

/** A state whose snapshots are read in threads. */
function threaded(store: Store, options: PoolOptions = {}): ArenaState {
  const pool = new SerializerPool({ slots: SLOTS, slotBytes: 1024, ...options });
  pools.push(pool);
  return new ArenaState(store, (snapshot) => pool.frozen(snapshot));
}

/** The same, read one step after the other in this thread. */
function stepped(store: Store): ArenaState {
  return new ArenaState(store, (snapshot) => {
    const source = new InlineSource(snapshot, { slots: SLOTS, slotBytes: 1024 });
    const step = (): void => {
      source.step();
      if (!snapshot.closed) setImmediate(step);
    };
    setImmediate(step);
    return source;
  });
}

function put(store: Store, key: string, value: Buffer): void {
  const bytes = m.setRecord(Buffer.from(key), value);
  store.apply(bytes, 0, bytes.length);
}

type End =
  | { readonly kind: "stopped" }
  | { readonly kind: "complete"; readonly totals: ChunkTotals }
  | { readonly kind: "failed"; readonly reason: string };

/** Reads from chunk `from` on into `chunks`, at most up to `count` of them, writing after each. */
async function readInto(
  chunks: Buffer[],
  frozen: FrozenState,
  count: number,
  write: () => void = () => undefined,
): Promise<End> {
  const failures: string[] = [];
  const reader = frozen.read(chunks.length, {
    ready: () => undefined,
    failed: (reason) => failures.push(reason),
  });
  const held: ReadyChunk[] = [];
  for (;;) {
    if (failures.length > 0) return { kind: "failed", reason: failures.join() };
    if (reader.totals !== null) return { kind: "complete", totals: reader.totals };
    if (chunks.length === count) {
      reader.close();
      return { kind: "stopped" };
    }
    // As slow as a disk: everything that the ring has is taken before any of it is released.
    for (let next = reader.take(); next !== null; next = reader.take()) held.push(next);
    expect(held.length).toBeLessThanOrEqual(SLOTS);
    for (const chunk of held.splice(0)) {
      if (chunks.length < count) {
        expect(chunk.number).toBe(chunks.length);
        expect(chunk.from).toBeGreaterThanOrEqual(CHUNK_ROOM_BYTES);
        expect(chunkSum(chunk.bytes, chunk.from, chunk.to, chunk.number)).toBe(chunk.sum);
        chunks.push(payloadOf(chunk));
      }
      reader.release(chunk);
    }
    write();
    await turn();
  }
}

describe.each([
  ["in a thread", threaded],
  ["in steps", stepped],
])("a frozen state, read %s", (_name, stateOf) => {
  test("busy store, stopped in the middle, another goes on => the state at the freeze", async () => {
    const store = new Store(m.TINY);
    for (let n = 0; n < 400; n++) put(store, `key${n}`, Buffer.alloc(n % 90, n));
    put(store, "large", Buffer.alloc(5_000, 1)); // Goes over several chunks.
    const state = stateOf(store);
    const before = m.contentOf(store);
    const frozen = state.freeze();
    let writes = 0;
    const write = (): void => {
      for (let n = 0; n < 20; n++) put(store, `key${writes++ % 700}`, Buffer.alloc(writes % 90, 9));
      store.maintain();
    };
    const chunks: Buffer[] = [];
    expect(await readInto(chunks, frozen, 17, write)).toEqual({ kind: "stopped" });
    expect(chunks).toHaveLength(17);
    const end = await readInto(chunks, frozen, Number.POSITIVE_INFINITY, write);
    const totals = { chunks: chunks.length, records: 401 };
    expect(end).toEqual({ kind: "complete", totals });
    expect(chunks.length).toBeGreaterThan(25);
    m.expectSame(m.contentOf(m.loadStore(chunks, 401, m.TINY)), before);
    expect(state.memory().pinnedBytes).toBeGreaterThan(0);
    expect(state.reclaimableBytes([frozen])).toBe(state.memory().pinnedBytes);
    frozen.close();
    while (store.maintain());
    expect(state.memory().pinnedBytes).toBe(0);
  });

  test("closed while it is read => its reader ends with a reason", async () => {
    const store = new Store(m.TINY);
    for (let n = 0; n < 400; n++) put(store, `key${n}`, Buffer.alloc(50, n));
    const frozen = stateOf(store).freeze();
    let turns = 0;
    const close = (): void => {
      if (++turns === 5) frozen.close();
    };
    const end = await readInto([], frozen, Number.POSITIVE_INFINITY, close);
    expect(end).toEqual({ kind: "failed", reason: "closed" });
    await expect.poll(() => store.stats().snapshotsOpen).toBe(0);
  });

  test("an empty state => no chunks, the sum of nothing", async () => {
    const state = stateOf(new Store(m.TINY));
    expect(state.isEmpty()).toBe(true);
    const frozen = state.freeze();
    const chunks: Buffer[] = [];
    const end = await readInto(chunks, frozen, Number.POSITIVE_INFINITY);
    expect([end, chunks]).toEqual([{ kind: "complete", totals: { chunks: 0, records: 0 } }, []]);
    expect(await frozen.digest({})).toMatchObject({ records: 0, sum: "0".repeat(16) });
    frozen.close();
  });

  test("equal states => equal sums, whatever order they were written in", async () => {
    const [store, other] = [new Store(m.TINY), new Store({ ...m.TINY, hashSeed: [5, 6] })];
    for (let n = 0; n < 50; n++) put(store, `key${n}`, Buffer.from(`${n}`));
    for (let n = 49; n >= 0; n--) put(other, `key${n}`, Buffer.from(`${n}`));
    const frozen = [stateOf(store).freeze(), stateOf(other).freeze()];
    const options = { seed: "ab".repeat(16), buckets: 8 };
    const [sum, same] = await Promise.all(frozen.map((each) => each.digest(options)));
    expect(sum).toEqual(same);
    expect(sum!.records).toBe(50);
    for (const each of frozen) each.close();
  });
});

test("the thread crashes => the reader's error is a value, and another reading begins", async () => {
  const store = new Store(m.TINY);
  for (let n = 0; n < 100; n++) put(store, `key${n}`, Buffer.alloc(50, n));
  const threads = threadsOf(new URL("./crashing-worker.mjs", import.meta.url));
  const frozen = threaded(store, { size: 1, threads }).freeze();
  const chunks: Buffer[] = [];
  const end = await readInto(chunks, frozen, Number.POSITIVE_INFINITY);
  expect(end).toEqual({ kind: "failed", reason: "worker exited with code 7" });
  frozen.close();
});

test("what is not a snapshot of this state gives nothing back", () => {
  const [state, other] = [threaded(new Store(m.TINY)), threaded(new Store(m.TINY))];
  const frozen = other.freeze();
  expect(state.reclaimableBytes([frozen])).toBe(0);
  frozen.close();
});

test("the room before a payload holds the head of a CHUNK frame", () => {
  expect(CHUNK_ROOM_BYTES).toBe(CHUNK_HEAD_BYTES);
});
