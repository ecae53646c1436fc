/** The demo's unattended job, as `npm run demo -- --check` runs it on the build that is there. */
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { ManagedProcess } from "../../tools/processes.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

test("e2e: demo --check => exit 0, every check ok, one line of figures", async () => {
  const args = ["--import", "tsx", "scripts/demo/main.ts", "--check"];
  const demo = await ManagedProcess.spawn(process.execPath, args, { name: "demo", cwd: root });
  try {
    const { code } = await demo.ended(110_000);
    expect(demo.stdout + demo.errorLines.join("\n")).not.toContain("FAILED");
    expect(code).toBe(0);
    expect(demo.stdout).toMatch(
      /\ndemo: \d+ records, [\d.]+ MB, 4 full syncs, 3 partial syncs, [\d.]+ s\n$/,
    );
  } finally {
    await demo.stop();
  }
});

test("e2e: demo with a wrong flag => exit 2 and its usage", async () => {
  const args = ["--import", "tsx", "scripts/demo/main.ts", "--chekc"];
  const demo = await ManagedProcess.spawn(process.execPath, args, { name: "demo", cwd: root });
  try {
    expect((await demo.ended()).code).toBe(2);
    expect(demo.errorLines.join("\n")).toContain("npm run demo [-- --check]");
  } finally {
    await demo.stop();
  }
});
