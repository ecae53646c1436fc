/**
 * npm run sim:mutants -- [--seeds N] [--only PART] [--rule D29] [--mode MODE] [--quick] [--jobs N] [--limit SECONDS]
 *
 * Puts one deliberate bug after the other into a copy of the sources and runs the simulator on it
 * until a seed fails: a simulator that catches nothing proves nothing. Prints a table: which bug, whose rule it
 * breaks, what was simulated, the seed that caught it. Exit code 1 when a bug survives N seeds (default 300).
 *   --only     bugs with this in their name
 *   --rule     those of one rule, D29 to D31
 *   --mode     those of one kind of schedules: an option of `npm run sim`, or clusters
 *   --quick    a few that are caught at once, one for each kind of schedules: what the tests run
 *   --jobs     so many side by side (default 1)
 *   --limit    so long for each (default 1200 s)
 */
import { parseArgs } from "node:util";
import { type Mode, TESTED_SEEDS } from "../../test/sim/seeds.ts";
import { ALL_MUTANTS, QUICK_MUTANTS } from "./all-mutants.ts";
import type { Mutant } from "./mutant.ts";
import { Workbench } from "./workbench.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "300" },
    only: { type: "string", default: "" },
    rule: { type: "string", default: "" },
    mode: { type: "string", default: "" },
    quick: { type: "boolean", default: false },
    jobs: { type: "string", default: "1" },
    limit: { type: "string", default: "1200" },
  },
});

interface Verdict {
  readonly mutant: Mutant;
  /** The first seed that failed, -1 when none did. */
  readonly seed: number;
  readonly how: string;
}

async function judge(mutant: Mutant): Promise<Verdict> {
  const bench = new Workbench(mutant.edits);
  try {
    const limitMs = Number(values.limit) * 1000;
    const output = await bench.run(Number(values.seeds), limitMs, flagsOf(mutant.mode));
    if (output === null) return { mutant, seed: -1, how: "no answer in time" };
    const found = /^seed (\d+) failed: (.*)$/m.exec(output);
    if (found === null && !/ schedules from seed /.test(output))
      throw new Error(`the simulator did not run with "${mutant.name}":\n${output}`);
    if (found === null) return { mutant, seed: -1, how: "survived" };
    return { mutant, seed: Number(found[1]), how: found[2]!.replaceAll("|", "/") };
  } finally {
    bench.remove();
  }
}

function flagsOf(mode: Mode): readonly string[] {
  return mode === "clusters" ? [] : [`--${mode}`];
}

function isChosen({ name, rule, mode }: Mutant): boolean {
  const fits = values.mode === "" || mode === values.mode;
  return name.includes(values.only) && fits && (values.rule === "" || rule === values.rule);
}

function row({ mutant, seed, how }: Verdict): string {
  const { name, rule, mode } = mutant;
  const isTested = seed <= TESTED_SEEDS[mode];
  const caught = seed < 0 ? "**none**" : isTested ? String(seed) : `${seed}, beyond the tests`;
  const said = how.replace(/^Error: /, "").slice(0, 90);
  return `| ${name} | ${rule ?? ""} | ${mode} | ${caught} | ${said} |`;
}

const chosen = (values.quick ? QUICK_MUTANTS : ALL_MUTANTS).filter(isChosen);
const verdicts: Verdict[] = [];
const queue = [...chosen];

async function work(): Promise<void> {
  for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
    const verdict = await judge(mutant);
    verdicts.push(verdict);
    const { seed, how } = verdict;
    console.error(`${seed < 0 ? "SURVIVED" : seed} ${mutant.mode}: ${mutant.name} (${how})`);
  }
}

await Promise.all(Array.from({ length: Number(values.jobs) }, work));
console.log("| deliberate bug | rule | schedules | seed that caught it | what the checker said |");
console.log("| --- | --- | --- | ---: | --- |");
for (const mutant of chosen)
  console.log(row(verdicts.find((verdict) => verdict.mutant === mutant)!));
const survivors = verdicts.filter(({ seed }) => seed < 0).length;
console.log(`\n${chosen.length} bugs, ${survivors} survived ${values.seeds} seeds`);
process.exitCode = survivors > 0 || chosen.length === 0 ? 1 : 0;
