/** Planned failovers of real processes: under load, by the command line, refused, and with ends that die in it. */
import { expect, test } from "vitest";
import { converge } from "../../tools/converge.ts";
import { type Daemon, runHawser } from "../../tools/processes.ts";
import { RespClient } from "../../tools/resp-client.ts";
import { switchovers } from "../../tools/switchovers.ts";
import { until } from "../../tools/wait.ts";
import { directory, portsOf } from "../tools/data-directory.ts";
import { useFleet } from "../tools/fleet.ts";

const ROUNDS = 5;

async function leads(node: Daemon): Promise<void> {
  await until(async () => (await node.status()).role === "primary", {
    what: `${node.name} to lead`,
  });
}

test.each(["memory", "disk"])(
  `e2e: ${ROUNDS} switchovers under load, %s => no INCR lost or doubled, one digest, no full sync`,
  async (where) => {
    const fleet = useFleet();
    const dir = (): string[] => (where === "disk" ? ["--dir", directory(fleet)] : []);
    const primary = await fleet.primary(...dir());
    const replica = await fleet.replica(primary, ...dir());
    await converge([primary, replica]);
    const made = await switchovers([primary, replica], ROUNDS);
    expect(made.length).toBe(ROUNDS);
    const counters = [await primary.status(), await replica.status()].map((each) => each.counters);
    expect(counters.map((each) => [each["failovers_done"], each["failovers_taken"]])).toEqual([
      [3, 2],
      [2, 3],
    ]);
    expect(counters.map((each) => each["sync_full"])).toEqual([1, 0]);
  },
);

test.each([
  ["applied", "memory"],
  ["durable", "--fsync everysec"],
  ["applied", "--fsync always"],
])(
  "e2e: switchovers under load, --sync 1 at level %s, %s => nobody hears UNCONFIRMED, no INCR lost or doubled, no full sync",
  async (level, where) => {
    const fleet = useFleet();
    const disk = (): string[] =>
      where === "memory" ? [] : ["--dir", directory(fleet), ...where.split(" ")];
    const sync = ["--sync", "1", "--sync-level", level];
    const primary = await fleet.primary(...sync, ...disk());
    const replica = await fleet.replica(primary, ...sync, ...disk());
    await converge([primary, replica]);
    await until(async () => (await primary.ask("SET", "k", "v")) === "OK", {
      what: "a confirmed write",
    });
    const made = await switchovers([primary, replica], ROUNDS);
    expect(made.length).toBe(ROUNDS);
    const nodes = [primary, replica];
    const counters = (await Promise.all(nodes.map((each) => each.status()))).map(
      (each) => each.counters,
    );
    expect(counters.map((each) => [each["failovers_done"], each["failovers_taken"]])).toEqual([
      [3, 2],
      [2, 3],
    ]);
    expect(counters.map((each) => each["sync_full"])).toEqual([1, 0]);
    for (const each of nodes) {
      const stats = await each.text("INFO", "stats");
      expect(stats).toContain("unconfirmed_writes:0");
      expect(stats).toContain("unconfirmed_reads:0");
    }
  },
);

/** Two copies confirm, and one of the two members stands still after the first write. */
async function withSlowMember() {
  const fleet = useFleet();
  const primary = await fleet.primary("--sync", "2", "--sync-timeout", "20s");
  const [target, slow] = [await fleet.replica(primary), await fleet.replica(primary)];
  await converge([primary, target, slow]);
  await until(async () => (await primary.ask("SET", "k", "0")) === "OK", {
    what: "a confirmed write",
  });
  const writer = await RespClient.connect(primary.port);
  slow.pause();
  return { primary, target, slow, writer };
}

test("e2e: --sync 2: one member does not answer => FAILOVER waits for what was executed, and the client hears OK once", async () => {
  const { primary, target, slow, writer } = await withSlowMember();
  const held = [writer.call("INCR", "n"), writer.call("INCR", "n")];
  // The target has all: what is missing is the word of the other member.
  await until(async () => (await target.text("GET", "n")) === "2", {
    what: "the target to have it",
  });
  const to = ["TO", "127.0.0.1", String(target.port)];
  expect(await primary.text("FAILOVER", ...to, "TIMEOUT", "15000")).toBe("OK");
  await until(() => primary.find("failover_begins"), { what: "writers to be held" });
  expect((await primary.status()).failover).toBe("waiting-for-sync");
  expect((await target.status()).role).toBe("replica");
  slow.resume();
  expect(await Promise.all(held)).toEqual([1, 2]);
  await leads(target);
  // Members count on direct links alone.
  await slow.call("REPLICAOF", "127.0.0.1", target.replPort);
  await converge([target, primary, slow]);
  expect(primary.find("failover_resumed")).toBeUndefined();
  expect(await primary.text("INFO", "stats")).toContain("unconfirmed_writes:0");
});

test("e2e: --sync 2, FORCE: one member does not answer => those who wait hear UNCONFIRMED at the end of the time, and nothing is lost", async () => {
  const { primary, target, slow, writer } = await withSlowMember();
  const held = writer.ask("SET", "k", "1");
  await until(async () => (await target.text("GET", "k")) === "1", {
    what: "the target to have it",
  });
  const to = ["TO", "127.0.0.1", String(target.port)];
  expect(await primary.text("FAILOVER", ...to, "TIMEOUT", "500", "FORCE")).toBe("OK");
  expect(((await held) as Error).message).toMatch(/^UNCONFIRMED This write was executed/);
  await leads(target);
  expect(target.find("failover_take")).toMatchObject({ forced: false });
  slow.resume();
  await slow.call("REPLICAOF", "127.0.0.1", target.replPort);
  const { counters } = await converge([target, primary, slow]);
  expect(await target.text("GET", "k")).toBe("1");
  expect(counters[0]!["sync_full"]).toBe(0);
});

