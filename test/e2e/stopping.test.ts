/** How a process ends: what it says of its replicas, and that it ends when it says so. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { converge } from "../../tools/converge.ts";
import { fill, writeLog } from "../tools/fill.ts";
import { useFleet } from "../tools/fleet.ts";
import { type Daemon, type Fleet, ManagedProcess } from "../../tools/processes.ts";
import { until } from "../../tools/wait.ts";

const MAIN = fileURLToPath(new URL("../../dist/daemon/main.js", import.meta.url));
const PRELOAD = fileURLToPath(new URL("../tools/stuck-lookup.cjs", import.meta.url));

test("e2e: stop: replicas that keep up => they have everything, clean=true", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  const replica = await fleet.replica(primary);
  await fill(primary, { keys: 100 });
  await converge([primary, replica]);
  await writeLog(primary, 4_000_000);
  const { offset } = (await primary.status()).position;
  expect((await primary.stop()).code).toBe(0);
  expect(primary.find("stopped")).toMatchObject({ level: "info", clean: true });
  expect(primary.find("replica_left_behind")).toBe(undefined);
  await until(async () => (await replica.status()).position.offset === offset, {
    what: "the replica at the end of the log",
  });
});

test("e2e: stop: a frozen replica => named with what it lacks, clean=false", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  const replica = await fleet.replica(primary);
  await converge([primary, replica]);
  replica.pause();
  await writeLog(primary, 10_000_000);
  expect((await primary.stop()).code).toBe(0);
  const left = primary.find("replica_left_behind");
  expect(left).toMatchObject({ level: "warn", state: "streaming" });
  expect(Number(left?.["log_bytes"])).toBeGreaterThanOrEqual(10_000_000);
  expect(primary.find("stopped")).toMatchObject({ level: "warn", clean: false });
});

test("e2e: stop: a replica in its full sync => named with the rest of the snapshot", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary("--ship-rate", "256kb");
  await fill(primary, { keys: 1000, valueBytes: [4000, 8000] });
  await fleet.replica(primary);
  await until(async () => (await primary.status()).links[0]?.ship?.state === "sending", {
    what: "a ship under way",
  });
  await primary.stop();
  const left = primary.find("replica_left_behind");
  expect(left).toMatchObject({ state: "full sync" });
  expect(Number(left?.["snapshot_bytes"])).toBeGreaterThan(1_000_000);
  expect(primary.find("stopped")).toMatchObject({ clean: false });
});

test("e2e: SIGHUP, SIGUSR1, SIGUSR2 => one line of log each, the node goes on", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  for (const signal of ["SIGHUP", "SIGUSR1", "SIGUSR2"] as const) {
    primary.signal(signal);
    await until(() => primary.find("signal_ignored", { signal }), { what: signal });
  }
  expect(await primary.call("PING")).toBe("PONG");
  expect(primary.errorLines.join("\n")).not.toContain("Debugger");
});

/** A primary with 80 MB of log about 2 MB of keys, on `dir`. */
async function muchLog(fleet: Fleet, dir: string, ...flags: string[]): Promise<Daemon> {
  const primary = await fleet.primary("--dir", dir, ...flags);
  await fill(primary, { keys: 100, valueBytes: [20_000, 20_001] });
  await writeLog(primary, 80_000_000);
  return primary;
}

function freshDir(fleet: Fleet): string {
  const base = mkdtempSync(join(tmpdir(), "hawser-stop-"));
  fleet.defer(() => rmSync(base, { recursive: true, force: true }));
  return join(base, "dir");
}

test("e2e: stop: much log => a checkpoint, which is all that the next start reads", async () => {
  const fleet = useFleet();
  const dir = freshDir(fleet);
  const primary = await muchLog(fleet, dir, "--checkpoint-rate", "16kb");
  const replica = await fleet.replica(primary);
  await converge([primary, replica]);
  const keys = await primary.call("DBSIZE");
  const { offset } = (await primary.status()).position;
  expect((await primary.stop()).code).toBe(0);
  expect(primary.find("checkpoint_begins", { cause: "stop" })).toBeDefined();
  expect(primary.find("checkpoint_done")).toMatchObject({ offset });
  expect(primary.find("stopped")).toMatchObject({ clean: true });
  const again = await fleet.primary("--dir", dir);
  expect(again.find("recovered")).toMatchObject({ replayed: 0, offset, checkpoint: offset });
  expect(await again.call("DBSIZE")).toBe(keys);
});

