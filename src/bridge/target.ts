/**
 * A public state as one that answers later (store/state.ts): runs of the log and chunks become its calls,
 * one at a time, and what it answers at once stays at once.
 *
 *   applyRange   apply(batch): all of the run, or nothing of it; appliedTo is `from` or `to`, never between
 *   stage        stage() with the first chunk, or with the commit when there is none
 *   commit       the totals are compared, then commit(mark of the snapshot's position)
 *   abort        abort(), when stage() was called
 *
 *   what fails                       is
 *   records that check() refuses     ERR_STORE_RECORD: never to be had by this state, so the session stops and says so
 *   else, of a run                   what kept.ts says
 *   else, of a snapshot              ERR_STORE_CHUNK, and the state is what it was
 *
 * Owns: the calls, how their failures are called. Does not own: where the state is after a failure
 * (kept.ts), their order (line.ts), chunks (chunk-records.ts).
 * Tested in: test/unit/bridge/target.test.ts, test/unit/embed/state-limits.test.ts.
 */
import { StoreError, wordsOf } from "../errors.ts";
import type { LogName } from "../log/history.ts";
import type { LateStaging, LateTarget, StageEstimate, StatePlace } from "../store/state.ts";
import type { Id } from "../wire/messages.ts";
import { ChunkJoiner } from "./chunk-records.ts";
import type { KeptState } from "./kept.ts";
import { after, isLater, type StateLine } from "./line.ts";
import { encodeMark, MarkTemplate } from "./mark.ts";
import { LogBatch, type MarkWriter } from "./records.ts";
import type { Awaitable, Mark, Records, ReplicatedState, Staging } from "./seam.ts";

/** What the bridge must be told. */
export interface TargetDeps {
  /** The log that a batch which is given to the state is in, at that moment. */
  readonly name: () => LogName;
  /** Which start of this machine it is. */
  readonly bootId: Id;
  /** A snapshot of this size is the state. */
  readonly onLoaded?: (size: { readonly records: number; readonly bytes: number }) => void;
}

export class BridgeTarget implements LateTarget, MarkWriter {
  readonly answers = "later";
  onAnswer: (error: Error | null) => void = () => undefined;
  appliedTo = 0;
  readonly #state: ReplicatedState;
  readonly #kept: KeptState;
  readonly #line: StateLine;
  readonly #deps: TargetDeps;
  readonly #marks: MarkTemplate;
  /** What is staged, until it is over. */
  #staging: BridgeStaging | null = null;

  constructor(state: ReplicatedState, kept: KeptState, line: StateLine, deps: TargetDeps) {
    this.#state = state;
    this.#kept = kept;
    this.#line = line;
    this.#deps = deps;
    this.#marks = new MarkTemplate(deps.bootId);
  }

  isEmpty(): boolean {
    return this.#kept.isEmpty;
  }

  markAt(offset: number, chain: number, clockMs: number): Mark {
    return this.#marks.markAt(this.#deps.name(), offset, chain, clockMs);
  }

  applyRange(bytes: Buffer, from: number, to: number): boolean {
    this.appliedTo = from;
    const batch = new LogBatch(bytes, from, to, this);
    return this.#told(
      this.#line.call(() => orNever(this.#state, batch, () => this.#kept.apply(batch))),
      () => {
        this.appliedTo = to;
      },
    );
  }

  stage(estimate: StageEstimate): LateStaging {
    const staging = new BridgeStaging(this.#state, estimate, {
      call: (ask) => this.#told(this.#line.call(ask)),
      commit: (staged, place, size) => {
        const end = this.#endOf(place);
        const answer = this.#kept.commit(() => staged.commit(end), end, size.records);
        return after(answer, () => this.#deps.onLoaded?.(size));
      },
    });
    this.#staging = staging;
    return staging;
  }

  /** What is staged is given up, if it is not over. Resolves when the state has answered, however. */
  async close(): Promise<void> {
    const staging = this.#staging;
    this.#staging = null;
    this.onAnswer = () => undefined;
    try {
      await this.#line.call(() => staging?.giveUp());
    } catch {
      // The next start removes what is half done.
    }
  }

  #endOf({ position, rank, lineage }: StatePlace): Mark {
    const { bootId } = this.#deps;
    return encodeMark({ ...position, rank, lineage, clockMs: 0, bootId });
  }

  /** True when it is done; else onAnswer() will be called. */
  #told(answer: Awaitable<void>, done: () => void = () => undefined): boolean {
    if (!isLater(answer)) {
      done();
      return true;
    }
    answer.then(
      () => {
        done();
        this.onAnswer(null);
      },
      (error: unknown) => {
        this.onAnswer(error instanceof Error ? error : new Error(wordsOf(error)));
      },
    );
    return false;
  }
}

