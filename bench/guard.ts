/**
 * Fails when an operation of the micro benches costs over 15 % more CPU time than bench/guard.json
 * says, in units of a calibration of the same rounds. A subject with a loss is measured again, in a
 * new process, before it counts: memory and compiler differ a little from process to process.
 *
 *   npm run bench:guard -- [--only append,decode]   exit code 1: something got slower
 *                          [--record]               writes bench/guard.json
 *                          [--slowdown 0.25]        everything takes a quarter longer: it must fail
 */
import { readFileSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import {
  judge,
  least,
  type Minimums,
  type Recorded,
  relative,
  type Verdict,
} from "./guard-verdict.ts";
import { measureApart, SUBJECTS } from "./micro/subjects.ts";

const FILE = new URL("./guard.json", import.meta.url);
const ROUNDS = 45;
/**
 * Processes that measure a subject before a loss is believed. So many, because some operations cost
 * 14 % less in one process of three, by how they happened to be compiled.
 */
const TRIES = 9;
/** Processes of which the minimums are recorded. */
const RECORDS = 3;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: "string" },
      record: { type: "boolean", default: false },
      slowdown: { type: "string", default: "0" },
    },
  });
  const subjects = values.only?.split(",") ?? Object.keys(SUBJECTS);
  const before = JSON.parse(readFileSync(FILE, "utf8")) as Recorded;
  if (values.record) {
    await record(subjects, before);
    return;
  }
  if (before.node !== process.version)
    console.log(`recorded with ${before.node}, this is ${process.version}`);
  let ok = true;
  for (const subject of subjects) {
    const verdicts = await verdictsOn(subject, before, Number(values.slowdown));
    for (const verdict of verdicts) console.log(lineOf(verdict));
    ok &&= verdicts.every(({ kind }) => kind === "kept");
  }
  console.log(ok ? "no loss" : "a loss");
  process.exitCode = ok ? 0 : 1;
}

async function verdictsOn(
  subject: string,
  before: Recorded,
  slowdown: number,
): Promise<readonly Verdict[]> {
  const own = Object.entries(before.relative).filter(([name]) => name.startsWith(`${subject}.`));
  let best: Minimums = {};
  for (let tries = 1; ; tries++) {
    best = least(best, await minimums(subject, slowdown));
    const verdicts = judge(relative(best), Object.fromEntries(own));
    if (tries === TRIES || verdicts.every(({ kind }) => kind !== "lost")) return verdicts;
  }
}

async function record(subjects: readonly string[], before: Recorded): Promise<void> {
  const found: Record<string, number> = {};
  for (const name of Object.keys(before.relative))
    if (!subjects.includes(name.split(".")[0]!)) found[name] = before.relative[name]!;
  for (const subject of subjects) {
    let best: Minimums = {};
    for (let i = 0; i < RECORDS; i++) best = least(best, await minimums(subject, 0));
    for (const [name, millionths] of Object.entries(relative(best))) {
      found[name] = millionths;
      console.log(`${name.padEnd(18)} ${millionths}`);
    }
  }
  const date = new Date().toISOString().slice(0, 10);
  const recorded: Recorded = { node: process.version, date, relative: found };
  writeFileSync(FILE, `${JSON.stringify(recorded, null, 2)}\n`);
}

async function minimums(subject: string, slowdown: number): Promise<Minimums> {
  const measured = await measureApart(subject, { rounds: ROUNDS, slowdown });
  return Object.fromEntries(
    measured
      .filter(({ isSteady }) => isSteady)
      .map(({ name, cost, calibrationNs }) => [name, { cpuNs: cost.cpuNsMin, calibrationNs }]),
  );
}

function lineOf(verdict: Verdict): string {
  const name = verdict.name.padEnd(18);
  if (!("change" in verdict))
    return `${name} ${verdict.kind === "unknown" ? "is not recorded: --record" : "was not measured"}`;
  const percent = `${verdict.change >= 0 ? "+" : ""}${(verdict.change * 100).toFixed(1)} %`;
  return `${name} ${percent}${verdict.kind === "lost" ? "  LOST" : ""}`;
}

void main();
