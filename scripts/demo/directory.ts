/** Directories of the demo's nodes: new ones, and gone when the demo ends, also by Ctrl-C. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Fleet } from "../../tools/processes.ts";

export function demoDirectory(fleet: Fleet): string {
  const dir = mkdtempSync(join(tmpdir(), "hawser-demo-"));
  const remove = (): void => {
    rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
  };
  fleet.defer(remove);
  process.once("exit", remove);
  return dir;
}
