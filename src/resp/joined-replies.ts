/**
 * Replies that go out in one write with the answer their client waits for: a pipeline of SET and WAIT is
 * answered once, and not by OK and the count a moment later. A write costs the kernel more than all that a SET
 * does here, and the client a read.
 *
 *   hold -> newer -- 1 ms --> older -- 1 ms --> released
 *
 * So they wait for 1 to 2 ms at most. Both steps are at the end of a turn: an ACK that has arrived counts first.
 * Owns: who keeps such replies, and for how long. Does not own: the bytes (client-server.ts), what is waited
 * for (client.ts).
 */

/** A connection that keeps replies. */
export interface JoinedOut {
  /** The answer does not come soon: writes what is kept. */
  releaseJoined(): void;
}

const STEP_MS = 1;

/** The next step: when it has come, what has arrived meanwhile is read first. */
function afterStep(step: () => void): void {
  setTimeout(setImmediate, STEP_MS, step).unref();
}

export class JoinedReplies {
  #newer = new Set<JoinedOut>();
  #older = new Set<JoinedOut>();
  #isStepping = false;
  readonly #later: (step: () => void) => void;

  /** @param later calls `step` a step later */
  constructor(later: (step: () => void) => void = afterStep) {
    this.#later = later;
  }

  /** Those that keep replies. */
  get size(): number {
    return this.#newer.size + this.#older.size;
  }

  /** `out` keeps replies from now on. */
  add(out: JoinedOut): void {
    this.#newer.add(out);
    if (this.#isStepping) return;
    this.#isStepping = true;
    this.#later(this.#step);
  }

  /** It keeps none any more. */
  delete(out: JoinedOut): void {
    if (!this.#newer.delete(out)) this.#older.delete(out);
  }

  readonly #step = (): void => {
    const due = this.#older;
    this.#older = this.#newer;
    this.#newer = new Set();
    for (const out of due) out.releaseJoined();
    this.#isStepping = this.size > 0;
    if (this.#isStepping) this.#later(this.#step);
  };
}
