/** The checks that kill: a state in a file passes, three that are broken between two writes are caught. */
import { describe, expect, test } from "vitest";
import { conformance, type Subject } from "../../../src/conformance/index.ts";

async function subjectWith(flaw: string): Promise<{ module: URL; subject: Subject }> {
  const module = new URL(`./file-subject.mjs?flaw=${flaw}`, import.meta.url);
  const { default: subject } = (await import(module.href)) as { default: Subject };
  return { module, subject };
}

const KILLS_MS = 100_000;
const { module, subject } = await subjectWith("none");
const seeds: string[] = [];
const log = (line: string): unknown => seeds.push(line);

describe("a state in a file", () => {
  const checks = conformance({ ...subject, module, log, execArgv: [], kills: 10 });
  test.each(checks)(
    "$name",
    async ({ run, timeoutMs }) => {
      expect(timeoutMs).toBeLessThanOrEqual(120_000);
      const told: string[] = [];
      const outcome = await run({ skip: (why) => told.push(why) });
      expect(outcome).toBe(told.length === 0 ? "passed" : `not applicable: ${told[0]!}`);
    },
    KILLS_MS,
  );

  test("each check that kills says its seed", () => {
    const killing = ["crash-apply", "crash-commit", "crash-transact"];
    expect(seeds.map((line) => line.split(":")[0])).toEqual(killing);
    for (const line of seeds) expect(line).toMatch(/: seed \d+$/);
  });
});

test.each([
  ["the mark is stored before the records", "mark-first", "crash-apply"],
  ["a commit empties the state first", "two-steps", "crash-commit"],
  ["the mark is stored after the transaction", "mark-later", "crash-transact"],
])(
  "%s => caught by %s",
  async (_what, flaw, name) => {
    const { module: broken } = await subjectWith(flaw);
    const checks = conformance({ ...subject, module: broken, log, execArgv: [], kills: 40 });
    const { run } = checks.find((check) => check.name === name)!;
    await expect(run()).rejects.toThrow(new RegExp(`^${name}: round \\d+ of 40: `));
  },
  KILLS_MS,
);

test("a process that ends by itself => its words", async () => {
  const nowhere = new URL("./nowhere.mjs", import.meta.url);
  const checks = conformance({ ...subject, module: nowhere, log, execArgv: [] });
  const { run } = checks.find(({ name }) => name === "crash-apply")!;
  await expect(run()).rejects.toThrow(
    /crash-apply: the process ended by itself, with code 1: .*nowhere\.mjs/s,
  );
});

test("a process that never begins a step => the check fails in time and says so", async () => {
  const idle = new URL("./idle-subject.mjs", import.meta.url);
  const checks = conformance({ ...subject, module: idle, log, execArgv: [], timeoutMs: 1500 });
  const { run } = checks.find(({ name }) => name === "crash-apply")!;
  await expect(run()).rejects.toThrow(
    /within 1500 ms; the last call: round 1 of 10: the process's first step/,
  );
});
