/** Replicas of replicas, changes of place, and the ways a topology can be wrong. */
import { expect, test } from "vitest";
import { converge, count } from "../../tools/converge.ts";
import { directory, portsOf } from "../tools/data-directory.ts";
import { fill } from "../tools/fill.ts";
import { useFleet } from "../tools/fleet.ts";
import { RawResp } from "../tools/raw-resp.ts";
import { type Daemon, runHawser } from "../../tools/processes.ts";
import { until } from "../../tools/wait.ts";

const follow = (node: Daemon, upstream: Daemon): Promise<unknown> =>
  node.call("REPLICAOF", "127.0.0.1", upstream.replPort);
const promote = (node: Daemon): Promise<unknown> => node.call("REPLICAOF", "NO", "ONE");

async function isFenced(node: Daemon): Promise<void> {
  await until(async () => (await node.status()).fenced !== "", {
    what: `${node.name} to be fenced`,
    describe: () => node.status(),
  });
}

async function lastError(node: Daemon, text: string | RegExp): Promise<void> {
  await until(async () => new RegExp(text).test((await node.status()).upstream?.lastError ?? ""), {
    what: `${node.name} to show an error like ${String(text)}`,
    describe: () => node.status(),
  });
}

test("e2e: topology: cascade of four => one offset and one state, each fed by the one before", async () => {
  const fleet = useFleet();
  const root = await fleet.primary();
  const nodes = [root];
  for (let i = 0; i < 3; i++) nodes.push(await fleet.replica(nodes.at(-1)!));
  await fill(root, { keys: 20_000 });
  await converge(nodes);
  for (const [i, node] of nodes.entries()) {
    const { links, counters } = await node.status();
    expect(links).toHaveLength(i === 3 ? 0 : 1);
    expect(count(counters, "sync_full")).toBe(i === 3 ? 0 : 1);
  }
});

test("e2e: topology: the middle is promoted => its replica follows by partial resync", async () => {
  const fleet = useFleet();
  const root = await fleet.primary();
  const middle = await fleet.replica(root);
  const leaf = await fleet.replica(middle);
  await fill(root, { keys: 1000 });
  await converge([root, middle, leaf]);
  await root.kill();
  await promote(middle);
  await fill(middle, { keys: 100, prefix: "new" });
  const { counters, records } = await converge([middle, leaf]);
  expect(records).toBe(1100);
  expect(count(counters[0]!, "sync_full")).toBe(1);
  expect(count(counters[0]!, "sync_partial_ok")).toBe(1);
});

test("e2e: topology: re-parent a leaf from the middle to the root and to a sibling => partial", async () => {
  const fleet = useFleet();
  const root = await fleet.primary();
  const middle = await fleet.replica(root);
  const sibling = await fleet.replica(root);
  const leaf = await fleet.replica(middle);
  await fill(root, { keys: 1000 });
  await converge([root, middle, sibling, leaf]);
  await follow(leaf, root);
  await fill(root, { keys: 100, prefix: "second" });
  const one = await converge([root, middle, sibling, leaf]);
  expect(count(one.counters[0]!, "sync_full")).toBe(2);
  expect(count(one.counters[0]!, "sync_partial_ok")).toBe(1);
  await follow(leaf, sibling);
  await fill(root, { keys: 100, prefix: "third" });
  const two = await converge([root, sibling, middle, leaf]);
  expect(count(two.counters[1]!, "sync_full")).toBe(0);
  expect(count(two.counters[1]!, "sync_partial_ok")).toBe(1);
});

test("e2e: topology: re-parent to a sibling that is behind => waits for it, no full sync", async () => {
  const fleet = useFleet();
  const root = await fleet.primary();
  const proxy = await fleet.proxy(root);
  const behind = await fleet.replica(proxy);
  const ahead = await fleet.replica(root);
  await fill(root, { keys: 1000 });
  await converge([root, behind, ahead]);
  proxy.down.stall();
  await root.call("SET", "k", "only one of them has this");
  await converge([root, ahead]);
  await follow(ahead, behind);
  await until(
    async () => count((await behind.status()).counters, "resume_ahead_of_replica") === 1,
    {
      what: "the decision to wait",
      describe: () => behind.status(),
    },
  );
  expect(await ahead.text("GET", "k")).toBe("only one of them has this");
  proxy.down.resume();
  const { counters } = await converge([root, behind, ahead]);
  expect(count(counters[1]!, "sync_full")).toBe(0);
});

test("e2e: topology: the fallen primary wakes up => it is fenced, and a replica of its successor", async () => {
  const fleet = useFleet();
  const old = await fleet.primary();
  const one = await fleet.replica(old);
  const two = await fleet.replica(old);
  await fill(old, { keys: 1000 });
  await converge([old, one, two]);
  old.pause();
  await promote(one);
  await follow(two, one);
  await fill(one, { keys: 50, prefix: "new era" });
  await converge([one, two]);
  old.resume();
  await until(async () => (await old.status()).upstream?.state === "streaming", {
    what: "the old primary to follow",
    describe: () => old.status(),
  });
  await expect(old.call("SET", "lost", "too late")).rejects.toThrow(/^READONLY/);
  await follow(old, one);
  const { counters, records } = await converge([one, two, old]);
  expect(records).toBe(1050);
  expect(count(counters[0]!, "sync_full")).toBe(0);
});

