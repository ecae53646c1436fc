/**
 * One check as a row of a table, and what a state must be able to do for it.
 * Tested in: test/unit/conformance/suite.test.ts.
 */
import type { AnyState, ConformanceOptions } from "./subject.ts";
import type { Trial } from "./trial.ts";

export type Need =
  | "durability"
  | "transact"
  | "bind"
  | "check"
  | "sync"
  | "remove"
  | "clear"
  | "writeBytes"
  | "refused"
  | "transacted"
  | "own"
  | "module";

type WhyNot = (state: AnyState, options: ConformanceOptions) => string | null;

/** What a check needs: why it does not apply where that is missing, null where it is there. */
const NEEDS: Readonly<Record<Need, WhyNot>> = {
  durability: ({ durability }) =>
    durability === "none" ? 'durability is "none": nothing outlives the process' : null,
  transact: (state) => (state.transact === undefined ? "there is no transact()" : null),
  bind: (state) => (state.bind === undefined ? "there is no bind()" : null),
  check: (state) => (state.check === undefined ? "there is no check()" : null),
  sync: (state) => (state.sync === undefined ? "there is no sync()" : null),
  remove: (_, { examples }) => example("remove", examples.remove),
  clear: (_, { examples }) => example("clear", examples.clear),
  writeBytes: (_, { examples }) => example("writeBytes", examples.writeBytes),
  refused: (_, { examples }) => example("refused", examples.refused),
  transacted: (_, { examples }) => example("transacted", examples.transacted),
  own: (_, { examples }) => example("own", examples.own),
  module: (_, { module }) =>
    module === undefined ? "no module was given that a child process can import" : null,
};

function example(name: string, given: unknown): string | null {
  return given === undefined ? `there is no example "${name}"` : null;
}

export interface CheckRow {
  readonly name: string;
  /** A sentence of the contract. */
  readonly contract: string;
  readonly needs?: readonly Need[];
  /** It kills processes. */
  readonly kills?: true;
  /** @returns why it does not apply, where only the running shows that */
  run(trial: Trial): Promise<string | undefined>;
}

/** Why the check does not apply, or null. */
export function whyNot(row: CheckRow, state: AnyState, options: ConformanceOptions): string | null {
  for (const need of row.needs ?? []) {
    const why = NEEDS[need](state, options);
    if (why !== null) return why;
  }
  return null;
}
