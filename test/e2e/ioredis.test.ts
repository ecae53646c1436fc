/** ioredis, unchanged, as an application would use it. */
import { once } from "node:events";
import { Redis } from "ioredis";
import { expect, test } from "vitest";
import { converge } from "../../tools/converge.ts";
import { useFleet } from "../tools/fleet.ts";
import type { Daemon, Fleet } from "../../tools/processes.ts";

function ioredis(fleet: Fleet, node: Daemon, options = {}): Redis {
  const client = new Redis({ port: node.port, host: "127.0.0.1", ...options });
  client.on("error", () => undefined);
  fleet.defer(() => client.disconnect());
  return client;
}

test("e2e: ioredis: connects with its ready check, writes on the primary, reads on the replica", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  const replica = await fleet.replica(primary);
  const writer = ioredis(fleet, primary);
  const reader = ioredis(fleet, replica);
  expect(await writer.set("k", "v", "PX", 3_600_000, "NX")).toBe("OK");
  expect(await writer.set("k", "again", "NX")).toBe(null);
  expect(await writer.incrby("n", 41)).toBe(41);
  expect(await writer.incr("n")).toBe(42);
  const binary = Buffer.from([0, 255, 13, 10]);
  await writer.mset(new Map([["bin", binary]]));
  await converge([primary, replica]);
  expect(await reader.mget("k", "n", "missing")).toEqual(["v", "42", null]);
  expect(await reader.getBuffer("bin")).toEqual(binary);
  expect(await reader.exists("k", "n", "missing")).toBe(2);
  await expect(reader.set("k", "x")).rejects.toThrow(
    "READONLY You can't write against a read only replica.",
  );
});

test("e2e: ioredis: 10000 commands pipelined => every reply in order, equal ends", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  const replica = await fleet.replica(primary);
  const client = ioredis(fleet, primary);
  const pipeline = client.pipeline();
  for (let i = 0; i < 10_000; i++) pipeline.incr(`counter:${i % 10}`);
  const replies = (await pipeline.exec())!;
  expect(replies.filter(([error]) => error)).toEqual([]);
  expect(replies.map(([, value]) => value)).toEqual(
    Array.from({ length: 10_000 }, (_, i) => Math.floor(i / 10) + 1),
  );
  const { records } = await converge([primary, replica]);
  expect(records).toBe(10);
});

test("e2e: ioredis: scanStream sees every key once at least", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  const client = ioredis(fleet, primary);
  const keys = Array.from({ length: 3000 }, (_, i) => `scan:${i}`);
  await client.mset(keys.flatMap((key) => [key, "x"]));
  const seen = new Set<string>();
  for await (const page of client.scanStream({ match: "scan:*", count: 100 })) {
    for (const key of page as string[]) seen.add(key);
  }
  expect(seen.size).toBe(3000);
});

test("e2e: ioredis: the primary is killed and started again => it reconnects by itself", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  const client = ioredis(fleet, primary, { retryStrategy: () => 50 });
  await client.set("k", "v");
  const closed = once(client, "close");
  const ports = ["--port", String(primary.port), "--repl-port", String(primary.replPort)];
  await primary.kill();
  await closed;
  await fleet.primary(...ports);
  expect(await client.set("k", "again")).toBe("OK");
});

test("e2e: ioredis: role change => READONLY makes it reconnect, and it writes again", async () => {
  const fleet = useFleet();
  const one = await fleet.primary();
  const two = await fleet.replica(one);
  const client = ioredis(fleet, one, {
    reconnectOnError: (error: Error) => (error.message.startsWith("READONLY") ? 2 : false),
  });
  await client.set("k", "v");
  await converge([one, two]);
  await two.call("REPLICAOF", "NO", "ONE");
  await one.call("REPLICAOF", "127.0.0.1", two.port);
  const write = client.set("k", "after");
  // Else it may lead again before it has heard of the other's rank, and be fenced by that.
  await converge([two, one]);
  await two.call("REPLICAOF", "127.0.0.1", one.port);
  await one.call("REPLICAOF", "NO", "ONE");
  await write.catch(() => undefined);
  expect(await client.set("k", "after")).toBe("OK");
});
