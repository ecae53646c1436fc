/**
 * The calls of a state that answers later (store/state.ts): one at a time, and a turn of the node between
 * an answer and the next call.
 *
 *   free --call()--> busy --onAnswer--> resting --end of a turn--> free
 *     ^                |
 *     +-- answered ----+  at once: no rest
 *
 * Why a rest: the state is at a position only between two calls, and a turn is when it may be frozen. A
 * state that is always behind would else never be.
 *
 * Owns: which call is under way. Does not own: what is called next (run-applier.ts, late-loading.ts).
 */
import assert from "node:assert/strict";
import { HawserError, StoreError, wordsOf } from "../errors.ts";
import type { LateTarget } from "../store/state.ts";

export type CallState = "free" | "busy" | "resting";

export const CALL_MOVES: Readonly<Record<CallState, readonly CallState[]>> = {
  free: ["busy"],
  busy: ["free", "resting"],
  resting: ["free"],
};

type Answered = (error: HawserError | null) => void;

export class StateCalls {
  state: CallState = "free";
  private answered: Answered | null = null;
  private readonly afterTurn: (run: () => void) => void;
  private readonly onFree: () => void;

  /**
   * @param afterTurn runs something at the end of the next turn of the node
   * @param onFree    called after each rest
   */
  constructor(target: LateTarget, afterTurn: (run: () => void) => void, onFree: () => void) {
    this.afterTurn = afterTurn;
    this.onFree = onFree;
    target.onAnswer = (error) => this.onAnswer(error);
  }

  /** Another call may begin now. */
  get isFree(): boolean {
    return this.state === "free";
  }

  /** The state has not answered: it may be anywhere. */
  get isBusy(): boolean {
    return this.state === "busy";
  }

  /**
   * Begins a call; `answered` hears of an answer that comes later.
   * @returns true when the answer was there at once, and is no failure
   * @throws {HawserError} what failed at once; `answered` is not called then
   */
  call(begin: () => boolean, answered: Answered): boolean {
    this.move("busy");
    this.answered = answered;
    try {
      if (!begin()) return false;
    } catch (error) {
      this.move("free");
      throw known(error);
    }
    this.move("free");
    return true;
  }

  private onAnswer(error: Error | null): void {
    const { answered } = this;
    this.move("resting");
    this.answered = null;
    answered!(error === null ? null : known(error));
    this.afterTurn(this.rested);
  }

  private readonly rested = (): void => {
    this.move("free");
    this.onFree();
  };

  private move(state: CallState): void {
    assert(CALL_MOVES[this.state].includes(state), `calls moved ${this.state} -> ${state}`);
    this.state = state;
  }
}

/** Errors of a state that is not ours may be anything; then nobody knows where it is. */
export function known(error: unknown): HawserError {
  if (error instanceof HawserError) return error as HawserError;
  const why = wordsOf(error);
  return new StoreError("ERR_STORE_FAILED", why, { cause: error });
}

/** After this failure the state may be anywhere. */
export function isSuspect(error: unknown): boolean {
  return error instanceof StoreError && error.code === "ERR_STORE_FAILED";
}
