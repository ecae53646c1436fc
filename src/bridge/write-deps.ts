/**
 * What the order of writes needs of the node around it: its log, its state, when writing is welcome.
 *
 * Owns: interfaces. Does not own: any implementation (embed/node-writes.ts).
 * Tested in: test/unit/bridge/write-order.test.ts.
 */
import type { Draft } from "../log/draft.ts";
import type { Awaitable } from "./seam.ts";

/** Why the state did not take a batch. */
export interface StateFailure {
  /** "unchanged": it is where it was before. "suspect": it may be anywhere. */
  readonly kind: "unchanged" | "suspect";
  readonly error: unknown;
}

/** Null: it has it. */
export type StateAnswer = (failure: StateFailure | null) => void;

/** The log of the node that leads; log/backlog.ts and what waits for its disk. */
export interface OrderLog {
  readonly history: string;
  readonly next: number;
  draft(count: number, payloadBytes: number, fill: (bytes: Buffer, at: number) => void): Draft;
  /** The draft is to be on the disk before the state has it. */
  readonly storesFirst: boolean;
  /** Hands it to the disk; `done` when it is written, or with why it is not. */
  store(draft: Draft, done: (trouble: Error | null) => void): void;
  /** It is visible: the links are fed soon. */
  commitDraft(): void;
  dropDraft(done: () => void): void;
  /** Here alone. */
  forgetDraft(): void;
}

/** The state, called one call at a time. */
export interface OrderState {
  /** Throws when the record could never be applied. */
  check(bytes: Buffer, from: number, to: number): void;
  /** Answers once, at once or later. */
  apply(draft: Draft, answer: StateAnswer): void;
  /** `run`'s changes and the end of its draft are stored together; null: it logged nothing. */
  transact(run: (tx: unknown) => Awaitable<Draft | null>, answer: StateAnswer): void;
}

export interface OrderDeps {
  readonly log: OrderLog;
  readonly state: OrderState;
  /** Why nothing may be written now; null when it may. */
  readonly refusal: () => Error | null;
  /** Null: about `bytes` may be written now. Else `resume` is called, once; it returns a cancel. */
  readonly hold: (bytes: number, resume: () => void) => (() => void) | null;
  /** Runs the body of a job, which may go on later; `over` when it has ended. */
  readonly bodies: { run<T>(body: () => T): T; over(): void };
  /** Before the loop goes on, when this call is over, and who awaited what is settled by now. */
  readonly soon: (run: () => void) => void;
  /** At the end of a turn of the node. */
  readonly afterTurn: (run: () => void) => void;
  readonly onSuspect: (error: unknown) => void;
}
