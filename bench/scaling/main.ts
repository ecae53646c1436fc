/**
 * How cost grows with what there is more of: CPU time of the primary's process, or of the store.
 *
 *   npm run bench:scaling -- [--only replicas,values,keys,backlog] [--quick] [--json] [--plot DIR]
 *
 *   replicas   1 to 32: bytes delivered per CPU second, from a full backlog to sinks
 *   values     16 bytes to 1 MiB: SETs through the client port, one replica
 *   keys       10 thousand to 20 million: get and set in the store, and how long a freeze takes
 *   backlog    1 MB to 1 GB: SETs without a replica, and memory afterwards
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { lineChart, sentence, type Series, shortNumber } from "../lib/chart.ts";
import { backlog } from "./backlog.ts";
import { keys } from "./keys.ts";
import { replicas } from "./replicas.ts";
import { values } from "./values.ts";

const QUESTIONS: Readonly<Record<string, (quick: boolean) => Promise<readonly Series[]>>> = {
  replicas,
  values,
  keys,
  backlog,
};

async function main(): Promise<void> {
  const { values: args } = parseArgs({
    options: {
      only: { type: "string" },
      quick: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      plot: { type: "string" },
    },
  });
  if (args.plot !== undefined) mkdirSync(args.plot, { recursive: true });
  for (const name of args.only?.split(",") ?? Object.keys(QUESTIONS)) {
    const ask = QUESTIONS[name];
    if (ask === undefined) throw new Error(`no such question: ${name}`);
    for (const series of await ask(args.quick)) {
      console.log(args.json ? jsonLine(series) : text(series));
      if (args.plot !== undefined)
        writeFileSync(join(args.plot, `${series.id}.svg`), lineChart(series));
    }
  }
}

function text(series: Series): string {
  const cells = series.points.map(
    ({ x, y, label }) => `${label ?? shortNumber(x)}: ${shortNumber(y)}`,
  );
  return `${sentence(series)}\n  ${series.unit}  ${cells.join("  ")}`;
}

function jsonLine(series: Series): string {
  const { id, what, of, unit, points } = series;
  const rounded = points.map(({ x, y }) => [x, Number(y.toPrecision(4))]);
  return JSON.stringify({
    bench: `scaling.${id}`,
    what,
    of,
    unit,
    points: rounded,
    sentence: sentence(series),
    node: process.version,
  });
}

void main();
