/**
 * Batches from the disk into the log in memory, and from there into the state: the same receiving and
 * applying as a replica does with what its upstream sends.
 *
 *   log file -> receive -> apply -> visible -> trimmed to what memory may have
 *
 * Owns: what is between a batch that was read and one that is applied. Does not own: reading
 * (log/disk/log-recovery.ts), applying (replica/apply.ts, run-applier.ts).
 * Tested in: test/unit/node/disk/disk-recovery.test.ts.
 */
import type { HawserError } from "../../errors.ts";
import type { BatchSink } from "../../log/disk/log-file-scan.ts";
import { Applier } from "../../replica/apply.ts";
import type { Applying } from "../../replica/applying.ts";
import type { StateCalls } from "../../replica/calls.ts";
import type { ReceivingLog } from "../../replica/deps.ts";
import { RunApplier } from "../../replica/run-applier.ts";
import type { StateTarget } from "../../store/state.ts";
import type { OnNodeBatch } from "../../replica/node-batch.ts";
import { batchCount, isNodeBatch } from "../../wire/frame.ts";
import type { Step } from "./checkpoint-load.ts";

/** The log in memory; log/backlog.ts satisfies it. */
export interface RecoveringLog extends ReceivingLog {
  /** What comes from here on is in the store already. */
  begin(offset: number, chain: number): void;
  /** Drops what memory need not have: the store has it. @returns whether there is more to drop */
  trimStored(): boolean;
}

/** Log that is applied before anything else is looked at, bytes: a millisecond or less. */
const SLICE_BYTES = 128 * 1024;
const OPTIONS = { sliceBytes: SLICE_BYTES, windowBytes: 64 * 1024 * 1024 };

export class LogReplay implements BatchSink {
  /** In whole batches that were read; node batches not counted. */
  records = 0;
  readonly #log: RecoveringLog;
  readonly #applier: Applying;
  #failure: HawserError | null = null;
  #arriving = 0;

  /** `calls` is null for a state that answers at once. */
  constructor(
    log: RecoveringLog,
    state: StateTarget,
    calls: StateCalls | null,
    onNodeBatch: OnNodeBatch,
  ) {
    this.#log = log;
    this.#applier =
      state.answers === "at once"
        ? new Applier(log, state, OPTIONS, () => undefined, onNodeBatch)
        : new RunApplier(log, state, calls!, OPTIONS, {
            onNodeBatch,
            atBatch: () => undefined,
            stopAt: () => Number.POSITIVE_INFINITY,
            mayApply: () => true,
            applied: () => undefined,
            failed: (error) => {
              this.#failure = error;
            },
          });
  }

  batchHead(head: Buffer, at: number, length: number): void {
    this.#arriving = isNodeBatch(head, at) ? 0 : batchCount(head, at);
    this.#log.receiveHead(head, at, length);
  }

  batchBytes(bytes: Buffer, from: number, to: number): void {
    this.#log.receiveBytes(bytes, from, to);
  }

  batchEnd(): void {
    this.#log.receiveEnd();
    this.records += this.#arriving;
  }

  /** Applies a slice; `done` when nothing waits. @throws {HawserError} what the state fails with */
  step(): Step {
    const more = this.#applier.step();
    if (this.#failure !== null) throw this.#failure;
    while (this.#log.trimStored());
    if (more) return "more";
    return this.#log.pending() === null && this.#applier.atBoundary ? "done" : "waits";
  }

  /** What is damaged, and was taken in part, is no batch. */
  end(): void {
    this.#log.dropIncoming();
  }
}
