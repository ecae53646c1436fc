/** Nodes that are killed under load, as `npm run crash` does it, on the build that is there. */
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { ManagedProcess } from "../../tools/processes.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

async function crash(...args: string[]): Promise<{ code: number | null; text: string }> {
  const all = ["--import", "tsx", "scripts/crash/main.ts", ...args];
  const run = await ManagedProcess.spawn(process.execPath, all, { name: "crash", cwd: root });
  try {
    const { code } = await run.ended(110_000);
    return { code, text: run.stdout + run.errorLines.join("\n") };
  } finally {
    await run.stop();
  }
}

test("e2e: crash: nodes that keep nothing => every check of what comes back fails", async () => {
  const { code, text } = await crash("--rounds", "1", "--replicas", "2", "--dry", "--seed", "1");
  expect(code).toBe(1);
  for (const check of ["what was answered is there", "what a living replica had is there"])
    expect(text).toContain(`FAILED  ${check}`);
  expect(text).toContain("FAILED  all nodes are equal");
});