test("e2e: stop: SHUTDOWN NOSAVE => none, the log is read; SAVE => one for a little log", async () => {
  const fleet = useFleet();
  const dir = freshDir(fleet);
  const first = await muchLog(fleet, dir);
  await first.call("SHUTDOWN", "NOSAVE").catch(() => undefined);
  expect((await first.ended()).code).toBe(0);
  expect(first.find("checkpoint_begins")).toBe(undefined);
  const second = await fleet.primary("--dir", dir);
  const recovered = second.find("recovered")!;
  expect(recovered).toMatchObject({ checkpoint: -1, clean: true });
  expect(Number(recovered["replayed"])).toBeGreaterThan(100);
  await second.call("SET", "last", "1");
  await second.call("SHUTDOWN", "SAVE").catch(() => undefined);
  expect((await second.ended()).code).toBe(0);
  expect(second.find("checkpoint_done")).toBeDefined();
  const third = await fleet.primary("--dir", dir);
  expect(third.find("recovered")).toMatchObject({ replayed: 0 });
  expect((await third.status()).disk).toMatchObject({
    found: { replayed: 0, cutBytes: 0 },
    incompleteTo: null,
    trouble: "",
  });
  expect((await third.status()).disk!.checkpoint!.offset).toBeGreaterThan(80_000_000);
  expect(await third.call("GET", "last")).toEqual(Buffer.from("1"));
});

test("e2e: stop: a checkpoint that takes longer than it may => the stop goes on, the log has it all", async () => {
  const fleet = useFleet();
  const dir = freshDir(fleet);
  const primary = await muchLog(fleet, dir, "--stop-checkpoint", "20ms");
  const keys = await primary.call("DBSIZE");
  expect((await primary.stop()).code).toBe(0);
  expect(primary.find("stopped")).toMatchObject({ clean: true });
  expect(primary.find("checkpoint_failed", { cause: "stop" })!["why"]).toContain("20 ms");
  expect(primary.find("checkpoint_done")).toBeUndefined();
  const again = await fleet.primary("--dir", dir);
  expect(again.find("recovered")).toMatchObject({ clean: true });
  expect(Number(again.find("recovered")!["replayed"])).toBeGreaterThan(100);
  expect(await again.call("DBSIZE")).toBe(keys);
  expect(again.find("log_cut")).toBe(undefined);
});

async function stuck(args: readonly string[]): Promise<ManagedProcess> {
  const dir = mkdtempSync(join(tmpdir(), "hawser-stuck-"));
  const pipe = join(dir, "pipe");
  execFileSync("mkfifo", [pipe]);
  const run = await ManagedProcess.spawn(process.execPath, ["--require", PRELOAD, MAIN, ...args], {
    name: `stuck ${args[0]}`,
    env: { STUCK_PIPE: pipe },
  });
  void run.ended(60_000).finally(() => rmSync(dir, { recursive: true }));
  return run;
}

const has = (run: ManagedProcess, text: string) => () =>
  run.errorLines.some((line) => line.includes(text));

const REPLICA = ["replica", "--of", "far.example:1", "--port", "0", "--repl-port", "0"];

test("e2e: stop: a name look-up that does not come back => the process ends when it says stopped", async () => {
  const run = await stuck(REPLICA);
  try {
    await until(has(run, "ready"), { what: "a node" });
    run.signal("SIGTERM");
    await until(has(run, "stopped"), { what: "stopped" });
    const { code, signal } = await run.ended(3_000);
    expect([code, signal]).toEqual([null, "SIGTERM"]);
  } finally {
    await run.kill();
  }
});

test("e2e: stop: a second signal => ends at once, not with 0", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  const replica = await fleet.replica(primary);
  await converge([primary, replica]);
  replica.pause();
  await writeLog(primary, 10_000_000);
  primary.signal("SIGTERM");
  await until(() => primary.find("stopping"), { what: "stopping" });
  primary.signal("SIGTERM");
  expect((await primary.ended(5_000)).code).toBe(1);
  expect(primary.find("stopped")).toMatchObject({ clean: false, why: "told twice" });
});

test("e2e: status of a name that cannot be looked up => an error, and the process ends", async () => {
  const run = await stuck(["status", "far.example:1"]);
  try {
    await until(has(run, "hawser status"), { what: "the error", timeoutMs: 15_000 });
    const { code } = await run.ended(3_000);
    expect(code).not.toBe(0);
  } finally {
    await run.kill();
  }
});

test("e2e: status => 0 when all is right, 3 with the reason when it is not", async () => {
  const fleet = useFleet();
  const { runHawser } = await import("../../tools/processes.ts");
  const primary = await fleet.primary();
  const replica = await fleet.replica(primary);
  await converge([primary, replica]);
  const ask = (port: number, ...more: string[]) =>
    runHawser(["status", `127.0.0.1:${port}`, ...more]);
  expect((await ask(primary.port)).code).toBe(0);
  await until(async () => (await ask(replica.port)).code === 0, {
    what: "a replica that is all right",
  });
  await primary.kill();
  const { code, stdout } = await until(
    async () => {
      const run = await ask(replica.port);
      return run.code !== 0 && run;
    },
    { what: "a degraded replica" },
  );
  expect(code).toBe(3);
  expect(stdout).toMatch(
    /^degraded {2}it does not stream from its upstream: (retrying|connecting)$/m,
  );
  expect((await ask(replica.port, "--json")).code).toBe(3);
});
