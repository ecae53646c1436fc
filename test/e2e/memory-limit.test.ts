/** --maxmemory beside replication: a ship never costs a client an OOM, a replica never refuses the log. */
import { expect, test } from "vitest";
import { converge, count } from "../../tools/converge.ts";
import { fill } from "../tools/fill.ts";
import { useFleet } from "../tools/fleet.ts";
import { until } from "../../tools/wait.ts";

const MIXED = { keys: 4000, valueBytes: [9_000, 11_000] as const, pipeline: 50 };

test("e2e: memory: a stalled ship pins what is overwritten, near maxmemory => no OOM, it is let go", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary("--maxmemory", "72mb", "--ship-rate", "8mb");
  await fill(primary, MIXED);
  const proxy = await fleet.proxy(primary, { bufferBytesMax: 65_536 });
  const replica = await fleet.replica(proxy);
  await until(async () => ((await replica.status()).upstream?.restore?.chunks ?? 0) > 3, {
    what: "a ship under way",
    everyMs: 10,
  });
  proxy.down.stall();
  // fill() throws at the first reply that is an error: every one of these is answered OK.
  for (let round = 1; round <= 4; round++) await fill(primary, { ...MIXED, seed: round });
  expect(count((await primary.status()).counters, "snapshots_dropped_for_memory")).toBe(1);
  proxy.down.resume();
  const { records } = await converge([primary, replica]);
  expect(records).toBe(4000);
});

test("e2e: memory: a primary at maxmemory => writes that grow are refused, deletes and reads go on", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary("--maxmemory", "24mb");
  const replica = await fleet.replica(primary);
  await expect(fill(primary, MIXED)).rejects.toThrow(/OOM command not allowed/);
  expect(await primary.text("GET", "key:1")).not.toBe("");
  expect(await primary.call("DEL", "key:1")).toBe(1);
  await converge([primary, replica]);
});

test("e2e: memory: a replica with less maxmemory than the primary's data => takes all of it", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary();
  const replica = await fleet.replica(primary, "--maxmemory", "8mb");
  await fill(primary, MIXED);
  const { records } = await converge([primary, replica]);
  expect(records).toBe(4000);
  const late = await fleet.replica(primary, "--maxmemory", "8mb");
  await converge([primary, replica, late]);
});
