/** A node on its --dir comes back with its data, and its replicas go on where they were. */
import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readNode } from "../../src/node/node-file.ts";
import { converge, count } from "../../tools/converge.ts";
import { Daemon, type Fleet, runHawser } from "../../tools/processes.ts";
import { until } from "../../tools/wait.ts";
import { directory, marksOf, newestLog, portsOf } from "../tools/data-directory.ts";
import { fill } from "../tools/fill.ts";
import { useFleet } from "../tools/fleet.ts";

/** All that was sealed is in files: a crash of the process does not lose it. */
async function written(node: Daemon): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 100));
  await node.call("PING");
}

test("e2e: recovery: kill -9 of a primary => all is there, replicas go on by partial resync", async () => {
  const fleet = useFleet();
  const dir = directory(fleet);
  const primary = await fleet.primary("--dir", dir);
  const replicas = [await fleet.replica(primary), await fleet.replica(primary)];
  await fill(primary, { keys: 3000 });
  await primary.call("SET", "gone", "x", "PX", "200");
  await converge([primary, ...replicas]);
  await written(primary);
  const before = await primary.status();
  await primary.kill();

  const again = await fleet.primary(...portsOf(primary), "--dir", dir);
  expect(again.find("recovered")).toMatchObject({ history: before.position.history });
  expect(again.find("primary_starts_empty")).toBeUndefined();
  await converge([again, ...replicas]);
  expect(await again.call("DBSIZE")).toBe(3000);
  const after = await again.status();
  expect(after.position.history).not.toBe(before.position.history);
  // Its own term goes on: nobody else led meanwhile.
  const fork = { history: before.position.history, term: 1, run: 0 };
  expect(after.lineage.at(-1)).toMatchObject(fork);
  expect(readNode(dir)!.led).toEqual({ term: 1, run: 1 });
  const followed = readNode(dir)!
    .peers.map(({ port }) => port)
    .sort();
  expect(followed).toEqual(replicas.map(({ replPort }) => replPort).sort());
  for (const replica of replicas)
    expect(count((await replica.status()).counters, "snapshots_restored")).toBe(1);
  expect(count(after.counters, "sync_full")).toBe(0);
  expect(count(after.counters, "sync_partial_ok")).toBe(2);
  await again.call("SET", "more", "1");
  await converge([again, ...replicas]);
});

test("e2e: recovery: killed again and again, and stopped => nothing that was written is lost", async () => {
  const fleet = useFleet();
  const dir = directory(fleet);
  let node = await fleet.primary("--dir", dir);
  for (let round = 1; round <= 3; round++) {
    await node.call("SET", `round:${round}`, "x".repeat(round));
    await node.call("INCR", "rounds");
    await written(node);
    if (round === 2) await node.stop();
    else await node.kill();
    node = await fleet.primary(...portsOf(node), "--dir", dir);
    expect(await node.text("GET", "rounds")).toBe(String(round));
    expect(await node.call("DBSIZE")).toBe(round + 1);
    expect(node.find("recovered")).toMatchObject({ clean: round === 2 });
  }
});

test("e2e: recovery: a second process on the directory => one line that says who has it", async () => {
  const fleet = useFleet();
  const dir = directory(fleet);
  const node = await fleet.primary("--dir", dir);
  const run = await runHawser(["primary", "--port", "0", "--repl-port", "0", "--dir", dir]);
  expect(run.code).toBe(1);
  expect(run.stderr.split("\n")).toHaveLength(1);
  expect(run.stderr).toContain(`is in use by process ${node.pid}`);
});

test("e2e: recovery: --persist no => nothing of the state is kept", async () => {
  const fleet = useFleet();
  const dir = directory(fleet);
  const node = await fleet.primary("--dir", dir, "--persist", "no");
  await node.call("SET", "k", "v");
  await node.stop();
  expect(readdirSync(dir).filter((name) => /manifest|generation/.test(name))).toEqual([]);
});

/** A directory with 20 keys that are synced and marked, and the process gone. */
async function made(fleet: Fleet, dir: string): Promise<Daemon> {
  const node = await fleet.primary("--dir", dir);
  for (let i = 0; i < 20; i++) {
    await node.call("SET", `key:${i}`, "v".repeat(100));
  }
  await written(node);
  await new Promise((resolve) => setTimeout(resolve, 400));
  await node.kill();
  return node;
}

interface Ending {
  readonly what: string;
  /** Changes the newest log file. */
  readonly damage: (path: string, bytes: Buffer, used: number) => void;
  readonly keys: number;
  readonly told?: Readonly<Record<string, unknown>>;
}

