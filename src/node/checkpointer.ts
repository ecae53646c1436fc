/**
 * When a node writes a checkpoint, and how fast.
 *
 *   cause        when
 *   asked        SAVE, BGSAVE, REPL.CHECKPOINT: at once
 *   generation   the state and its log were replaced: at once, and only then the disk has them
 *   log          the log since the last one is longer than the live data, and than 256 MiB: a restart
 *                reads at most about twice the data
 *   stop         the node stops, and the log since the last one is longer than half of the live data, and
 *                than 64 MiB: reading it would take longer than a checkpoint does, or the disk has only
 *                what was replaced; or whoever stops it wants one (StopSave)
 *
 *   it rests       while a full sync waits for chunks or a place: replicas come first
 *   it is slowed   to --checkpoint-rate, but for a node that stops: nobody is served any more. Without
 *                  that setting to 96 MiB/s, which clients hardly notice, and not at all while the log has
 *                  grown by more than half of what is written: it would be long when the checkpoint is done
 *   it is left     when snapshots pin more memory than they may and it has a share in that, when the log
 *                  is replaced, at a stop, and after an error. Then the next try is later, and later again
 *
 * One at a time. Pure core: moved by step(), which asks for the next one. How long a stop waits is
 * bounded by whoever calls leave() (node.ts).
 * Owns: causes, pace, retries, what is told of checkpoints. Does not own: one checkpoint
 * (checkpoint-run.ts), which of them are kept (log/disk/catalog.ts).
 */
import type { CheckpointEntry } from "../log/disk/manifest.ts";
import { ByteRate } from "../primary/byte-rate.ts";
import type { Pinned } from "../primary/deps.ts";
import type { Journal } from "../primary/journal.ts";
import type { FrozenState } from "../store/state.ts";
import { CheckpointRun, type RunDeps, type RunResult } from "./checkpoint-run.ts";

/** So much log is worth no checkpoint, however small the data is. */
export const LOG_BYTES_MIN: number = 256 * 1024 * 1024;
/** So much is worth none at a stop: it is read in half a second. */
export const STOP_LOG_BYTES_MIN: number = 64 * 1024 * 1024;
/** Nothing happens by itself between two looks, ms. */
const LOOK_MS = 1_000;
/** A look at whether replicas still wait, ms. */
const REST_MS = 20;
/** After a failure, ms: doubled at each further one, up to the second. */
const RETRY_MS = 5_000;
const RETRY_MS_MAX = 300_000;
/** Chunks of so many bytes are handed on in one step. */
const STEP_BYTES = 4 * 1024 * 1024;
/** Where nobody says a rate, bytes per second. As fast as it can: SETs beside it took three times as long. */
export const USUAL_RATE: number = 96 * 1024 * 1024;
/** So much log beside a checkpoint is no reason to hurry. */
const LOG_BYTES_AT_REST = 16 * 1024 * 1024;

const REPLACED = "the log was replaced";

export type CheckpointCause = "asked" | "generation" | "log" | "stop";

/** Whether a stop writes a checkpoint: when a start gains by it, whenever there is log behind the last, never. */
export type StopSave = "auto" | "save" | "nosave";

/** Why none begins: one is under way, the node stops, or its state is not whole. */
export type CheckpointRefusal = "busy" | "stopping" | "no_state";

/** How a request ends: "" or why there is no checkpoint. */
export type CheckpointDone = (why: string, entry: CheckpointEntry | null) => void;

export interface CheckpointerDeps extends Omit<RunDeps, "moved"> {
  /** Bytes per second, 0 for as fast as it can, below 0 when nobody said. */
  readonly rate: () => number;
  /** Live data, bytes. */
  readonly dataBytes: () => number;
  /** End of the log that links see. */
  readonly next: () => number;
  /** The node has a whole state. */
  readonly hasState: () => boolean;
  /** A full sync waits for what a checkpoint takes as well. */
  readonly replicasWait: () => boolean;
  readonly pinned: () => Pinned;
  readonly reclaimableBytes: (frozen: readonly FrozenState[]) => number;
  /** A usual chunk. */
  readonly chunkBytes: () => number;
  readonly later: (ms: number, run: () => void) => void;
  /** Monotonic, ms. */
  readonly now: () => number;
  readonly journal: Journal;
}

/** What status and INFO tell. */
export interface CheckpointStatus {
  /** Null while none is written. */
  readonly present: {
    readonly ms: number;
    readonly bytes: number;
    /** Estimate. */
    readonly bytesTotal: number;
  } | null;
  /** The newest that the manifest names; null before the first. */
  readonly newest: CheckpointEntry | null;
  /** How long the last one took that was completed by this process, ms; -1 before. */
  readonly lastMs: number;
  /** Why the last try failed, "" when it did not. */
  readonly lastError: string;
  /** Bytes of log since the newest one. */
  readonly logBytes: number;
  /** Records since the newest one, as far as this process wrote or applied them. */
  readonly records: number;
}

