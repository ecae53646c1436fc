/** What was said, written or consented to under one role, history or upstream counts there alone. */
import { expect, test } from "vitest";
import { converge, count } from "../../tools/converge.ts";
import { fill } from "../tools/fill.ts";
import { useFleet } from "../tools/fleet.ts";
import type { Daemon, Fleet } from "../../tools/processes.ts";
import { ReplyError, RespClient } from "../../tools/resp-client.ts";
import { until } from "../../tools/wait.ts";

async function connection(fleet: Fleet, node: Daemon): Promise<RespClient> {
  const client = await RespClient.connect(node.port);
  fleet.defer(() => client.close());
  return client;
}

async function follow(node: Daemon, upstream: Daemon): Promise<void> {
  await node.call("REPLICAOF", "127.0.0.1", upstream.port);
}

test("e2e: WAIT after demotion, resync and promotion: counts what is there, not what is gone", async () => {
  const fleet = useFleet();
  const one = await fleet.primary();
  const proxy = await fleet.proxy(one);
  const two = await fleet.replica(proxy);
  const [keeps, loses] = [await connection(fleet, one), await connection(fleet, one)];
  await fill(one, { keys: 10 });
  await keeps.call("SET", "kept", "1");
  await converge([one, two]);

  // `lost` is written after the other one went its own way, and further.
  proxy.down.stall();
  await two.call("REPLICAOF", "NO", "ONE");
  await loses.call("SET", "lost", "1");
  await fill(two, { keys: 100, prefix: "other" });
  await follow(one, two);
  proxy.down.resume();
  const resynced = await converge([two, one]);
  expect(count(resynced.counters[0]!, "resume_diverged")).toBe(1);
  await one.call("REPLICAOF", "NO", "ONE");
  await follow(two, one);
  await converge([one, two]);

  for (const node of [one, two]) {
    expect(await node.call("GET", "lost")).toBe(null);
    expect(await node.text("GET", "kept")).toBe("1");
  }
  expect(await loses.call("WAIT", 1, 2_000)).toBe(0);
  expect(await loses.call("WAIT", 0, 0)).toBe(0);
  expect(await keeps.call("WAIT", 1, 20_000)).toBe(1);
  await loses.call("SET", "lost", "2");
  expect(await loses.call("WAIT", 1, 20_000)).toBe(1);
});

test("e2e: WAIT under way when the primary is demoted: redis's error, and the connection ends", async () => {
  const fleet = useFleet();
  const one = await fleet.primary();
  const two = await fleet.replica(one);
  await converge([one, two]);
  const waiting = await connection(fleet, one);
  await waiting.call("SET", "k", "v");
  const answer = waiting.ask("WAIT", 2, 0);
  await until(async () => (await one.text("CLIENT", "LIST")).includes("flags=b"), {
    what: "the client to be blocked",
  });
  await follow(one, two);
  const reply = await answer;
  expect(reply).toBeInstanceOf(ReplyError);
  expect((reply as ReplyError).message).toBe(
    "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)",
  );
  await until(() => !waiting.isOpen, { what: "the connection to end" });
});

/** `node` was told to follow and says why it does not. */
async function refusedBy(node: Daemon, attempts: number): Promise<void> {
  const of = async () => {
    const { counters } = await node.status();
    return (
      count(counters, "rejected_unrelated") +
      count(counters, "rejected_unrelated_empty") +
      count(counters, "upstream_refused")
    );
  };
  const before = await of();
  await until(async () => (await of()) >= before + attempts, {
    what: `${attempts} refusals`,
    describe: () => node.status(),
  });
}

test("e2e: consent refused by an empty primary => used up: one key written there changes nothing", async () => {
  const fleet = useFleet();
  const full = await fleet.primary();
  await fill(full, { keys: 1000 });
  const empty = await fleet.primary();
  await follow(full, empty);
  await refusedBy(full, 1);
  await empty.call("SET", "one", "key");
  await refusedBy(full, 2);
  expect(await full.call("DBSIZE")).toBe(1000);
  expect(count((await empty.status()).counters, "resume_reset")).toBe(0);

  // Typed again, now that there is something, it is consent.
  await follow(full, empty);
  expect((await converge([empty, full])).records).toBe(1);
});

test("e2e: consent for one node => not for the next process at its address", async () => {
  const fleet = useFleet();
  const full = await fleet.primary();
  await fill(full, { keys: 1000 });
  const told = await fleet.primary("--ship-rate", "1mb");
  await fill(told, { keys: 1000, valueBytes: [4000, 8000] });
  await follow(full, told);
  await until(async () => (await full.status()).upstream?.restore, {
    what: "a snapshot under way",
    everyMs: 5,
  });
  const ports = ["--port", String(told.port), "--repl-port", String(told.replPort)];
  await told.kill();
  const next = await fleet.primary(...ports);
  await next.call("SET", "one", "key");
  await refusedBy(full, 2);
  expect(await full.call("DBSIZE")).toBe(1000);
  expect(count((await full.status()).counters, "snapshots_restored")).toBe(0);
});

test("e2e: the planned swap of the manual, while 20 keys a second expire: no full sync", async () => {
  const fleet = useFleet();
  let primary = await fleet.primary();
  let replica = await fleet.replica(primary);
  await converge([primary, replica]);
  for (let i = 0; i < 600; i++) await primary.call("SET", `short${i}`, "v", "PX", 1000 + i * 50);
  const figures = async () => {
    const { counters: one } = await primary.status();
    const { counters: two } = await replica.status();
    const of = (name: string) => count(one, name) + count(two, name);
    return {
      full: of("sync_full"),
      partial: of("sync_partial_ok"),
      diverged: of("resume_diverged"),
    };
  };
  const before = await figures();
  const keysBefore = Number(await primary.call("DBSIZE"));
  for (let swap = 0; swap < 6; swap++) {
    await follow(primary, replica);
    await until(
      async () =>
        (await primary.status()).position.offset === (await replica.status()).position.offset,
      { what: "the replica to have all" },
    );
    await replica.call("REPLICAOF", "NO", "ONE");
    [primary, replica] = [replica, primary];
    await until(async () => (await replica.status()).upstream?.state === "streaming", {
      what: "the old primary to follow",
      describe: () => replica.status(),
    });
    const keys = Number(await primary.call("DBSIZE"));
    await until(async () => Number(await primary.call("DBSIZE")) < keys, { what: "expired keys" });
  }
  const after = await figures();
  expect(after.full).toBe(before.full);
  expect(after.diverged).toBe(0);
  expect(after.partial - before.partial).toBeGreaterThanOrEqual(6);
  expect(Number(await primary.call("DBSIZE"))).toBeLessThan(keysBefore);
});
