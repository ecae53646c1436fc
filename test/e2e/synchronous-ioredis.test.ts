/** Synchronous mode through ioredis, unchanged: what was confirmed survives, what was not says so. */
import { Redis } from "ioredis";
import { expect, test } from "vitest";
import { readNode } from "../../src/node/node-file.ts";
import { converge, count } from "../../tools/converge.ts";
import type { Daemon, Fleet } from "../../tools/processes.ts";
import { until } from "../../tools/wait.ts";
import { directory } from "../tools/data-directory.ts";
import { useFleet } from "../tools/fleet.ts";

interface Scene {
  readonly fleet: Fleet;
  readonly primary: Daemon;
  readonly replicas: readonly Daemon[];
  readonly client: Redis;
}

/** A primary with --sync 1 and `replicaCount` replicas, all of them members, with directories. */
async function members(replicaCount: number): Promise<Scene> {
  const fleet = useFleet();
  const dir = directory(fleet);
  const primary = await fleet.primary("--dir", dir, "--sync", "1", "--sync-timeout", "1s");
  const replicas: Daemon[] = [];
  for (let n = 0; n < replicaCount; n++)
    replicas.push(await fleet.replica(primary, "--dir", directory(fleet)));
  const rule = (): number => {
    const sync = readNode(dir)?.sync;
    return sync?.was == null ? (sync?.now?.members.length ?? 0) : 0;
  };
  await until(() => rule() === replicaCount + 1, { what: "all to be members" });
  const client = ioredis(fleet, primary);
  await until(() => client.set("k", "0"), { what: "a confirmed write" });
  return { fleet, primary, replicas, client };
}

function ioredis(fleet: Fleet, node: Daemon): Redis {
  const client = new Redis({ port: node.port, host: "127.0.0.1", maxRetriesPerRequest: 0 });
  client.on("error", () => undefined);
  fleet.defer(() => client.disconnect());
  return client;
}

test("e2e: ioredis, --sync 1: kill -9 of the leader under load => every confirmed INCR is on the one that leads then", async () => {
  const { fleet, primary, replicas, client } = await members(2);
  const confirmed = Array.from({ length: 8 }, () => 0);
  const load = confirmed.map(async (_, n) => {
    const writer = n === 0 ? client : ioredis(fleet, primary);
    try {
      for (;;) confirmed[n] = await writer.incr(`counter:${n}`);
    } catch {
      // The leader was killed.
    }
  });
  await until(() => confirmed.every((value) => value > 50), { what: "every writer to write" });
  // It is behind, and has to take from the other what that one has confirmed.
  const [behind, other] = replicas as [Daemon, Daemon];
  behind.pause();
  const [seen] = confirmed as [number];
  await until(() => confirmed[0]! > seen + 20, { what: "writes that one member alone confirms" });
  await primary.kill();
  behind.resume();
  await Promise.all(load);
  expect(await behind.call("REPLICAOF", "NO", "ONE")).toBe("OK");
  await other.call("REPLICAOF", "127.0.0.1", behind.replPort);
  const { counters } = await converge([behind, other]);
  expect(counters.map((each) => count(each, "sync_full"))).toEqual([0, 0]);
  const reader = ioredis(fleet, behind);
  const values = (await reader.mget(confirmed.map((_, n) => `counter:${n}`))).map(Number);
  // Each had one INCR under way, which may have been made.
  for (const [n, value] of values.entries())
    expect([confirmed[n], confirmed[n]! + 1]).toContain(value);
  expect(await reader.incr("counter:0")).toBe(values[0]! + 1);
});

test("e2e: ioredis, --sync 1: MULTI/EXEC => confirmed as a whole; members stopped => UNCONFIRMED, and whole on them later", async () => {
  const { primary, replicas, client } = await members(1);
  const [member] = replicas as [Daemon];
  const replies = await client.multi().set("a", "1").incr("n").get("a").exec();
  expect(replies).toEqual([
    [null, "OK"],
    [null, 1],
    [null, "1"],
  ]);
  // It was confirmed: the member shows it, without a wait.
  expect(await member.call("MGET", "a", "n")).toEqual([Buffer.from("1"), Buffer.from("1")]);
  member.pause();
  const unconfirmed = client.multi().set("a", "2").incr("n").exec();
  await expect(unconfirmed).rejects.toThrow(/^UNCONFIRMED This write was executed/);
  member.resume();
  await converge([primary, member]);
  expect(await member.call("MGET", "a", "n")).toEqual([Buffer.from("2"), Buffer.from("2")]);
  expect((await primary.info()).number("unconfirmed_writes")).toBe(1);
});

test("e2e: ioredis, --sync 1: CLIENT SYNC 2 with one member => its writes are refused, those of others are not", async () => {
  const { fleet, primary, client } = await members(1);
  const careful = ioredis(fleet, primary);
  expect(await careful.client("SYNC" as never, "2" as never)).toBe("OK");
  await expect(careful.set("k", "1")).rejects.toThrow(/^NOREPLICAS .* 1 of the 2 .*CLIENT SYNC/);
  expect(await client.get("k")).toBe("0");
  expect(await client.set("k", "2")).toBe("OK");
  expect(await careful.client("SYNC" as never, "0" as never)).toBe("OK");
  expect(await careful.get("k")).toBe("2");
});

test("e2e: ioredis: CONFIG SET sync 0 => writes without a member; sync 1 => they wait again", async () => {
  const { primary, replicas, client } = await members(1);
  const [member] = replicas as [Daemon];
  expect(await client.config("SET", "sync", "0")).toBe("OK");
  await until(() => primary.find("members_changed"), { what: "the rule to be off" });
  member.pause();
  expect(await client.set("k", "1")).toBe("OK");
  member.resume();
  await converge([primary, member]);
  expect(await client.config("SET", "sync", "1")).toBe("OK");
  await until(() => client.set("k", "2"), { what: "a write that is confirmed" });
  expect(await member.text("GET", "k")).toBe("2");
  member.pause();
  await expect(client.set("k", "3")).rejects.toThrow(/^UNCONFIRMED /);
  member.resume();
  await converge([primary, member]);
});
