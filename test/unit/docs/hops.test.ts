/** docs/ARCHITECTURE.md: the ways of a batch and of a chunk name files and functions that exist. */
import { expect, test } from "vitest";
import { document, exists, readText, section, tableRows } from "./documents.ts";

const HOPS_MAX = 12;
const architecture = document("docs/ARCHITECTURE.md").text;

function uncoded(cell: string): string {
  return cell.replaceAll("`", "");
}

/** Whether the file has a function or a method of that name with a body, not a call of it alone. */
function defines(path: string, name: string): boolean {
  const declared = new RegExp(`^(?:export )?(?:async )?function ${name}\\b`, "m");
  const method = new RegExp(`^  (?:private |async |readonly )*#?${name}(?:\\(| = \\()`, "m");
  return declared.test(readText(path)) || method.test(readText(path));
}

test.each([
  "4.1 A batch, from a client's bytes to the waiter that wakes",
  "4.2 A chunk, from the freeze to the swap",
])("hops: %s => at most twelve, each a function of its file", (heading) => {
  const hops = tableRows(section(architecture, heading));
  expect(hops.map(([number]) => Number(number))).toEqual(hops.map((_, index) => index + 1));
  expect(hops.length).toBeLessThanOrEqual(HOPS_MAX);
  const unknown = hops
    .map(([, file = "", name = ""]) => ({ file: uncoded(file), name: uncoded(name) }))
    .filter(({ file, name }) => !exists(file) || !defines(file, name));
  expect(unknown).toEqual([]);
});
