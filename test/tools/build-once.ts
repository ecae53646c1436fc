import { execFileSync } from "node:child_process";

/** vitest globalSetup: compiles src/ to dist/, which workers and daemon processes run. */
export default function buildOnce(): void {
  execFileSync(process.execPath, ["scripts/build.mjs"], { stdio: "inherit" });
}
