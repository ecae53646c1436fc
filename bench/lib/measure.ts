/**
 * CPU time of small operations, so that two runs on a machine with other work can be compared:
 *
 *   round 1   calibration | floor | operation        each for about 2 ms
 *   round 2   calibration | floor | operation        ...
 *
 * What disturbs a round disturbs all three parts of it or some of the rounds. Medians over the
 * rounds say what an operation costs; its minimum in units of the calibration's minimum is what
 * bench/guard.ts compares from day to day.
 *
 * CPU time is of all threads of the process (process.cpuUsage): the collector's work counts.
 */
import { performance } from "node:perf_hooks";
import { median } from "./stats.ts";

/** One question: `run` does `ops` operations, and so does the floor. */
export interface Case {
  readonly name: string;
  /** What one operation is. */
  readonly operation: string;
  readonly ops: number;
  /** Bytes that one operation is about, 0 when that is no question. */
  readonly bytes: number;
  run(): void;
  readonly floor: { readonly name: string; run(): void };
  /**
   * It costs the same in every process. Not so where it waits for memory: with a million keys the
   * minimums of two processes are 25 % apart, by where their memory lies and what others do.
   */
  readonly isSteady: boolean;
}

export interface Cost {
  /** Medians over the rounds, ns for each operation. */
  readonly cpuNs: number;
  readonly wallNs: number;
  readonly cpuNsMin: number;
}

export interface Measured {
  readonly name: string;
  readonly operation: string;
  readonly bytes: number;
  readonly cost: Cost;
  readonly floor: Cost & { readonly name: string };
  /** Medians: the operation in units of its floor. */
  readonly factor: number;
  /** Minimum of one calibration. */
  readonly calibrationNs: number;
  readonly isSteady: boolean;
}

export interface MeasureOptions {
  readonly rounds: number;
  /** Makes every operation take so much longer, to see that somebody notices: 0.25 is a quarter. */
  readonly slowdown: number;
}

/** CPU time of a window of warming up; it is over after PATIENCE windows that were no better. */
const WINDOW_US = 40_000;
const PATIENCE = 8;
const BETTER = 0.97;
const WINDOWS_MAX = 75;
const PART_MS = 2;

interface Sample {
  readonly cpuNs: number;
  readonly wallNs: number;
}

export function measure(question: Case, options: MeasureOptions): Measured {
  const operation = slowed(() => question.run(), options.slowdown);
  const floor = (): void => question.floor.run();
  warmUp(operation);
  warmUp(floor);
  warmUp(calibration);
  const [operationTimes, floorTimes] = [timesFor(operation), timesFor(floor)];
  const samples = { calibration: [], floor: [], operation: [] } as Record<string, Sample[]>;
  for (let round = 0; round < options.rounds; round++) {
    samples["calibration"]!.push(sample(calibration, 1, 1));
    samples["floor"]!.push(sample(floor, floorTimes, question.ops));
    samples["operation"]!.push(sample(operation, operationTimes, question.ops));
  }
  const cost = costOf(samples["operation"]!);
  const floorCost = costOf(samples["floor"]!);
  return {
    name: question.name,
    operation: question.operation,
    bytes: question.bytes,
    cost,
    floor: { name: question.floor.name, ...floorCost },
    factor: cost.cpuNs / floorCost.cpuNs,
    calibrationNs: costOf(samples["calibration"]!).cpuNsMin,
    isSteady: question.isSteady,
  };
}

/**
 * Until it gets no faster. Why by CPU time, and so patiently: where the compiler's threads share a
 * processor with us it takes a second until an operation of many functions is compiled, and in a
 * process that gets little of the processor far longer.
 */
function warmUp(run: () => void): void {
  let [best, patience] = [Number.POSITIVE_INFINITY, PATIENCE];
  for (let window = 0; window < WINDOWS_MAX && patience > 0; window++) {
    let runs = 0;
    const before = process.cpuUsage();
    let used = 0;
    for (; used < WINDOW_US; runs++) {
      run();
      const { user, system } = process.cpuUsage(before);
      used = user + system;
    }
    const isBetter = used / runs < BETTER * best;
    patience = isBetter ? PATIENCE : patience - 1;
    best = Math.min(best, used / runs);
  }
}

/** How often to call `run` in one part of a round. */
function timesFor(run: () => void): number {
  const startMs = performance.now();
  let times = 0;
  while (performance.now() - startMs < 3 * PART_MS) {
    run();
    times += 1;
  }
  return Math.max(1, Math.round(times / 3));
}

function sample(run: () => void, times: number, ops: number): Sample {
  const startMs = performance.now();
  const cpu = process.cpuUsage();
  for (let i = 0; i < times; i++) run();
  const used = process.cpuUsage(cpu);
  const wallMs = performance.now() - startMs;
  const per = times * ops;
  return { cpuNs: ((used.user + used.system) * 1e3) / per, wallNs: (wallMs * 1e6) / per };
}

function costOf(samples: readonly Sample[]): Cost {
  const cpu = samples.map(({ cpuNs }) => cpuNs);
  return {
    cpuNs: median(cpu),
    wallNs: median(samples.map(({ wallNs }) => wallNs)),
    cpuNsMin: Math.min(...cpu),
  };
}

function slowed(run: () => void, slowdown: number): () => void {
  if (slowdown === 0) return run;
  return () => {
    const startMs = performance.now();
    run();
    const untilMs = performance.now() + slowdown * (performance.now() - startMs);
    while (performance.now() < untilMs);
  };
}

// --- the unit ----------------------------------------------------------------------------------

const COPY_BYTES = 64 * 1024;
const COPIES = 50;
const HASHES = 300_000;
/**
 * A table that the second-level cache holds. Why not a larger one: then the calibration's minimum
 * moved by 25 % with what others did to the third-level cache, and the operations' by 5 %.
 */
const TABLE_WORDS = 64 * 1024;
const LOOKUPS = 50_000;

const copyFrom = Buffer.alloc(COPY_BYTES, 1);
const copyTo = Buffer.alloc(COPY_BYTES, 2);
const table = new Uint32Array(TABLE_WORDS).map((_, i) => Math.imul(i, 0x9e37_79b1));
/** Kept, so that no loop may be left out. */
const kept = new Uint32Array(1);

/** One unit of work, about 2 ms, the same on every day: memory copied, integers hashed, memory looked up. */
function calibration(): void {
  for (let i = 0; i < COPIES; i++) copyFrom.copy(copyTo);
  let sum = kept[0]! | 1;
  for (let i = 0; i < HASHES; i++) sum = Math.imul(sum ^ (sum >>> 15), 0x85eb_ca6b) + i;
  for (let i = 0; i < LOOKUPS; i++)
    sum = Math.imul(sum ^ table[(sum >>> 8) & (TABLE_WORDS - 1)]!, 0x9e37_79b1) + i;
  kept[0] = sum + copyTo[0]!;
}
