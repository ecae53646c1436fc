/** handOver(): from one process to another replica in it, of both kinds of nodes, and what ends it. */
import { afterEach, expect, test } from "vitest";
import { mapState } from "../../../src/adapters/map.ts";
import type { ReplicatedNode } from "../../../src/embed/replicated-node.ts";
import { type NodeStatus, Primary, Replica, replicate, UsageError } from "../../../src/index.ts";
import { until } from "../../../tools/wait.ts";
import { open } from "../../tools/open-nodes.ts";

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const node of closing.splice(0)) await node.close();
});

/** Its replica's first sync is confirmed. */
async function online(node: { status(): NodeStatus }): Promise<void> {
  const isOnline = (): boolean =>
    node.status().links.some(({ state, ship }) => state === "streaming" && ship === null);
  await until(isOnline, { what: "the replica to be online" });
}

async function pair(): Promise<{ primary: Primary; replica: Replica; of: string }> {
  const primary = await Primary.open();
  closing.push(primary);
  const of = `127.0.0.1:${primary.replPort}`;
  const replica = await Replica.open({ of });
  closing.push(replica);
  await replica.synced();
  await online(primary);
  return { primary, replica, of };
}

test("Primary: the replica leads with all of it; this one refuses writes, and has what that one writes", async () => {
  const { primary, replica } = await pair();
  primary.set("k", "1");
  await primary.handOver({ to: `127.0.0.1:${replica.replPort}`, timeoutMs: 20_000 });
  expect(() => primary.set("k", "2")).toThrow(/ERR_READONLY/);
  const heir = await replica.promote();
  heir.set("k", "3");
  await until(() => primary.get("k")?.toString() === "3", { what: "the old primary to follow" });
  expect(heir.status().counters["sync_full"]).toBe(0);
});

test("Primary: while it is under way writes are refused, ready() waits; ABORT by the signal => as before", async () => {
  const { primary } = await pair();
  const stop = new AbortController();
  const over = primary.handOver({ signal: stop.signal });
  stop.abort(new Error("enough"));
  await expect(over).rejects.toThrow("enough");
  await primary.ready();
  primary.set("k", "1");
  expect(primary.get("k")?.toString()).toBe("1");
});

test("refused: nobody follows, nobody of that name, no address", async () => {
  const alone = await Primary.open();
  closing.push(alone);
  await expect(alone.handOver()).rejects.toMatchObject({ code: "ERR_NOT_HANDED_OVER" });
  await expect(alone.handOver({ to: "" })).rejects.toThrow(UsageError);
  const { primary } = await pair();
  await expect(primary.handOver({ to: "127.0.0.1:1" })).rejects.toThrow(/is not a replica/);
  await expect(primary.handOver({ timeoutMs: -1 })).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
});

async function node(of?: string): Promise<{ node: ReplicatedNode; map: Map<string, unknown> }> {
  const map = mapState();
  const made = await replicate(map, of === undefined ? {} : { of });
  open.push(made);
  return { node: made, map };
}

test("replicate(): there and back, writes that come meanwhile are made once or refused", async () => {
  const a = await node();
  const b = await node(`127.0.0.1:${a.node.port}`);
  await b.node.synced();
  await online(a.node);
  a.map.set("k", "1");
  await a.node.handOver({ timeoutMs: 20_000 });
  expect(() => a.map.set("k", "2")).toThrow(/ERR_READONLY/);
  expect([a.node.role, b.node.role]).toEqual(["replica", "primary"]);
  await expect(a.node.write([])).rejects.toMatchObject({ code: "ERR_READONLY" });
  await b.node.ready();
  b.map.set("k", "3");
  await until(() => a.map.get("k") === "3", { what: "the old primary to follow" });
  await b.node.handOver({ to: `127.0.0.1:${a.node.port}`, timeoutMs: 20_000 });
  expect([a.node.role, b.node.role]).toEqual(["primary", "replica"]);
  await a.node.ready();
  a.map.set("k", "4");
  expect(a.node.status().counters["sync_full"]).toBe(1);
  await expect(b.node.handOver()).rejects.toMatchObject({ code: "ERR_NOT_HANDED_OVER" });
});
