/** The deliberate bugs of the simulator still fit the sources: running them takes minutes. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { MUTANTS } from "../../../scripts/sim/mutant-list.ts";

test.each(MUTANTS.map((mutant) => [mutant.name, mutant] as const))("%s", (_name, { edits }) => {
  for (const { file, from, to } of edits) {
    const text = readFileSync(new URL(`../../../${file}`, import.meta.url), "utf8");
    expect(text.split(from)).toHaveLength(2);
    expect(to).not.toBe(from);
  }
});
