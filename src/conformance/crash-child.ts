/**
 * The process that is killed: opens the state of a subject at a place, and does one step after the other,
 * each with its mark. What it says is in a file, which outlives it: "+n" before step n, "=n" once that has
 * answered. Standard output has a line once the first one begins.
 *
 *   node crash-child.js MODULE PLACE KIND SEED SAID BESIDE
 *
 * It ends with its standard input, so that it does not outlive who started it.
 * Owns: doing steps. Does not own: which (crash-steps.ts), the verdict (crash.ts).
 * Tested in: test/unit/conformance/crash.test.ts.
 */
import { openSync, writeSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { readRecords } from "./content.ts";
import { type CrashKind, markOf, numberOf, type Step, stepOf } from "./crash-steps.ts";
import { LentBatch, LentRecords } from "./lent.ts";
import { recordsOf } from "./model.ts";
import type { AnyState, Subject } from "./subject.ts";

/** Steps between two looks at the loop, for states that never yield. */
const STEPS_A_TURN = 16;
const LOAD_RECORDS = 20;

type State = AnyState;
type Does = (subject: Subject, state: State, step: Step, number: number) => Promise<void>;

/** The state beside the one that dies, which makes snapshots for it. */
let source: State | null = null;

const DOES: Readonly<Record<Step["does"], Does>> = {
  apply: async ({ examples }, state, { ops }, number) => {
    await state.apply(new LentBatch(recordsOf(examples, ops), markOf(number), number));
  },
  replace: async (subject, state, { ops }, number) => {
    const records = await snapshotOf(subject, ops);
    const staging = await state.stage({ records: records.length, bytes: 0 });
    for (let at = 0; at < records.length; at += LOAD_RECORDS)
      await staging.load(new LentRecords(records.slice(at, at + LOAD_RECORDS)));
    await staging.commit(markOf(number));
  },
  transact: async ({ examples }, state, { ops }, number) => {
    await state.transact!(async (tx) => {
      for (const [, key, value] of ops) await examples.transacted!(tx, key!, value!);
      return markOf(number);
    });
  },
};

/** Records of a snapshot with just these in it. */
async function snapshotOf(subject: Subject, ops: Step["ops"]): Promise<Buffer[]> {
  if (source === null) {
    const made = await subject.make(beside);
    await made.state.open();
    source = made.state;
  }
  // Also at first: it has what the process before this one made.
  await (await source.stage({ records: 0, bytes: 0 })).commit(markOf(0));
  await source.apply(new LentBatch(recordsOf(subject.examples, ops), markOf(1), 1));
  const frozen = await source.freeze();
  const records = await readRecords(frozen);
  await frozen.close();
  return records.map((record) => Buffer.from(record, "latin1"));
}

const [module = "", place = "", kind = "apply", seed = "0", said = "", beside = ""] =
  process.argv.slice(2);
process.stdin.on("end", () => process.exit(0)).resume();

const { default: subject } = (await import(module)) as { default: Subject };
const file = openSync(said, "a");
const { state } = await subject.make(place);
const { mark } = await state.open();
writeSync(1, "working\n");
for (let number = numberOf(mark) + 1; ; number++) {
  const step = stepOf(kind as CrashKind, Number(seed), number, subject.examples);
  if (step.does === "replace") await turn();
  writeSync(file, `+${number}\n`);
  await DOES[step.does](subject, state, step, number);
  writeSync(file, `=${number}\n`);
  if (number % STEPS_A_TURN === 0) await turn();
}
