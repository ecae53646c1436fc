/**
 * The suite that says whether a state keeps the contract of ReplicatedState: named checks for any test
 * runner, or for none.
 *
 *   for (const { name, run, timeoutMs } of conformance(mine)) test(name, run, timeoutMs);   // vitest
 *   for (const { name, run } of conformance(mine)) test(name, run);                         // node:test
 *   const { failed } = await runConformance(mine);
 *
 * Each check makes states of its own, in folders of its own, and removes them. What a check needs and the
 * state has not is "not applicable", told to the runner as skipped.
 *
 * Owns: running one check in bounded time, and its words. Does not own: the checks (checks.ts).
 * Tested in: test/unit/conformance/suite.test.ts.
 */
import { ArgumentError } from "../errors.ts";
import { CHECKS } from "./checks.ts";
import { cutWords } from "./cut-words.ts";
import { type CheckRow, whyNot } from "./row.ts";
import type {
  AnyState,
  Check,
  ConformanceOptions,
  Outcome,
  Report,
  RunnerContext,
} from "./subject.ts";
import { Seen, Trial } from "./trial.ts";

export type {
  Check,
  ConformanceOptions,
  Examples,
  Made,
  Outcome,
  Report,
  RunnerContext,
  Subject,
} from "./subject.ts";

const TIMEOUT_MS = 30_000;
const TIMEOUT_MS_KILLS = 120_000;
const KILLS_MAX = 10_000;
const TIMEOUT_MS_MAX = 2 ** 31 - 1;

/** The state does not keep the contract; the message says how it was seen. */
export class ConformanceError extends Error {
  /** The check's name. */
  readonly check: string;
  /** What gives the same draws again, as an option. */
  readonly seed: number;

  constructor(row: CheckRow, seen: string, seed: number, cause: unknown) {
    super(`${row.name}: ${seen}\n  the contract: ${row.contract}\n  seed: ${seed}`, { cause });
    this.name = "ConformanceError";
    this.check = row.name;
    this.seed = seed;
  }
}

/**
 * The checks of `options`, none of which has run.
 *
 * @throws {ArgumentError} ERR_ARGUMENT for an option that is not allowed
 */
export function conformance<S extends AnyState>(options: ConformanceOptions<S>): Check[] {
  checkOptions(options);
  const seed = options.seed ?? Math.floor(Math.random() * 2 ** 32);
  return CHECKS.map((row) => {
    const timeoutMs = options.timeoutMs ?? (row.kills === true ? TIMEOUT_MS_KILLS : TIMEOUT_MS);
    return {
      name: row.name,
      contract: row.contract,
      timeoutMs,
      // Why a default: a runner that looks at the number of parameters takes one for a callback.
      run: (context: RunnerContext = {}) => runRow(row, options, seed, timeoutMs, context),
    };
  });
}

/** Runs all checks, one after the other; rejects for none. */
export async function runConformance<S extends AnyState>(
  options: ConformanceOptions<S>,
): Promise<Report> {
  const report = {
    passed: [] as string[],
    notApplicable: [] as { name: string; why: string }[],
    failed: [] as { name: string; error: Error }[],
  };
  for (const { name, run } of conformance(options))
    try {
      const outcome = await run({ skip: (why) => report.notApplicable.push({ name, why }) });
      if (outcome === "passed") report.passed.push(name);
    } catch (error) {
      report.failed.push({ name, error: error as Error });
    }
  return report;
}

function checkOptions(options: ConformanceOptions): void {
  if (typeof options.make !== "function") refuse("make", options.make, "a function");
  const { write } = (options.examples as Partial<ConformanceOptions["examples"]> | undefined) ?? {};
  if (typeof write !== "function") refuse("examples.write", write, "a function");
  const { kills = 1, seed = 0, timeoutMs = 1 } = options;
  refuseUnless("kills", kills, 1, KILLS_MAX);
  refuseUnless("seed", seed, 0, 2 ** 32 - 1);
  refuseUnless("timeoutMs", timeoutMs, 1, TIMEOUT_MS_MAX);
}

function refuseUnless(name: string, value: number, from: number, to: number): void {
  if (!Number.isInteger(value) || value < from || value > to)
    refuse(name, value, `a whole number from ${from} to ${to}`);
}

function refuse(name: string, value: unknown, allowed: string): never {
  const is = typeof value === "number" ? String(value) : `of type ${typeof value}`;
  throw new ArgumentError("ERR_ARGUMENT", `${name} is ${is}; ${allowed} is allowed`);
}

async function runRow(
  row: CheckRow,
  options: ConformanceOptions,
  seed: number,
  timeoutMs: number,
  context: RunnerContext,
): Promise<Outcome> {
  const trial = new Trial(options, seed);

  const log = options.log ?? ((line: string) => console.info(line));
  let why: string | undefined;
  try {
    why = await inTime(trial, timeoutMs, runIn(row, trial, log));
  } catch (cause) {
    const seen = cause instanceof Seen ? cause.message : `the check failed: ${cutWords(cause)}`;
    throw new ConformanceError(row, seen, seed, cause);
  } finally {
    await trial.end();
  }
  if (why === undefined) return "passed";
  if (context.skip === undefined) log(`${row.name}: not applicable: ${why}`);
  else context.skip(why);
  return `not applicable: ${why}`;
}

async function runIn(
  row: CheckRow,
  trial: Trial,
  log: (line: string) => void,
): Promise<string | undefined> {
  const made = await trial.make(await trial.place());
  const why = whyNot(row, made.state, trial.options);
  await trial.give(made);
  if (why !== null) return why;
  if (row.kills === true) log(`${row.name}: seed ${trial.seed}`);
  return row.run(trial);
}

/** Rejects when `running` has not ended in time, and names what has not answered. */
async function inTime<T>(trial: Trial, timeoutMs: number, running: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Seen(`it has not ended within ${timeoutMs} ms; the last call: ${trial.doing}`));
    }, timeoutMs);
  });
  try {
    return await Promise.race([running, late]);
  } finally {
    clearTimeout(timer);
  }
}
