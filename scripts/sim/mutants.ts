/**
 * npm run sim:mutants -- [--seeds N] [--only PART] [--disks] [--jobs N]
 *
 * Puts one deliberate bug after the other into a copy of the sources and runs the simulator on it
 * until a seed fails: a simulator that catches nothing proves nothing. Prints a table with the seeds
 * that were needed; --disks: only bugs of the log on disk. Exit code 1 when a bug survives N seeds (default 300).
 */
import { parseArgs } from "node:util";
import { BRIDGE_MUTANTS } from "./bridge-mutant-list.ts";
import { CLUSTER_DISK_MUTANTS } from "./cluster-disk-mutant-list.ts";
import { DISK_MUTANTS } from "./disk-mutant-list.ts";
import { MUTANTS, type Mutant } from "./mutant-list.ts";
import { WORD_MUTANTS } from "./word-mutant-list.ts";
import { RANK_MUTANTS } from "./rank-mutant-list.ts";
import { FAILOVER_MUTANTS } from "./failover-mutant-list.ts";
import { SEED_MUTANTS } from "./seed-mutant-list.ts";
import { SYNC_MUTANTS } from "./sync-mutant-list.ts";
import { RECLAIM_MUTANTS } from "./reclaim-mutant-list.ts";
import { Workbench } from "./workbench.ts";

const LIMIT_MS = 1_200_000;

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "300" },
    only: { type: "string", default: "" },
    disks: { type: "boolean", default: false },
    jobs: { type: "string", default: "1" },
  },
});

interface Verdict {
  readonly mutant: Mutant;
  /** Schedules run until one failed, -1 when none did. */
  readonly seeds: number;
  readonly how: string;
}

async function judge(mutant: Mutant): Promise<Verdict> {
  const bench = new Workbench(mutant.edits);
  try {
    const output = await bench.run(
      Number(values.seeds),
      LIMIT_MS,
      mutant.flags ?? (mutant.isOfDisk ? ["--disks"] : []),
    );
    if (output === null) return { mutant, seeds: -1, how: "no answer in time" };
    const found = /^seed (\d+) failed: (.*)$/m.exec(output);
    if (found === null && !/ schedules from seed /.test(output))
      throw new Error(`the simulator did not run with "${mutant.name}":\n${output}`);
    if (found === null) return { mutant, seeds: -1, how: "survived" };
    return { mutant, seeds: Number(found[1]), how: found[2]!.replaceAll("|", "/") };
  } finally {
    bench.remove();
  }
}

const all = values.disks
  ? DISK_MUTANTS
  : [
      ...[...MUTANTS, ...WORD_MUTANTS, ...RANK_MUTANTS, ...DISK_MUTANTS],
      ...[...CLUSTER_DISK_MUTANTS, ...RECLAIM_MUTANTS, ...BRIDGE_MUTANTS, ...FAILOVER_MUTANTS],
      ...SEED_MUTANTS,
      ...SYNC_MUTANTS,
    ];
const chosen = all.filter(({ name }) => name.includes(values.only));
const verdicts: Verdict[] = [];
const queue = [...chosen];

async function work(): Promise<void> {
  for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
    const verdict = await judge(mutant);
    verdicts.push(verdict);
    console.error(`${verdict.seeds < 0 ? "SURVIVED" : verdict.seeds} ${mutant.name}`);
  }
}

await Promise.all(Array.from({ length: Number(values.jobs) }, work));
console.log("| deliberate bug | seeds to catch it | what the checker said |");
console.log("| --- | ---: | --- |");
for (const mutant of chosen) {
  const { seeds, how } = verdicts.find((verdict) => verdict.mutant === mutant)!;
  const said = how.replace(/^Error: /, "").slice(0, 90);
  console.log(`| ${mutant.name} | ${seeds < 0 ? "**none**" : seeds} | ${said} |`);
}
const survivors = verdicts.filter(({ seeds }) => seeds < 0).length;
console.log(`\n${chosen.length} bugs, ${survivors} survived ${values.seeds} seeds`);
process.exitCode = survivors > 0 ? 1 : 0;
