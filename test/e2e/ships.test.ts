/** A full sync is disturbed at its beginning, in its middle and at its end. */
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { converge, count } from "../../tools/converge.ts";
import { fill, writeLog } from "../tools/fill.ts";
import { useFleet } from "../tools/fleet.ts";
import type { Daemon, Fleet } from "../../tools/processes.ts";
import { until, within } from "../../tools/wait.ts";

const MB = 1_000_000;

/** A primary with about 24 MB in 3000 keys. */
async function filled(fleet: Fleet, ...flags: string[]): Promise<Daemon> {
  const primary = await fleet.primary(...flags);
  await fill(primary, { keys: 3000, valueBytes: [4000, 12_000], pipeline: 50 });
  return primary;
}

/** The replica has loaded at least so many chunks and is still restoring. */
async function restoring(replica: Daemon, chunks: number): Promise<void> {
  await until(
    async () => {
      const upstream = (await replica.status()).upstream;
      return upstream?.state === "restoring" && (upstream.restore?.chunks ?? 0) >= chunks;
    },
    { what: `${chunks} chunks of a snapshot`, everyMs: 5, describe: () => replica.status() },
  );
}

/** Bytes on the wire of an undisturbed ship, measured once. */
let wholeShip = 0;
async function shipBytes(): Promise<number> {
  if (wholeShip > 0) return wholeShip;
  const fleet = useFleet();
  const primary = await filled(fleet);
  const proxy = await fleet.proxy(primary);
  const replica = await fleet.replica(proxy);
  await converge([primary, replica]);
  wholeShip = proxy.down.bytes;
  return wholeShip;
}

test.each([0.001, 0.25, 0.5, 0.75, 0.999])(
  "e2e: ship: link reset at %d of a ship => resumed where it was, one full sync",
  async (share) => {
    const bytes = Math.floor((await shipBytes()) * share);
    const fleet = useFleet();
    const primary = await filled(fleet);
    const proxy = await fleet.proxy(primary);
    const cut = proxy.down.cutAfter(bytes, "reset");
    const replica = await fleet.replica(proxy);
    await within(cut, "the cut");
    const { counters } = await converge([primary, replica]);
    const resumes = count(counters[0]!, "snapshot_resumes");
    expect(count(counters[0]!, "sync_full") + resumes).toBe(2);
    if (share >= 0.25) expect(resumes).toBe(1);
    // A reset loses what the kernel holds, at most the ship's window.
    expect(proxy.down.bytes).toBeLessThan(wholeShip + 10 * MB);
  },
);

test("e2e: ship: cut five times on its way => resumed five times, one full sync", async () => {
  const step = Math.floor((await shipBytes()) / 6);
  const fleet = useFleet();
  const primary = await filled(fleet);
  const proxy = await fleet.proxy(primary);
  let cut = proxy.down.cutAfter(step, "reset");
  const replica = await fleet.replica(proxy);
  for (let round = 0; round < 5; round++) {
    await within(cut, `cut ${round}`);
    if (round < 4) cut = proxy.down.cutAfter(step, round % 2 === 0 ? "destroy" : "reset");
  }
  const { counters } = await converge([primary, replica]);
  expect(count(counters[0]!, "sync_full")).toBe(1);
  expect(count(counters[0]!, "snapshot_resumes")).toBe(5);
  expect(proxy.down.bytes).toBeLessThan(wholeShip * 1.5);
});

test("e2e: ship: one bit of a chunk flipped => caught, resumed, equal", async () => {
  const fleet = useFleet();
  const primary = await filled(fleet);
  const proxy = await fleet.proxy(primary);
  const flipped = proxy.down.flipBitAfter(9 * MB, 2);
  const replica = await fleet.replica(proxy);
  await within(flipped, "the flip");
  const { counters } = await converge([primary, replica]);
  expect(count(counters[0]!, "sync_full") + count(counters[0]!, "snapshot_resumes")).toBe(2);
});

test("e2e: ship: replica killed in its middle and started again => a ship from the start, equal", async () => {
  const fleet = useFleet();
  const primary = await filled(fleet, "--ship-rate", "12mb");
  const first = await fleet.replica(primary);
  await restoring(first, 10);
  await first.kill();
  const second = await fleet.replica(primary);
  const { counters } = await converge([primary, second]);
  expect(count(counters[0]!, "sync_full")).toBe(2);
  expect(count(counters[0]!, "snapshot_resumes")).toBe(0);
});

test("e2e: ship: replica stopped in its middle and continued => the same ship goes on", async () => {
  const fleet = useFleet();
  const primary = await filled(fleet, "--ship-rate", "12mb");
  const replica = await fleet.replica(primary);
  await restoring(replica, 10);
  replica.pause();
  await fill(primary, { keys: 500, prefix: "meanwhile" });
  replica.resume();
  const { counters } = await converge([primary, replica]);
  expect(count(counters[0]!, "sync_full")).toBe(1);
  expect(replica.findAll("welcomed")).toHaveLength(1);
});

test("e2e: ship: the primary is killed in its middle => an empty replica takes the next one", async () => {
  const fleet = useFleet();
  const primary = await filled(fleet, "--ship-rate", "12mb");
  const replica = await fleet.replica(primary);
  await restoring(replica, 10);
  const ports = ["--port", String(primary.port), "--repl-port", String(primary.replPort)];
  await primary.kill();
  const next = await fleet.primary(...ports);
  await fill(next, { keys: 100 });
  const { records } = await converge([next, replica]);
  expect(records).toBe(100);
});

