/** Runs schedules of consecutive seeds: what they exercised, what failed. */
import { Simulation } from "../../test/sim/simulation.ts";

export interface RangeOptions {
  /** Print every event as it happens. */
  readonly trace: boolean;
  readonly untilFailure: boolean;
  /** One line for a failing seed. */
  readonly quiet: boolean;
  /** Nodes have a store behind their log. */
  readonly logStores: boolean;
}

export interface RangeResult {
  schedules: number;
  virtualMs: number;
  readonly failed: number[];
  /** What was exercised, and how often. */
  readonly marks: Map<string, number>;
}

/** Lines of the trace that are printed for a failing seed. */
const TRACE_LINES = 60;

export function runRange(first: number, count: number, options: RangeOptions): RangeResult {
  const result: RangeResult = { schedules: 0, virtualMs: 0, failed: [], marks: new Map() };
  for (let seed = first; seed < first + count; seed++) {
    const sim = new Simulation(seed, options.logStores);
    sim.verbose = options.trace;
    try {
      sim.run();
    } catch (error) {
      result.failed.push(seed);
      report(sim, error, options);
    }
    result.schedules += 1;
    result.virtualMs += sim.clock.nowMs;
    addMarks(result.marks, sim.marks);
    if (result.failed.length > 0 && options.untilFailure) break;
  }
  return result;
}

export function addResult(total: RangeResult, part: RangeResult): void {
  total.schedules += part.schedules;
  total.virtualMs += part.virtualMs;
  total.failed.push(...part.failed);
  addMarks(total.marks, part.marks);
}

function addMarks(to: Map<string, number>, from: ReadonlyMap<string, number>): void {
  for (const [what, count] of from) to.set(what, (to.get(what) ?? 0) + count);
}

function report(sim: Simulation, error: unknown, options: RangeOptions): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  if (options.quiet) {
    console.log(`seed ${sim.seed} failed: ${text.split("\n")[0]!}`);
    return;
  }
  if (!options.trace) console.log(sim.lines.slice(-TRACE_LINES).join("\n"));
  console.log(`\nseed ${sim.seed} failed at ${sim.clock.nowMs.toFixed(3)} ms: ${text}`);
  console.log(`  nodes: ${sim.figures()}`);
  console.log(
    `  replay: npm run sim -- --seeds 1 --first ${sim.seed}${options.logStores ? " --log-stores" : ""} --trace\n`,
  );
}
