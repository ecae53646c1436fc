/** `hawser status`, INFO and ROLE: what an operator sees. */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { NodeStatus } from "../../src/node/api.ts";
import { converge } from "../../tools/converge.ts";
import { fill } from "../tools/fill.ts";
import { useFleet } from "../tools/fleet.ts";
import { runHawser, type Daemon } from "../../tools/processes.ts";
import { until } from "../../tools/wait.ts";

async function statusJson(node: Daemon): Promise<NodeStatus> {
  const { code, stdout } = await runHawser(["status", `127.0.0.1:${node.port}`, "--json"]);
  expect(code).toBe(0);
  return JSON.parse(stdout) as NodeStatus;
}

test("e2e: status --json of a primary and of its replica => one position, both ends of the link", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary("--backlog", "8mb");
  const replica = await fleet.replica(primary);
  await fill(primary, { keys: 1000 });
  const { offset, history } = await converge([primary, replica]);
  const above = await statusJson(primary);
  const below = await statusJson(replica);
  expect(above).toMatchObject({ role: "primary", position: { offset, history }, upstream: null });
  expect(above.backlog).toMatchObject({ sizeBytes: 8 * 1024 * 1024, first: 0, next: offset });
  expect(above.links).toHaveLength(1);
  expect(above.links[0]).toMatchObject({
    state: "streaming",
    clientPort: replica.port,
    replPort: replica.replPort,
    applied: offset,
    lagBytes: 0,
    ship: null,
  });
  expect(below).toMatchObject({ role: "replica", position: { offset, history }, links: [] });
  expect(below.upstream).toMatchObject({ state: "streaming", applied: offset, lagBytes: 0 });
  expect(below.upstream?.restore).toBe(null);
});

test("e2e: status as text => role, position, backlog, and each replica with its lag", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  const replica = await fleet.replica(primary);
  await fill(primary, { keys: 10 });
  const { offset } = await converge([primary, replica]);
  const above = await runHawser(["status", `127.0.0.1:${primary.port}`]);
  expect(above.code).toBe(0);
  for (const text of ["primary", String(offset), "backlog", String(replica.port), "streaming"]) {
    expect(above.stdout).toContain(text);
  }
  const below = await runHawser(["status", `127.0.0.1:${replica.port}`]);
  for (const text of ["replica", String(offset), "streaming"]) {
    expect(below.stdout).toContain(text);
  }
});

test("e2e: status of a node with a log on disk => its watermarks, what its start found; INFO the same", async () => {
  const fleet = useFleet();
  const base = mkdtempSync(join(tmpdir(), "hawser-status-"));
  fleet.defer(() => rmSync(base, { recursive: true, force: true }));
  const dir = join(base, "dir");
  const first = await fleet.primary("--dir", dir);
  await fill(first, { keys: 100 });
  await first.stop();
  const again = await fleet.primary("--dir", dir, "--fsync", "always");
  await fill(again, { keys: 1 });
  const { disk, position } = await statusJson(again);
  const { offset } = position;
  expect(disk).toMatchObject({
    fsync: "always",
    watermarks: { appended: offset, sealed: offset, written: offset, durable: offset },
    trouble: "",
    found: { replayed: 100, cutBytes: 0 },
    incompleteTo: null,
    checkpoint: null,
  });
  await again.call("SAVE");
  const { stdout } = await runHawser(["status", `127.0.0.1:${again.port}`]);
  expect(stdout).toContain(`disk      fsync always, appended ${offset}, sealed ${offset}`);
  expect(stdout).toContain(`checkpoint at ${offset}, of `);
  expect(stdout).toContain("at the start 100 records from the log");
  const info = await again.text("INFO", "persistence");
  for (const [field, value] of [
    ["log_found_replayed", "100"],
    ["log_found_cut_bytes", "0"],
    ["log_incomplete_to", ""],
    ["log_durable", `${offset}`],
    ["aof_last_write_status", "ok"],
    ["rdb_last_bgsave_status", "ok"],
    ["loading", "0"],
  ] as const)
    expect(info).toContain(`\r\n${field}:${value}\r\n`);
});

test("e2e: status of nothing => an error that names the address, exit code 1", async () => {
  const fleet = useFleet();
  const gone = await fleet.primary();
  await gone.kill();
  const { code, stderr } = await runHawser(["status", `127.0.0.1:${gone.port}`]);
  expect(code).toBe(1);
  expect(stderr).toContain(`127.0.0.1:${gone.port}`);
});