interface Present {
  readonly run: CheckpointRun;
  readonly cause: CheckpointCause;
  readonly startedMs: number;
  /** Its beginning was told. */
  isTold: boolean;
  /** The log that it belongs to was replaced meanwhile: it counts for nothing. */
  isLeft: boolean;
}

interface Leaving {
  readonly save: Exclude<StopSave, "nosave">;
  readonly done: () => void;
  hasBegun: boolean;
}

export class Checkpointer {
  readonly #deps: CheckpointerDeps;
  readonly #rate: ByteRate;
  readonly #waiting: CheckpointDone[] = [];
  #present: Present | null = null;
  #newest: CheckpointEntry | null;
  /** Where the log began that a restart would read, if there were no checkpoint. */
  #since: number;
  /** What is to be written next, null for nothing yet. */
  #due: CheckpointCause | null = null;
  /** Records before the newest one. */
  #recordsBefore = 0;
  #lastMs = -1;
  #lastError = "";
  #failures = 0;
  #retryAtMs = 0;
  /** The node stops: what is wanted yet, and who is told when nothing more is. */
  #leaving: Leaving | null = null;
  /** When the next step() is due that was asked for. */
  #wakeAtMs = Number.POSITIVE_INFINITY;
  #isStopped = false;

  /**
   * @param newest what the manifest names
   * @param since  the log on disk begins here when there is none
   */
  constructor(deps: CheckpointerDeps, newest: CheckpointEntry | null, since: number) {
    this.#deps = deps;
    this.#rate = new ByteRate(() => (deps.rate() < 0 ? USUAL_RATE : deps.rate()));
    this.#newest = newest;
    this.#since = newest?.position.offset ?? since;
  }

  /** From now on it looks by itself. */
  start(): void {
    this.#wakeIn(LOOK_MS);
  }

  get status(): CheckpointStatus {
    const { run, startedMs } = this.#present ?? {};
    return {
      present:
        run === undefined
          ? null
          : {
              ms: this.#deps.now() - startedMs!,
              bytes: run.movedBytes,
              bytesTotal: run.estimate.bytes,
            },
      newest: this.#newest,
      lastMs: this.#lastMs,
      lastError: this.#lastError,
      logBytes: this.#logBytes,
      records: this.#deps.records() - this.#recordsBefore,
    };
  }

  get isBusy(): boolean {
    return this.#present !== null;
  }

