/**
 * A limit of bytes per second: what may go now, and when more may. What is sent whole may overdraw it.
 *
 * Owns: the account. Does not own: the limit (options), bytes.
 * Tested in: test/unit/primary/shipping.test.ts, test/unit/node/checkpoint-run.test.ts.
 */
export class ByteRate {
  readonly #perSecond: () => number;
  #tokens = 0;
  #atMs = -1;

  /** @param perSecond read at every use; 0 is unlimited */
  constructor(perSecond: () => number) {
    this.#perSecond = perSecond;
  }

  /** Bytes that may go now. Infinity without a limit. */
  now(nowMs: number): number {
    const rate = this.#perSecond();
    if (rate === 0) return Number.POSITIVE_INFINITY;
    if (this.#atMs < 0) this.#atMs = nowMs;
    const earned = ((nowMs - this.#atMs) * rate) / 1000;
    this.#atMs = nowMs;
    // A tenth of a second may be saved up: an idle limit does not turn into a burst.
    this.#tokens = Math.min(this.#tokens + earned, rate / 10);
    return this.#tokens;
  }

  /**
   * Something begins that goes in pieces of about `pieceBytes`. It keeps to the limit on average from here
   * on, its first piece too: that is paid for before it goes.
   */
  begin(nowMs: number, pieceBytes: number): void {
    if (this.now(nowMs) !== Number.POSITIVE_INFINITY)
      this.#tokens = Math.min(this.#tokens, 0) - pieceBytes;
  }

  take(bytes: number): void {
    if (this.#perSecond() > 0) this.#tokens -= bytes;
  }

  /** ms until something may go, as it stood at the last now(); 0 when something may. */
  get waitMs(): number {
    const rate = this.#perSecond();
    if (rate === 0 || this.#tokens > 0) return 0;
    return Math.max(1, Math.ceil((-this.#tokens / rate) * 1000));
  }
}
