/**
 * What replication costs a store of one's own: writes through a node beside the same writes to the same store
 * without one, in one process and one run, in alternating rounds. One JSON line for each question.
 *
 *   npm run bench:embed -- [--only level,file] [--ask one,many] [--rounds 5] [--ms 700]
 *
 *   one       one write in flight, of one record
 *   many      64 writes in flight, each of one record
 *   hundred   one write in flight, of 100 records
 *
 * `ratio` is the median over the rounds of seam / plain, records per second; above 1 the node groups what the
 * store does one by one. No replica follows. A store is a line in subjects.ts, which says how it is opened,
 * written plainly, and written through a node.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { shipped } from "../lib/shipped.ts";
import { median } from "../lib/stats.ts";
import { SUBJECTS } from "./subjects.ts";
import type { OpenSubject, Put } from "./subject.ts";

const { values: args } = parseArgs({
  options: {
    only: { type: "string", default: Object.keys(SUBJECTS).join(",") },
    ask: { type: "string", default: "one,many,hundred" },
    rounds: { type: "string", default: "5" },
    ms: { type: "string", default: "700" },
    keys: { type: "string", default: "10000" },
    value: { type: "string", default: "100" },
  },
});
const { replicate } = await shipped("index");
const ROUND_MS = Number(args.ms);

const QUESTIONS = { one: [1, 1], many: [64, 1], hundred: [1, 100] } as const;

/** Records per second that `put` takes, with so many calls in flight, of so many records each. */
async function rate(put: Put, inFlight: number, records: number, base: string): Promise<number> {
  const value = "v".repeat(Number(args.value));
  const keys = Number(args.keys);
  let done = 0;
  let next = 0;
  const endMs = performance.now() + ROUND_MS;
  const startMs = performance.now();
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
  return (done * 1000) / (performance.now() - startMs);
}

async function measure(name: string, subject: OpenSubject): Promise<void> {
  const node = await replicate(subject.state);
  try {
    const through: Put = (entries) => subject.through(node, entries);
    for (const [question, [inFlight, records]] of Object.entries(QUESTIONS)) {
      if (!args.ask.split(",").includes(question)) continue;
      const ratios: number[] = [];
      const rates = { plain: [] as number[], seam: [] as number[] };
      for (let round = 0; round < Number(args.rounds) + 1; round++) {
        const plain = await rate(subject.plain, inFlight, records, "plain");
        const seam = await rate(through, inFlight, records, "seam");
        // The first warms up.
        if (round === 0) continue;
        rates.plain.push(plain);
        rates.seam.push(seam);
        ratios.push(seam / plain);
      }
      console.log(
        JSON.stringify({
          name: `embed: ${name}: ${question}`,
          ratio: Number(median(ratios).toFixed(3)),
          lowest: Number(Math.min(...ratios).toFixed(3)),
          highest: Number(Math.max(...ratios).toFixed(3)),
          plainPerSecond: Math.round(median(rates.plain)),
          seamPerSecond: Math.round(median(rates.seam)),
        }),
      );
    }
  } finally {
    await node.close();
  }
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