test("e2e: hawser switchover => says who leads; of a node that cannot it says why, and nothing changes", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  const replica = await fleet.replica(primary);
  await converge([primary, replica]);
  await primary.call("SET", "k", "v");
  const [from, to] = [primary, replica].map(({ port }) => `127.0.0.1:${port}`) as [string, string];
  const ran = await runHawser(["switchover", from, "TO", to, "--json"]);
  expect([ran.code, ran.stderr]).toEqual([0, ""]);
  expect(JSON.parse(ran.stdout)).toMatchObject({ from, to });
  expect((await replica.status()).role).toBe("primary");
  expect(await replica.text("GET", "k")).toBe("v");
  const again = await runHawser(["switchover", from, "TO", to]);
  expect(again.code).toBe(1);
  expect(again.stderr).toContain("FAILOVER is not valid when server is a replica.");
  const nobody = await runHawser(["switchover", to, "TO", "127.0.0.1:1"]);
  expect(nobody.stderr).toContain("FAILOVER target HOST and PORT is not a replica.");
  expect((await runHawser(["switchover", to])).code).toBe(2);
  expect((await replica.status()).role).toBe("primary");
});

test("e2e: the target stands still => writers are held, and go on by themselves when the time is over", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  const replica = await fleet.replica(primary);
  await converge([primary, replica]);
  replica.pause();
  expect(await primary.text("FAILOVER", "TIMEOUT", "700")).toBe("OK");
  await until(() => primary.find("failover_begins"), { what: "writers to be held" });
  const second = await primary.ask("FAILOVER");
  expect((second as Error).message).toMatch("FAILOVER already in progress.");
  // Answered when it is over, once.
  expect(await primary.call("INCR", "held")).toBe(1);
  expect(primary.find("failover_resumed")).toMatchObject({
    why: "the target did not get to the end of the log in time",
  });
  const [from, to] = [primary, replica].map(({ port }) => `127.0.0.1:${port}`) as [string, string];
  const ran = await runHawser(["switchover", from, "TO", to, "--timeout", "300ms"]);
  expect(ran.code).toBe(1);
  expect(ran.stderr).toContain(
    "it goes on as the primary: the target did not get to the end of the log in time",
  );
  replica.resume();
  await converge([primary, replica]);
  expect(await replica.text("GET", "held")).toBe("1");
});

test("e2e: the primary is killed when it has resigned => it comes back resigned, and the target leads", async () => {
  const fleet = useFleet();
  const flags = ["--dir", directory(fleet)];
  const primary = await fleet.primary(...flags);
  const replica = await fleet.replica(primary, "--dir", directory(fleet));
  await converge([primary, replica]);
  await primary.call("SET", "k", "v");
  await converge([primary, replica]);
  await primary.call("FAILOVER");
  await until(() => primary.find("resigned"), { what: "the primary to resign" });
  await primary.kill();
  const again = await fleet.primary(...flags, ...portsOf(primary));
  await leads(replica);
  await converge([replica, again]);
  expect(await replica.call("SET", "k", "w")).toBe("OK");
  await converge([replica, again]);
  expect(await again.text("GET", "k")).toBe("w");
  const refused = await again.ask("SET", "k", "x");
  expect((refused as Error).message).toMatch("READONLY");
  expect((await replica.status()).counters["sync_full"]).toBe(0);
});

test("e2e: FORCE: the target lacks what is on its way => it leads with what it has, and the primary gives up the rest", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  const proxy = await fleet.proxy(primary);
  const replica = await fleet.replica(proxy);
  await converge([primary, replica]);
  await primary.call("SET", "k", "had");
  await converge([primary, replica]);
  const early = await primary.ask("FAILOVER", "TO", "127.0.0.1", String(replica.port), "FORCE");
  expect((early as Error).message).toContain("requires both a timeout and target");
  proxy.down.stall();
  await primary.call("SET", "big", "v".repeat(16_000_000));
  await primary.call("SET", "k", "lost");
  const to = ["TO", "127.0.0.1", String(replica.port)];
  expect(await primary.text("FAILOVER", ...to, "TIMEOUT", "300", "FORCE")).toBe("OK");
  await until(() => primary.find("resigned"), { what: "the time to be over" });
  expect((await primary.status()).failover).toBe("failover-in-progress");
  // What was on its way is lost: TAKE comes first on the next connection, and the log takes its time.
  proxy.down.set({ bytesPerSecond: 4_000_000 });
  proxy.down.blackhole();
  proxy.down.resume();
  await leads(replica);
  await until(async () => (await primary.status()).failover === "no-failover", {
    what: "the primary to follow",
  });
  const { counters } = await converge([replica, primary]);
  for (const node of [replica, primary]) {
    expect(await node.text("GET", "k")).toBe("had");
    expect(await node.call("EXISTS", "big")).toBe(0);
  }
  expect(replica.find("failover_take")).toMatchObject({ forced: true });
  expect(counters.map((each) => [each["failovers_done"], each["failovers_taken"]])).toEqual([
    [0, 1],
    [1, 0],
  ]);
  expect(counters[0]).toMatchObject({ resume_diverged: 1, sync_full: 1 });
  // What it gave up is counted where it was: those two writes.
  expect(counters[1]).toMatchObject({ forks_discarded: 1, fork_discarded_records: 2 });
});
