/** An empty or foreign primary must never take a replica's data away, unless somebody consents. */
import { expect, test } from "vitest";
import { converge, count, digestOf } from "../../tools/converge.ts";
import { fill } from "../tools/fill.ts";
import { useFleet } from "../tools/fleet.ts";
import type { Daemon, Fleet } from "../../tools/processes.ts";
import { until } from "../../tools/wait.ts";

const KEYS = 500;

interface Scene {
  readonly fleet: Fleet;
  /** The restarted primary: empty, on the ports of the old one. */
  readonly primary: Daemon;
  readonly replicas: readonly [Daemon, Daemon];
  /** What the replicas held when their primary died. */
  readonly digest: Awaited<ReturnType<typeof digestOf>>;
}

/** A primary with two replicas is killed and comes back empty on the same ports. */
async function restartedEmpty(...replicaFlags: string[]): Promise<Scene> {
  const fleet = useFleet();
  const old = await fleet.primary();
  const replicas = [
    await fleet.replica(old, ...replicaFlags),
    await fleet.replica(old, ...replicaFlags),
  ] as const;
  await fill(old, { keys: KEYS });
  await converge([old, ...replicas]);
  const digest = await digestOf(replicas[0]);
  const ports = ["--port", String(old.port), "--repl-port", String(old.replPort)];
  await old.kill();
  return { fleet, replicas, digest, primary: await fleet.primary(...ports) };
}

async function refused(replica: Daemon): Promise<void> {
  await until(async () => (await replica.status()).upstream?.lastError.includes("unrelated"), {
    what: `${replica.name} to be refused`,
    describe: () => replica.status(),
  });
}

/** No freeze, no ship, and every replica still answers what it held. */
async function nothingLost({ primary, replicas, digest }: Scene): Promise<void> {
  const { counters } = await primary.status();
  expect(count(counters, "sync_full")).toBe(0);
  expect(count(counters, "snapshot_freezes")).toBe(0);
  for (const replica of replicas) {
    expect(await digestOf(replica)).toEqual(digest);
    expect(await replica.call("DBSIZE")).toBe(KEYS);
  }
}

test("e2e: wipe protection: primary restarted empty => replicas are refused and keep it all", async () => {
  const scene = await restartedEmpty();
  for (const replica of scene.replicas) await refused(replica);
  await nothingLost(scene);
  const { counters } = await scene.primary.status();
  expect(count(counters, "resume_unrelated")).toBeGreaterThanOrEqual(2);
  expect(scene.primary.find("resume", { case: "unrelated" })).toMatchObject({ level: "warn" });
});

test("e2e: wipe protection: restarted, then written more than they had => still refused", async () => {
  const scene = await restartedEmpty();
  for (const replica of scene.replicas) await refused(replica);
  await fill(scene.primary, { keys: 4 * KEYS, prefix: "new", seed: 2 });
  const { offset } = (await scene.primary.status()).position;
  expect(offset).toBeGreaterThan(scene.digest.offset);
  const before = count((await scene.primary.status()).counters, "resume_unrelated");
  await until(
    async () => count((await scene.primary.status()).counters, "resume_unrelated") >= before + 2,
    { what: "two more attempts" },
  );
  await nothingLost(scene);
});

test("e2e: wipe protection: REPLICAOF towards a primary with data => consent, once", async () => {
  const scene = await restartedEmpty();
  const [willing, unasked] = scene.replicas;
  await fill(scene.primary, { keys: 10, prefix: "new" });
  await refused(unasked);
  await willing.call("REPLICAOF", "127.0.0.1", scene.primary.port);
  const { counters, records } = await converge([scene.primary, willing]);
  expect(records).toBe(10);
  expect(count(counters[0]!, "resume_reset")).toBe(1);
  expect(count(counters[0]!, "sync_full")).toBe(1);
  expect(await unasked.call("DBSIZE")).toBe(KEYS);

  // The consent is used up: the next empty primary on these ports is refused.
  const ports = [
    "--port",
    String(scene.primary.port),
    "--repl-port",
    String(scene.primary.replPort),
  ];
  await scene.primary.kill();
  const third = await scene.fleet.primary(...ports);
  await fill(third, { keys: 20, prefix: "third" });
  await refused(willing);
  expect(await willing.call("DBSIZE")).toBe(10);
});

test("e2e: wipe protection: REPLICAOF towards an empty primary => refused, data kept", async () => {
  const scene = await restartedEmpty();
  const [willing] = scene.replicas;
  await willing.call("REPLICAOF", "127.0.0.1", scene.primary.replPort);
  await until(
    async () => count((await scene.primary.status()).counters, "resume_unrelated_empty") > 0,
    { what: "the refusal" },
  );
  await refused(scene.replicas[1]);
  await nothingLost(scene);
});

test("e2e: wipe protection: --allow-reset and an empty primary => reset, and said so", async () => {
  const fleet = useFleet();
  const filled = await fleet.primary("--allow-reset");
  await fill(filled, { keys: KEYS });
  const empty = await fleet.primary();
  await filled.call("REPLICAOF", "127.0.0.1", empty.port);
  const { counters, records } = await converge([empty, filled]);
  expect(records).toBe(0);
  expect(count(counters[0]!, "resume_reset")).toBe(1);
  expect(empty.find("resume", { case: "reset" })).toMatchObject({ level: "warn" });
});

test("e2e: wipe protection: a replica without data => follows anybody, by a full sync", async () => {
  const fleet = useFleet();
  const one = await fleet.primary();
  const replica = await fleet.replica(one);
  await converge([one, replica]);
  const ports = ["--port", String(one.port), "--repl-port", String(one.replPort)];
  await one.kill();
  const two = await fleet.primary(...ports);
  await fill(two, { keys: 10 });
  const { counters } = await converge([two, replica]);
  expect(count(counters[0]!, "resume_new")).toBe(1);
});

test("e2e: wipe protection: the old primary's data comes back through a promoted replica", async () => {
  const scene = await restartedEmpty();
  const [one, two] = scene.replicas;
  await refused(one);
  await one.call("REPLICAOF", "NO", "ONE");
  await two.call("REPLICAOF", "127.0.0.1", one.port);
  await scene.primary.call("REPLICAOF", "127.0.0.1", one.port);
  const { counters, sum } = await converge([one, two, scene.primary]);
  expect(sum).toBe(scene.digest.sum);
  expect(count(counters[0]!, "sync_partial_ok")).toBe(1);
  expect(count(counters[0]!, "sync_full")).toBe(1);
});
