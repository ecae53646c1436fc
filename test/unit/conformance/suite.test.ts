/** The suite itself: correct states pass, what does not apply is said, failures have bounded words. */
import { readdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import {
  conformance,
  ConformanceError,
  runConformance,
  type ConformanceOptions,
} from "../../../src/conformance/index.ts";
import { BoundToy, boundSubject, ToyState, toySubject } from "./toy-state.ts";

const folder = mkdtempSync(join(tmpdir(), "hawser-suite-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const silent = { folder, log: () => undefined };

const NAMES = (
  "open-new open-again open-empty-with-mark open-forgets-staging order answered-is-applied " +
  "batch-without-records mark-bytes throw-leaves-nothing lent-bytes binary large-batch clear check " +
  "transact freeze-isolation freeze-late-read two-frozen read-again resume-token parts read-stopped " +
  "canonical stage-hidden commit-replaces commit-empty commit-often tidy-beside abort-keeps stage-again " +
  "frozen-over-commit own-writes own-writes-refused sync-beside-apply crash-apply crash-commit " +
  "crash-transact"
).split(" ");

/** As vitest's and node's test contexts: told what is skipped. */
function contextOf(told: string[]): { skip: (why: string) => void } {
  return { skip: (why) => told.push(why) };
}

describe.each([
  [
    "answers later, has a mark",
    conformance({ ...toySubject((at) => new ToyState(at)), ...silent }),
  ],
  ["answers at once, binds", conformance({ ...boundSubject(() => new BoundToy()), ...silent })],
])("a correct state that %s", (_which, checks) => {
  test.each(checks)("$name", async ({ run }) => {
    const told: string[] = [];
    const outcome = await run(contextOf(told));
    // Either it ran, or a reason was told: never neither.
    expect(outcome).toBe(told.length === 0 ? "passed" : `not applicable: ${told[0]!}`);
  });
});

test("every check has its name, once, and a sentence of the contract", () => {
  const checks = conformance(toySubject((at) => new ToyState(at)));
  expect(checks.map(({ name }) => name)).toEqual(NAMES);
  for (const { contract, timeoutMs } of checks) {
    expect(contract.length).toBeGreaterThan(20);
    expect(timeoutMs).toBeGreaterThan(0);
  }
});

test("runConformance: what passed, what does not apply and why; all places are gone", async () => {
  const report = await runConformance({ ...boundSubject(() => new BoundToy()), ...silent });
  expect(report.failed).toEqual([]);
  expect(Object.fromEntries(report.notApplicable.map(({ name, why }) => [name, why]))).toEqual({
    "open-again": 'durability is "none": nothing outlives the process',
    "open-empty-with-mark": 'durability is "none": nothing outlives the process',
    "open-forgets-staging": 'durability is "none": nothing outlives the process',
    "mark-bytes": 'durability is "none": nothing outlives the process',
    transact: "there is no transact()",
    "sync-beside-apply": "there is no sync()",
    "crash-apply": 'durability is "none": nothing outlives the process',
    "crash-commit": 'durability is "none": nothing outlives the process',
    "crash-transact": 'durability is "none": nothing outlives the process',
  });
  expect(report.passed.length + report.notApplicable.length).toBe(NAMES.length);
  expect(readdirSync(folder)).toEqual([]);
}, 60_000);

test("without a runner's context what does not apply is logged", async () => {
  const lines: string[] = [];
  const log = (line: string): unknown => lines.push(line);
  const checks = conformance({ ...boundSubject(() => new BoundToy()), folder, log });
  const { run } = checks.find(({ name }) => name === "transact")!;
  expect(await run()).toBe("not applicable: there is no transact()");
  expect(lines).toEqual(["transact: not applicable: there is no transact()"]);
});

test("examples that are missing are named, none is passed over in silence", async () => {
  const { make, examples } = toySubject((at) => new ToyState(at));
  const report = await runConformance({ make, examples: { write: examples.write }, ...silent });
  expect(report.failed).toEqual([]);
  const whys = new Set(report.notApplicable.map(({ why }) => why));
  expect(whys).toEqual(
    new Set([
      'there is no example "refused"',
      'there is no example "writeBytes"',
      'there is no example "clear"',
      'there is no example "transacted"',
      "there is no bind()",
      "no module was given that a child process can import",
    ]),
  );
}, 60_000);

test("a failure: the check, what was seen, the contract, the seed; bounded, however much differs", async () => {
  class Forgets extends ToyState {
    protected override store(): void {
      this.kept.mark = null;
    }
  }
  const seed = 77;
  const checks = conformance({ ...toySubject((at) => new Forgets(at)), ...silent, seed });
  const { run } = checks.find(({ name }) => name === "open-again")!;
  const error = await run().catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(ConformanceError);
  expect(error).toMatchObject({ check: "open-again", seed: 77 });
  const { message } = error as Error;
  expect(message).toMatch(/^open-again: opened again: the mark of open\(\) is null, expected /);
  expect(message).toContain("the contract: what was answered, and the mark of its end, are there");
  expect(message).toContain("seed: 77");
  expect(message.length).toBeLessThan(2000);
});

test("a call that never answers => the check fails in bounded time and names the call", async () => {
  class Hangs extends ToyState {
    override apply(): Promise<void> {
      return new Promise(() => undefined);
    }
  }
  const checks = conformance({ ...toySubject((at) => new Hangs(at)), ...silent, timeoutMs: 200 });
  const { run } = checks.find(({ name }) => name === "order")!;
  await expect(run()).rejects.toThrow(
    /^order: it has not ended within 200 ms; the last call: apply\(\) of 7 records/,
  );
  expect(readdirSync(folder)).toEqual([]);
});

const WRONG: readonly [Partial<ConformanceOptions>, string][] = [
  [{ make: undefined as never }, "make is of type undefined; a function is allowed"],
  [{ examples: {} as never }, "examples.write is of type undefined; a function is allowed"],
  [{ kills: 0 }, "kills is 0; a whole number from 1 to 10000 is allowed"],
  [{ seed: 1.5 }, "seed is 1.5; a whole number from 0 to 4294967295 is allowed"],
  [{ timeoutMs: -1 }, "timeoutMs is -1; a whole number from 1 to 2147483647 is allowed"],
];

test.each(WRONG)("%j => ERR_ARGUMENT", (wrong, message) => {
  const options = { ...toySubject((at) => new ToyState(at)), ...wrong };
  expect(() => conformance(options as ConformanceOptions)).toThrow(`ERR_ARGUMENT: ${message}`);
});
