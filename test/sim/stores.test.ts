/**
 * Random schedules of what stands behind the log in memory: any store, and disks that crash, in clusters,
 * and such a disk of one node. They run beside the clusters of sim.test.ts.
 */
import { expect, test } from "vitest";
import { DISK_FAULT_NAMES } from "./disk-faults.ts";
import { DiskLife } from "./disk-life.ts";
import { eachSeed } from "./each-seed.ts";
import { TESTED_SEEDS } from "./seeds.ts";
import { Simulation } from "./simulation.ts";

const LOG_STORE_SEEDS = TESTED_SEEDS["log-stores"];
const PUBLIC_SEEDS = TESTED_SEEDS.public;
const CLUSTER_SEEDS = TESTED_SEEDS["on-disk"];
const DISK_SEEDS = TESTED_SEEDS.disks;
/** What a run of all seeds of disks must have seen. */
const DISK_MARKS = [
  ...["the machine crashed", "the process was killed", "died while it opened", "clean stop"],
  ...["torn tail", "trouble", "fsync failed", "cut", "renamed", "recovered"],
  ...["a bit rotted", "a file was lost", "incomplete", "rot refused"],
];

/** What the clusters on disks have to have gone through. */
const CLUSTER_MARKS: readonly string[] = [
  ...DISK_FAULT_NAMES.map((name) => `disk fault ${name}`),
  ...["recovered", "back by partial resync", "back from a checkpoint", "torn tail"].map(
    (mark) => `disk: ${mark}`,
  ),
  ...["died at a step", "checkpoint counts", "copy whole", "block read back", "clean stop"].map(
    (mark) => `disk: ${mark}`,
  ),
];

/** Of all that they were, so much must have happened. */
const PUBLIC_MARKS: readonly string[] = [
  "mark compared",
  ...["start", "end", "nowhere"].map((at) => `public state failed: ${at}`),
  ...["start", "end", "nowhere"].map((at) => `public state judged: ${at}`),
];

test(`sim: ${LOG_STORE_SEEDS} schedules with a store behind each log => the same holds, and links read from it`, async () => {
  const seen = await eachSeed(
    LOG_STORE_SEEDS,
    "--log-stores",
    (seed) => new Simulation(seed, { logStores: true }),
  );
  expect(seen.get("log store: block") ?? 0).toBeGreaterThan(0);
}, 300_000);

test(`sim: ${CLUSTER_SEEDS} schedules of nodes on disks that crash => what was promised comes back, and they become equal`, async () => {
  const seen = await eachSeed(
    CLUSTER_SEEDS,
    "--on-disk",
    (seed) => new Simulation(seed, { onDisk: true }),
  );
  expect(CLUSTER_MARKS.filter((mark) => !seen.has(mark))).toEqual([]);
}, 300_000);

test(`sim: ${PUBLIC_SEEDS} schedules of nodes over a state of an embedder's kind => the same holds, whatever it fails at`, async () => {
  const seen = await eachSeed(
    PUBLIC_SEEDS,
    "--public",
    (seed) => new Simulation(seed, { publicStates: true }),
  );
  expect(PUBLIC_MARKS.filter((mark) => !seen.has(mark))).toEqual([]);
}, 300_000);

test(`sim: ${DISK_SEEDS} lives on disks that crash => what was promised comes back, exactly as it was`, async () => {
  const seen = await eachSeed(DISK_SEEDS, "--disks", (seed) => new DiskLife(seed));
  expect(DISK_MARKS.filter((mark) => !seen.has(`disk: ${mark}`))).toEqual([]);
}, 300_000);
