/**
 * npm run sim -- [--seeds N] [--first SEED] [--trace] [--until-failure] [--quiet] [--marks]
 *
 * Runs N schedules from consecutive seeds (default 100, from 1) and prints the coverage table and the
 * speed. Exit code 1 when a checker objects, or when a fault, phase or path was never exercised.
 *   --trace          prints every event as it happens
 *   --until-failure  stops at the first seed that fails
 *   --quiet          one line for each failing seed, no table
 *   --marks          prints every count there is
 */
import { parseArgs } from "node:util";
import { Coverage } from "../../test/sim/coverage.ts";
import { Simulation } from "../../test/sim/simulation.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "100" },
    first: { type: "string", default: "1" },
    trace: { type: "boolean", default: false },
    "until-failure": { type: "boolean", default: false },
    quiet: { type: "boolean", default: false },
    marks: { type: "boolean", default: false },
  },
});

/** Lines of the trace that are printed for a failing seed. */
const TRACE_LINES = 60;

interface Totals {
  schedules: number;
  failed: number;
  virtualMs: number;
}

function report(sim: Simulation, error: unknown): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  if (values.quiet) {
    console.log(`seed ${sim.seed} failed: ${text.split("\n")[0]!}`);
    return;
  }
  if (!values.trace) console.log(sim.lines.slice(-TRACE_LINES).join("\n"));
  console.log(`\nseed ${sim.seed} failed at ${sim.clock.nowMs.toFixed(3)} ms: ${text}`);
  console.log(`  nodes: ${sim.figures()}`);
  console.log(`  replay: npm run sim -- --seeds 1 --first ${sim.seed} --trace\n`);
}

function runSeeds(first: number, count: number, coverage: Coverage): Totals {
  const totals = { schedules: 0, failed: 0, virtualMs: 0 };
  for (let seed = first; seed < first + count; seed++) {
    const sim = new Simulation(seed);
    sim.verbose = values.trace;
    try {
      sim.run();
    } catch (error) {
      totals.failed += 1;
      report(sim, error);
    }
    totals.schedules += 1;
    totals.virtualMs += sim.clock.nowMs;
    coverage.add(sim.marks);
    if (totals.failed > 0 && values["until-failure"]) break;
  }
  return totals;
}

const first = Number(values.first);
const count = Number(values.seeds);
if (!Number.isSafeInteger(first) || !Number.isSafeInteger(count) || count < 1) {
  console.error("--seeds and --first take whole numbers");
  process.exit(2);
}
const coverage = new Coverage();
const startedAt = performance.now();
const totals = runSeeds(first, count, coverage);
const seconds = (performance.now() - startedAt) / 1000;
const missing = values["until-failure"] ? [] : coverage.missing();
if (!values.quiet) console.log(coverage.table());
if (values.marks) console.log(coverage.all());
for (const what of missing) console.log(`never exercised: ${what}`);
const speed = (totals.virtualMs / 1000 / seconds).toFixed(0);
const rate = ((totals.schedules * 60) / seconds).toFixed(0);
console.log(
  `\n${totals.schedules} schedules from seed ${first}, ${totals.failed} failed, ` +
    `${seconds.toFixed(1)} s: ${speed} virtual s per s, ${rate} schedules per minute`,
);
process.exitCode = totals.failed > 0 || missing.length > 0 ? 1 : 0;