const ENDINGS: readonly Ending[] = [
  { what: "nothing is wrong", damage: () => undefined, keys: 20 },
  {
    what: "zeros behind the end",
    damage: (path, bytes, used) => {
      writeFileSync(path, Buffer.concat([bytes.subarray(0, used), Buffer.alloc(5000)]));
    },
    keys: 20,
  },
  {
    what: "a torn head behind the end",
    damage: (path, bytes, used) => {
      writeFileSync(path, Buffer.concat([bytes.subarray(0, used), Buffer.alloc(20, 7)]));
    },
    keys: 20,
    told: { verdict: "torn", kind: "torn" },
  },
  {
    what: "garbage behind the end",
    damage: (path, bytes, used) => {
      writeFileSync(path, Buffer.concat([bytes.subarray(0, used), Buffer.alloc(900, 7)]));
    },
    keys: 20,
    told: { verdict: "torn", kind: "head" },
  },
  {
    what: "a missing block, and something behind it",
    damage: (path, bytes, used) => {
      writeFileSync(
        path,
        Buffer.concat([bytes.subarray(0, used), Buffer.alloc(512), Buffer.alloc(90, 7)]),
      );
    },
    keys: 20,
    told: { verdict: "torn", kind: "hole" },
  },
];

test.each(ENDINGS)(
  "e2e: recovery: $what => it starts, and tells",
  async ({ damage, keys, told }) => {
    const fleet = useFleet();
    const dir = directory(fleet);
    const node = await made(fleet, dir);
    const path = newestLog(dir);
    const bytes = readFileSync(path);
    damage(path, bytes, marksOf(path).end);
    const again = await fleet.primary(...portsOf(node), "--dir", dir);
    expect(await again.call("DBSIZE")).toBe(keys);
    if (told === undefined) expect(again.find("log_cut")).toBeUndefined();
    else expect(again.find("log_cut")).toMatchObject(told);
  },
);

async function refusal(dir: string): Promise<string> {
  const run = await runHawser(["primary", "--port", "0", "--repl-port", "0", "--dir", dir]);
  expect(run.code).toBe(1);
  expect(run.stderr).not.toMatch(/^\s+at /m);
  return run.stderr;
}

test("e2e: recovery: damage below the proof => it does not lead, and --accept-loss does", async () => {
  const fleet = useFleet();
  const dir = directory(fleet);
  const node = await made(fleet, dir);
  const path = newestLog(dir);
  const bytes = readFileSync(path);
  bytes[Math.floor(marksOf(path).end / 2)]! ^= 1;
  writeFileSync(path, bytes);
  for (let start = 0; start < 2; start++) {
    const told = await refusal(dir);
    expect(told).toMatch(/00000001\.log is whole up to offset \d+/);
    expect(told).toContain("--accept-loss");
  }
  const again = await fleet.primary(...portsOf(node), "--dir", dir, "--accept-loss");
  expect(again.find("loss_accepted")?.level).toBe("warn");
  const left = (await again.call("DBSIZE")) as number;
  expect(left).toBeGreaterThan(0);
  expect(left).toBeLessThan(20);
  await again.call("SET", "after", "1");
  await written(again);
  await again.kill();
  const last = await fleet.primary(...portsOf(node), "--dir", dir);
  expect(await last.call("DBSIZE")).toBe(left + 1);
});

test.each([
  ["damaged", (dir: string) => truncateSync(join(dir, "manifest"), 30), /manifest: its crc32/],
  ["empty", (dir: string) => truncateSync(join(dir, "manifest"), 0), /manifest: its crc32/],
  ["gone", (dir: string) => rmSync(join(dir, "manifest")), /manifest is missing/],
  [
    "without its generation",
    (dir: string) => rmSync(join(dir, "generation-00000001"), { recursive: true }),
    /generation-00000001 is missing/,
  ],
  [
    "whole, and its only log file is empty",
    (dir: string) => truncateSync(newestLog(dir), 0),
    /00000001\.log is missing, or its head is damaged/,
  ],
])(
  "e2e: recovery: the manifest is %s => an error that names it, and nothing is changed",
  async (_, damage, why) => {
    const fleet = useFleet();
    const dir = directory(fleet);
    await made(fleet, dir);
    damage(dir);
    const before = readdirSync(dir).sort();
    const told = await refusal(dir);
    expect(told).toMatch(why);
    expect(
      readdirSync(dir)
        .filter((name) => name !== "quarantine")
        .sort(),
    ).toEqual(
      before
        .filter((name) => name !== "quarantine" && name !== "lock")
        .concat(before.includes("lock") ? ["lock"] : [])
        .sort(),
    );
  },
);

test("e2e: recovery: while it runs => -LOADING, INFO tells how far, SIGTERM ends it", async () => {
  const fleet = useFleet();
  const dir = directory(fleet);
  const node = await fleet.primary("--dir", dir);
  await fill(node, { keys: 300_000 });
  await written(node);
  await new Promise((resolve) => setTimeout(resolve, 300));
  await node.kill();
  const again = await Daemon.launch("again", ["primary", ...portsOf(node), "--dir", dir]);
  fleet.defer(() => again.kill());
  again.port = node.port;
  const loading = await until(
    async () => {
      const text = await again.text("INFO", "persistence").catch(() => "");
      // Before it has looked at its files it only says that it is loading.
      return text.includes("loading_total_bytes") ? text : null;
    },
    { what: "a recovery under way" },
  );
  expect(loading).toContain("loading:1\r\n");
  expect(loading).toMatch(/loading_total_bytes:\d+/);
  expect(loading).toMatch(/loading_loaded_perc:\d+/);
  await again.stop();
  expect(again.find("crashed")).toBeUndefined();
});
