/**
 * redis-cli and redis-benchmark, the real ones, as other people would use them.
 *
 * Where they are not installed, tests that need them are skipped; with REDIS_TOOLS=required, as in
 * CI, they run and fail instead.
 * Owns: finding and running them. Does not own: what is asserted.
 */
import { execFile, execFileSync } from "node:child_process";
import { promisify } from "node:util";
import { describe } from "vitest";

const run = promisify(execFile);

function isInstalled(tool: string): boolean {
  try {
    execFileSync(tool, ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

const isMissing = !["redis-cli", "redis-benchmark", "redis-server"].every(isInstalled);
const isRequired = process.env["REDIS_TOOLS"] === "required";

/** describe() for tests that run redis's own programs. */
export const describeWithRedis = describe.skipIf(isMissing && !isRequired);

/** What `redis-cli -p port ...` prints, without the last newline. */
export async function redisCli(port: number, ...args: string[]): Promise<string> {
  const { stdout } = await run("redis-cli", ["-p", String(port), ...args], { timeout: 30_000 });
  return stdout.replace(/\n$/, "");
}

/** What `redis-benchmark -p port ...` prints. Rejects when it exits with an error. */
export async function redisBenchmark(port: number, ...args: string[]): Promise<string> {
  const { stdout, stderr } = await run("redis-benchmark", ["-p", String(port), ...args], {
    timeout: 110_000,
    maxBuffer: 64 * 1024 * 1024,
  });
  return stdout + stderr;
}
