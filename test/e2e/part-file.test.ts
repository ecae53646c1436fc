/** A replica with --dir that is killed in the middle of a ship goes on from its part file. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { converge, count } from "../../tools/converge.ts";
import { fill } from "../tools/fill.ts";
import { useFleet } from "../tools/fleet.ts";
import type { Daemon, Fleet } from "../../tools/processes.ts";
import { until } from "../../tools/wait.ts";

function directory(fleet: Fleet): string {
  const dir = mkdtempSync(join(tmpdir(), "hawser-part-"));
  fleet.defer(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** About 48 MB, shipped at 12 MB/s: four seconds, three checkpoints of 16 MB. */
async function slowPrimary(fleet: Fleet): Promise<Daemon> {
  const primary = await fleet.primary("--ship-rate", "12mb");
  await fill(primary, { keys: 4000, valueBytes: [11_000, 13_000], pipeline: 50 });
  return primary;
}

async function hasCheckpoint(dir: string, chunks: number): Promise<void> {
  await until(
    () => {
      const kept = JSON.parse(readFileSync(join(dir, "snapshot.json"), "utf8")) as {
        chunks: number;
      };
      return kept.chunks >= chunks;
    },
    { what: `a checkpoint of ${chunks} chunks`, everyMs: 20, timeoutMs: 20_000 },
  ).catch((error: unknown) => {
    throw new Error(`no checkpoint in ${dir}`, { cause: error });
  });
}

const waitForFile = (path: string): Promise<unknown> =>
  until(() => statSync(path, { throwIfNoEntry: false }) !== undefined, {
    what: path,
    everyMs: 20,
  });

test("e2e: part file: kill -9 in the middle, same --dir => resumed, -LOADING until the swap", async () => {
  const fleet = useFleet();
  const dir = directory(fleet);
  const primary = await slowPrimary(fleet);
  const first = await fleet.replica(primary, "--dir", dir);
  await waitForFile(join(dir, "snapshot.json"));
  await hasCheckpoint(dir, 60);
  await first.kill();
  const second = await fleet.replica(primary, "--dir", dir);
  expect(String(await second.ask("GET", "key:1"))).toContain("LOADING");
  const { counters, records } = await converge([primary, second]);
  expect(records).toBe(4000);
  expect(count(counters[0]!, "sync_full")).toBe(1);
  expect(count(counters[0]!, "snapshot_resumes")).toBe(1);
  const whole = Number(second.find("restored")?.["bytes"]);
  expect(count(counters[0]!, "snapshot_bytes_sent")).toBeLessThan(whole * 1.6);
  expect(second.find("part_file_found")?.["chunks"]).toBeGreaterThanOrEqual(60);
});

test("e2e: part file: damaged on disk => found out, shipped again, equal", async () => {
  const fleet = useFleet();
  const dir = directory(fleet);
  const primary = await slowPrimary(fleet);
  const first = await fleet.replica(primary, "--dir", dir);
  await waitForFile(join(dir, "snapshot.json"));
  await hasCheckpoint(dir, 60);
  await first.kill();
  const path = join(dir, "snapshot.part");
  const bytes = readFileSync(path);
  bytes[1_000_000]! ^= 1;
  writeFileSync(path, bytes);
  const second = await fleet.replica(primary, "--dir", dir);
  const { counters } = await converge([primary, second]);
  expect(second.find("part_file_unusable")?.["why"]).toContain("ERR_WIRE_BODY_CRC");
  expect(count(counters[0]!, "sync_full")).toBe(2);
});

test("e2e: part file: the disk gets full => one line, the files are gone, the sync goes on", async () => {
  const fleet = useFleet();
  const dir = directory(fleet);
  const primary = await slowPrimary(fleet);
  const replica = await fleet.replica(primary, "--dir", dir);
  await waitForFile(join(dir, "snapshot.part"));
  // No file of this process may grow beyond: the kernel takes a part of a write, then fails.
  execFileSync("prlimit", [`--pid=${replica.pid}`, "--fsize=5000001"]);
  const { counters } = await converge([primary, replica]);
  expect(count(counters[0]!, "sync_full")).toBe(1);
  expect(replica.findAll("part_file_failed")).toHaveLength(1);
  expect(replica.find("part_file_failed")).toMatchObject({ level: "warn" });
  expect(readdirSync(dir).filter((name) => name.startsWith("snapshot"))).toEqual([]);
});

test("e2e: part file: without --dir => killed and started again, a ship from the start", async () => {
  const fleet = useFleet();
  const primary = await slowPrimary(fleet);
  const first = await fleet.replica(primary);
  await until(async () => ((await first.status()).upstream?.restore?.chunks ?? 0) > 20, {
    what: "20 chunks",
    everyMs: 20,
  });
  await first.kill();
  const second = await fleet.replica(primary);
  const { counters } = await converge([primary, second]);
  expect(count(counters[0]!, "sync_full")).toBe(2);
  expect(count(counters[0]!, "snapshot_resumes")).toBe(0);
});
