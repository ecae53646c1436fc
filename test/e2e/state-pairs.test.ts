/**
 * Every pair of states with the same records, one of each as the primary of the other: written from a seed, while
 * connections are cut and the replica is closed and opened again; in the end both have the same.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import { ClassicLevel } from "classic-level";
import { open as openLmdb } from "lmdb";
import { MemoryLevel } from "memory-level";
import { afterEach, expect, test } from "vitest";
import { clearRecord, deleteRecord, putRecord } from "../../src/adapters/key-value-records.ts";
import { levelState } from "../../src/adapters/level.ts";
import { lmdbState } from "../../src/adapters/lmdb.ts";
import { keyValueCodec, mapState } from "../../src/adapters/map.ts";
import type { ReplicatedState } from "../../src/bridge/seam.ts";
import { replicate, type ReplicatedNode } from "../../src/index.ts";
import { FaultProxy } from "../../tools/proxy.ts";
import { Random } from "../../tools/random.ts";
import { snapshotOf } from "../tools/lent-records.ts";

const SEED = Number(process.env["SEED"] ?? Date.now() % 1_000_000);
const ROUNDS = 30;

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Opened {
  readonly state: ReplicatedState;
  end(): unknown;
}

/** Each opens what is kept at its place; those in memory keep it there for this process. */
const KINDS: Readonly<Record<string, () => () => Opened>> = {
  map: () => {
    const map = mapState(keyValueCodec);
    return () => ({ state: map, end: () => undefined });
  },
  "memory-level": () => {
    const db = new MemoryLevel();
    return () => ({ state: levelState(db), end: () => undefined });
  },
  level: () => {
    const path = folder();
    return () => {
      const db = new ClassicLevel(path);
      return { state: levelState(db), end: () => db.close() };
    };
  },
  lmdb: () => {
    const path = folder();
    return () => {
      const db = openLmdb({ path });
      return { state: lmdbState(db) as unknown as ReplicatedState, end: () => db.close() };
    };
  },
};

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "hawser-pairs-"));
  closers.push(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

const drawRecords = (random: Random): Buffer[] =>
  Array.from({ length: random.between(1, 40) }, () => {
    const key = Buffer.from(`key ${random.between(0, 300)}`);
    const kind = random.fraction();
    if (kind < 0.004) return clearRecord();
    if (kind < 0.3) return deleteRecord(key);
    return putRecord(key, random.bytes(random.between(0, 300)));
  });

const names = Object.keys(KINDS);
const PAIRS = names.flatMap((primary) => names.map((replica) => [primary, replica] as const));

test.each(PAIRS)("%s => %s: equal after cuts and restarts", async (primaryKind, replicaKind) => {
  console.log(`SEED=${SEED} npx vitest run --project e2e test/e2e/state-pairs.test.ts`);
  const random = new Random(SEED);
  const from = KINDS[primaryKind]!()();
  closers.push(() => from.end());
  const primary = await replicate(from.state);
  closers.push(() => primary.close());
  const proxy = await FaultProxy.listen(primary.port, { seed: SEED });
  closers.push(() => proxy.close());
  const openReplica = KINDS[replicaKind]!();
  let to = openReplica();
  const options = { of: `127.0.0.1:${proxy.port}`, allowReset: true };
  let replica = await replicate(to.state, options);
  closers.push(() => replica.close().then(() => to.end()));
  let restarts = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    for (let i = random.between(1, 5); i > 0; i -= 1) await primary.write(drawRecords(random));
    const fault = random.fraction();
    if (fault < 0.3) proxy.cutAll(random.pick(["destroy", "reset", "halfClose"] as const));
    else if (fault < 0.4) {
      await replica.close();
      await to.end();
      to = openReplica();
      replica = await replicate(to.state, options);
      restarts += 1;
    } else if (fault < 0.6) await caughtUp(primary, replica);
  }
  // The last round may have removed all keys.
  await primary.write(
    Array.from({ length: 20 }, (_, i) => putRecord(Buffer.from(`last ${i}`), random.bytes(9))),
  );
  await caughtUp(primary, replica);
  const [here, there] = [await contentOf(from.state), await contentOf(to.state)];
  expect(there).toEqual(here);
  expect(here.length).toBeGreaterThan(10);
  const { sync_full: full = 0 } = primary.status().counters;
  // A replica that keeps a mark goes on from it.
  const keeps = to.state.durability !== "none";
  expect(full).toBeLessThanOrEqual(keeps ? 1 : 1 + restarts);
  expect(proxy.connectionsTotal).toBeGreaterThan(2);
});

