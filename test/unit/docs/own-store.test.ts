/**
 * The guide of states of one's own: its steps are the text of the SQLite example, which test/e2e/states.test.ts
 * runs, and its other blocks are run here as they stand there.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ClassicLevel } from "classic-level";
import { open } from "lmdb";
import { expect, test } from "vitest";
import * as hawser from "../../../src/index.ts";
import { readText } from "./documents.ts";

const GUIDE = "docs/guides/replicate-your-own-store.md";
const BLOCKS = [...readText(GUIDE).matchAll(/^```js\n([\s\S]*?)^```/gm)].map(([, text]) => text!);
const isWhole = (block: string): boolean => block.includes("import ");

/** Without what a formatter does. */
const oneLine = (text: string): string => text.replaceAll(/\s+/g, " ");

test("own store: each step of the guide is in the example", () => {
  const example = readText("examples/lib/accounts-state.mjs");
  const steps = BLOCKS.filter((block) => !isWhole(block));
  expect(steps.length).toBeGreaterThan(4);
  for (const step of steps) expect(oneLine(example)).toContain(oneLine(step));
});

test.each(BLOCKS.filter(isWhole).map((block, index) => [index + 1, block] as const))(
  "own store: block %i does what it says",
  async (_, block) => {
    const base = mkdtempSync(join(tmpdir(), "hawser-guide-"));
    try {
      const printed: unknown[] = [];
      const code = block.replaceAll(/^import .*$/gm, "");
      expect(code).toContain('"./data"');
      const given = {
        ...hawser,
        ClassicLevel,
        open,
        console: { log: (x: unknown) => printed.push(x) },
      };
      const moved = code
        .replace('"./data"', JSON.stringify(join(base, "data")))
        .replace("listen: 16380", "listen: 0");
      // eslint-disable-next-line @typescript-eslint/no-implied-eval
      const run = new Function(...Object.keys(given), `return (async () => {${moved}})();`) as (
        ...values: unknown[]
      ) => Promise<void>;
      await run(...Object.values(given));
      const said = [...block.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map(([, text]) => text);
      expect(printed.map((each) => JSON.stringify(each))).toEqual(said);
      expect(said.length).toBeGreaterThan(0);
    } finally {
      rmSync(base, { recursive: true, force: true });
    }
  },
);
