/**
 * Checks that kill: a process of its own opens the state and works on it, is killed with SIGKILL at a drawn
 * moment, and what is at its place then is opened here and compared.
 *
 *   round n:  start --> it works --> SIGKILL --> open here: mark = step k, answered <= k <= begun
 *                                                content = the outcome of exactly k steps
 *             end here --> round n + 1 goes on from there
 *
 * Owns: the process and the verdict. Does not own: what it does (crash-steps.ts, crash-child.ts).
 * Tested in: test/unit/conformance/crash.test.ts.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { changeByStep, type CrashKind, numberOf, stepOf } from "./crash-steps.ts";
import { cutWords } from "./cut-words.ts";
import type { Model } from "./model.ts";
import type { CheckRow } from "./row.ts";
import type { Trial } from "./trial.ts";

const KILLS = 10;
/** From the process's first step to its end, at most, ms. */
const LIFE_MS = 120;
/** Of so many rounds one is killed without waiting for a first step: while it opens. */
const EARLY_ONE_OF = 5;
const EARLY_MS = 250;
const STDERR_MAX = 2000;

export const CRASHES: readonly CheckRow[] = [
  {
    name: "crash-apply",
    contract:
      "after a kill records and mark are those of one batch's end, of all that was answered",
    needs: ["durability", "module"],
    kills: true,
    run: (trial) => crash(trial, "apply"),
  },
  {
    name: "crash-commit",
    contract: "after a kill a commit has replaced everything or nothing",
    needs: ["durability", "module"],
    kills: true,
    run: (trial) => crash(trial, "commit"),
  },
  {
    name: "crash-transact",
    contract: "after a kill a transaction is there with its mark, or not at all",
    needs: ["durability", "module", "transact", "transacted"],
    kills: true,
    run: (trial) => crash(trial, "transact"),
  },
];

/** What is known of a place between two lives. */
interface Known {
  /** The outcome of `number` steps. */
  readonly model: Model;
  number: number;
  /** Steps that were begun in all lives. */
  begun: number;
}

async function crash(trial: Trial, kind: CrashKind): Promise<undefined> {
  const [place, beside, notes] = [await trial.place(), await trial.place(), await trial.place()];
  const known: Known = { model: new Map(), number: 0, begun: 0 };
  const kills = trial.options.kills ?? KILLS;
  for (let round = 0; round < kills; round++) {
    const said = join(notes, "said");
    const isEarly = trial.draws.between(0, EARLY_ONE_OF) === 0 && round > 0;
    const wait = trial.draws.between(0, isEarly ? EARLY_MS : LIFE_MS);
    trial.doing = `round ${round + 1} of ${kills}: the process's first step`;
    await live(trial, [place, kind, String(trial.seed), said, beside], isEarly, wait);
    await judge(trial, kind, place, readSaid(said), known, `round ${round + 1} of ${kills}`);
  }
  if (known.begun === 0) trial.fail(`${kills} processes were killed, and none had begun a step`);
  return undefined;
}

/** One life, from the start of the process to its death. */
async function live(
  trial: Trial,
  args: readonly string[],
  isEarly: boolean,
  wait: number,
): Promise<void> {
  const { module = "", execArgv = process.execArgv } = trial.options;
  const argv = [...execArgv, childPath(import.meta.url), String(module), ...args];
  const process_ = spawn(process.execPath, argv, { stdio: ["pipe", "pipe", "pipe"] });
  const stderr = gathered(process_);
  const ended = new Promise<void>((resolve) => process_.once("close", () => resolve()));
  const working = new Promise<void>((resolve) => process_.stdout.once("data", () => resolve()));
  const stop = trial.onEnd(() => process_.kill("SIGKILL"));
  if (!isEarly) await Promise.race([working, ended]);
  await sleep(wait);
  const diedBefore = process_.exitCode;
  process_.kill("SIGKILL");
  await ended;
  stop();
  if (diedBefore !== null)
    trial.fail(`the process ended by itself, with code ${diedBefore}: ${stderr()}`);
}

/** The process runs compiled code: started from sources (tests, tsx) it is the one in dist. */
function childPath(self: string): string {
  const at = self.lastIndexOf("/src/");
  const base = self.endsWith(".ts") ? `${self.slice(0, at)}/dist/${self.slice(at + 5)}` : self;
  return fileURLToPath(new URL("./crash-child.js", base));
}

function gathered(child: ChildProcess): () => string {
  let text = "";
  child.stderr?.setEncoding("utf8").on("data", (more: string) => {
    text = (text + more).slice(0, STDERR_MAX);
  });
  return () => cutWords(text.trim());
}

/** The last step begun and the last one answered, 0 for none. */
interface Said {
  readonly begun: number;
  readonly answered: number;
}

function readSaid(path: string): Said {
  let text = "";
  try {
    text = readFileSync(path, "latin1");
  } catch {
    // It has not said anything.
  }
  // The last line may be cut: it counts when it is whole.
  const last = (sign: string): number => {
    const end = text.lastIndexOf("\n");
    const at = text.lastIndexOf(sign, end);
    return at < 0 ? 0 : Number(text.slice(at + 1, text.indexOf("\n", at)));
  };
  return { begun: last("+"), answered: last("=") };
}

/** Opens what is there, and compares it with what must be. */
async function judge(
  trial: Trial,
  kind: CrashKind,
  place: string,
  { begun, answered }: Said,
  known: Known,
  when: string,
): Promise<void> {
  const held = await trial.open(place);
  const number = numberOf(held.opened.mark);
  if (number < Math.max(answered, known.number) || number > begun)
    trial.fail(
      `${when}: the mark is that of ${number < 0 ? "no step" : `step ${number}`}; ` +
        `${answered} had answered, ${begun} had begun`,
    );
  for (; known.number < number; known.number++)
    changeByStep(known.model, stepOf(kind, trial.seed, known.number + 1, trial.examples));
  known.begun = begun;
  await held.expect(known.model, `${when}: killed after step ${answered}, found at ${number}`);
  await trial.give(held.made);
}
