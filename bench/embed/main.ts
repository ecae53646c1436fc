/**
 * What replication costs a store of one's own: writes through a node beside the same writes to the same store
 * without one, in one process and one run, in alternating rounds. One JSON line for each question.
 *
 *   npm run bench:embed -- [--only level,file] [--ask one,many,holds] [--rounds 5] [--ms 700]
 *
 *   one       one write in flight, of one record
 *   many      64 writes in flight, each of one record
 *   hundred   one write in flight, of 100 records
 *   holds     how long a freeze, a commit, a clean-up holds the loop: holds.ts and map-set.ts say what they print
 *
 * `ratio` is the median over the rounds of plain / seam, CPU of all threads of the process for a record: what the
 * machine's other work changes least. `wallRatio` is that of seam / plain, records per second. Above 1 the node
 * groups what the store does one by one. `leastRatio`, where a store has it, is that of plain / least: what no
 * replication of records can do without. No replica follows. A store is a line in subjects.ts, which says how it is opened,
 * written plainly, and written through a node.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { shipped } from "../lib/shipped.ts";
import { median } from "../lib/stats.ts";
import { SUBJECTS } from "./subjects.ts";
import type { OpenSubject, Put } from "./subject.ts";

const { values: args } = parseArgs({
  options: {
    only: { type: "string", default: Object.keys(SUBJECTS).join(",") },
    ask: { type: "string", default: "one,many,hundred,holds" },
    rounds: { type: "string", default: "5" },
    ms: { type: "string", default: "700" },
    keys: { type: "string", default: "10000" },
    value: { type: "string", default: "100" },
  },
});
const { replicate } = await shipped("index");
const ROUND_MS = Number(args.ms);

const QUESTIONS = { one: [1, 1], many: [64, 1], hundred: [1, 100] } as const;

interface Cost {
  readonly perSecond: number;
  /** For a record, us. */
  readonly cpuUs: number;
}

/** What `put` takes, with so many calls in flight, of so many records each. */
async function costOf(put: Put, inFlight: number, records: number, base: string): Promise<Cost> {
  const value = "v".repeat(Number(args.value));
  const keys = Number(args.keys);
  let done = 0;
  let next = 0;
  const endMs = performance.now() + ROUND_MS;
  const startMs = performance.now();
  const before = process.cpuUsage();
  const writer = async (): Promise<void> => {
    // Why asked now and then: the clock costs as much as a fast write.
    for (let n = 0; (n & 7) !== 0 || performance.now() < endMs; n++) {
      const batch: [string, string][] = [];
      for (let i = 0; i < records; i++) batch.push([`${base}${next++ % keys}`, value]);
      await put(batch);
      done += records;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, writer));
  const { user, system } = process.cpuUsage(before);
  return {
    perSecond: (done * 1000) / (performance.now() - startMs),
    cpuUs: (user + system) / done,
  };
}

interface Round {
  readonly plain: Cost;
  readonly seam: Cost;
  readonly least: Cost | null;
}

function report(name: string, rounds: readonly Round[]): void {
  const floors = rounds.flatMap(({ plain, least }) =>
    least === null ? [] : [plain.cpuUs / least.cpuUs],
  );
  const ratios = rounds.map(({ plain, seam }) => plain.cpuUs / seam.cpuUs);
  const walls = rounds.map(({ plain, seam }) => seam.perSecond / plain.perSecond);
  const short = (value: number): number => Number(value.toFixed(3));
  console.log(
    JSON.stringify({
      name,
      ratio: short(median(ratios)),
      lowest: short(Math.min(...ratios)),
      highest: short(Math.max(...ratios)),
      ...(floors.length === 0 ? {} : { leastRatio: short(median(floors)) }),
      wallRatio: short(median(walls)),
      plainCpuUs: short(median(rounds.map(({ plain }) => plain.cpuUs))),
      seamCpuUs: short(median(rounds.map(({ seam }) => seam.cpuUs))),
      plainPerSecond: Math.round(median(rounds.map(({ plain }) => plain.perSecond))),
      seamPerSecond: Math.round(median(rounds.map(({ seam }) => seam.perSecond))),
    }),
  );
}

async function measure(name: string, subject: OpenSubject): Promise<void> {
  const node = await replicate(subject.state);
  try {
    const through: Put = (entries) => subject.through(node, entries);
    for (const [question, [inFlight, records]] of Object.entries(QUESTIONS)) {
      if (!args.ask.split(",").includes(question)) continue;
      const rounds: Round[] = [];
      for (let round = 0; round < Number(args.rounds) + 1; round++) {
        const plain = await costOf(subject.plain, inFlight, records, "plain");
        const seam = await costOf(through, inFlight, records, "seam");
        const { least: put } = subject;
        const least = put === undefined ? null : await costOf(put, inFlight, records, "least");
        // The first warms up.
        if (round > 0) rounds.push({ plain, seam, least });
      }
      report(`embed: ${name}: ${question}`, rounds);
    }
  } finally {
    await node.close();
  }
}

/** Who measures how long a store holds the loop: in a process of its own, whose memory no other bench has used. */
const HOLDS: Readonly<Record<string, readonly string[]>> = {
  level: ["holds.ts", "--only", "level"],
  lmdb: ["holds.ts", "--only", "lmdb"],
  sqlite: ["holds.ts", "--only", "accounts"],
  map: ["map-set.ts"],
};

function printHolds(name: string): void {
  const [file, ...rest] = HOLDS[name] ?? [];
  if (file === undefined) return;
  const path = fileURLToPath(new URL(file, import.meta.url));
  execFileSync(process.execPath, [...process.execArgv, path, ...rest], { stdio: "inherit" });
}

const asked = args.only.split(",");
const unknown = asked.filter((name) => !(name in SUBJECTS));
if (unknown.length > 0) throw new Error(`no such store: ${unknown.join(", ")}`);
for (const name of asked) {
  const dir = mkdtempSync(join(tmpdir(), "hawser-bench-"));
  const subject = await SUBJECTS[name]!(dir);
  try {
    await measure(name, subject);
  } finally {
    await subject.close();
    rmSync(dir, { recursive: true, force: true });
  }
}
if (args.ask.split(",").includes("holds")) for (const name of asked) printHolds(name);