test.each([
  ["status", "null"],
  ["status", '{"role":"\u001b]0;title\u0007primary"}'],
  ["status --events", '[{"timeMs":1e300,"event":"x","fields":{}}]'],
  ["status --json", "{"],
  ["verify", '{"position":{"history":7},"replicas":[null]}'],
  ["verify --json", "[[[["],
])("e2e: %s of something that answers %j => one clear line, exit code 1", async (words, answer) => {
  const trap = createServer((socket) => {
    socket.on("error", () => socket.destroy());
    socket.once("data", () => socket.write(`$${answer.length}\r\n${answer}\r\n`));
  });
  trap.listen(0, "127.0.0.1");
  await once(trap, "listening");
  const { port } = trap.address() as AddressInfo;
  const [command = "", ...flags] = words.split(" ");
  const { code, stdout, stderr } = await runHawser([command, `127.0.0.1:${port}`, ...flags]);
  trap.close();
  expect(code).toBe(1);
  expect(stdout).toBe("");
  expect(stderr).toMatch(new RegExp(`^hawser ${command}: 127.0.0.1:${port}: .*answer.*$`));
  expect(stderr).not.toContain("\u001b");
});

test("e2e: status during a ship => progress on both ends", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary("--ship-rate", "2mb");
  await fill(primary, { keys: 2000, valueBytes: [4000, 8000] });
  const replica = await fleet.replica(primary);
  const seen = await until(
    async () => {
      const ship = (await primary.status()).links[0]?.ship;
      const restore = (await replica.status()).upstream?.restore;
      return ship && restore && restore.chunks > 2 && ship.state === "sending" && { ship, restore };
    },
    { what: "a ship under way", everyMs: 5 },
  );
  expect(seen.ship.bytesTotal).toBeGreaterThan(8_000_000);
  expect(seen.ship.bytesSent).toBeLessThan(seen.ship.bytesTotal);
  expect(seen.ship.chunksSent).toBeGreaterThan(0);
  expect(seen.restore.bytes).toBeGreaterThan(0);
  const info = await primary.info();
  expect(info.replicas[0]?.get("state")).not.toBe("online");
  expect((await replica.info()).text("master_sync_in_progress")).toBe("1");
  await primary.call("CONFIG", "SET", "ship-rate", "0");
  await converge([primary, replica]);
  expect((await replica.info()).text("master_sync_in_progress")).toBe("0");
});

test("e2e: INFO replication => redis's fields on both ends", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary("--backlog", "1mb");
  const replica = await fleet.replica(primary);
  await fill(primary, { keys: 50_000 });
  const { offset } = await converge([primary, replica]);
  const above = await primary.info();
  expect(above.text("role")).toBe("master");
  expect(above.number("connected_slaves")).toBe(1);
  expect(above.number("master_repl_offset")).toBe(offset);
  expect(above.text("master_replid")).toMatch(/^[0-9a-f]{32,40}$/);
  expect(above.number("repl_backlog_size")).toBe(1024 * 1024);
  expect(above.number("repl_backlog_first_byte_offset")).toBeGreaterThan(0);
  expect(above.number("repl_backlog_histlen")).toBeGreaterThan(0);
  expect(above.number("sync_full")).toBe(1);
  expect(above.replicas).toHaveLength(1);
  expect(Object.fromEntries(above.replicas[0]!)).toMatchObject({
    ip: "127.0.0.1",
    port: String(replica.port),
    state: "online",
    offset: String(offset),
  });
  const below = await replica.info();
  expect(below.text("role")).toBe("slave");
  expect(below.text("master_host")).toBe("127.0.0.1");
  expect(below.text("master_link_status")).toBe("up");
  expect(below.number("slave_repl_offset")).toBe(offset);
  expect(below.number("master_last_io_seconds_ago")).toBeLessThan(60);
});

test("e2e: ROLE => redis's shape on both ends", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  const replica = await fleet.replica(primary);
  const { offset } = await converge([primary, replica]);
  const plain = (reply: unknown): unknown =>
    Buffer.isBuffer(reply) ? reply.toString() : Array.isArray(reply) ? reply.map(plain) : reply;
  expect(plain(await primary.call("ROLE"))).toEqual([
    "master",
    offset,
    [["127.0.0.1", String(replica.port), String(offset)]],
  ]);
  expect(plain(await replica.call("ROLE"))).toMatchObject([
    "slave",
    "127.0.0.1",
    expect.any(Number),
    "connected",
    offset,
  ]);
});
