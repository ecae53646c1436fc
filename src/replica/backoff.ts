/**
 * Reconnect delays: exponential with jitter, so that many replicas cut off at once do not come back
 * at once. Reset only by what got on: a batch that was applied, or a snapshot that was swapped in. A
 * connection on which there is nothing but heartbeats does not count.
 *
 *   delay(n) = random in [1/2, 1] x min(max, min x 2^n)
 *
 * Owns: how many attempts failed. Does not own: the bounds, which it reads at use (options.ts).
 */
import type { SessionOptions } from "./options.ts";

export class Backoff {
  /** The next delay is short and no failure: a planned reconnect. Once; the next only after some progress. */
  isPlanned = false;
  /** The next delay is no shorter, ms: the upstream asked for it. */
  atLeastMs = 0;
  private failures = 0;
  /** A planned reconnect was granted, and nothing got on since. */
  private isPlannedUsed = false;
  private offset = 0;
  private readonly options: Pick<SessionOptions, "backoffMinMs" | "backoffMaxMs">;
  private readonly random: () => number;

  /** `random` gives numbers in [0, 1). */
  constructor(
    options: Pick<SessionOptions, "backoffMinMs" | "backoffMaxMs">,
    random: () => number,
  ) {
    this.options = options;
    this.random = random;
  }

  /** The next delay, ms. */
  next(): number {
    const { backoffMinMs, backoffMaxMs } = this.options;
    const whole = Math.min(backoffMaxMs, backoffMinMs * 2 ** Math.min(this.failures, 30));
    this.failures += 1;
    return whole * (0.5 + this.random() / 2);
  }

  /** A short delay that does not count as a failure: a planned reconnect. */
  planned(): number {
    return this.options.backoffMinMs * (0.5 + this.random() / 2);
  }

  /** The next delay, ms, of the kind that was asked for; asked for once. */
  delay(): number {
    // Why once: an upstream that plans without end is no better than one that fails.
    const isPlanned = this.isPlanned && !this.isPlannedUsed;
    if (isPlanned) this.isPlannedUsed = true;
    const ms = Math.max(isPlanned ? this.planned() : this.next(), this.atLeastMs);
    this.isPlanned = false;
    this.atLeastMs = 0;
    return ms;
  }

  /** The log is applied up to `offset`: when that is news, the next delay is short. */
  gotTo(offset: number): void {
    if (offset !== this.offset) this.reset();
    this.offset = offset;
  }

  reset(): void {
    this.failures = 0;
    this.isPlannedUsed = false;
  }
}
