/**
 * The order of a primary's writes to a state of an embedder's own: one batch at a time is drafted, stored,
 * applied and published, and what waits meanwhile becomes the next one.
 *
 *   free --- update, transact ---> body --- drafted --+
 *    ^ \                                               v          stored             applied
 *    | |\---- a group of writes, drafted ----------> storing ----------> applying ---------> resting
 *    | v                                               |                    |                 |   ^
 *    | held: the node paces, or its disk is behind     +- failed, nothing --+-> taking_back --|---+
 *    |                                                    has changed            dropped, here and
 *    +--------- end of a turn ---------------------------------------------------|on the disk-+
 *
 *    over: the state is suspect; from anywhere, and only open() leads back
 *
 *   what fails                              then
 *   check() of a record                     its write rejects, alone; nothing is logged
 *   the body                                its call rejects; nothing is logged
 *   the state, at the start of the batch    a group is tried again one by one; one alone rejects
 *   the state, at its end                   as if it had not failed (target.ts reads its mark)
 *   the state, anywhere else                suspect: it and all that wait reject, for good
 *   the disk, before the state has it       it is taken back, and rejects
 *   a draft that is taken back              the next ones are applied first, and stored when they are
 *                                           there, until one succeeds: a state that refuses everything
 *                                           must not begin a log file for each
 *
 * Why a rest between two batches: the state is at a position only then, and may be frozen; and a state that
 * answers at once would keep the loop for as long as writers come back at once.
 * On a state that binds a write acts at once (writeNow): what it would wait behind, changes of the state's
 * own methods, does not wait either.
 *
 * Pure: promises, signals and timers are the caller's. Owns: the order, what becomes of each write. Does not
 * own: the queue (write-jobs.ts), which writes are one batch (write-groups.ts), batches (log/draft.ts), where a
 * state is that failed (target.ts).
 */
import assert from "node:assert/strict";
import type { Draft } from "../log/draft.ts";
import { BATCH_HEAD_BYTES } from "../wire/frame.ts";
import { isPromise, RunningBody } from "./running-body.ts";
import type { Awaitable, LogPosition } from "./seam.ts";
import type { OrderDeps, StateFailure } from "./write-deps.ts";
import { draftGroup, GROUP_BYTES_MAX, passesCheck, takeGroup } from "./write-groups.ts";
import {
  type BodyJob,
  bytesOf,
  type Ends,
  type Job,
  JobQueue,
  LoggedRecords,
  type WriteJob,
} from "./write-jobs.ts";

export type OrderPhase =
  "free" | "held" | "body" | "storing" | "applying" | "taking_back" | "resting" | "over";

export const ORDER_MOVES: Readonly<Record<OrderPhase, readonly OrderPhase[]>> = {
  free: ["held", "body", "storing", "resting", "over"],
  held: ["free"],
  body: ["storing", "applying", "resting", "over"],
  storing: ["applying", "taking_back", "over"],
  applying: ["taking_back", "resting", "over"],
  taking_back: ["resting"],
  resting: ["free", "over"],
  over: ["free"],
};

export class WriteOrder {
  #phase: OrderPhase = "free";
  readonly #deps: OrderDeps;
  readonly #queue = new JobQueue();
  /** Writes of a group that failed: each is tried alone, before all others. */
  #singles: WriteJob[] = [];
  /** The writes, or the one body, that the present draft is of. */
  #group: WriteJob[] = [];
  #body: RunningBody | null = null;
  #draft: Draft | null = null;
  /** begin() will be called. */
  #isDue = false;
  #cancelHold: () => void = () => undefined;
  /** What was drafted last was taken back. */
  #isWary = false;
  /** Why all are refused, for good or until open(). */
  #closed: Error | null = null;
  #onQuiet: (() => void)[] = [];

  constructor(deps: OrderDeps) {
    this.#deps = deps;
  }

  get phase(): OrderPhase {
    return this.#phase;
  }

  get queued(): number {
    return this.#queue.length;
  }

  /** Why nobody knows where the state is; null while all is well. */
  get suspect(): Error | null {
    return this.#phase === "over" ? this.#closed : null;
  }