interface StagingCalls {
  call(ask: () => Awaitable<void>): boolean;
  commit(
    staging: Staging,
    place: StatePlace,
    size: { readonly records: number; readonly bytes: number },
  ): Awaitable<void>;
}

class BridgeStaging implements LateStaging {
  readonly #state: ReplicatedState;
  readonly #estimate: StageEstimate;
  readonly #calls: StagingCalls;
  readonly #joiner = new ChunkJoiner();
  #staging: Staging | null = null;
  /** It was committed or given up. */
  #isOver = false;

  constructor(state: ReplicatedState, estimate: StageEstimate, calls: StagingCalls) {
    this.#state = state;
    this.#estimate = estimate;
    this.#calls = calls;
  }

  load(bytes: Buffer, from: number, to: number): boolean {
    const records = this.#joiner.take(bytes, from, to);
    if (records.count === 0) return true;
    return this.#calls.call(() =>
      orNever(this.#state, records, () =>
        asChunkError(() => after(this.#staged(), (staging) => staging.load(records))),
      ),
    );
  }

  commit(totals: { readonly records: number }, place: StatePlace): boolean {
    const { records, recordBytes: bytes, isInside } = this.#joiner;
    this.#isOver = true;
    if (isInside || records !== totals.records) {
      const why = `the snapshot has ${records} records${isInside ? " and a part" : ""} of ${totals.records}`;
      return this.#calls.call(() =>
        after(this.#staging?.abort(), () => {
          throw new StoreError("ERR_STORE_CHUNK", why);
        }),
      );
    }
    return this.#calls.call(() =>
      after(
        asChunkError(() => this.#staged()),
        (staging) => this.#calls.commit(staging, place, { records, bytes }),
      ),
    );
  }

  abort(): boolean {
    if (this.#staging !== null) return this.#calls.call(() => this.giveUp());
    this.#isOver = true;
    return true;
  }

  /** abort(), as a call of the state that is made now; idempotent. */
  giveUp(): Awaitable<void> {
    if (this.#isOver) return undefined;
    this.#isOver = true;
    return this.#staging?.abort();
  }

  #staged(): Awaitable<Staging> {
    if (this.#staging !== null) return this.#staging;
    const { records, bytes } = this.#estimate;
    return after(this.#state.stage({ records, bytes }), (staging) => {
      this.#staging = staging;
      return staging;
    });
  }
}

/**
 * What fails of records of which check() refuses one fails whenever it is tried again: it is not in this state's
 * format, as a key that is too long for it. Asked when it has failed, since a replica does not look at records twice.
 */
function orNever(
  state: Pick<ReplicatedState, "check">,
  records: Records,
  ask: () => Awaitable<void>,
): Awaitable<void> {
  const fail = (error: unknown): never => {
    const isSuspect = error instanceof StoreError && error.code === "ERR_STORE_FAILED";
    if (!isSuspect) needChecked(state, records);
    throw error as Error;
  };
  let answer: Awaitable<void>;
  try {
    answer = ask();
  } catch (error) {
    return fail(error);
  }
  return isLater(answer) ? answer.catch(fail) : answer;
}

/** @throws {StoreError} ERR_STORE_RECORD */
function needChecked(state: Pick<ReplicatedState, "check">, records: Records): void {
  try {
    records.each((bytes, from, to) => state.check?.(bytes, from, to));
  } catch (error) {
    const why = error instanceof StoreError ? bare(error) : wordsOf(error);
    throw new StoreError("ERR_STORE_RECORD", `this state can never have it: ${why}`, {
      cause: error,
    });
  }
}

/** Without the code. */
function bare({ code, message }: StoreError): string {
  return message.startsWith(`${code}: `) ? message.slice(code.length + 2) : message;
}

/** What fails beside the state, which is what it was: the snapshot has to come again. */
function asChunkError<T>(ask: () => Awaitable<T>): Awaitable<T> {
  const fail = (error: unknown): never => {
    throw new StoreError("ERR_STORE_CHUNK", `it could not be loaded: ${wordsOf(error)}`, {
      cause: error,
    });
  };
  let answer: Awaitable<T>;
  try {
    answer = ask();
  } catch (error) {
    return fail(error);
  }
  return isLater(answer) ? answer.then((value) => value, fail) : answer;
}
