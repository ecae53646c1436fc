/** Runs schedules of consecutive seeds: what they exercised, what failed. */
import { DiskLife } from "../../test/sim/disk-life.ts";
import { FailoverLife } from "../../test/sim/failover-life.ts";
import { ReclaimLife } from "../../test/sim/reclaim-life.ts";
import { SyncLife } from "../../test/sim/sync-life.ts";
import { Simulation } from "../../test/sim/simulation.ts";

export interface RangeOptions {
  /** Print every event as it happens. */
  readonly trace: boolean;
  readonly untilFailure: boolean;
  /** One line for a failing seed. */
  readonly quiet: boolean;
  /** Nodes have a store behind their log. */
  readonly logStores: boolean;
  /** Nodes have a disk that crashes. */
  readonly onDisk: boolean;
  /** Nodes have a state of an embedder's kind. */
  readonly publicStates: boolean;
  /** One node's log on a disk that crashes, instead of clusters. */
  readonly disks: boolean;
  /** A leader that dies again and again, and those that follow it, instead of clusters. */
  readonly reclaims: boolean;
  readonly failovers: boolean;
  /** Nodes in synchronous mode, instead of clusters. */
  readonly sync: boolean;
}

/** A run of a seed, whatever is simulated. */
interface Run {
  readonly seed: number;
  readonly lines: readonly string[];
  readonly marks: ReadonlyMap<string, number>;
  run(): unknown;
  nowMs(): number;
  /** Where it stands, for a failure. */
  figures(): string;
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

export async function runRange(
  first: number,
  count: number,
  options: RangeOptions,
): Promise<RangeResult> {
  const result: RangeResult = { schedules: 0, virtualMs: 0, failed: [], marks: new Map() };
  for (let seed = first; seed < first + count; seed++) {
    const sim = runOf(options)(seed, options);
    try {
      await sim.run();
    } catch (error) {
      result.failed.push(seed);
      report(sim, error, options);
    }
    result.schedules += 1;
    result.virtualMs += sim.nowMs();
    addMarks(result.marks, sim.marks);
    if (result.failed.length > 0 && options.untilFailure) break;
  }
  return result;
}

function runOf(options: RangeOptions): (seed: number, options: RangeOptions) => Run {
  if (options.reclaims) return (seed, { trace }) => lifeRun(new ReclaimLife(seed), trace);
  if (options.failovers) return (seed, { trace }) => lifeRun(new FailoverLife(seed), trace);
  if (options.sync) return (seed, { trace }) => lifeRun(new SyncLife(seed), trace);
  return options.disks ? diskRun : clusterRun;
}

function clusterRun(seed: number, options: RangeOptions): Run {
  const sim = new Simulation(seed, options);
  sim.verbose = options.trace;
  return {
    seed,
    lines: sim.lines,
    marks: sim.marks,
    run: () => sim.run(),
    nowMs: () => sim.clock.nowMs,
    figures: () => sim.figures(),
  };
}

function diskRun(seed: number, { trace }: RangeOptions): Run {
  const life = new DiskLife(seed);
  life.verbose = trace;
  const { lines, marks } = life;
  const figures = (): string => `one, policy ${life.plan.policy}`;
  return { seed, lines, marks, run: () => life.run(), nowMs: () => life.nowMs, figures };
}

function lifeRun(life: ReclaimLife | FailoverLife | SyncLife, trace: boolean): Run {
  life.verbose = trace;
  const { seed, lines, marks } = life;
  const nowMs = (): number => life.clock.nowMs;
  return { seed, lines, marks, run: () => life.run(), nowMs, figures: () => life.figures() };
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

function report(sim: Run, error: unknown, options: RangeOptions): void {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  if (options.quiet) {
    console.log(`seed ${sim.seed} failed: ${text.split("\n")[0]!}`);
    return;
  }
  if (!options.trace) console.log(sim.lines.slice(-TRACE_LINES).join("\n"));
  console.log(`\nseed ${sim.seed} failed at ${sim.nowMs().toFixed(3)} ms: ${text}`);
  console.log(`  nodes: ${sim.figures()}`);
  const flags = {
    "--log-stores": options.logStores,
    "--on-disk": options.onDisk,
    "--public": options.publicStates,
    "--disks": options.disks,
    "--reclaims": options.reclaims,
    "--failovers": options.failovers,
    "--sync": options.sync,
  };
  const kind = Object.entries(flags)
    .map(([flag, isOn]) => (isOn ? ` ${flag}` : ""))
    .join("");
  console.log(`  replay: npm run sim -- --seeds 1 --first ${sim.seed}${kind} --trace\n`);
}