  /** Somebody asks for one now. @returns why there will be none, with no call of `done`; else null */
  ask(done: CheckpointDone): CheckpointRefusal | null {
    if (this.isBusy) return "busy";
    if (this.#isStopped || this.#leaving !== null) return "stopping";
    if (!this.#deps.hasState()) return "no_state";
    this.#waiting.push(done);
    this.#begin("asked");
    return null;
  }

  /** The state and its log were replaced: the disk has the old ones until there is a checkpoint. */
  replaced(offset: number): void {
    this.#newest = null;
    this.#since = offset;
    this.#due = "generation";
    this.#failures = 0;
    this.#retryAtMs = 0;
    if (this.#present !== null) {
      this.#present.isLeft = true;
      this.#present.run.abandon(REPLACED);
    }
    this.#wakeIn(0);
  }

  /** What is under way is left, if that gives memory back. @returns whether it was */
  relieve(): boolean {
    const frozen = this.#present?.run.pinning ?? null;
    if (frozen === null || this.#deps.reclaimableBytes([frozen]) === 0) return false;
    this.#present!.run.abandon("its snapshot pins memory that is needed");
    return true;
  }

  /**
   * The node stops: what is under way is finished, then comes one more, if it is worth it or `save` says so.
   * `done` is told when there is nothing more to wait for. The state changes no more.
   */
  leave(save: Exclude<StopSave, "nosave">, done: () => void): void {
    this.#leaving = { save, done, hasBegun: false };
    this.#wakeIn(0);
  }

  /** Nothing begins any more, and what is under way is left. */
  stop(why: string): void {
    this.#isStopped = true;
    this.#present?.run.abandon(why);
  }

  // --- steps --------------------------------------------------------------------------------------

  /** Does what is due, and asks for the next time. */
  readonly step = (): void => {
    const nowMs = this.#deps.now();
    if (this.#present?.run.result != null) this.#ended(this.#present, this.#present.run.result);
    if (this.#present !== null) this.#drive(this.#present, nowMs);
    else if (this.#leaving !== null) this.#leave(this.#leaving);
    else if (!this.#isStopped) {
      const cause = this.#causeAt(nowMs);
      if (cause !== null) this.#begin(cause);
    }
    if (!this.#isStopped) this.#wakeIn(LOOK_MS);
  };

  #causeAt(nowMs: number): CheckpointCause | null {
    if (nowMs < this.#retryAtMs || !this.#deps.hasState()) return null;
    if (this.#due !== null) return this.#due;
    return this.#logBytes > Math.max(LOG_BYTES_MIN, this.#deps.dataBytes()) ? "log" : null;
  }

  /** One more, and no other. */
  #leave(leaving: Leaving): void {
    const mayBegin = !leaving.hasBegun && !this.#isStopped && this.#deps.hasState();
    if (mayBegin && this.#isWorthIt(leaving.save)) {
      leaving.hasBegun = true;
      this.#begin("stop");
    } else leaving.done();
  }

  #isWorthIt(save: Leaving["save"]): boolean {
    if (this.#due === "generation") return true;
    const least = save === "save" ? 0 : Math.max(STOP_LOG_BYTES_MIN, this.#deps.dataBytes() / 2);
    return this.#logBytes > least;
  }

  get #logBytes(): number {
    return Math.max(0, this.#deps.next() - this.#since);
  }

  #begin(cause: CheckpointCause): void {
    const run = new CheckpointRun({ ...this.#deps, moved: this.#moved });
    this.#present = { run, cause, startedMs: this.#deps.now(), isTold: false, isLeft: false };
  }

  /** Why in a later turn: what moved may be in the middle of a step of somebody's. */
  readonly #moved = (): void => {
    this.#wakeIn(0);
  };

  #drive(present: Present, nowMs: number): void {
    this.#maybeBegun(present, nowMs);
    if (present.run.state !== "writing") return;
    const { bytes, capBytes } = this.#deps.pinned();
    if (bytes > capBytes && this.relieve()) return;
    if (this.#deps.replicasWait()) {
      this.#wakeIn(REST_MS);
      return;
    }
    const isSlowed = this.#leaving === null && !this.#isOutrun(present);
    const mayMove = isSlowed ? Math.min(STEP_BYTES, this.#rate.now(nowMs)) : STEP_BYTES;
    if (mayMove > 0) {
      const moved = present.run.move(mayMove);
      this.#rate.take(moved);
      if (moved >= STEP_BYTES) this.#wakeIn(0);
    }
    const { waitMs } = this.#rate;
    if (isSlowed && waitMs > 0) this.#wakeIn(waitMs);
  }

  /** The log grows faster than a checkpoint at the usual rate makes up for. */
  #isOutrun({ run }: Present): boolean {
    if (this.#deps.rate() >= 0) return false;
    const grownBytes = this.#deps.next() - run.position!.offset;
    return grownBytes > LOG_BYTES_AT_REST + run.movedBytes / 2;
  }

  #wakeIn(ms: number): void {
    const atMs = this.#deps.now() + ms;
    if (atMs >= this.#wakeAtMs) return;
    this.#wakeAtMs = atMs;
    this.#deps.later(ms, () => {
      // Why: an earlier one was asked for since, and came.
      if (this.#wakeAtMs !== atMs) return;
      this.#wakeAtMs = Number.POSITIVE_INFINITY;
      this.step();
    });
  }

  // --- what it came to ----------------------------------------------------------------------------

  #maybeBegun(present: Present, nowMs: number): void {
    const { position, estimate } = present.run;
    if (present.isTold || position === null) return;
    present.isTold = true;
    this.#rate.begin(nowMs, Math.min(this.#deps.chunkBytes(), estimate.bytes));
    this.#deps.journal("info", "checkpoint_begins", {
      cause: present.cause,
      ...position,
      records: estimate.records,
      bytes: estimate.bytes,
      log_bytes: this.#logBytes,
    });
  }

  #ended(present: Present, result: RunResult): void {
    this.#present = null;
    const { why, entry } = present.isLeft ? { why: REPLACED, entry: null } : result;
    const ms = Math.round(this.#deps.now() - present.startedMs);
    if (entry === null) this.#failed(present, why, ms);
    else this.#done(entry, present, ms);
    for (const done of this.#waiting.splice(0)) done(why, entry);
  }

  #done(entry: CheckpointEntry, { cause, run }: Present, ms: number): void {
    const { position, records, bytes } = entry;
    this.#newest = entry;
    this.#since = position.offset;
    this.#recordsBefore = run.records;
    this.#due = null;
    this.#lastMs = ms;
    this.#lastError = "";
    this.#failures = 0;
    this.#deps.journal("info", "checkpoint_done", { cause, ...position, records, bytes, ms });
  }

  #failed({ cause, isLeft, run }: Present, why: string, ms: number): void {
    const level = this.#isStopped ? "info" : "warn";
    const bytes = run.movedBytes;
    this.#deps.journal(level, "checkpoint_failed", { cause, ...run.position, bytes, why, ms });
    // Nothing was wrong with it: the next one may come at once.
    if (isLeft) return;
    this.#retryAtMs = this.#deps.now() + Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** this.#failures);
    this.#failures += 1;
    this.#lastError = why;
  }
}
