/**
 * hawser beside redis-server, from outside over RESP, in alternating pairs: medians, extremes, and
 * ratios pair by pair.
 *
 *   npm run bench:peers -- [--pairs 7] [--only stream1,lag0] [--quick] [--json] [--plot FILE.svg]
 *                          [--anyway]   measure although another process is busy; the result says so
 */
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { machine } from "../lib/machine.ts";
import { busyStrangers, watchStrangers } from "../lib/process.ts";
import { median, spread } from "../lib/stats.ts";
import { hawserPeer, type Peer, redisPeer } from "./peers.ts";
import { plot } from "./plot.ts";
import { type Figures, lessIsBetter, QUESTIONS, type Question } from "./questions.ts";

/** More than this share of a CPU in another process spoils a measurement. */
const BUSY_SHARE = 0.05;
const QUICK_SHARE = 0.1;

export interface Row {
  readonly question: string;
  readonly figure: string;
  readonly redis: readonly number[];
  readonly hawser: readonly number[];
  /** hawser / redis, pair by pair. */
  readonly ratios: readonly number[];
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      pairs: { type: "string", default: "7" },
      only: { type: "string" },
      quick: { type: "boolean", default: false },
      json: { type: "boolean", default: false },
      plot: { type: "string" },
      anyway: { type: "boolean", default: false },
    },
  });
  const busy = await busyStrangers(BUSY_SHARE);
  if (busy.length > 0) process.stderr.write(`busy besides us: ${busy.join("; ")}\n`);
  if (busy.length > 0 && !values.anyway) process.exit(1);
  const only = values.only?.split(",");
  const asked = QUESTIONS.filter((question) => only === undefined || only.includes(question.id));
  const peers: readonly Peer[] = [redisPeer(), hawserPeer("0.1.0")];
  const share = values.quick ? QUICK_SHARE : 1;
  const rows: Row[] = [];
  for (const question of asked) {
    const strangers = watchStrangers(BUSY_SHARE);
    rows.push(...(await ask(question, peers, Number(values.pairs), share)));
    busy.push(...strangers().map((stranger) => `during ${question.id}: ${stranger}`));
  }
  const head = { machine: machine(), peers: peers.map(versionOf), pairs: Number(values.pairs) };
  if (values.json) console.log(JSON.stringify({ ...head, busy, rows }));
  else {
    console.log(`${head.peers.join(" and ")}; ${head.pairs} pairs; ${head.machine}\n`);
    printTable(rows);
  }
  if (busy.length > 0) process.stderr.write(`not alone: ${busy.join("; ")}\n`);
  if (values.plot !== undefined) writeFileSync(values.plot, plot(rows));
}

const versionOf = (peer: Peer): string => `${peer.name} ${peer.version}`;

async function ask(
  question: Question,
  peers: readonly Peer[],
  pairs: number,
  share: number,
): Promise<Row[]> {
  const got: Record<string, Figures[]> = { redis: [], hawser: [] };
  for (let pair = 0; pair < pairs; pair++) {
    for (const peer of peers) got[peer.name]!.push(await question.ask(peer, { share }));
    process.stderr.write(`${question.id} pair ${pair + 1}/${pairs}\r`);
  }
  process.stderr.write("\n");
  const [redis, hawser] = [got["redis"]!, got["hawser"]!];
  return Object.keys(hawser[0] ?? {}).map((figure) => ({
    question: question.id,
    figure,
    redis: redis.map((figures) => figures[figure]!),
    hawser: hawser.map((figures) => figures[figure]!),
    ratios: hawser.map((figures, i) => figures[figure]! / redis[i]![figure]!),
  }));
}

function printTable(rows: readonly Row[]): void {
  console.log(
    "| question | figure | redis median (min..max) | hawser median (min..max) | ratio median (min..max) | better |",
  );
  console.log("| --- | --- | --- | --- | --- | --- |");
  for (const row of rows) {
    const wins = median(row.ratios) < 1 === lessIsBetter(row.figure);
    const cells = [row.question, row.figure, spread(row.redis), spread(row.hawser)];
    cells.push(spread(row.ratios), wins ? "hawser" : "redis");
    console.log(`| ${cells.join(" | ")} |`);
  }
}

void main();
