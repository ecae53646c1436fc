/** One replica behind a 1 MB/s line beside a fast one: neither the fast one nor the memory suffers. */
import { expect, test } from "vitest";
import { converge, count } from "../../tools/converge.ts";
import { fill, writeLog } from "../tools/fill.ts";
import { useFleet } from "../tools/fleet.ts";
import type { Daemon } from "../../tools/processes.ts";
import type { FaultProxy } from "../../tools/proxy.ts";
import { until } from "../../tools/wait.ts";

const MB = 1_000_000;
const MIB = 1024 * 1024;
/** Output cap of a link, and what one batch may go over it. */
const OUTPUT_BYTES_MAX = 6 * MIB;
/** Writers give way to a replica for this long after its full sync: not what is looked at here. */
const NO_PROBATION = ["--throttle-max", "100ms"];
/** Garbage that is not collected yet, a megabyte here and there. */
const HEAP_SLACK = 96 * MIB;

interface Scene {
  readonly primary: Daemon;
  readonly fast: Daemon;
  readonly slow: Daemon;
  readonly proxy: FaultProxy;
}

/** A fast replica, and one behind a line of 1 MB/s; the log's first keys are written and applied. */
async function scene(...flags: string[]): Promise<Scene> {
  const fleet = useFleet();
  const primary = await fleet.primary(...flags);
  const proxy = await fleet.proxy(primary);
  const fast = await fleet.replica(primary);
  const slow = await fleet.replica(proxy);
  await writeLog(primary, 4 * MB);
  await converge([primary, fast, slow]);
  proxy.down.set({ bytesPerSecond: MB });
  return { primary, fast, slow, proxy };
}

/** Writes, the fast replica confirming every 8 MB; the primary's memory at its largest, bytes. */
async function writeConfirmed({ primary }: Scene, bytes: number): Promise<number> {
  let most = 0;
  for (let written = 0; written < bytes; written += 8 * MB) {
    await writeLog(primary, 8 * MB);
    expect(await primary.call("WAIT", 1, 60_000)).toBeGreaterThanOrEqual(1);
    most = Math.max(most, await primary.residentBytes());
  }
  return most;
}

test("e2e: slow replica: 1 MB/s, within the backlog => the fast one has it all, the slow one lags", async () => {
  const at = await scene("--backlog", "64mb", ...NO_PROBATION);
  const delayed = count((await at.primary.status()).counters, "writes_delayed");
  const before = await at.primary.residentBytes();
  const most = await writeConfirmed(at, 56 * MB);
  const { position, links, counters } = await at.primary.status();
  const [fast, slow] = [at.fast, at.slow].map((replica) =>
    links.find((link) => link.clientPort === replica.port),
  );
  expect(fast).toMatchObject({ state: "streaming", applied: position.offset });
  expect(slow?.state).toBe("streaming");
  expect(slow?.lagBytes).toBeGreaterThan(20 * MB);
  expect(slow?.outputBytes).toBeLessThanOrEqual(OUTPUT_BYTES_MAX);
  expect(most - before).toBeLessThan(64 * MIB + OUTPUT_BYTES_MAX + HEAP_SLACK);
  expect(count(counters, "writes_delayed")).toBe(delayed);
  at.proxy.heal();
  const healed = await converge([at.primary, at.fast, at.slow]);
  expect(count(healed.counters[0]!, "sync_full")).toBe(2);
  expect(at.slow.findAll("welcomed")).toHaveLength(1);
});

test("e2e: slow replica: 1 MB/s, hopelessly behind => let go; memory bounded by the backlog", async () => {
  const at = await scene("--backlog", "8mb", ...NO_PROBATION);
  const before = await at.primary.residentBytes();
  const most = await writeConfirmed(at, 320 * MB);
  // The backlog, a hold of at most four backlogs, one output.
  expect(most - before).toBeLessThan(5 * 8 * MIB + OUTPUT_BYTES_MAX + HEAP_SLACK);
  await converge([at.primary, at.fast]);
  at.proxy.heal();
  await converge([at.primary, at.fast, at.slow]);
  expect(at.fast.findAll("welcomed")).toHaveLength(1);
});

test("e2e: slow replica: stopped reading altogether => the others go on, it comes back equal", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary("--backlog", "2mb", ...NO_PROBATION);
  const proxy = await fleet.proxy(primary);
  const fast = await fleet.replica(primary);
  const stalled = await fleet.replica(proxy);
  await fill(primary, { keys: 200 });
  await converge([primary, fast, stalled]);
  proxy.down.stall();
  await writeLog(primary, 40 * MB);
  await converge([primary, fast]);
  const link = (await primary.status()).links.find((one) => one.clientPort === stalled.port);
  expect(link?.outputBytes).toBeLessThanOrEqual(OUTPUT_BYTES_MAX);
  proxy.down.resume();
  await until(async () => count((await primary.status()).counters, "sync_full") === 3, {
    what: "a snapshot for the overtaken replica",
    describe: () => primary.status(),
  });
  await converge([primary, fast, stalled]);
});