  /** The body that runs now; null for none. */
  get running(): "update" | "transact" | null {
    return this.#phase === "body" ? this.#body!.job.kind : null;
  }

  /** The state is not being called, and has nothing that is not visible. */
  get isAtRest(): boolean {
    if (this.#phase === "storing") return this.#body?.job.kind !== "transact";
    if (this.#phase === "body") return this.#body!.job.kind === "update";
    return this.#phase !== "applying" && this.#phase !== "over";
  }

  /** Nothing that could append is under way: what waits has to begin first. */
  get isQuiet(): boolean {
    return this.#body === null && QUIET.has(this.#phase);
  }

  // --- from outside ------------------------------------------------------------------------------

  add(job: Job): void {
    const refusal = this.#closed ?? this.#deps.refusal();
    if (refusal !== null) {
      job.ends.reject(refusal);
      return;
    }
    this.#queue.push(job);
    this.#wantBegin();
  }

  /** It waited, and is forgotten; false when its turn had come. */
  leave(job: Job): boolean {
    if (!this.#queue.leave(job)) return false;
    if (this.#phase === "held" && this.#queue.length === 0) this.#endHold();
    return true;
  }

  /** All that wait are rejected, and all that come from now on; `done` when what is in flight has ended. */
  close(why: Error, done: () => void): void {
    this.#closed ??= why;
    this.#rejectWaiting(this.#closed);
    if (this.#phase === "held") this.#endHold();
    this.#onQuiet.push(done);
    this.#tellQuiet();
  }

  /** Writes are welcome again: the node leads, with a state that is whole. */
  open(): void {
    this.#closed = null;
    if (this.#phase === "over") this.#move("free");
  }

  // --- a state that binds ------------------------------------------------------------------------

  /** Applies and logs `job` within this call, unless something has to wait. @returns whether it did */
  writeNow(job: WriteJob): boolean {
    const { refusal, hold } = this.#deps;
    if (this.#closed !== null || !this.#mayWriteNow || this.#queue.length > 0) return false;
    if (refusal() !== null) return false;
    const cancel = hold(bytesOf(job), () => undefined);
    cancel?.();
    if (cancel !== null) return false;
    if (!passesCheck(job, this.#deps.state)) return true;
    if (job.count === 0) job.ends.resolve(this.#position());
    else this.#applyNow(job);
    return true;
  }

  /** The state is not called; the body of an update may run, and writes of others go on. */
  get #mayWriteNow(): boolean {
    if (this.#phase === "body") return this.#body!.job.kind === "update";
    return this.#phase === "free" || this.#phase === "resting";
  }

  #applyNow(job: WriteJob): void {
    const { log, state } = this.#deps;
    const draft = draftGroup(log, [job]);
    if (draft === null) return;
    const answers: (StateFailure | null)[] = [];
    state.apply(draft, (failure) => answers.push(failure));
    const [failure = LATE] = answers;
    if (failure === null) {
      log.commitDraft();
      job.ends.resolve(this.#position());
      return;
    }
    log.forgetDraft();
    job.ends.reject(failure.error);
    if (failure.kind === "suspect") this.#suspected(failure.error);
  }

  // --- the next batch ----------------------------------------------------------------------------

  #wantBegin(): void {
    if (this.#isDue || this.#phase !== "free") return;
    this.#isDue = true;
    this.#deps.soon(() => {
      this.#isDue = false;
      this.#begin();
    });
  }

  #begin(): void {
    if (this.#phase !== "free" || this.#next === null) return;
    const refusal = this.#deps.refusal();
    if (refusal !== null) {
      this.#rejectWaiting(refusal);
      this.#tellQuiet();
      return;
    }
    if (this.#isHeld()) return;
    const single = this.#singles.shift();
    if (single !== undefined) this.#beginGroup([single]);
    else if (this.#queue.first!.kind === "write")
      this.#beginGroup(takeGroup(this.#queue, this.#deps.state));
    else this.#beginBody(this.#queue.shift() as BodyJob);
  }

  get #next(): Job | null {
    return this.#singles[0] ?? this.#queue.first;
  }

  /** Asks whether about as much may be written as will be. */
  #isHeld(): boolean {
    const first = bytesOf(this.#next!);
    const bytes = Math.max(first, Math.min(this.#queue.bytes, GROUP_BYTES_MAX));
    let isTold = false;
    const cancel = this.#deps.hold(bytes + BATCH_HEAD_BYTES, () => {
      isTold = true;
      if (this.#phase !== "held") return;
      this.#move("free");
      this.#begin();
    });
    if (cancel === null) return false;
    assert(!isTold, "told to go on before it waited");
    this.#cancelHold = cancel;
    this.#move("held");
    return true;
  }

  #endHold(): void {
    this.#cancelHold();
    this.#cancelHold = () => undefined;
    this.#move("free");
  }

  // --- writes ------------------------------------------------------------------------------------

  #beginGroup(group: WriteJob[]): void {
    this.#group = group;
    const isEmpty = group.every(({ count }) => count === 0);
    if (isEmpty) {
      this.#settleGroup();
      this.#rest();
      return;
    }
    const draft = draftGroup(this.#deps.log, group);
    if (draft === null) {
      this.#group = [];
      this.#rest();
    } else this.#store(draft, () => this.#apply(draft));
  }

  #apply(draft: Draft): void {
    this.#move("applying");
    this.#deps.state.apply(draft, (failure) => this.#answered(failure));
  }

  #settleGroup(): void {
    const position = this.#position();
    const group = this.#group;
    this.#group = [];
    for (const { ends } of group) ends.resolve(position);
  }

  // --- bodies ------------------------------------------------------------------------------------

  #beginBody(job: BodyJob): void {
    const { state } = this.#deps;
    const logged = new LoggedRecords(state.check.bind(state));
    const body = new RunningBody(job, logged, () => this.#deps.bodies.over());
    this.#body = body;
    this.#move("body");
    if (job.kind === "transact") {
      const run = (tx: unknown): Awaitable<Draft | null> =>
        this.#runBody(body, tx, () => this.#bodyDrafted(body));
      state.transact(run, (failure) => this.#answered(failure));
    } else this.#update(body);
  }

  #update(body: RunningBody): void {
    const applies = (): null => {
      if (this.#phase === "over") throw this.#closed!;
      const draft = body.draft(this.#deps.log);
      if (draft === null) this.#answered(null);
      else this.#store(draft, () => this.#apply(draft));
      return null;
    };
    const failed = (error: unknown): void => {
      this.#answered({ kind: "unchanged", error });
    };
    try {
      const ran = this.#runBody(body, undefined, applies);
      if (isPromise(ran)) ran.catch(failed);
    } catch (error) {
      failed(error);
    }
  }

  /** Runs the embedder's body, then `then`, in the same turn when it can. */
  #runBody(
    body: RunningBody,
    tx: unknown,
    then: () => Awaitable<Draft | null>,
  ): Awaitable<Draft | null> {
    const ran = this.#deps.bodies.run(() => body.run(tx));
    const ended = (value: unknown): Awaitable<Draft | null> => {
      body.ended(value);
      return then();
    };
    return isPromise(ran) ? ran.then(ended) : ended(ran);
  }

  /** Within the state's transaction: what was logged is drafted, and stored, before its mark is. */
  #bodyDrafted(body: RunningBody): Awaitable<Draft | null> {
    const draft = body.draft(this.#deps.log);
    if (draft === null) return null;
    const stored: (Error | null)[] = [];
    let told: (trouble: Error | null) => void = (trouble) => void stored.push(trouble);
    this.#store(
      draft,
      () => told(null),
      (trouble) => told(trouble),
    );
    const goOn = (trouble: Error | null = null): Draft => {
      if (trouble !== null) throw trouble;
      this.#move("applying");
      return draft;
    };
    if (stored.length > 0) return goOn(stored[0]);
    return new Promise<Error | null>((resolve) => {
      told = resolve;
    }).then(goOn);
  }

  // --- steps of a batch --------------------------------------------------------------------------

  /** It is on the disk, where it has to be, before `then`. */
  #store(draft: Draft, then: () => void, failed = this.#storeFailed): void {
    const { log } = this.#deps;
    this.#draft = draft;
    this.#move("storing");
    if (!log.storesFirst || this.#isWary) then();
    else
      log.store(draft, (trouble) => {
        if (trouble === null) then();
        else failed(trouble);
      });
  }

  readonly #storeFailed = (error: Error): void => {
    this.#answered({ kind: "unchanged", error });
  };

  /** The state has the batch, or has not. */
  #answered(failure: StateFailure | null): void {
    if (this.#phase === "over") this.#fallSuspect(this.#closed);
    else if (failure === null) this.#taken();
    else if (failure.kind === "suspect") this.#fallSuspect(failure.error);
    else if (this.#draft === null) this.#failed(failure.error);
    else {
      this.#draft = null;
      this.#isWary = true;
      this.#move("taking_back");
      this.#deps.log.dropDraft(() => this.#failed(failure.error));
    }
  }

  #taken(): void {
    if (this.#draft !== null) this.#deps.log.commitDraft();
    this.#draft = null;
    this.#isWary = false;
    const body = this.#body;
    this.#body = null;
    if (body === null) this.#settleGroup();
    else body.job.ends.resolve(body.value);
    this.#rest();
  }

  /** Nothing of it is left. */
  #failed(error: unknown): void {
    const body = this.#body;
    const group = this.#group;
    this.#body = null;
    this.#group = [];
    if (body !== null) body.job.ends.reject(body.failure === null ? error : body.failure.error);
    else if (group.length === 1) group[0]!.ends.reject(error);
    else if (this.#closed === null) this.#singles = group;
    else for (const { ends } of group) ends.reject(this.#closed);
    this.#rest();
  }

  #rest(): void {
    this.#move("resting");
    this.#deps.afterTurn(() => {
      if (this.#phase !== "resting") return;
      this.#move("free");
      this.#tellQuiet();
      // Why not at once: who waits for the state to be at a position, to freeze it, is told in this turn.
      if (this.#next !== null) this.#wantBegin();
    });
  }

  // --- ends --------------------------------------------------------------------------------------

  /** The state may be anywhere: nobody knows what became of the batch. */
  #fallSuspect(error: unknown): void {
    const { log } = this.#deps;
    if (this.#draft !== null) log.forgetDraft();
    const ends: Ends<never>[] = this.#group.map((job) => job.ends);
    if (this.#body !== null) ends.push(this.#body.job.ends);
    this.#draft = null;
    this.#group = [];
    this.#body = null;
    for (const each of ends) each.reject(error);
    if (this.#phase === "over") this.#tellQuiet();
    else this.#suspected(error);
  }

  #suspected(error: unknown): void {
    this.#move("over");
    this.#closed = error instanceof Error ? error : new Error(String(error));
    this.#rejectWaiting(this.#closed);
    this.#tellQuiet();
    this.#deps.onSuspect(error);
  }

  #rejectWaiting(why: Error): void {
    const singles = this.#singles;
    this.#singles = [];
    for (const { ends } of [...singles, ...this.#queue.takeAll()]) ends.reject(why);
  }

  #tellQuiet(): void {
    if (this.#phase !== "free" && this.#phase !== "over") return;
    if (this.#body !== null) return;
    const told = this.#onQuiet;
    this.#onQuiet = [];
    for (const done of told) done();
  }

  #position(): LogPosition {
    const { history, next: offset } = this.#deps.log;
    return { history, offset };
  }

  #move(phase: OrderPhase): void {
    assert(ORDER_MOVES[this.#phase].includes(phase), `writes moved ${this.#phase} -> ${phase}`);
    this.#phase = phase;
  }
}

const QUIET: ReadonlySet<OrderPhase> = new Set<OrderPhase>(["free", "held", "resting", "over"]);

const LATE: StateFailure = {
  kind: "suspect",
  error: new Error("a state that binds has to apply within the call, and answered later"),
};
