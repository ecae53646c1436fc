/** Deliberate bugs are caught: `npm run sim:mutants` looks for all of them, which takes hours. */
import { execFile } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

/** Each is caught in the first few; more of them than the sources need today. */
const SEEDS = 30;
const COMMAND = fileURLToPath(new URL("../../scripts/sim/mutants.ts", import.meta.url));

test("sim: a deliberate bug for each kind of schedules => caught", async () => {
  const args = ["--import", "tsx", COMMAND, "--quick", "--seeds", String(SEEDS)];
  args.push("--jobs", String(availableParallelism()));
  const ended = await promisify(execFile)(process.execPath, args).catch((error: unknown) => {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string };
    throw new Error(`${stdout ?? ""}${stderr ?? ""}`, { cause: error });
  });
  expect(ended.stdout).toMatch(/^\d+ bugs, 0 survived/m);
}, 600_000);