test("e2e: topology: a replica is promoted beside its primary => that is fenced, and follows by itself", async () => {
  const fleet = useFleet();
  const old = await fleet.primary();
  const one = await fleet.replica(old);
  await fill(old, { keys: 10 });
  await converge([old, one]);
  const client = await RawResp.connect(old.port);
  await promote(one);
  const { history } = (await one.status()).position;
  await until(async () => (await old.status()).upstream?.state === "streaming", {
    what: "the old primary to follow",
    describe: () => old.status(),
  });
  expect(old.find("fenced")).toMatchObject({ level: "warn", by_history: history, own_bytes: 0 });
  expect(await client.untilClosed()).toBe("");
  await expect(old.call("SET", "a", "b")).rejects.toThrow(/^READONLY/);
  await fill(one, { keys: 10, prefix: "led" });
  const { counters } = await converge([one, old]);
  expect(count(counters[0]!, "sync_full")).toBe(0);
  expect(count(counters[1]!, "fenced")).toBe(1);
});

test("e2e: topology: a fenced primary with writes of its own => it waits, over a restart too, until it is told", async () => {
  const fleet = useFleet();
  const dir = directory(fleet);
  const old = await fleet.primary("--dir", dir);
  const proxy = await fleet.proxy(old);
  const one = await fleet.replica(proxy);
  await fill(old, { keys: 10 });
  await converge([old, one]);
  proxy.down.stall();
  await fill(old, { keys: 1, prefix: "own" });
  await promote(one);
  proxy.down.resume();
  await isFenced(old);
  const ownBytes = old.find("fenced")!["own_bytes"];
  expect(ownBytes).toBeGreaterThan(0);
  await old.kill();

  const again = await fleet.primary(...portsOf(old), "--dir", dir);
  await isFenced(again);
  expect(await again.call("DBSIZE")).toBe(11);
  await expect(again.call("SET", "a", "b")).rejects.toThrow(
    /^READONLY This node is fenced: it led with rank 1\.0, and .* leads with rank 2\.0$/,
  );
  const info = await again.info();
  expect([info.text("fenced"), info.text("own_bytes")]).toEqual(["1", String(ownBytes)]);
  // Nobody has told it how far the other is.
  expect(info.text("root_lag_bytes")).toBe("-1");
  const page = await runHawser(["status", `127.0.0.1:${again.port}`]);
  expect(page.stdout).toMatch(
    /\d+(\.\d+)? \w*B of its log the other has not: discarded when it follows/,
  );
  await follow(again, one);
  await fill(one, { keys: 5, prefix: "led" });
  const { counters, records } = await converge([one, again]);
  expect(records).toBe(15);
  expect(count(counters[0]!, "resume_diverged")).toBe(1);
});

test("e2e: topology: three rotations of the primary without writes => never a full sync more", async () => {
  const fleet = useFleet();
  const nodes = [await fleet.primary()];
  nodes.push(await fleet.replica(nodes[0]!), await fleet.replica(nodes[0]!));
  await fill(nodes[0]!, { keys: 500 });
  await converge(nodes);
  for (let round = 0; round < 3; round++) {
    const next = nodes[1]!;
    const others = [nodes[2]!, nodes[0]!] as const;
    await promote(next);
    for (const other of others) await follow(other, next);
    nodes.splice(0, 3, next, ...others);
    await converge(nodes);
  }
  const all = await Promise.all(nodes.map(async (node) => (await node.status()).counters));
  expect(all.reduce((sum, counters) => sum + count(counters, "sync_full"), 0)).toBe(2);
});

test("e2e: topology: a node that follows itself => refused, it keeps its data", async () => {
  const fleet = useFleet();
  const node = await fleet.primary();
  await fill(node, { keys: 10 });
  await follow(node, node);
  await lastError(node, "self|itself");
  expect(await node.call("DBSIZE")).toBe(10);
  await promote(node);
  expect(await node.call("SET", "k", "v")).toBe("OK");
});

test("e2e: topology: two nodes that follow each other => refused as a cycle, until one is promoted", async () => {
  const fleet = useFleet();
  const one = await fleet.primary();
  const two = await fleet.replica(one);
  await fill(one, { keys: 10 });
  await converge([one, two]);
  await follow(one, two);
  await lastError(one, "cycle");
  expect(await one.call("DBSIZE")).toBe(10);
  await promote(two);
  const { records } = await converge([two, one]);
  expect(records).toBe(10);
});

test("e2e: topology: two replicas with one node.json => the second is turned away, the first stays", async () => {
  const { copyFile, mkdtemp, rm } = await import("node:fs/promises");
  const { tmpdir } = await import("node:os");
  const fleet = useFleet();
  const [dir, copy] = [await mkdtemp(`${tmpdir()}/hawser-`), await mkdtemp(`${tmpdir()}/hawser-`)];
  for (const each of [dir, copy]) fleet.defer(() => rm(each, { recursive: true }));
  const primary = await fleet.primary();
  const first = await fleet.replica(primary, "--dir", dir);
  await converge([primary, first]);
  await copyFile(`${dir}/node.json`, `${copy}/node.json`);
  const second = await fleet.replica(primary, "--dir", copy);
  await lastError(second, "duplicate_id");
  expect((await primary.status()).links).toHaveLength(1);
  expect(first.findAll("welcomed")).toHaveLength(1);
  await first.kill();
  await fill(primary, { keys: 10 });
  await converge([primary, second]);
});

test("e2e: topology: upstream given by its client port or its replication port => both work", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  await fill(primary, { keys: 10 });
  const byClientPort = await fleet.replica({ port: primary.port });
  const byReplPort = await fleet.replica({ replPort: primary.replPort });
  await converge([primary, byClientPort, byReplPort]);
});
