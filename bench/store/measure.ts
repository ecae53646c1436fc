/** How the questions to the store are timed, and one JSON line for each answer. */
import { readFileSync } from "node:fs";

export function report(keys: number, name: string, fields: Record<string, number | string>): void {
  const rounded = Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [
      key,
      typeof value === "number" ? Number(value.toPrecision(4)) : value,
    ]),
  );
  console.log(JSON.stringify({ bench: `store.${name}`, keys, ...rounded, node: process.version }));
}

/** CPU time of this thread alone, us; 0 where the system does not tell. */
export function ownCpuUs(): number {
  try {
    return Number(readFileSync("/proc/thread-self/schedstat", "utf8").split(" ")[0]) / 1000;
  } catch {
    return 0;
  }
}

export interface Cost {
  readonly perOp: number;
  readonly cpuPerOp: number;
}

/** Runs `step` n times in three parts; the median part, us per operation. */
export function timed(n: number, step: (i: number) => void): Cost {
  const parts: Cost[] = [];
  const part = Math.ceil(n / 3);
  for (let p = 0; p < 3; p++) {
    const cpu = process.cpuUsage();
    const start = performance.now();
    for (let i = 0; i < part; i++) step(p * part + i);
    const used = process.cpuUsage(cpu);
    parts.push({
      perOp: ((performance.now() - start) * 1000) / part,
      cpuPerOp: (used.user + used.system) / part,
    });
  }
  return parts.sort((a, b) => a.cpuPerOp - b.cpuPerOp)[1]!;
}

/** What a client would call a pause. */
const PAUSE_MS = 5;

/** The longest slice, ms, and how many were pauses. */
export interface Longest {
  readonly cpu: number;
  readonly wall: number;
  readonly over: number;
  readonly slices: number;
}

/**
 * The longest time a slice kept the loop, ms: CPU time, but at most wall time. CPU time alone counts
 * other threads and its user part comes in ticks of 4 ms; wall time alone counts being descheduled.
 */
export function longest(slices: number, slice: (i: number) => void): Longest {
  let longestCpu = 0;
  let longestWall = 0;
  let over = 0;
  for (let i = 0; i < slices; i++) {
    const before = process.cpuUsage();
    const start = performance.now();
    slice(i);
    const wall = performance.now() - start;
    const used = process.cpuUsage(before);
    const cpu = Math.min(wall, (used.user + used.system) / 1000);
    longestCpu = Math.max(longestCpu, cpu);
    longestWall = Math.max(longestWall, wall);
    if (cpu > PAUSE_MS) over += 1;
  }
  return { cpu: longestCpu, wall: longestWall, over, slices };
}

export function reportLongest(
  keys: number,
  name: string,
  { cpu, wall, over, slices }: Longest,
): void {
  report(keys, name, { unit: "ms", value: cpu, wall, [`over${PAUSE_MS}ms`]: over, slices });
}
