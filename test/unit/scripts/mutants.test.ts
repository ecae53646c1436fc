/** The deliberate bugs of the simulator still fit the sources: running them takes minutes. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { ALL_MUTANTS } from "../../../scripts/sim/all-mutants.ts";
import { edited } from "../../../scripts/sim/workbench.ts";

test.each(ALL_MUTANTS.map((mutant) => [mutant.name, mutant] as const))("%s", (_name, { edits }) => {
  for (const edit of edits) {
    const text = readFileSync(new URL(`../../../${edit.file}`, import.meta.url), "utf8");
    expect(edited(text, edit)).not.toBe(text);
  }
});

test("no two have one name", () => {
  expect(new Set(ALL_MUTANTS.map(({ name }) => name)).size).toBe(ALL_MUTANTS.length);
});
