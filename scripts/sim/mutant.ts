/**
 * What a deliberate bug is: textual changes of the sources, and where it is looked for. Each text must occur once, so
 * that a bug that no longer applies is noticed.
 */
import type { Mode } from "../../test/sim/seeds.ts";
import type { Edit } from "./workbench.ts";

/** The rules of leading, confirming and handing over: docs/decisions. */
export type Rule = "D29" | "D30" | "D31";

export interface Mutant {
  readonly name: string;
  /** What is simulated. */
  readonly mode: Mode;
  /** Whose rule it breaks; null for one of the others. */
  readonly rule: Rule | null;
  readonly edits: readonly Edit[];
}

/** A file below `below`, what it says once, and what it says instead. */
type Change = readonly [file: string, from: string, to: string];

interface Kind {
  readonly mode?: Mode;
  readonly rule?: Rule;
  /** Before each name, with a colon. */
  readonly prefix?: string;
  readonly below?: string;
}

/** Makes deliberate bugs of a kind, by name. */
export function mutantsOf({ mode = "clusters", rule, prefix = "", below = "src" }: Kind = {}) {
  return (name: string, ...changes: readonly Change[]): Mutant => ({
    name: prefix + name,
    mode,
    rule: rule ?? null,
    edits: changes.map(([file, from, to]) => ({ file: `${below}/${file}`, from, to })),
  });
}