/** As scripts/nodes/kinds.mjs opens one. */
interface OpenKind {
  readonly node: Pick<ReplicatedNode, "position" | "status" | "reached">;
  readonly port: number;
  put(pairs: readonly (readonly [key: number, value: number])[]): Promise<unknown>;
  remove(key: number): Promise<unknown>;
  content(): Promise<string[]>;
  close(): Promise<void>;
}

const { openKind } = (await import(
  new URL("../../scripts/nodes/kinds.mjs", import.meta.url).href
)) as { readonly openKind: (kind: string, place: string, options: object) => Promise<OpenKind> };

async function opened(kind: string, place: string, options: object): Promise<OpenKind> {
  const node = await openKind(kind, place, options);
  closers.push(() => node.close());
  return node;
}

async function written(kind: OpenKind, random: Random): Promise<void> {
  for (let n = random.between(1, 8); n > 0; n -= 1) {
    const key = random.between(0, 100);
    if (random.fraction() < 0.3) await kind.remove(key);
    else await kind.put([[key, random.between(0, 1000)]]);
  }
  // A delete of a key that is not there may leave no record (arena): with this the position moves in every round, so
  // that a replica that reaches it has been linked again.
  await kind.put([[random.between(0, 100), random.between(0, 1000)]]);
  // What the built-in store has written is at its position when the turn is over.
  await turn();
}

async function proxied(port: number): Promise<FaultProxy> {
  const proxy = await FaultProxy.listen(port, { seed: SEED });
  closers.push(() => proxy.close());
  return proxy;
}

async function sameThere(primary: OpenKind, replica: OpenKind): Promise<void> {
  await replica.node.reached(primary.node.position, { timeoutMs: 30_000 });
  expect(await replica.content()).toEqual(await primary.content());
}

test.each(["accounts", "arena"])(
  "two of %s: equal after cuts and restarts, with dir one full sync in all",
  async (kind) => {
    console.log(`SEED=${SEED} npx vitest run --project e2e test/e2e/state-pairs.test.ts`);
    const random = new Random(SEED);
    const primary = await opened(kind, folder(), { dir: join(folder(), "log") });
    const proxy = await proxied(primary.port);
    const options = { of: `127.0.0.1:${proxy.port}`, dir: join(folder(), "log") };
    const place = folder();
    let replica = await opened(kind, place, options);
    for (let round = 0; round < ROUNDS; round += 1) {
      await written(primary, random);
      const fault = random.fraction();
      if (fault < 0.3) proxy.cutAll(random.pick(["destroy", "reset", "halfClose"] as const));
      else if (fault < 0.4) {
        await replica.node.reached(primary.node.position, { timeoutMs: 30_000 });
        await replica.close();
        replica = await opened(kind, place, options);
      }
    }
    await sameThere(primary, replica);
    expect((await primary.content()).length).toBeGreaterThan(10);
    expect(primary.node.status().counters).toMatchObject({ sync_full: 1 });
  },
);

test.each([
  ["map", "level"],
  ["level", "lmdb"],
  ["lmdb", "map"],
  ["accounts", "accounts"],
  ["arena", "arena"],
])("%s => %s: a cut alone => a partial resync, each time", async (primaryKind, replicaKind) => {
  const random = new Random(SEED);
  const primary = await opened(primaryKind, folder(), {});
  const proxy = await proxied(primary.port);
  const replica = await opened(replicaKind, folder(), { of: `127.0.0.1:${proxy.port}` });
  await written(primary, random);
  await sameThere(primary, replica);
  for (let cuts = 1; cuts <= 3; cuts += 1) {
    proxy.cutAll("destroy");
    await written(primary, random);
    await sameThere(primary, replica);
    const { counters } = primary.node.status();
    expect(counters, `seed=${SEED}`).toMatchObject({ sync_full: 1, sync_partial_ok: cuts });
  }
});

const caughtUp = (primary: ReplicatedNode, replica: ReplicatedNode): Promise<void> =>
  replica.reached(primary.position, { timeoutMs: 30_000 });

const contentOf = async (state: ReplicatedState): Promise<string[]> =>
  (await snapshotOf(state)).map((record) => record.toString("latin1")).sort();
