/** Nodes with --dir that are killed at either end: what they have at once, and the path they go on by. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { converge, count } from "../../tools/converge.ts";
import type { Daemon } from "../../tools/processes.ts";
import { until } from "../../tools/wait.ts";
import { directory, portsOf } from "../tools/data-directory.ts";
import { fill } from "../tools/fill.ts";
import { useFleet } from "../tools/fleet.ts";

const KEYS = 2_000;
/** Slow enough to be killed in. */
const SLOW = ["--checkpoint-rate", "16kb"];

/** All that the log has is in files. */
async function written(node: Daemon): Promise<void> {
  await until(
    async () => {
      const info = await node.info();
      return info.number("log_written") >= info.number("log_appended");
    },
    { what: `the log of ${node.name} to be written` },
  );
}

/** The manifest names a checkpoint: of a replica, that of the generation that its snapshot began. */
async function hasCheckpoint(node: Daemon): Promise<void> {
  await until(() => node.find("checkpoint_done"), { what: `a checkpoint of ${node.name}` });
}

const countOf = async (node: Daemon, name: string): Promise<number> =>
  count((await node.status()).counters, name);

const generations = (dir: string): string[] =>
  readdirSync(dir).filter((name) => name.startsWith("generation-"));

const generationOf = (dir: string): unknown =>
  (
    JSON.parse(readFileSync(join(dir, "manifest"), "utf8").split("\n")[0]!) as {
      generation: unknown;
    }
  ).generation;

const consentIn = (dir: string): unknown =>
  (JSON.parse(readFileSync(join(dir, "node.json"), "utf8")) as { consent: unknown }).consent;

test("e2e: restart: kill -9 of a replica => its state is there without a primary, then a partial resync", async () => {
  const fleet = useFleet();
  const dir = directory(fleet);
  const primary = await fleet.primary();
  await fill(primary, { keys: KEYS });
  const replica = await fleet.replica(primary, "--dir", dir);
  await hasCheckpoint(replica);
  await fill(primary, { keys: 300, prefix: "later" });
  await converge([primary, replica]);
  await written(replica);
  const before = await replica.status();
  await replica.kill();
  await fill(primary, { keys: 300, prefix: "missed" });
  const fulls = await countOf(primary, "sync_full");
  const partials = await countOf(primary, "sync_partial_ok");
  primary.pause();

  const again = await fleet.replica(primary, ...portsOf(replica), "--dir", dir);
  expect(await again.call("DBSIZE")).toBe(KEYS + 300);
  expect((await again.status()).position).toEqual(before.position);
  // Nobody can say before the primary does: what it acknowledged last may not have been in a file.
  expect([before.complete, (await again.status()).complete]).toEqual([true, false]);
  primary.resume();
  await converge([primary, again]);
  expect((await again.status()).complete).toBe(true);
  expect((await primary.status()).links[0]?.complete).toBe(true);
  expect(await again.call("DBSIZE")).toBe(KEYS + 600);
  expect(await countOf(again, "snapshots_restored")).toBe(0);
  expect(await countOf(primary, "sync_full")).toBe(fulls);
  expect(await countOf(primary, "sync_partial_ok")).toBe(partials + 1);
});

test("e2e: restart: kill -9 of a promoted replica => it leads with its state, the other goes on by partial resync", async () => {
  const fleet = useFleet();
  const dir = directory(fleet);
  const old = await fleet.primary();
  await fill(old, { keys: KEYS });
  const promoted = await fleet.replica(old, "--dir", dir);
  const other = await fleet.replica(old);
  await converge([old, promoted, other]);
  await hasCheckpoint(promoted);
  expect(await promoted.call("REPLICAOF", "NO", "ONE")).toBe("OK");
  await other.call("REPLICAOF", "127.0.0.1", promoted.replPort);
  await fill(promoted, { keys: 100, prefix: "led" });
  await converge([promoted, other]);
  await written(promoted);
  await promoted.kill();

  const again = await fleet.replica(old, ...portsOf(promoted), "--dir", dir);
  expect((await again.status()).role).toBe("primary");
  expect(again.find("primary_starts_empty")).toBeUndefined();
  expect(await again.call("DBSIZE")).toBe(KEYS + 100);
  await converge([again, other]);
  expect(await countOf(again, "sync_full")).toBe(0);
  // The old primary, which was fenced and follows by itself, is one of them.
  expect(await countOf(again, "sync_partial_ok")).toBeGreaterThan(0);
  expect(await countOf(other, "snapshots_restored")).toBe(1);
});

