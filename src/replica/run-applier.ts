/**
 * Applying received batches to a state that answers later: in runs of whole batches, each of what has
 * arrived while the one before was applied, up to about a slice.
 *
 *   log    next                                  tail
 *           | batch | batch | batch | batch | inc..
 *           +--- run: with the state +             visible, and acknowledged, once the state answered
 *
 * When a run fails, what the state says it has of it is visible, and nothing more is applied. If that is
 * not a position, the state is torn (apply.ts).
 * Owns: the run that is under way. Does not own: the log, the state, when it may be called (calls.ts).
 */
import type { HawserError } from "../errors.ts";
import { batchLength, isNodeBatch } from "../wire/frame.ts";
import type { LateTarget } from "../store/state.ts";
import type { Applying } from "./applying.ts";
import { isSuspect, type StateCalls } from "./calls.ts";
import type { ReceivingLog } from "./deps.ts";
import { type OnNodeBatch, passNodeBatch } from "./node-batch.ts";
import type { SessionOptions } from "./options.ts";

export interface RunEvents {
  /** Called between runs, before anything more is applied. */
  atBatch(): void;
  readonly onNodeBatch: OnNodeBatch;
  /** No run goes beyond this offset. */
  stopAt(): number;
  /** A batch waits: whether nothing is staged, beside which nothing may be applied. */
  mayApply(): boolean;
  /** A run was applied, later. */
  applied(): void;
  /** A run failed, later. */
  failed(error: HawserError): void;
}

export class RunApplier implements Applying {
  torn = false;
  private readonly log: ReceivingLog;
  private readonly state: LateTarget;
  private readonly calls: StateCalls;
  private readonly options: Pick<SessionOptions, "sliceBytes" | "windowBytes">;
  private readonly events: RunEvents;
  /** Where the run is that the state has: bytes[from, to). */
  private bytes: Buffer = NO_BYTES;
  private from = 0;
  private to = 0;
  /** A record could not be applied. */
  private stuck = false;

  constructor(
    log: ReceivingLog,
    state: LateTarget,
    calls: StateCalls,
    options: Pick<SessionOptions, "sliceBytes" | "windowBytes">,
    events: RunEvents,
  ) {
    this.log = log;
    this.state = state;
    this.calls = calls;
    this.options = options;
    this.events = events;
  }

  get atBoundary(): boolean {
    return !this.calls.isBusy && !this.torn;
  }

  /** More waits than a feeder may send that keeps to the window: its run, and a window behind it. */
  get isFull(): boolean {
    if (this.calls.isFree) return false;
    const { log } = this;
    const begun = log.next + (this.to - this.from);
    return log.tail - log.partialBytes - begun > this.options.windowBytes;
  }

  reset(): void {
    this.stuck = false;
    this.torn = false;
  }

  retry(): void {
    if (!this.torn) this.stuck = false;
  }

  step(): boolean {
    let budget = this.options.sliceBytes;
    while (!this.stuck && this.calls.isFree) {
      this.events.atBatch();
      const found = this.log.pending();
      if (found === null || !this.events.mayApply()) return false;
      if (isNodeBatch(found.segment.bytes, found.at)) {
        this.passNodeBatch(found.segment.bytes, found.at);
        continue;
      }
      if (budget <= 0) return true;
      this.chooseRun(found.segment, found.at);
      budget -= this.to - this.from;
      this.give();
    }
    return false;
  }

  /** As many whole batches from `at` on as are there, up to about a slice or a node batch; at least one. */
  private chooseRun(segment: { readonly bytes: Buffer; readonly used: number }, at: number): void {
    const { log } = this;
    const { bytes, used } = segment;
    const received = log.tail - log.partialBytes - log.next;
    const end = Math.min(used, at + Math.min(received, this.events.stopAt() - log.next));
    let to = at + batchLength(bytes, at);
    while (to < end && to - at < this.options.sliceBytes && !isNodeBatch(bytes, to))
      to += batchLength(bytes, to);
    this.bytes = bytes;
    this.from = at;
    this.to = to;
  }

  /** No state is given it: it only becomes visible. */
  private passNodeBatch(bytes: Buffer, at: number): void {
    try {
      passNodeBatch(this.log, bytes, at, this.events.onNodeBatch);
    } catch (error) {
      this.stuck = true;
      throw error;
    }
  }

  private give(): void {
    try {
      if (this.calls.call(this.apply, this.answered)) this.finish(this.to);
    } catch (error) {
      this.fail(error as HawserError);
      throw error;
    }
  }

  private readonly apply = (): boolean => this.state.applyRange(this.bytes, this.from, this.to);

  private readonly answered = (error: HawserError | null): void => {
    if (error === null) {
      this.finish(this.to);
      this.events.applied();
    } else {
      this.fail(error);
      this.events.failed(error);
    }
  };

  /** What is before `to` is applied: those batches become visible. */
  private finish(to: number): void {
    while (this.from < to) {
      const end = this.from + batchLength(this.bytes, this.from);
      if (end > to) break;
      this.from = end;
      this.log.commit();
    }
    if (this.from === this.to) this.forgetRun();
  }

  private fail(error: HawserError): void {
    const { appliedTo } = this.state;
    this.stuck = true;
    this.torn = isSuspect(error);
    if (!this.torn) {
      this.finish(Math.min(appliedTo, this.to));
      this.torn = this.from < this.to && appliedTo !== this.from;
    }
    this.forgetRun();
  }

  private forgetRun(): void {
    this.bytes = NO_BYTES;
    this.from = 0;
    this.to = 0;
  }

  /** The state failed at something else, and may be anywhere. */
  tear(): void {
    this.stuck = true;
    this.torn = true;
  }
}

const NO_BYTES = Buffer.alloc(0);
