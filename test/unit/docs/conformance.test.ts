/** docs/guides/conformance.md: its table has every check, in order. */
import { expect, test } from "vitest";
import { conformance } from "../../../src/conformance/index.ts";
import { namesIn, readText, section } from "./documents.ts";

test("conformance: the table has every check, in order", () => {
  const checks = conformance({
    make: () => null as never,
    examples: { write: () => null as never },
  });
  const told = section(readText("docs/guides/conformance.md"), "The checks");
  const options = ["kills", "seed", "timeoutMs", "folder", "log"];
  expect(namesIn(told)).toEqual([...checks.map(({ name }) => name), ...options]);
});
