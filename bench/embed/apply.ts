/**
 * How many records per second a state takes as a replica: batches of one record, given one or 64 to an apply(),
 * as a session gives them when they arrive one by one, or when it catches up.
 *
 *   npm run bench:embed:apply -- [--only level,lmdb,sqlite,map] [--rounds 5] [--ms 700] [--value 100]
 *
 * The state and the bridge's batches alone: no node, no socket, no log on disk. One line of JSON for each store and
 * size of a run: records per second, the median of the rounds, and CPU of the process for a record.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import type { ReplicatedState } from "../../src/index.ts";
import { shipped } from "../lib/shipped.ts";
import { median } from "../lib/stats.ts";
import { accountRecord } from "./sqlite.ts";
import { SUBJECTS } from "./subjects.ts";

const { values: args } = parseArgs({
  options: {
    only: { type: "string", default: "level,lmdb,sqlite,map" },
    rounds: { type: "string", default: "5" },
    ms: { type: "string", default: "700" },
    value: { type: "string", default: "100" },
  },
});
const { Backlog } = await shipped("log/backlog");
const { LogBatch } = await shipped("bridge/records");
const { MarkTemplate } = await shipped("bridge/mark");
const { putRecord } = await shipped("adapters/key-value-records");

const RUNS = [1, 64] as const;
/** Batches that are applied over and over. */
const BATCHES = 6400;
const KEYS = 10_000;
const HISTORY = "0".repeat(31) + "1";
const NAME = { history: HISTORY, rank: { term: 1, run: 0 }, lineage: [] };
const marks = new MarkTemplate(HISTORY);
const marksAt = {
  markAt: (offset: number, chain: number, clockMs: number) =>
    marks.markAt(NAME, offset, chain, clockMs),
};

interface Batches {
  readonly bytes: Buffer;
  /** Where each begins in it, and the last one ends. */
  readonly at: readonly number[];
}

function batchesOf(record: (n: number) => Uint8Array): Batches {
  const log = new Backlog(0, 0, { sizeBytes: 64 << 20, segmentBytes: 16 << 20, clock: Date.now });
  const at = [0];
  for (let n = 0; n < BATCHES; n++) {
    const bytes = record(n);
    log.bytes.set(bytes, log.append(bytes.length));
    log.seal();
    at.push(log.next);
  }
  return { bytes: log.segmentAt(0).bytes, at };
}

async function rate(state: ReplicatedState, { bytes, at }: Batches, run: number): Promise<number> {
  const startMs = performance.now();
  const endMs = startMs + Number(args.ms);
  let done = 0;
  for (let n = 0; performance.now() < endMs; n = (n + run) % BATCHES) {
    const answered = state.apply(new LogBatch(bytes, at[n]!, at[n + run]!, marksAt));
    if (answered !== undefined) await answered;
    done += run;
  }
  return (done * 1000) / (performance.now() - startMs);
}

async function measure(name: string): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), "hawser-bench-"));
  const subject = await SUBJECTS[name]!(dir);
  const value = Buffer.alloc(Number(args.value), "v");
  const batches = batchesOf((n) =>
    name === "sqlite" ? accountRecord(n % KEYS) : putRecord(Buffer.from(`key ${n % KEYS}`), value),
  );
  try {
    await subject.state.open();
    for (const run of RUNS) {
      const rates: number[] = [];
      await rate(subject.state, batches, run);
      const { user, system } = process.cpuUsage();
      for (let round = 0; round < Number(args.rounds); round++)
        rates.push(await rate(subject.state, batches, run));
      const after = process.cpuUsage();
      const records = rates.reduce((sum, each) => sum + (each * Number(args.ms)) / 1000, 0);
      console.log(
        JSON.stringify({
          name: `embed: ${name}: apply, ${run} batches each`,
          perSecond: Math.round(median(rates)),
          cpuUs: Number(((after.user + after.system - user - system) / records).toFixed(2)),
        }),
      );
    }
    await subject.state.close?.();
  } finally {
    await subject.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

for (const name of args.only.split(",")) await measure(name);
