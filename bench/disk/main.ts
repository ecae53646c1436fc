/**
 * What a disk costs and what it gives, beside a node without one and beside redis-server, from outside:
 * one question for each goal, contenders in turn, medians, extremes, and ratios pair by pair.
 *
 *   npm run bench:disk -- [--pairs 5] [--only pipelined,restart] [--quick] [--json]
 *                         [--anyway]   measure although another process is busy; the result says so
 */
import { parseArgs } from "node:util";
import { machine } from "../lib/machine.ts";
import { busyStrangers, watchStrangers } from "../lib/process.ts";
import { median, spread } from "../lib/stats.ts";
import { WAIT } from "../confirm/wait.ts";
import { CATCH_UP } from "./catch-up.ts";
import { CHECKPOINT } from "./checkpoint.ts";
import { MEMORY } from "./memory.ts";
import { PAUSE } from "./pause.ts";
import { PIPELINED } from "./pipelined.ts";
import { type Figures, moreIsBetter, type Question, type Ratio } from "./question.ts";
import { REPLICAS_STAY } from "./replicas.ts";
import { RESTART } from "./restart.ts";
import { SINGLE } from "./single.ts";

const QUESTIONS: Readonly<Record<string, Question>> = {
  pipelined: PIPELINED,
  single: SINGLE,
  checkpoint: CHECKPOINT,
  pause: PAUSE,
  restart: RESTART,
  replicas: REPLICAS_STAY,
  "catch-up": CATCH_UP,
  memory: MEMORY,
  wait: WAIT,
};

/** More than this share of a CPU in another process spoils a measurement. */
const BUSY_SHARE = 0.05;
const QUICK_SHARE = 0.05;

/** Figures of each contender, pair by pair. */
type Got = Readonly<Record<string, readonly Figures[]>>;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      pairs: { type: "string", default: "5" },
      only: { type: "string" },
      quick: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      anyway: { type: "boolean", default: false },
    },
  });
  const busy = await busyStrangers(BUSY_SHARE);
  if (busy.length > 0) process.stderr.write(`busy besides us: ${busy.join("; ")}\n`);
  if (busy.length > 0 && !values.anyway) process.exit(1);
  const [pairs, share] = [Number(values.pairs), values.quick ? QUICK_SHARE : 1];
  if (!values.json) console.log(`${pairs} pairs; ${machine()}`);
  for (const name of values.only?.split(",") ?? Object.keys(QUESTIONS)) {
    const question = QUESTIONS[name];
    if (question === undefined) throw new Error(`no such question: ${name}`);
    const strangers = watchStrangers(BUSY_SHARE);
    const got = await ask(name, question, pairs, share);
    busy.push(...strangers().map((stranger) => `during ${name}: ${stranger}`));
    console.log(values.json ? jsonLine(name, question, pairs, got) : text(name, question, got));
  }
  if (busy.length > 0) process.stderr.write(`not alone: ${busy.join("; ")}\n`);
}

async function ask(name: string, question: Question, pairs: number, share: number): Promise<Got> {
  const got: Record<string, Figures[]> = {};
  for (let pair = 0; pair < pairs; pair++)
    for (const contender of question.contenders) {
      process.stderr.write(`${name} pair ${pair + 1}/${pairs}: ${contender}          \r`);
      (got[contender] ??= []).push(await question.ask(contender, share));
    }
  process.stderr.write("\n");
  return got;
}

function ratiosOf({ figure, of, to }: Ratio, got: Got): number[] {
  return got[of]!.map((figures, pair) => figures[figure]! / got[to]![pair]![figure]!);
}

function jsonLine(name: string, question: Question, pairs: number, got: Got): string {
  const ratios = question.ratios.map((ratio) => ({ ...ratio, values: ratiosOf(ratio, got) }));
  return JSON.stringify({ bench: `disk.${name}`, pairs, machine: machine(), got, ratios });
}

function text(name: string, question: Question, got: Got): string {
  const lines = [`\n${name}: ${question.title}\n`];
  const figures = Object.keys(got[question.contenders[0]!]![0]!);
  lines.push(`| figure | ${question.contenders.join(" | ")} |`);
  lines.push(`| --- |${" ---: |".repeat(question.contenders.length)}`);
  for (const figure of figures) {
    const cells = question.contenders.map((who) => spread(got[who]!.map((each) => each[figure]!)));
    lines.push(`| ${figure} | ${cells.join(" | ")} |`);
  }
  for (const ratio of question.ratios) lines.push(sentence(ratio, ratiosOf(ratio, got)));
  return lines.join("\n");
}

function sentence(ratio: Ratio, values: readonly number[]): string {
  const { figure, of, to, must, aim } = ratio;
  const said = `${figure}, ${of} / ${to}: ${spread(values)}`;
  if (must === 0) return said;
  const more = moreIsBetter(figure);
  const holds = (goal: number): boolean => (more ? median(values) >= goal : median(values) <= goal);
  const verdict = holds(aim) ? "aim reached" : holds(must) ? "must reached" : "MISSED";
  return `${said}  must ${must}, aim ${aim}: ${verdict}`;
}

void main();
