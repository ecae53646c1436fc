/** The subjects of the micro benches by name, and one of them measured in a process of its own. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Case, measure, type Measured, type MeasureOptions } from "../lib/measure.ts";
import { ack } from "./ack.ts";
import { append } from "./append.ts";
import { apply } from "./apply.ts";
import { decode } from "./decode.ts";
import { encode } from "./encode.ts";
import { parse } from "./parse.ts";
import { pump } from "./pump.ts";
import { reply } from "./reply.ts";
import { store } from "./store.ts";

export const SUBJECTS: Readonly<Record<string, () => Promise<readonly Case[]>>> = {
  append,
  encode,
  decode,
  apply,
  pump,
  parse,
  reply,
  store,
  ack,
};

const MAIN = fileURLToPath(new URL("./main.ts", import.meta.url));
const run = promisify(execFile);

export async function measureHere(subject: string, options: MeasureOptions): Promise<Measured[]> {
  const cases = await SUBJECTS[subject]!();
  return cases.map((question) => measure(question, options));
}

/**
 * In a process of its own: what the compiler learned from one subject is not what it would have
 * learned in a daemon from the next.
 */
export async function measureApart(subject: string, options: MeasureOptions): Promise<Measured[]> {
  const args = ["--here", subject, "--rounds", options.rounds, "--slowdown", options.slowdown];
  const argv = [...process.execArgv, MAIN, ...args.map(String)];
  const { stdout } = await run(process.execPath, argv, { maxBuffer: 1024 * 1024 });
  return JSON.parse(stdout) as Measured[];
}
