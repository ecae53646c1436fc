/** Whether a measured cost is a loss against what was recorded. Pure. */

/** What bench/guard.json holds. */
export interface Recorded {
  readonly node: string;
  readonly date: string;
  /** By case: its cost in millionths of one calibration (bench/lib/measure.ts). */
  readonly relative: Readonly<Record<string, number>>;
}

/** More than this is a loss. */
export const LOSS_MAX = 0.15;

export type Verdict =
  | { readonly kind: "kept" | "lost"; readonly name: string; readonly change: number }
  /** Measured and not recorded, or recorded and not measured. */
  | { readonly kind: "unknown" | "missing"; readonly name: string };

/** One verdict for each case of either side; `change` 0.2 is a fifth slower. */
export function judge(
  measured: Readonly<Record<string, number>>,
  recorded: Readonly<Record<string, number>>,
): Verdict[] {
  const verdicts = Object.entries(measured).map(([name, relative]): Verdict => {
    const before = recorded[name];
    if (before === undefined) return { kind: "unknown", name };
    const change = relative / before - 1;
    return { kind: change > LOSS_MAX ? "lost" : "kept", name, change };
  });
  for (const name of Object.keys(recorded))
    if (!(name in measured)) verdicts.push({ kind: "missing", name });
  return verdicts;
}

/** Minimums of some measurements, ns. */
export interface Minimum {
  readonly cpuNs: number;
  readonly calibrationNs: number;
}

/** By case. */
export type Minimums = Readonly<Record<string, Minimum>>;

/**
 * The least of each: what disturbs a measurement only ever adds to it. Why not of the quotients: a
 * disturbed calibration makes a quotient small, and a loss of a quarter was let through.
 */
export function least(some: Minimums, more: Minimums): Minimums {
  const merged = { ...some };
  for (const [name, { cpuNs, calibrationNs }] of Object.entries(more)) {
    const before = merged[name] ?? { cpuNs, calibrationNs };
    merged[name] = {
      cpuNs: Math.min(before.cpuNs, cpuNs),
      calibrationNs: Math.min(before.calibrationNs, calibrationNs),
    };
  }
  return merged;
}

/** Each case in millionths of one calibration. */
export function relative(minimums: Minimums): Record<string, number> {
  return Object.fromEntries(
    Object.entries(minimums).map(([name, { cpuNs, calibrationNs }]) => [
      name,
      Number(((cpuNs / calibrationNs) * 1e6).toPrecision(4)),
    ]),
  );
}
