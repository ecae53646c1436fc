/** Random schedules: `npm run sim -- --seeds N --first SEED` runs more, with a trace on failure. */
import { execFile } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { TESTED_SEEDS } from "./seeds.ts";
import { Simulation } from "./simulation.ts";

const SEEDS = TESTED_SEEDS.clusters;
const COMMAND = fileURLToPath(new URL("../../scripts/sim/main.ts", import.meta.url));

test("same seed => the same trace, byte for byte", async () => {
  for (const seed of [3, 7, 11])
    expect(await new Simulation(seed).run()).toBe(await new Simulation(seed).run());
});

test(`sim: ${SEEDS} random schedules => equal in the end, nothing left over, every fault seen`, async () => {
  // Why processes: a schedule keeps one core busy, and this is the longest test of all.
  const args = ["--import", "tsx", COMMAND, "--quiet", "--seeds", String(SEEDS)];
  args.push("--jobs", String(availableParallelism()));
  const ended = await promisify(execFile)(process.execPath, args).catch((error: unknown) => {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    const replay = "npm run sim -- --seeds 1 --first SEED --trace";
    throw new Error(`${stdout ?? ""}${stderr ?? ""}\nreplay: ${replay}`, { cause: error });
  });
  expect(ended.stdout).toContain(`${SEEDS} schedules from seed 1, 0 failed`);
}, 1_000_000);
