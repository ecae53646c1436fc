/**
 * The complaint of this field: writers outrun a full sync, the replica is cut, and starts again for
 * ever. Here writers give way.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { converge, count } from "../../tools/converge.ts";
import { fill } from "../tools/fill.ts";
import { useFleet } from "../tools/fleet.ts";
import { writeGroups } from "../../tools/group-writer.ts";
import type { Daemon } from "../../tools/processes.ts";
import { RespClient } from "../../tools/resp-client.ts";
import { until } from "../../tools/wait.ts";

const VALUE = Buffer.alloc(1000, "w");

/** Writes as fast as `bytesPerSecond` until stopped; never more than 2 MB unanswered. */
async function writeAt(node: Daemon, bytesPerSecond: () => number): Promise<() => Promise<number>> {
  const client = await RespClient.connect(node.port);
  let written = 0;
  let running = true;
  const loop = (async () => {
    while (running) {
      const keys = Math.ceil(bytesPerSecond() / 1000 / 50);
      const commands = Array.from({ length: keys }, (_, i) => [
        "SET",
        `w:${(written + i) % 20_000}`,
        VALUE,
      ]);
      const replies = await client.pipeline(commands);
      for (const reply of replies) expect(reply).toBe("OK");
      written += keys;
      await sleep(20);
    }
  })();
  return async () => {
    running = false;
    await loop;
    client.close();
    return written;
  };
}

test("e2e: resync: writers faster than the replica's line during a ship => slowed, one full sync", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary("--backlog", "2mb");
  await fill(primary, { keys: 3000, valueBytes: [7_900, 8_100], pipeline: 50 });
  const proxy = await fleet.proxy(primary);
  proxy.down.set({ bytesPerSecond: 4_000_000 });
  let wanted = 10_000_000;
  const stop = await writeAt(primary, () => wanted);
  const replica = await fleet.replica(proxy);
  await until(async () => (await replica.status()).upstream?.state === "streaming", {
    what: "the swap",
    timeoutMs: 60_000,
    describe: () => primary.status(),
  });
  await sleep(3000);
  wanted = 1_000_000;
  await sleep(2000);
  await stop();
  const { counters } = await converge([primary, replica]);
  expect(count(counters[0]!, "sync_full")).toBe(1);
  expect(count(counters[0]!, "syncs_given_up")).toBe(0);
  expect(count(counters[0]!, "writes_delayed")).toBeGreaterThan(0);
  expect(primary.find("writers_slowed")).toBeDefined();
});

test("e2e: resync: a replica that stays slower than the writers => let go, for twice as long each time", async () => {
  const fleet = useFleet();
  const primary = await fleet.primary("--backlog", "1mb", "--throttle-max", "2s");
  await fill(primary, { keys: 2000, valueBytes: [7_900, 8_100], pipeline: 50 });
  const proxy = await fleet.proxy(primary);
  proxy.down.set({ bytesPerSecond: 400_000 });
  const stop = await writeAt(primary, () => 5_000_000);
  await fleet.replica(proxy);
  await until(() => primary.findAll("sync_given_up").length >= 2, {
    what: "the sync to be given up twice",
    timeoutMs: 60_000,
    describe: () => primary.status(),
  });
  const written = await stop();
  expect(written).toBeGreaterThan(0);
  const waits = primary.findAll("sync_given_up").map((line) => line["quarantine_ms"]);
  expect(waits.slice(0, 2)).toEqual([1000, 2000]);
  const { counters } = await primary.status();
  expect(count(counters, "syncs_given_up")).toBe(waits.length);
});

test("e2e: resync: cuts under load, one near the ship's end => one full sync, no write waits long", async () => {
  for (let run = 1; run <= 2; run++) {
    const fleet = useFleet();
    const primary = await fleet.primary("--backlog", "8mb");
    await fill(primary, { keys: 40_000, valueBytes: [1_000, 1_001], pipeline: 400 });
    const proxy = await fleet.proxy(primary);
    proxy.down.set({ bytesPerSecond: 10_000_000 });
    const stop = await writeGroups(primary.port, {
      writers: 2,
      group: 300,
      valueBytes: 1_000,
      keys: 40_000,
      bytesPerSecond: 15_000_000,
    });
    const replica = await fleet.replica(proxy);
    for (const place of [10_000_000, 25_000_000, 39_000_000])
      await proxy.down.cutAfter(Math.max(0, place - proxy.down.bytes), "reset");
    await until(async () => (await replica.status()).upstream?.state === "streaming", {
      what: "the swap",
      timeoutMs: 60_000,
      describe: () => primary.status(),
    });
    const { groups } = await stop();
    expect(groups).toBeGreaterThan(0);
    const { counters } = await converge([primary, replica]);
    expect(count(counters[0]!, "sync_full")).toBe(1);
    expect(count(counters[0]!, "syncs_given_up")).toBe(0);
    expect(count(counters[0]!, "snapshot_resumes")).toBeGreaterThan(0);
    expect(count(counters[0]!, "writes_delayed")).toBeGreaterThan(0);
    // 250 ms are promised, and what a busy machine's timers add.
    expect(count(counters[0]!, "write_delay_ms_max")).toBeLessThan(1_500);
  }
}, 180_000);
