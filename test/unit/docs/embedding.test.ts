/** The examples of the embedding guide, as they stand there. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Primary, Replica } from "../../../src/index.ts";
import { readText } from "./documents.ts";

const BLOCKS = [...readText("docs/guides/embedding.md").matchAll(/^```js\n([\s\S]*?)^```/gm)].map(
  ([, text]) => text!.replaceAll(/^import .*$/gm, ""),
);

/** Runs an example with other places in it; what it prints. */
async function run(text: string, places: Readonly<Record<string, string>>): Promise<string[]> {
  // What is not in it any more would be left as it is, and written into the working directory.
  for (const place of Object.keys(places)) expect(text).toContain(place);
  const printed: string[] = [];
  const console = { log: (...words: unknown[]) => printed.push(words.join(" ")) };
  const moved = Object.entries(places).reduce((code, [from, to]) => code.replace(from, to), text);
  // eslint-disable-next-line @typescript-eslint/no-implied-eval
  const example = new Function(
    "Primary",
    "Replica",
    "console",
    `return (async () => {${moved}})();`,
  ) as (...given: unknown[]) => Promise<void>;
  await example(Primary, Replica, console);
  return printed;
}

test("embedding: the first example counts on, run after run; the second reads it from a primary", async () => {
  const base = mkdtempSync(join(tmpdir(), "hawser-embedding-"));
  try {
    expect(BLOCKS).toHaveLength(3);
    const [first, second] = BLOCKS as [string, string, string];
    const places = { "./data": join(base, "data") };
    expect(await run(first, places)).toEqual(["visit 1"]);
    expect(await run(first, places)).toEqual(["visit 2"]);
    const primary = await Primary.open({ dir: join(base, "data") });
    const at = `127.0.0.1:${primary.replPort}`;
    const copy = { "127.0.0.1:16380": at, "./copy": join(base, "copy") };
    expect(await run(second, copy)).toEqual(["visit 2"]);
    expect(await run(second, copy)).toEqual(["visit 2"]);
    await primary.close();
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
});

test("embedding: the third example shows keys and values", async () => {
  const printed = await run(BLOCKS[2]!, {});
  expect(printed.sort()).toEqual(["session:1 anna true", "session:2 carl true"]);
});
