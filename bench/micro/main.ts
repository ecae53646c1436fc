/**
 * What the hot paths cost, each beside a floor that was measured in the same rounds: CPU time and
 * wall time of one operation in ns, medians; and how much of the throughput of plain sockets the
 * pump reaches.
 *
 *   npm run bench:micro -- [--only append,decode,share] [--rounds 45] [--pairs 5] [--json]
 *
 *   append   a SET into the log, as the primary's write path does it
 *   encode   heads of batches with the sum over them, an ACK
 *   decode   the incremental decoder over pieces of 64 KiB
 *   apply    decoder, log, applier and store of a replica
 *   pump     a turn of the feeder with 1 and 16 links
 *   parse    pipelined RESP commands
 *   reply    +OK and bulks
 *   store    get and set, one by one and in groups
 *   ack      both ends of an ACK
 *   share    bytes per second and per CPU second, against a sender without hawser
 */
import { parseArgs } from "node:util";
import type { Measured } from "../lib/measure.ts";
import { type Share, share } from "./share.ts";
import { measureApart, measureHere, SUBJECTS } from "./subjects.ts";

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: "string" },
      rounds: { type: "string", default: "45" },
      pairs: { type: "string", default: "5" },
      json: { type: "boolean", default: false },
      // For measureApart().
      here: { type: "string" },
      slowdown: { type: "string", default: "0" },
    },
  });
  const options = { rounds: Number(values.rounds), slowdown: Number(values.slowdown) };
  if (values.here !== undefined) {
    console.log(JSON.stringify(await measureHere(values.here, options)));
    return;
  }
  const asked = values.only?.split(",") ?? [...Object.keys(SUBJECTS), "share"];
  const unknown = asked.filter((name) => !(name in SUBJECTS) && name !== "share");
  if (unknown.length > 0) throw new Error(`no such subject: ${unknown.join(", ")}`);
  const subjects = asked.filter((name) => name in SUBJECTS);
  if (!values.json && subjects.length > 0) console.log(HEAD);
  for (const subject of subjects)
    for (const measured of await measureApart(subject, options))
      console.log(values.json ? jsonLine(measured) : tableLine(measured));
  if (!asked.includes("share")) return;
  if (!values.json) console.log(`\n${SHARE_HEAD}`);
  for (const replicas of [1, 16]) {
    const found = await share(replicas, Number(values.pairs));
    console.log(values.json ? JSON.stringify(shareFields(found)) : shareLine(found));
  }
}

const HEAD = [
  "| operation | CPU ns | wall ns | floor ns | x floor | floor |",
  "| --- | --- | --- | --- | --- | --- |",
].join("\n");

function tableLine({ name, operation, cost, floor, factor }: Measured): string {
  const figures = [cost.cpuNs, cost.wallNs, floor.cpuNs, factor].map(short);
  return `| ${[`${name}: ${operation}`, ...figures, floor.name].join(" | ")} |`;
}

function jsonLine(measured: Measured): string {
  const { name, operation, cost, floor, factor, bytes } = measured;
  return JSON.stringify({
    bench: `micro.${name}`,
    operation,
    unit: "ns/op",
    value: round(cost.cpuNs),
    wall: round(cost.wallNs),
    least: round(cost.cpuNsMin),
    bytes: round(bytes),
    floor: round(floor.cpuNs),
    floorIs: floor.name,
    factor: round(factor),
    node: process.version,
  });
}

const SHARE_HEAD = [
  "| replicas | what | hawser | plain sockets | ratio, median (min..max) | at least |",
  "| --- | --- | --- | --- | --- | --- |",
].join("\n");

function shareLine({ replicas, wall, cpu, leastRatio }: Share): string {
  return [
    { what: "MB/s", row: wall, least: `${leastRatio}` },
    { what: "MB per CPU second of the sender", row: cpu, least: "-" },
  ]
    .map(({ what, row, least }) => {
      const ratios = `${short(row.ratio)} (${short(row.ratioMin)}..${short(row.ratioMax)})`;
      const cells = [replicas, what, short(row.hawser), short(row.plain), ratios, least];
      return `| ${cells.join(" | ")} |`;
    })
    .join("\n");
}

function shareFields({ replicas, wall, cpu, leastRatio }: Share): object {
  return {
    bench: `micro.share.${replicas}`,
    unit: "hawser / plain sockets",
    value: round(wall.ratio),
    wall: rounded({ ...wall }),
    cpu: rounded({ ...cpu }),
    atLeast: leastRatio,
    isReached: wall.ratio >= leastRatio,
    node: process.version,
  };
}

function rounded(figures: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(Object.entries(figures).map(([key, value]) => [key, round(value)]));
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}

function short(value: number): string {
  if (value >= 100) return String(Math.round(value));
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

void main();