test("e2e: restart: a replica was promoted where its primary died, and leads for nothing yet => the primary comes back as a primary, then follows by partial resync", async () => {
  const fleet = useFleet();
  const dir = directory(fleet);
  const primary = await fleet.primary("--dir", dir);
  await fill(primary, { keys: KEYS });
  const replica = await fleet.replica(primary);
  await converge([primary, replica]);
  await written(primary);
  await primary.kill();
  await replica.call("REPLICAOF", "NO", "ONE");
  const again = await fleet.primary(...portsOf(primary), "--dir", dir);
  const position = async (node: Daemon): Promise<number> => (await node.status()).position.offset;
  expect(await position(again)).toBe(await position(replica));
  await again.call("REPLICAOF", "127.0.0.1", replica.replPort);
  await fill(replica, { keys: 100, prefix: "led" });
  await converge([replica, again]);
  expect(await again.call("DBSIZE")).toBe(KEYS + 100);
  expect(await countOf(replica, "sync_full")).toBe(0);
  expect(await countOf(replica, "sync_partial_ok")).toBe(1);
  expect(await countOf(again, "node_batches_differ")).toBe(0);
});

test("e2e: restart: a stopped replica has all that it acknowledged, and says so without its primary", async () => {
  const fleet = useFleet();
  const dir = directory(fleet);
  const primary = await fleet.primary();
  await fill(primary, { keys: KEYS });
  const replica = await fleet.replica(primary, "--dir", dir);
  await hasCheckpoint(replica);
  await fill(primary, { keys: 300, prefix: "later" });
  await converge([primary, replica]);
  await replica.stop();
  primary.pause();
  const again = await fleet.replica(primary, ...portsOf(replica), "--dir", dir);
  expect((await again.status()).complete).toBe(true);
  // It was killed since, before anybody could tell it what it lacks.
  await again.kill();
  const third = await fleet.replica(primary, ...portsOf(replica), "--dir", dir);
  await third.stop();
  const fourth = await fleet.replica(primary, ...portsOf(replica), "--dir", dir);
  expect((await fourth.status()).complete).toBe(false);
  primary.resume();
});

test("e2e: restart: kill -9 in a checkpoint => the log from before it, and the next one is made", async () => {
  const fleet = useFleet();
  const dir = directory(fleet);
  const primary = await fleet.primary("--dir", dir, ...SLOW);
  const replica = await fleet.replica(primary);
  await fill(primary, { keys: KEYS, valueBytes: [1000, 1001] });
  await primary.call("BGSAVE");
  await until(() => primary.find("checkpoint_begins"), { what: "a checkpoint to begin" });
  await primary.call("SET", "during", "1");
  await converge([primary, replica]);
  await written(primary);
  await primary.kill();
  expect(primary.find("checkpoint_done")).toBeUndefined();

  const again = await fleet.primary(...portsOf(primary), "--dir", dir);
  expect(again.find("recovered")).toMatchObject({ checkpoint: -1 });
  expect(again.find("log_cut")).toBeUndefined();
  await converge([again, replica]);
  expect(await again.call("DBSIZE")).toBe(KEYS + 1);
  expect(await countOf(again, "sync_full")).toBe(0);
  await again.call("BGSAVE");
  await hasCheckpoint(again);
  const folder = join(dir, generations(dir)[0]!);
  expect(readdirSync(folder).filter((name) => name.endsWith(".tmp"))).toEqual([]);
});

