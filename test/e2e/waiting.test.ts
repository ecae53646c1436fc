/** WAIT, WAITAOF, REPL.WAITALL: a count of replicas that really have it. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { converge } from "../../tools/converge.ts";
import { fill } from "../tools/fill.ts";
import type { Daemon, Fleet } from "../../tools/processes.ts";
import { useFleet } from "../tools/fleet.ts";
import { RespClient } from "../../tools/resp-client.ts";
import { until } from "../../tools/wait.ts";

test("e2e: WAIT: as many as there are => the count, and they have it", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  const replicas = [await fleet.replica(primary), await fleet.replica(primary)];
  await converge([primary, ...replicas]);
  for (let i = 0; i < 200; i++) {
    await primary.call("SET", "k", i);
    expect(await primary.call("WAIT", 2, 30_000)).toBe(2);
    for (const replica of replicas) expect(await replica.text("GET", "k")).toBe(String(i));
  }
});

test("e2e: WAIT: more than there are => the real count, after its timeout", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  expect(await primary.call("WAIT", 1, 50)).toBe(0);
  const replica = await fleet.replica(primary);
  await converge([primary, replica]);
  await primary.call("SET", "k", "v");
  expect(await primary.call("WAIT", 3, 300)).toBe(1);
});

test("e2e: WAIT: replica stopped => 0 until it goes on, other clients are not held up", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  const replica = await fleet.replica(primary);
  await converge([primary, replica]);
  replica.pause();
  await primary.call("SET", "k", "v");
  expect(await primary.call("WAIT", 1, 200)).toBe(0);
  const waiting = primary.call("WAIT", 1, 0);
  const other = await RespClient.connect(primary.port);
  fleet.defer(() => other.close());
  expect(await other.call("SET", "other", "v")).toBe("OK");
  replica.resume();
  expect(await waiting).toBe(1);
});

test("e2e: WAIT: link cut while waiting => the resumed position counts as an ACK", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  const proxy = await fleet.proxy(primary);
  const replica = await fleet.replica(proxy);
  await fill(primary, { keys: 10 });
  await converge([primary, replica]);
  proxy.up.stall();
  await primary.call("SET", "k", "v");
  // On a connection of its own that has written: a blocked client is asked nothing else.
  const writer = await RespClient.connect(primary.port);
  fleet.defer(() => writer.close());
  await writer.call("SET", "k2", "v");
  const waiting = writer.call("WAIT", 1, 60_000);
  await until(
    async () =>
      (await replica.status()).position.offset === (await primary.status()).position.offset,
    { what: "the write on the replica" },
  );
  proxy.heal();
  proxy.cutAll("reset");
  expect(await waiting).toBe(1);
});

test("e2e: WAIT: a replica that is being shipped counts for nobody", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary("--ship-rate", "4mb");
  await fill(primary, { keys: 2000, valueBytes: [4000, 8000] });
  const replica = await fleet.replica(primary);
  await until(async () => (await primary.status()).links[0]?.ship?.state === "sending", {
    what: "a ship under way",
    everyMs: 5,
  });
  await primary.call("SET", "k", "v");
  expect(await primary.call("WAIT", 1, 50)).toBe(0);
  await primary.call("CONFIG", "SET", "ship-rate", "0");
  expect(await primary.call("WAIT", 1, 30_000)).toBe(1);
  await converge([primary, replica]);
});

function directory(fleet: Fleet): string {
  const dir = mkdtempSync(join(tmpdir(), "hawser-waiting-"));
  fleet.defer(() => rmSync(dir, { recursive: true, force: true }));
  return join(dir, "dir");
}

test("e2e: WAITAOF: under everysec and no => a sync here and on the replica, that of no other is counted", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary("--dir", directory(fleet), "--fsync", "no");
  const onDisk = await fleet.replica(primary, "--dir", directory(fleet), "--fsync", "everysec");
  const inMemory = await fleet.replica(primary);
  await converge([primary, onDisk, inMemory]);
  for (let i = 0; i < 20; i++) {
    await primary.call("SET", "k", i);
    expect(await primary.call("WAITAOF", 1, 0, 30_000)).toEqual([1, 0]);
  }
  await primary.call("SET", "k", "v");
  expect(await primary.call("WAITAOF", 1, 1, 30_000)).toEqual([1, 1]);
  const { offset } = (await primary.status()).position;
  expect((await primary.status()).disk!.watermarks.durable).toBeGreaterThanOrEqual(offset);
  expect((await onDisk.status()).disk!.watermarks.durable).toBeGreaterThanOrEqual(offset);
  expect(await primary.call("WAITAOF", 0, 2, 100)).toEqual([1, 1]);
  expect(await primary.call("WAIT", 2, 30_000)).toBe(2);
});

test("e2e: durable on a replica under no and everysec => it is asked to sync, and syncs, as often as it must", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  const replica = await fleet.replica(primary, "--dir", directory(fleet), "--fsync", "no");
  const inMemory = await fleet.replica(primary);
  await converge([primary, replica, inMemory]);
  await primary.call("SET", "k", "v");
  // Nothing else ever makes it sync.
  expect(await primary.call("REPL.WAITALL", 1, "durable", 30_000)).toBe(1);
  const first = (await primary.status()).position.offset;
  expect((await replica.status()).disk!.watermarks.durable).toBe(first);
  for (let n = 0; n < 20; n++) {
    await primary.call("SET", "k", n);
    expect(await primary.call("WAITAOF", 0, 1, 30_000)).toEqual([0, 1]);
  }
  const counters = async (node: Daemon): Promise<Readonly<Record<string, number>>> =>
    (await node.status()).counters;
  // The one without a disk was asked once.
  expect((await counters(primary))["sync_requests"]).toBe(22);
  expect((await counters(replica))["syncs_asked_for"]).toBe(21);
  expect((await counters(inMemory))["syncs_asked_for"]).toBeUndefined();
  await primary.call("SET", "k", "last");
  expect(await primary.call("REPL.WAITALL", 2, "durable", 300)).toBe(1);
  await converge([primary, replica, inMemory]);
});

test("e2e: REPL.WAITALL: replica stopped => 0 on a connection that wrote nothing, where WAIT says 1", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  const replica = await fleet.replica(primary);
  await converge([primary, replica]);
  const shell = await RespClient.connect(primary.port);
  fleet.defer(() => shell.close());
  replica.pause();
  await primary.call("SET", "k", "v");
  expect(await shell.call("WAIT", 1, 300)).toBe(1);
  expect(await shell.call("REPL.WAITALL", 1, "applied", 300)).toBe(0);
  expect(await shell.call("REPL.WAITALL", 1, "received", 300)).toBe(0);
  const waiting = shell.call("REPL.WAITALL", 1, "applied", 30_000);
  replica.resume();
  expect(await waiting).toBe(1);
  expect(await shell.call("REPL.WAITALL", 1, "durable", 100)).toBe(0);
});
