/**
 * Chunks into a state that answers later: they wait in order, each is lent to the state until it answered,
 * and the next is loaded when the state may be called again (calls.ts).
 *
 *   queued --stage, load--> loaded ... --commit--> the state
 *      +------ discard ------> abort, once the call under way is answered
 *
 * Owns: one staging, the chunks that wait. Does not own: order and sums (restore.ts).
 * Tested in: test/unit/replica/late-session.test.ts.
 */
import assert from "node:assert/strict";
import type { HawserError } from "../errors.ts";
import type { LateStaging, LateTarget, StageEstimate, StatePlace } from "../store/state.ts";
import { known, type StateCalls } from "./calls.ts";
import type { Loading } from "./loading.ts";

interface Waiting {
  readonly bytes: Buffer;
  readonly from: number;
  readonly to: number;
  readonly loaded: (isLoaded: boolean) => void;
}

export interface LoadEvents {
  /** A chunk could not be loaded, or what was staged not be given up: an answer that came later. */
  failed(error: HawserError): void;
  /** What was staged could not be given up: nobody knows what the state is now. What failed is said next. */
  abortFailed(): void;
  /** The state is this one now, or says why not. */
  swapped(error: HawserError | null): void;
}

export class LateLoading implements Loading {
  waitingBytes = 0;
  private readonly target: LateTarget;
  private readonly calls: StateCalls;
  private readonly estimate: StageEstimate;
  private readonly events: LoadEvents;
  private waiting: Waiting[] = [];
  private staging: LateStaging | null = null;
  private isOver = false;

  constructor(target: LateTarget, calls: StateCalls, estimate: StageEstimate, events: LoadEvents) {
    this.target = target;
    this.calls = calls;
    this.estimate = estimate;
    this.events = events;
  }

  get holdsState(): boolean {
    return this.staging !== null;
  }

  load(bytes: Buffer, from: number, to: number, loaded: (isLoaded: boolean) => void): boolean {
    this.waiting.push({ bytes, from, to, loaded });
    this.waitingBytes += to - from;
    return false;
  }

  finish(): void {
    // The state compares the totals at the commit.
  }

  /** The state may be called: does what is next. Throws HawserError what fails at once. */
  advance(): void {
    while (this.calls.isFree) {
      if (this.isOver) {
        this.abort();
        return;
      }
      const next = this.waiting[0];
      if (next === undefined) return;
      const staging = this.stage();
      const begin = (): boolean => staging.load(next.bytes, next.from, next.to);
      if (this.calls.call(begin, this.loadAnswered)) this.onLoaded();
    }
  }

  private stage(): LateStaging {
    try {
      this.staging ??= this.target.stage(this.estimate);
      return this.staging;
    } catch (error) {
      throw known(error);
    }
  }

  private readonly loadAnswered = (error: HawserError | null): void => {
    if (this.isOver) return;
    if (error === null) this.onLoaded();
    else this.events.failed(error);
  };

  private onLoaded(): void {
    const { from, to, loaded } = this.waiting.shift()!;
    this.waitingBytes -= to - from;
    loaded(true);
  }

  swap(totals: { readonly records: number }, place: StatePlace): boolean {
    assert(this.waiting.length === 0);
    const staging = this.stage();
    const begin = (): boolean => staging.commit(totals, place);
    const isDone = this.calls.call(begin, this.committed);
    if (isDone) this.staging = null;
    return isDone;
  }

  private readonly committed = (error: HawserError | null): void => {
    this.staging = null;
    this.events.swapped(error);
  };

  discard(): void {
    if (this.isOver) return;
    this.isOver = true;
    const { waiting } = this;
    this.waiting = [];
    this.waitingBytes = 0;
    for (const { loaded } of waiting) loaded(false);
  }

  private abort(): void {
    const { staging } = this;
    if (staging === null) return;
    try {
      if (this.calls.call(() => staging.abort(), this.aborted)) this.staging = null;
    } catch (error) {
      // Why thrown and not said, as all that fails at once: whoever gives up has more to do, and it would
      // do that for a session that was ended under it.
      this.staging = null;
      this.events.abortFailed();
      throw error;
    }
  }

  private readonly aborted = (error: HawserError | null): void => {
    this.staging = null;
    if (error === null) return;
    this.events.abortFailed();
    this.events.failed(error);
  };
}
