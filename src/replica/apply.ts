/**
 * Applying received batches to a state that answers at once, in slices that end between records, so that a batch of any number of
 * records holds the loop only for a slice.
 *
 *   batch    [ head | record | record | record | record ]
 *                     ^ done here          ^ this slice ends
 *
 * A single record larger than a slice is applied whole: about 0.2 ms for each MiB.
 *
 * When a record cannot be applied, nothing more is. If records before it in its batch were, the state
 * is torn: it is at no position of the log, and only another state can take its place.
 * Owns: the place in the batch being applied. Does not own: the log, the state.
 */
import { StoreError } from "../errors.ts";
import { BATCH_HEAD_BYTES, batchLength, isNodeBatch } from "../wire/frame.ts";
import type { ReceivingLog } from "./deps.ts";
import { type OnNodeBatch, passNodeBatch } from "./node-batch.ts";
import type { SessionOptions } from "./options.ts";
import type { PromptTarget } from "../store/state.ts";
import type { Applying } from "./applying.ts";

const PREFIX_BYTES = 4;

type AppliedState = Pick<PromptTarget, "applyRange" | "appliedTo">;

export class Applier implements Applying {
  /** What it is given is applied within the turn. */
  readonly isFull = false;
  private readonly log: ReceivingLog;
  private readonly state: AppliedState;
  private readonly options: Pick<SessionOptions, "sliceBytes">;
  /** Called between batches, before anything more is applied. */
  private readonly atBatch: () => void;
  private readonly onNodeBatch: OnNodeBatch;
  /** Bytes of the batch at log.next that are applied, its head included; 0 between batches. */
  private done = 0;
  /** A record could not be applied. */
  private stuck = false;
  /** The state is inside a batch whose rest cannot be applied. */
  torn = false;

  constructor(
    log: ReceivingLog,
    state: AppliedState,
    options: Pick<SessionOptions, "sliceBytes">,
    atBatch: () => void,
    onNodeBatch: OnNodeBatch,
  ) {
    this.atBatch = atBatch;
    this.onNodeBatch = onNodeBatch;
    this.log = log;
    this.state = state;
    this.options = options;
  }

  get atBoundary(): boolean {
    return this.done === 0 && !this.torn;
  }

  /** The state was replaced: whatever was half applied is gone. */
  reset(): void {
    this.done = 0;
    this.stuck = false;
    this.torn = false;
  }

  tear(): void {
    this.stuck = true;
    this.torn = true;
  }

  /** Tries the record again that could not be applied, unless the state is torn. */
  retry(): void {
    if (!this.torn) this.stuck = false;
  }

  /**
   * Applies up to a slice of records.
   * @returns true when a complete batch is still waiting
   * @throws {StoreError} ERR_STORE_RECORD, ERR_STORE_FULL; then nothing more is applied
   */
  step(): boolean {
    if (this.stuck) return false;
    let budget = this.options.sliceBytes;
    for (;;) {
      if (this.done === 0) this.atBatch();
      const found = this.log.pending();
      if (found === null) return false;
      if (budget <= 0) return true;
      const { bytes } = found.segment;
      const end = found.at + batchLength(bytes, found.at);
      if (isNodeBatch(bytes, found.at)) {
        this.passNodeBatch(bytes, found.at);
        continue;
      }
      const from = found.at + Math.max(this.done, BATCH_HEAD_BYTES);
      const to = this.applySlice(bytes, from, end, budget);
      budget -= to - from;
      if (to === end) {
        this.done = 0;
        this.log.commit();
      } else this.done = to - found.at;
    }
  }

  /** No state is given it: it only becomes visible. */
  private passNodeBatch(bytes: Buffer, at: number): void {
    try {
      passNodeBatch(this.log, bytes, at, this.onNodeBatch);
    } catch (error) {
      this.stuck = true;
      throw error;
    }
  }

  /** Applies records from `from` on, up to about `budget` bytes. @returns where the rest starts */
  private applySlice(bytes: Buffer, from: number, end: number, budget: number): number {
    let began = false;
    try {
      const to = end - from <= budget ? end : sliceEnd(bytes, from, end, budget);
      began = true;
      this.state.applyRange(bytes, from, to);
      return to;
    } catch (error) {
      this.stuck = true;
      this.torn = this.done > 0 || (began && this.state.appliedTo > from);
      throw error;
    }
  }
}

/** The first record boundary at or after `from + budget`. */
function sliceEnd(bytes: Buffer, from: number, end: number, budget: number): number {
  let at = from;
  while (at < from + budget) {
    if (end - at < PREFIX_BYTES)
      throw new StoreError("ERR_STORE_RECORD", `${end - at} bytes at the end of a batch`);
    at += PREFIX_BYTES + bytes.readUInt32LE(at);
    if (at > end) throw new StoreError("ERR_STORE_RECORD", "a record is longer than its batch");
    if (at === end) break;
  }
  return at;
}
