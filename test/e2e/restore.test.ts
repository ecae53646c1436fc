/** `hawser restore --at` of the directory of a node that runs: each moment has what was answered until then, and no more. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runHawser } from "../../tools/processes.ts";
import { useFleet } from "../tools/fleet.ts";

test("e2e: restore --at a time and --at an offset, beside the running node => the values of that moment", async () => {
  const fleet = useFleet();
  const base = mkdtempSync(join(tmpdir(), "hawser-restore-at-"));
  fleet.defer(() => rmSync(base, { recursive: true, force: true }));
  const old = join(base, "old");
  const primary = await fleet.primary("--dir", old, "--fsync", "always");
  const moments: { readonly at: string; readonly n: number }[] = [];
  for (let n = 1; n <= 6; n++) {
    await primary.call("SET", "counter", String(n));
    await primary.call("SET", `key:${n}`, String(n));
    await sleep(20);
    if (n === 3)
      expect((await runHawser(["checkpoint", `127.0.0.1:${primary.port}`])).code).toBe(0);
    const { position } = await primary.status();
    moments.push({ at: n % 2 === 0 ? `@${Date.now()}` : String(position.offset), n });
    await sleep(20);
  }
  await primary.call("FLUSHALL");
  for (const { at, n } of moments) {
    const dir = join(base, `at ${n}`);
    const run = await runHawser(["restore", old, "--dir", dir, "--at", at]);
    expect([run.stderr, run.code]).toEqual(["", 0]);
    expect(run.stdout).toContain(`${old} is in use by process`);
    const copy = await fleet.primary("--dir", dir);
    expect([await copy.text("GET", "counter"), await copy.call("DBSIZE")]).toEqual([
      String(n),
      n + 1,
    ]);
    await copy.stop();
  }
  const none = join(base, "none");
  const outside = await runHawser(["restore", old, "--dir", none, "--at", "999999999"]);
  expect([outside.code, outside.stderr]).toEqual([
    2,
    expect.stringContaining("is outside of what"),
  ]);
  expect(await primary.call("DBSIZE")).toBe(0);
});
