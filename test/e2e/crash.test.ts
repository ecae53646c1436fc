/**
 * Nodes that are killed under load, and damaged directories: short forms of `npm run crash`, `crash:points` and
 * `crash:nodes`.
 */
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { ManagedProcess } from "../../tools/processes.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

async function run(
  script: "crash/main" | "crash/points" | "nodes/main",
  ...args: string[]
): Promise<{ code: number | null; text: string }> {
  const all = ["--import", "tsx", `scripts/${script}.ts`, ...args];
  const child = await ManagedProcess.spawn(process.execPath, all, { name: "crash", cwd: root });
  try {
    const { code } = await child.ended(110_000);
    return { code, text: child.stdout + child.errorLines.join("\n") };
  } finally {
    await child.stop();
  }
}

const DRY = ["--rounds", "1", "--replicas", "2", "--dry", "--seed", "1"];

test("e2e: crash: nodes that keep nothing => every check of what comes back fails", async () => {
  const { code, text } = await run("crash/main", ...DRY);
  expect(code).toBe(1);
  for (const check of ["what was answered is there", "what a living replica had is there"])
    expect(text).toContain(`FAILED  ${check}`);
  expect(text).toContain("FAILED  all nodes are equal");
});

test.each([
  ["0", "1"],
  ["2", "3"],
])("e2e: crash: 5 rounds with %s replicas => all checks hold", async (replicas, seed) => {
  const args = ["--rounds", "5", "--replicas", replicas, "--seed", seed];
  const { code, text } = await run("crash/main", ...args);
  expect(code, text).toBe(0);
  expect(text).toContain("all checks held");
});

test("e2e: crash: 12 damaged copies of a directory => each start ends as documented", async () => {
  const { code, text } = await run("crash/points", "--points", "12", "--seed", "7");
  expect(code, text).toBe(0);
  expect(text).toMatch(/12 damaged copies: .*; 0 FAILED/);
});

test("e2e: crash: 10 kills of nodes over states with real files => all checks hold", async () => {
  const seed = String(Date.now() % 1_000_000);
  const { code, text } = await run("nodes/main", "--kills", "10", "--seed", seed);
  expect(code, text).toBe(0);
  expect(text).toContain("all checks held");
});

test("e2e: crash: nodes over states whose log is in memory alone => their kills do not pass", async () => {
  const { code, text } = await run("nodes/main", "--kills", "6", "--seed", "1", "--dry", "lmdb");
  expect(code, text).toBe(1);
  expect(text).toContain("FAILED  the replica goes on by a partial resync");
});
