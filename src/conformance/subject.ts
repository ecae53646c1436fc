/**
 * What whoever runs the suite tells it of his state: how one is made, and records as examples.
 *
 * Interfaces alone. Owns: their shapes. Does not own: what is checked (checks.ts).
 * Tested in: test/unit/conformance/suite.test.ts.
 */
import type { Awaitable, ReplicatedState } from "../bridge/seam.ts";

/** A state, whatever its transactions are. */
export type AnyState = ReplicatedState<unknown>;

/** What a state hands to the body of its transact(). */
export type TxOf<S> = S extends ReplicatedState<infer Tx> ? Tx : never;

/** A state that was made, not opened yet. */
export interface Made<S extends AnyState = AnyState> {
  readonly state: S;
  /**
   * Gives back what the state was given: closes its database, so that its place can be opened again.
   * Called when the suite is done with the state, after `state.close()`.
   */
  end?(): Awaitable<void>;
}

/**
 * Records as examples. Keys and values are numbers from 0 to 999,999: other numbers are other keys and other
 * values, whatever those are in your state.
 */
export interface Examples<S extends AnyState = AnyState> {
  /** The record after which key number `key` has value number `value`. */
  write(this: void, key: number, value: number): Uint8Array;
  /** The record after which key number `key` is not there. */
  remove?(this: void, key: number): Uint8Array;
  /** The record after which nothing is there. */
  clear?(this: void): Uint8Array;
  /**
   * The record that gives the key `key` the value `value`, for states that take any bytes. null for a pair
   * that this state does not take, as a key that is no text; the check says how many it left out.
   */
  writeBytes?(this: void, key: Uint8Array, value: Uint8Array): Uint8Array | null;
  /** Records that can never be applied: check() and apply() have to throw at each. */
  readonly refused?: readonly Uint8Array[];
  /** In a transaction of the state, of transact(): gives key number `key` value number `value`. */
  transacted?(this: void, tx: TxOf<S>, key: number, value: number): Awaitable<void>;
  /** For a state that binds: the same by its own methods, as in `state.set(...)`. */
  own?(this: void, state: S, key: number, value: number): void;
}

/** A kind of state, as the suite needs it. */
export interface Subject<S extends AnyState = AnyState> {
  /**
   * Makes the state that is kept at `place`, a directory that is there, and empty at first; a new one if
   * nothing is kept there. A state in memory does not look at it.
   */
  make(this: void, place: string): Awaitable<Made<S>>;
  readonly examples: Examples<S>;
  /**
   * All that the state's own methods show, one text or bytes for each entry, in any order. Without it what
   * is in a state is told by the records of a snapshot alone.
   */
  content?(this: void, state: S): Awaitable<Iterable<string | Uint8Array>>;
}

export interface ConformanceOptions<S extends AnyState = AnyState> extends Subject<S> {
  /**
   * A module that a child process imports, whose default export is this subject: for the checks that kill.
   * As it is given to import(): a URL (`new URL("./subject.mjs", import.meta.url)`), or its text.
   */
  readonly module?: string | URL;
  /** Options of node for that process, as `["--import", "tsx"]`; default: those of this process. */
  readonly execArgv?: readonly string[];
  /** How often a check that kills does so, 1 to 10,000; default 10. */
  readonly kills?: number;
  /** What draws are made from, a whole number below 2^32; default: another one each time. */
  readonly seed?: number;
  /** After how long a check that has not ended fails, ms; default 30,000, and 120,000 for those that kill. */
  readonly timeoutMs?: number;
  /** Where places are made; default: the system's folder for temporary files. */
  readonly folder?: string;
  /** Gets what does not apply, where no test runner is told, and seeds; default console.info. */
  readonly log?: (line: string) => void;
}

/** What run() takes of a test runner: its test context, which can be told that a test was skipped. */
export interface RunnerContext {
  skip?(why: string): unknown;
}

/** "passed", or why the check does not apply to this state. */
export type Outcome = "passed" | `not applicable: ${string}`;

/** One check, as a test runner takes it. */
export interface Check {
  /** As in docs/guides/conformance.md. */
  readonly name: string;
  /** What the contract says, in a sentence. */
  readonly contract: string;
  /** After so many ms it has failed by itself; give a runner a little more. */
  readonly timeoutMs: number;
  /**
   * Makes states, checks them, removes them. Needs no `this`.
   * @throws {ConformanceError} with the name, what the contract says, what was seen, the seed
   */
  run(this: void, context?: RunnerContext): Promise<Outcome>;
}

/** What all checks came to. */
export interface Report {
  readonly passed: readonly string[];
  readonly notApplicable: readonly { readonly name: string; readonly why: string }[];
  readonly failed: readonly { readonly name: string; readonly error: Error }[];
}
