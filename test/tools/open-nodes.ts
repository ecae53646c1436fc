/** Nodes and folders of one test file: closed and removed after each test. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach } from "vitest";
import type { ReplicatedNode } from "../../src/embed/replicated-node.ts";

/** What a test opened goes here. */
export const open: ReplicatedNode[] = [];
const dirs: string[] = [];

afterEach(async () => {
  for (const node of open.splice(0)) await node.close();
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true });
});

/** Empty. */
export function newDir(): string {
  const dir = mkdtempSync(join(tmpdir(), "hawser-nodes-"));
  dirs.push(dir);
  return dir;
}