test("e2e: ship: aborted for good => the replica keeps and answers its old state", async () => {
  const fleet = useFleet();
  const old = await fleet.primary();
  await fill(old, { keys: 100, prefix: "old" });
  const replica = await fleet.replica(old);
  await converge([old, replica]);
  const primary = await filled(fleet, "--ship-rate", "12mb");
  await replica.call("REPLICAOF", "127.0.0.1", primary.replPort);
  await restoring(replica, 10);
  expect(await replica.call("DBSIZE")).toBe(100);
  await primary.kill();
  await until(async () => (await replica.status()).upstream?.state === "retrying", {
    what: "the replica to notice",
  });
  expect(await replica.call("DBSIZE")).toBe(100);
  await replica.call("REPLICAOF", "127.0.0.1", old.replPort);
  const { counters } = await converge([old, replica]);
  expect(count(counters[0]!, "sync_partial_ok")).toBe(1);
});

test("e2e: ship: writes go on during it, within the hold => caught up, no second ship", async () => {
  const fleet = useFleet();
  const primary = await filled(fleet, "--backlog", "2mb", "--ship-rate", "12mb");
  const replica = await fleet.replica(primary, "--backlog", "2mb");
  await restoring(replica, 5);
  // Writers may be slowed meanwhile; nothing is refused, and the hold never reaches its cap.
  for (let round = 0; round < 10; round++) await writeLog(primary, 600_000);
  const { counters } = await converge([primary, replica]);
  expect(count(counters[0]!, "sync_full")).toBe(1);
  expect(primary.find("hold_dropped")).toBeUndefined();
  expect(replica.findAll("welcomed")).toHaveLength(1);
});

test("e2e: ship: four replicas at once => equal, and they share a freeze", async () => {
  const fleet = useFleet();
  const primary = await filled(fleet);
  const replicas = await Promise.all(Array.from({ length: 4 }, () => fleet.replica(primary)));
  const { counters } = await converge([primary, ...replicas]);
  expect(count(counters[0]!, "sync_full")).toBe(4);
  expect(count(counters[0]!, "snapshot_freezes")).toBeLessThan(4);
});

test("e2e: ship: --ship-rate changed while it runs => takes effect", async () => {
  const fleet = useFleet();
  const primary = await filled(fleet, "--ship-rate", "100kb");
  const replica = await fleet.replica(primary);
  await restoring(replica, 1);
  await primary.call("CONFIG", "SET", "ship-rate", "0");
  await converge([primary, replica]);
});

test("e2e: ship: an empty primary => a replica in sync at once", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  const replica = await fleet.replica(primary);
  const { records, offset, counters } = await converge([primary, replica]);
  expect([records, offset]).toEqual([0, 0]);
  expect(count(counters[0]!, "resume_new")).toBe(1);
});

test("e2e: ship: FLUSHALL during it => the stream carries it, both empty but for what came after", async () => {
  const fleet = useFleet();
  const primary = await filled(fleet, "--ship-rate", "12mb");
  const replica = await fleet.replica(primary);
  await restoring(replica, 5);
  await primary.call("FLUSHALL");
  await primary.call("SET", "after", "x");
  const { records, counters } = await converge([primary, replica]);
  expect(records).toBe(1);
  expect(count(counters[0]!, "sync_full")).toBe(1);
});

test("e2e: ship: keys that expire during it => gone on both ends", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary("--ship-rate", "8mb");
  const client = await primary.client();
  const value = "x".repeat(3000);
  await client.pipeline(
    Array.from({ length: 3000 }, (_, i) => ["SET", `short:${i}`, value, "PX", 1500]),
  );
  await fill(primary, { keys: 100 });
  const replica = await fleet.replica(primary);
  await until(async () => (await primary.call("DBSIZE")) === 100, { what: "the expiry" });
  const { records } = await converge([primary, replica]);
  expect(records).toBe(100);
  expect(await replica.call("EXISTS", "short:1")).toBe(0);
});

test("e2e: ships: no thread can be started => the ship fails with the reason, the primary serves, a later ship arrives", async () => {
  const fleet = useFleet();
  const preload = fileURLToPath(new URL("../tools/few-threads.cjs", import.meta.url));
  const { NODE_OPTIONS } = process.env;
  process.env["NODE_OPTIONS"] = `--require ${preload}`;
  const primary = await fleet.primary();
  if (NODE_OPTIONS === undefined) delete process.env["NODE_OPTIONS"];
  else process.env["NODE_OPTIONS"] = NODE_OPTIONS;
  await fill(primary, { keys: 100 });
  const replica = await fleet.replica(primary);
  const line = await until(() => primary.find("link_closed", { reason: "ship_failed" }), {
    what: "a failed ship",
  });
  expect(line["detail"]).toMatch(/^the worker did not start: Error: .*EAGAIN/);
  expect(await primary.call("DBSIZE")).toBe(100);
  const { counters } = await converge([primary, replica]);
  expect(count(counters[0]!, "link_drops_ship_failed")).toBe(3);
  expect(primary.exit).toBeNull();
});
