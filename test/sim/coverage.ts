/** What the runs really exercised, as tables; what should have been and was not. */
import { FAULT_NAMES, FAULT_PHASES } from "./faults.ts";
import { PHASES } from "./phases.ts";

/** Fewer runs than this prove nothing about what is never exercised. */
const RUNS_MIN = 150;
/** The same for every fault in every phase. */
const RUNS_MIN_PHASES = 600;

/** Paths through the engine, each by the mark that shows it. */
export const PATHS: readonly string[] = [
  ...["continue", "too_old", "ahead_of_replica", "diverged", "new", "reset"].map(
    (name) => `resume_${name}`,
  ),
  ...["unrelated", "unrelated_empty", "asked"].map((name) => `resume_${name}`),
  "batch resumed inside",
  "ship from chunk 0",
  "ship resumed",
  "ship resumed from disk",
  "ships gathered into one freeze",
  "ship joined at chunk 0",
  "reading split",
  "swap",
  "swap on a feeder",
  "applied in slices",
  "record over backlog",
  "record over window",
  "record over output cap",
  "record over pump budget",
  "two primaries",
  "stale primary back",
  "roles swapped back",
  "primary restarts empty",
  "fenced by a higher rank",
  "log discarded for a higher rank",
  "resume_outranked",
  "second promotion of a laggard",
  ...["done", "aborted", "timed out", "given up", "resigned", "resigned by force"].map(
    (end) => `hand over: ${end}`,
  ),
  ...["taken", "taken with less, by force", "released", "led again by force"].map(
    (end) => `hand over: ${end}`,
  ),
  "writer held by a failover",
  "wrote once a failover was over",
  "freeze waits for a batch's end",
  "snapshot dropped for memory",
  "snapshot dropped at maxmemory",
  "snapshot kept at maxmemory",
  "duplicate id refused",
  "same replica supersedes",
  "cycle or self refused",
  "quarantined",
  "hold dropped at its cap",
  "sync given up",
  "fell behind",
  "parking expired",
  "writers slowed",
  "writers released",
  "writer waits",
  "writer waits for room",
  "writer waits while a sync is cut",
  "WAIT confirmed",
  "WAIT timed out",
  "WAIT cut by a demotion",
  "WAIT for a write before a demotion",
  "WAIT for a write that is gone",
  "token reached",
  "token ahead",
  "token lost",
  "VERIFY equal",
  "VERIFY on a cascade",
  "cascade of three",
  "reset by consent",
  "consent used up by a refusal",
  "consent used up by a promotion",
  "root away behind a live link",
  "role remembered",
  "promotion without a state refused",
  "seeding syncs from the furthest",
  "seeded, then promoted",
  "seeded, then stays below a living primary",
  "seeding refuses to choose",
  "expiry logged",
  "planned swap under expiries",
  "planned swap without a full sync",
  "write refused",
  "state torn",
  "promotion of a torn state refused",
  "replicas of a torn state sent away",
  "torn state replaced by a snapshot",
  "bit rotten in a log",
  "damaged batch found out",
  "a Map is written",
  "run of several batches",
  "swap by a state that answers later",
];

export class Coverage {
  private readonly marks = new Map<string, number>();
  runs = 0;

  /** What `runs` runs have exercised. */
  add(marks: ReadonlyMap<string, number>, runs = 1): void {
    this.runs += runs;
    for (const [what, count] of marks) this.marks.set(what, this.of(what) + count);
  }

  of(what: string): number {
    return this.marks.get(what) ?? 0;
  }

  /** What was never exercised, once there were enough runs to expect it. */
  missing(): string[] {
    if (this.runs < RUNS_MIN) return [];
    const phases = this.runs < RUNS_MIN_PHASES ? [] : FAULT_PHASES;
    return [
      ...FAULT_NAMES.filter((name) => this.of(`fault ${name}`) === 0),
      ...phases
        .filter(([name, phase]) => this.of(`fault ${name} ${phase}`) === 0)
        .map(([name, phase]) => `${name} in ${phase}`),
      ...PATHS.filter((path) => this.of(path) === 0),
    ];
  }

  /** Faults by phase, then paths. */
  table(): string {
    const width = Math.max(...FAULT_NAMES.map((name) => name.length));
    const cell = (text: string | number): string => String(text).padStart(10);
    const head = `${"fault".padEnd(width)}${cell("all")}${PHASES.map(cell).join("")}`;
    const rows = FAULT_NAMES.map((name) => {
      const counts = PHASES.map((phase) => cell(this.of(`fault ${name} ${phase}`)));
      return `${name.padEnd(width)}${cell(this.of(`fault ${name}`))}${counts.join("")}`;
    });
    const longest = Math.max(...PATHS.map((path) => path.length));
    const paths = PATHS.map((path) => `${path.padEnd(longest)}${cell(this.of(path))}`);
    return [head, ...rows, "", `${"path".padEnd(longest)}${cell("times")}`, ...paths].join("\n");
  }

  /** Every mark, for a closer look. */
  all(): string {
    return [...this.marks]
      .sort()
      .map(([what, count]) => `${what}=${count}`)
      .join("\n");
  }
}
