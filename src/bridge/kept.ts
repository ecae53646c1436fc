/**
 * What a public state has: the mark that it keeps, whether it is empty, and what becomes of a call that
 * failed.
 *
 *   durability   the call threw    it rejected        afterwards
 *   none         unchanged         suspect
 *   else         mark() is asked   mark() is asked    at the start: unchanged   at the end: it is done
 *                                                     anywhere else, or no answer: suspect
 *
 * The body of a transaction that throws is no failure of the state, which undoes what it did: with a mark
 * that is asked for, too.
 *
 * Unchanged is ERR_STORE_REFUSED, suspect ERR_STORE_FAILED: nobody knows what it has, and only a snapshot
 * can replace it. A state that failed and is done has stored what it was given before it failed to say so.
 *
 * Owns: the table, the newest mark. Does not own: calls and their order (target.ts, line.ts), the bytes of
 * a mark (mark.ts).
 * Tested in: test/unit/bridge/target.test.ts.
 */
import { StoreError, wordsOf } from "../errors.ts";
import { after, isLater } from "./line.ts";
import { isSameMark } from "./mark.ts";
import type { Awaitable, Batch, Mark, ReplicatedState } from "./seam.ts";

/** Where a state was found after a call that failed. */
export type FoundAt = "start" | "end" | "nowhere";

export class KeptState {
  /** Nothing is in it, as far as is known: what deletes have emptied does not count. */
  isEmpty = true;
  /** The mark that it keeps; null while it has none, and with durability "none". */
  mark: Mark | null = null;
  readonly #state: ReplicatedState;
  readonly #onFailure: (why: string, at: FoundAt) => void;

  constructor(state: ReplicatedState, onFailure: (why: string, at: FoundAt) => void) {
    this.#state = state;
    this.#onFailure = onFailure;
  }

  /** It keeps marks. */
  get keepsMarks(): boolean {
    return this.#state.durability !== "none";
  }

  /**
   * The state has applied `batch` when this has answered.
   * @throws {StoreError} ERR_STORE_REFUSED, ERR_STORE_FAILED, as a rejection too
   */
  apply(batch: Batch): Awaitable<void> {
    return this.#settle(
      () => this.#state.apply(batch),
      () => batch.end,
      () => {
        if (batch.count > 0) this.isEmpty = false;
      },
    );
  }

  /** `commit` replaces the state by one of `records` records, at the mark `end`. Throws as apply(). */
  commit(commit: () => Awaitable<void>, end: Mark, records: number): Awaitable<void> {
    return this.#settle(
      commit,
      () => end,
      () => {
        this.isEmpty = records === 0;
      },
    );
  }

  /**
   * `run` in a transaction of the state, with whose changes the mark is stored that it gives; null when it
   * changed nothing. Throws what `run` does, or as apply().
   */
  transact(run: (tx: unknown) => Awaitable<Mark | null>): Awaitable<void> {
    const running = new RunInside(run, this.mark);
    return this.#settle(
      () => after(this.#state.transact!(running.call), () => running.checkEnd()),
      () => running.end,
      () => {
        if (running.hasChanged) this.isEmpty = false;
      },
      running,
    );
  }

  #settle(
    call: () => Awaitable<void>,
    end: () => Mark | null,
    done: () => void,
    inside: RunInside | null = null,
  ): Awaitable<void> {
    const succeed = (): void => {
      if (this.keepsMarks) this.mark = end();
      done();
    };
    const judge = (error: unknown, at: FoundAt): void => {
      const thrown = inside?.thrown ?? null;
      // What the body throws is its caller's, and the state has undone it.
      if (thrown !== null && at === "start") throw thrown.error as Error;
      this.#judge(error, at, succeed);
    };
    let answer: Awaitable<void>;
    try {
      answer = call();
    } catch (error) {
      return after(this.#find(end, inside?.isTrusted ?? true, inside), (at) => judge(error, at));
    }
    if (!isLater(answer)) {
      succeed();
      return undefined;
    }
    return answer.then(succeed, async (error: unknown) => {
      judge(error, await this.#find(end, inside?.thrown != null && inside.isTrusted, inside));
    });
  }

  #judge(error: unknown, at: FoundAt, succeed: () => void): void {
    const why = wordsOf(error);
    this.#onFailure(why, at);
    if (at === "end") succeed();
    else if (at === "start") throw new StoreError("ERR_STORE_REFUSED", why, { cause: error });
    else throw new StoreError("ERR_STORE_FAILED", why, { cause: error });
  }

  /** Where it is; `isUndone`: as far as can be told of a state without marks. */
  #find(end: () => Mark | null, isUndone: boolean, inside: RunInside | null): Awaitable<FoundAt> {
    if (!this.keepsMarks) return isUndone ? "start" : "nowhere";
    const compare = (found: Mark | null): FoundAt => {
      const hasEnd = inside === null || inside.hasChanged;
      if (hasEnd && isSameMark(found, end())) return "end";
      return isSameMark(found, this.mark) ? "start" : "nowhere";
    };
    try {
      const found = this.#state.mark!();
      return isLater(found) ? found.then(compare, () => "nowhere") : compare(found);
    } catch {
      return "nowhere";
    }
  }
}

/** What runs within a transaction of the state: what it gave, or threw. */
class RunInside {
  /** The mark that is stored, or was before. */
  end: Mark | null;
  hasChanged = false;
  thrown: { readonly error: unknown } | null = null;
  /** The state has not called what failed done. */
  isTrusted = true;
  readonly #run: (tx: unknown) => Awaitable<Mark | null>;
  #hasRun = false;

  constructor(run: (tx: unknown) => Awaitable<Mark | null>, mark: Mark | null) {
    this.#run = run;
    this.end = mark;
  }

  readonly call = (tx: unknown): Awaitable<Mark> => {
    if (this.#hasRun) throw new StoreError("ERR_STORE_FAILED", "transact() ran its body twice");
    this.#hasRun = true;
    try {
      const ran = this.#run(tx);
      return isLater(ran) ? ran.then(this.#gave, this.#failed) : this.#gave(ran);
    } catch (error) {
      return this.#failed(error);
    }
  };

  /** The state says that all is stored. @throws {StoreError} when it cannot be */
  checkEnd(): void {
    if (this.#hasRun && this.thrown === null) return;
    this.isTrusted = false;
    const why = this.#hasRun ? "though its body had failed" : "and had not run its body";
    throw new StoreError("ERR_STORE_FAILED", `transact() answered that it is done, ${why}`);
  }

  readonly #gave = (mark: Mark | null): Mark => {
    this.hasChanged = mark !== null;
    if (mark !== null) this.end = mark;
    return this.end ?? NO_MARK;
  };

  readonly #failed = (error: unknown): never => {
    this.thrown ??= { error };
    throw error as Error;
  };
}

/** For a state that keeps none. */
const NO_MARK: Mark = new Uint8Array(0);
