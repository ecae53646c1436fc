/**
 * Names of the folders of generations: `generation-00000003`. Other names are none.
 * Tested in: test/unit/node/disk/data-directory.test.ts.
 */
import type { DiskTree } from "./files.ts";

export function generationName(generation: number): string {
  return `generation-${String(generation).padStart(8, "0")}`;
}

/** Numbers of the generations that have a folder, in order. */
export function generationNumbers(tree: DiskTree): number[] {
  return tree
    .folders()
    .map((name) => /^generation-(\d{8,10})$/.exec(name)?.[1] ?? "")
    .filter((digits) => digits !== "")
    .map(Number)
    .sort((a, b) => a - b);
}
