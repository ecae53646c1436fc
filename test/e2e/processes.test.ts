/** What happens to processes: ended politely, killed, stopped and continued, started wrongly. */
import { expect, test } from "vitest";
import { converge, count } from "../../tools/converge.ts";
import { fill, writeLog } from "../tools/fill.ts";
import { useFleet } from "../tools/fleet.ts";
import { runHawser } from "../../tools/processes.ts";
import { RespClient } from "../../tools/resp-client.ts";
import { until } from "../../tools/wait.ts";

const MIB = 1024 * 1024;

test.each(["SIGTERM", "SIGINT"] as const)(
  "e2e: process: %s to a primary with clients and a replica => BYE, exit 0",
  async (signal) => {
    const fleet = useFleet();
    const primary = await fleet.primary();
    const replica = await fleet.replica(primary);
    await fill(primary, { keys: 100 });
    await converge([primary, replica]);
    const idle = await RespClient.connect(primary.port);
    fleet.defer(() => idle.close());
    expect(await primary.stop(signal)).toEqual({ code: 0, signal: null });
    await until(async () => (await replica.status()).upstream?.state === "retrying", {
      what: "the replica to notice",
    });
    expect(replica.log.some((line) => JSON.stringify(line).includes("shutdown"))).toBe(true);
    expect(await replica.call("DBSIZE")).toBe(100);
    expect((await replica.info()).text("master_link_status")).toBe("down");
  },
);

test("e2e: process: SIGTERM to a replica => exit 0, the primary says why the link ended", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  const replica = await fleet.replica(primary);
  await converge([primary, replica]);
  expect(await replica.stop()).toEqual({ code: 0, signal: null });
  const line = await until(() => primary.find("link_closed"), { what: "the log line" });
  expect(line["reason"]).toBe("bye_received");
  expect((await primary.info()).number("connected_slaves")).toBe(0);
});

test("e2e: process: SIGTERM while 32 MiB are on their way => the replica gets all of it first", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  const proxy = await fleet.proxy(primary);
  const replica = await fleet.replica(proxy);
  await converge([primary, replica]);
  proxy.down.stall();
  await writeLog(primary, 32 * MIB);
  const { position } = await primary.status();
  const stopping = primary.stop();
  proxy.down.resume();
  expect(await stopping).toEqual({ code: 0, signal: null });
  await until(async () => (await replica.status()).position.offset === position.offset, {
    what: "everything that was written",
    describe: () => replica.status(),
  });
});

test("e2e: process: SIGTERM twice, the second while it drains => ends at once, exit 1", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  const proxy = await fleet.proxy(primary);
  const replica = await fleet.replica(proxy);
  await converge([primary, replica]);
  proxy.down.stall();
  await writeLog(primary, 32 * MIB);
  primary.signal("SIGTERM");
  await until(() => primary.find("stopping"), { what: "the first signal to be taken" });
  expect(await primary.stop("SIGTERM")).toEqual({ code: 1, signal: null });
});

test("e2e: process: kill -9 of a streaming replica, started again => one full sync, equal", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  const replica = await fleet.replica(primary);
  await fill(primary, { keys: 1000 });
  await converge([primary, replica]);
  const writing = fill(primary, { keys: 20_000, prefix: "meanwhile" });
  await replica.kill();
  await writing;
  const again = await fleet.replica(primary);
  const { counters, records } = await converge([primary, again]);
  expect(records).toBe(21_000);
  expect(count(counters[0]!, "sync_full")).toBe(2);
});

test("e2e: process: kill -9 of the primary => replicas answer reads and say that the link is down", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  const replica = await fleet.replica(primary);
  await fill(primary, { keys: 1000 });
  const { offset } = await converge([primary, replica]);
  await primary.kill();
  await until(async () => (await replica.info()).text("master_link_status") === "down", {
    what: "the replica to notice",
  });
  expect(await replica.call("DBSIZE")).toBe(1000);
  await replica.call("REPLICAOF", "NO", "ONE");
  await replica.call("SET", "after", "failover");
  expect((await replica.status()).position.offset).toBeGreaterThan(offset);
});

test("e2e: process: replica stopped and continued inside the backlog => no resync at all", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  const replica = await fleet.replica(primary);
  await converge([primary, replica]);
  replica.pause();
  await fill(primary, { keys: 50_000 });
  replica.resume();
  const { counters } = await converge([primary, replica]);
  expect(count(counters[0]!, "sync_full")).toBe(1);
  expect(count(counters[0]!, "sync_partial_ok")).toBe(0);
  expect(replica.findAll("welcomed")).toHaveLength(1);
});

test("e2e: process: replica stopped until overtaken, continued => one snapshot, equal", async () => {
  const fleet = useFleet();
  // Without the time in which writers give way to a replica that has just been synced.
  const primary = await fleet.primary("--backlog", "1mb", "--throttle-max", "100ms");
  const replica = await fleet.replica(primary);
  const witness = await fleet.replica(primary);
  await fill(primary, { keys: 1000 });
  await converge([primary, replica, witness]);
  replica.pause();
  for (let round = 0; round < 40; round++) {
    await writeLog(primary, 4 * MIB);
    await converge([primary, witness]);
    const { links, backlog } = await primary.status();
    const link = links.find((one) => one.clientPort === replica.port);
    // A link may always finish the batch it is in.
    expect(link).toBeDefined();
    if (Math.max(link!.sent, link!.applied) + 2 * MIB < backlog.first) break;
  }
  replica.resume();
  await until(async () => count((await primary.status()).counters, "sync_full") === 3, {
    what: "a snapshot for the overtaken replica",
    describe: () => primary.status(),
  });
  const { counters } = await converge([primary, replica, witness]);
  expect(count(counters[0]!, "sync_full")).toBe(3);
  expect(witness.findAll("welcomed")).toHaveLength(1);
});

test("e2e: process: primary stopped and continued => links stand, clients are answered", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  const replica = await fleet.replica(primary);
  await fill(primary, { keys: 100 });
  await converge([primary, replica]);
  primary.pause();
  const late = primary.call("SET", "late", "x");
  expect(await replica.call("DBSIZE")).toBe(100);
  primary.resume();
  expect(await late).toBe("OK");
  await converge([primary, replica]);
  expect(replica.findAll("welcomed")).toHaveLength(1);
});

test("e2e: process: a port that is taken => an error that names it, exit code not 0", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  for (const ports of [
    ["--port", String(primary.port), "--repl-port", "0"],
    ["--port", "0", "--repl-port", String(primary.replPort)],
  ]) {
    const { code, stderr } = await runHawser(["primary", ...ports]);
    expect(code).not.toBe(0);
    expect(code).not.toBe(null);
    expect(stderr).toMatch(/EADDRINUSE|in use/);
  }
});

test.each([
  [["primary", "--bakclog", "1mb"], /--bakclog.*--backlog/],
  [["primary", "--backlog", "lots"], /--backlog.*lots/],
  [["replica"], /--of/],
  [["primary", "--bind", "0.0.0.0"], /--requirepass.*--repl-password|--insecure/],
  [["sail"], /sail.*primary/],
])("e2e: process: %j => exit 2 and an error that names it", async (args, text) => {
  const { code, stdout, stderr } = await runHawser(args);
  expect(code).toBe(2);
  expect(stderr).toMatch(text);
  expect(stdout).toBe("");
});

test("e2e: process: --help says that a restarted primary is empty", async () => {
  const { code, stdout } = await runHawser(["primary", "--help"]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/empty/);
  expect(stdout).toContain("--seed-from");
});
