/**
 * What a public state has: the mark that it keeps, whether it is empty, and what becomes of a call that
 * failed.
 *
 *   durability   the call threw    it rejected        afterwards
 *   none         unchanged         suspect
 *   else         mark() is asked   mark() is asked    at the start: unchanged   at the end: it is done
 *                                                     anywhere else, or no answer: suspect
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

  #settle(call: () => Awaitable<void>, end: () => Mark, done: () => void): Awaitable<void> {
    const succeed = (): void => {
      if (this.keepsMarks) this.mark = end();
      done();
    };
    let answer: Awaitable<void>;
    try {
      answer = call();
    } catch (error) {
      return after(this.#find(end, true), (at) => this.#judge(error, at, succeed));
    }
    if (!isLater(answer)) {
      succeed();
      return undefined;
    }
    return answer.then(succeed, async (error: unknown) => {
      this.#judge(error, await this.#find(end, false), succeed);
    });
  }

  #judge(error: unknown, at: FoundAt, succeed: () => void): void {
    const why = wordsOf(error);
    this.#onFailure(why, at);
    if (at === "end") succeed();
    else if (at === "start") throw new StoreError("ERR_STORE_REFUSED", why, { cause: error });
    else throw new StoreError("ERR_STORE_FAILED", why, { cause: error });
  }

  /** Where it is. */
  #find(end: () => Mark, threw: boolean): Awaitable<FoundAt> {
    if (!this.keepsMarks) return threw ? "start" : "nowhere";
    const compare = (found: Mark | null): FoundAt => {
      if (isSameMark(found, end())) return "end";
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