test("e2e: restart: kill -9 in the checkpoint of a new generation => the old one is there, whole", async () => {
  const fleet = useFleet();
  const dir = directory(fleet);
  const old = await fleet.primary();
  await fill(old, { keys: KEYS });
  const first = await fleet.replica(old, "--dir", dir);
  await hasCheckpoint(first);
  await converge([old, first]);
  const { position } = await first.status();
  const counted = generationOf(dir);
  const next = await fleet.primary();
  await fill(next, { keys: 3 * KEYS, prefix: "next" });
  await first.call("CONFIG", "SET", "checkpoint-rate", "16kb");
  await first.call("REPLICAOF", "127.0.0.1", next.replPort);
  await converge([next, first]);
  await until(() => first.findAll("checkpoint_begins", { cause: "generation" })[1], {
    what: "the checkpoint of the second generation",
  });
  await first.kill();
  expect(first.findAll("checkpoint_done")).toHaveLength(1);
  expect(generationOf(dir)).toBe(counted);
  expect(generations(dir)).toHaveLength(2);

  next.pause();
  const again = await fleet.replica(next, ...portsOf(first), "--dir", dir);
  expect(again.find("recovered")).toMatchObject({ offset: position.offset });
  expect(await again.call("DBSIZE")).toBe(KEYS);
  expect(generations(dir)).toHaveLength(1);
  next.resume();
  // What it has is of another history, and the consent to discard it outlived the process.
  await converge([next, again]);
  expect(await again.call("DBSIZE")).toBe(3 * KEYS);
  expect(await countOf(again, "snapshots_restored")).toBe(1);
  await hasCheckpoint(again);
  expect(generationOf(dir)).not.toBe(counted);
  expect(generations(dir)).toHaveLength(1);
  await until(() => consentIn(dir) === null, { what: "the consent to be used up" });
});

test("e2e: restart: REPLICAOF to a stranger, kill -9 in the middle of the ship => the next process goes on with it alone", async () => {
  const fleet = useFleet();
  const dir = directory(fleet);
  const old = await fleet.primary();
  await fill(old, { keys: KEYS });
  const first = await fleet.replica(old, "--dir", dir);
  await hasCheckpoint(first);
  await converge([old, first]);
  const next = await fleet.primary("--ship-rate", "64kb");
  await fill(next, { keys: KEYS, prefix: "next", valueBytes: [500, 501] });
  expect(await first.call("REPLICAOF", "127.0.0.1", next.replPort)).toBe("OK");
  expect(consentIn(dir)).toMatchObject({ kind: "replicaof" });
  await until(() => first.findAll("restore_begins")[1], { what: "the ship to begin" });
  await first.kill();
  const nodeId = (await next.status()).nodeId;
  expect(consentIn(dir)).toMatchObject({ nodeId, upstream: { port: next.replPort } });

  // Another node at the same address is not whom it was for.
  await next.kill();
  const other = await fleet.primary(...portsOf(next));
  await fill(other, { keys: 10, prefix: "other" });
  const again = await fleet.replica(next, ...portsOf(first), "--dir", dir);
  await until(async () => (await again.status()).upstream?.lastError.includes("unrelated"), {
    what: "the replica to refuse, or to be refused",
  });
  expect(await again.call("DBSIZE")).toBe(KEYS);
  await until(() => consentIn(dir) === null, { what: "the consent to be used up" });
});

test("e2e: restart: kill -9 of both ends => both come back, a partial resync, no snapshot", async () => {
  const fleet = useFleet();
  const [dir, replicaDir] = [directory(fleet), directory(fleet)];
  const primary = await fleet.primary("--dir", dir);
  await fill(primary, { keys: KEYS });
  const replica = await fleet.replica(primary, "--dir", replicaDir);
  await hasCheckpoint(replica);
  await fill(primary, { keys: 300, prefix: "later" });
  await converge([primary, replica]);
  await Promise.all([written(primary), written(replica)]);
  await Promise.all([primary.kill(), replica.kill()]);

  const back = await fleet.replica(primary, ...portsOf(replica), "--dir", replicaDir);
  expect(await back.call("DBSIZE")).toBe(KEYS + 300);
  const again = await fleet.primary(...portsOf(primary), "--dir", dir);
  expect(await again.call("DBSIZE")).toBe(KEYS + 300);
  await converge([again, back]);
  expect(await countOf(back, "snapshots_restored")).toBe(0);
  expect(await countOf(again, "sync_full")).toBe(0);
  expect(await countOf(again, "sync_partial_ok")).toBe(1);
});
