/** What a stranger types first, with the real redis-cli. */
import { expect, test } from "vitest";
import { converge, count } from "../../tools/converge.ts";
import { useFleet } from "../tools/fleet.ts";
import type { Daemon } from "../../tools/processes.ts";
import { describeWithRedis, redisCli } from "../tools/redis-tools.ts";
import { until } from "../../tools/wait.ts";

const READONLY = "READONLY You can't write against a read only replica.";

/** The replica has everything the other node has. */
async function follows(replica: Daemon, upstream: Daemon): Promise<void> {
  await converge([upstream, replica]);
}

describeWithRedis("e2e: redis-cli", () => {
  test("e2e: set on the primary, get on the replica => the value, by one full sync", async () => {
    const fleet = useFleet();
    const primary = await fleet.primary();
    const replica = await fleet.replica({ port: primary.port });
    expect(await redisCli(primary.port, "set", "k", "v")).toBe("OK");
    await until(async () => (await redisCli(replica.port, "get", "k")) === "v", {
      what: "the value on the replica",
    });
    const { counters, records } = await converge([primary, replica]);
    expect(records).toBe(1);
    expect(count(counters[0]!, "sync_full")).toBe(1);
  });

  test("e2e: a write on a replica => READONLY, to the letter, and nothing changes", async () => {
    const fleet = useFleet();
    const primary = await fleet.primary();
    const replica = await fleet.replica(primary);
    await redisCli(primary.port, "set", "k", "v");
    await follows(replica, primary);
    for (const write of [["set", "k", "x"], ["del", "k"], ["incr", "n"], ["flushall"]]) {
      expect(await redisCli(replica.port, ...write)).toContain(READONLY);
    }
    expect(await redisCli(replica.port, "get", "k")).toBe("v");
    expect(await redisCli(replica.port, "role")).toContain("slave");
    await follows(replica, primary);
  });

  test("e2e: promotion in both directions without writes => partial resync each way", async () => {
    const fleet = useFleet();
    const one = await fleet.primary();
    const two = await fleet.replica(one);
    await redisCli(one.port, "set", "k", "v");
    await follows(two, one);

    expect(await redisCli(two.port, "replicaof", "no", "one")).toBe("OK");
    expect(await redisCli(two.port, "info", "replication")).toContain("role:master");
    expect(await redisCli(one.port, "replicaof", "127.0.0.1", String(two.port))).toBe("OK");
    const there = await converge([two, one]);
    expect(await redisCli(one.port, "set", "k", "x")).toContain("READONLY");
    expect(await redisCli(two.port, "set", "k", "written on two")).toBe("OK");
    await follows(one, two);
    expect(await redisCli(one.port, "get", "k")).toBe("written on two");

    expect(await redisCli(one.port, "replicaof", "no", "one")).toBe("OK");
    expect(await redisCli(two.port, "replicaof", "127.0.0.1", String(one.port))).toBe("OK");
    const back = await converge([one, two]);
    expect(await redisCli(one.port, "set", "k", "written on one")).toBe("OK");
    await follows(two, one);
    expect(await redisCli(two.port, "get", "k")).toBe("written on one");

    // One more when it had followed by itself before it was told to.
    expect(count(there.counters[0]!, "sync_full")).toBe(0);
    expect(count(there.counters[0]!, "sync_partial_ok")).toBeGreaterThan(0);
    expect(count(back.counters[0]!, "sync_full")).toBe(1);
    expect(count(back.counters[0]!, "sync_partial_ok")).toBeGreaterThan(0);
    expect(back.history).not.toBe(there.history);
  });

  test("e2e: promoted, written, its primary leads anew, following again => diverged: what it wrote is discarded", async () => {
    const fleet = useFleet();
    const primary = await fleet.primary();
    const proxy = await fleet.proxy(primary);
    const replica = await fleet.replica(proxy);
    await redisCli(primary.port, "set", "k", "v");
    await follows(replica, primary);
    proxy.down.stall();
    await redisCli(replica.port, "replicaof", "no", "one");
    await redisCli(replica.port, "set", "mine", "1");
    await redisCli(primary.port, "set", "k", "v2");
    proxy.down.resume();
    await until(async () => (await primary.status()).fenced, { what: "the primary to be fenced" });
    expect(await redisCli(primary.port, "set", "k", "v3")).toContain(
      "READONLY This node is fenced",
    );
    await redisCli(primary.port, "replicaof", "no", "one");
    await redisCli(replica.port, "replicaof", "127.0.0.1", String(primary.replPort));
    const { counters } = await converge([primary, replica]);
    expect(await redisCli(replica.port, "exists", "mine")).toBe("0");
    expect(await redisCli(replica.port, "get", "k")).toBe("v2");
    expect(count(counters[0]!, "resume_diverged")).toBe(1);
    const told = primary.find("resume", { case: "diverged" });
    expect(Number(told?.["discard_bytes"])).toBeGreaterThan(0);
  });

  test("e2e: replicaof a port that is no hawser => an error that says so, the state stays", async () => {
    const fleet = useFleet();
    const primary = await fleet.primary();
    const other = await fleet.replica(primary);
    await redisCli(primary.port, "set", "k", "v");
    await follows(other, primary);
    const redis = await startRedis(fleet.defer.bind(fleet));
    await redisCli(other.port, "replicaof", "127.0.0.1", String(redis));
    await until(async () => (await other.status()).upstream?.lastError, { what: "the error" });
    expect((await other.status()).upstream?.lastError).toContain("not a hawser node");
    expect(await redisCli(other.port, "get", "k")).toBe("v");
  });

  test("e2e: --scan, --bigkeys and INFO of redis-cli work", async () => {
    const fleet = useFleet();
    const primary = await fleet.primary();
    await redisCli(primary.port, "mset", "a:1", "x", "a:2", "yy", "b:1", "zzz");
    const scanned = await redisCli(primary.port, "--scan", "--pattern", "a:*");
    expect(scanned.split("\n").sort()).toEqual(["a:1", "a:2"]);
    expect(await redisCli(primary.port, "dbsize")).toBe("3");
    expect(await redisCli(primary.port, "info", "server")).toContain("redis_version:");
  });
});

/** A real redis-server, for being mistaken for one of ours. */
async function startRedis(defer: (close: () => unknown) => void): Promise<number> {
  const { ManagedProcess } = await import("../../tools/processes.ts");
  const { createServer } = await import("node:net");
  const port = await new Promise<number>((resolve) => {
    const probe = createServer().listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address ? address.port : 0));
    });
  });
  const args = ["--port", String(port), "--save", "", "--bind", "127.0.0.1"];
  const redis = await ManagedProcess.spawn("redis-server", args, { name: "redis-server" });
  defer(() => redis.kill());
  await until(async () => (await redisCli(port, "ping")) === "PONG", { what: "redis-server" });
  return port;
}
