/**
 * When the log is asked to become durable for replies that wait for that (--fsync always).
 *
 * One sync serves all whose writes are in the log when it begins. One that begins with the first of many
 * that are about to come serves few, and all others wait for two: clients fall into step, and the loop and
 * the disk work one after the other instead of side by side.
 *
 *   at the end of a turn                                       then
 *   as many wait for the next sync as half of those who        ask: behind a sync under way too
 *   lately waited at once
 *   fewer, and a sync is under way                             wait: its end is a turn
 *   fewer, none is, and more came in this turn                 again: one more turn, for GATHER_MS at most
 *   fewer, none is, and nobody came in this turn               ask: nobody is about to come
 *
 * So one client alone waits for nobody, and two groups of clients take turns: one is on its way to the disk
 * while the loop serves the other.
 *
 * Pure. Owns: that choice. Does not own: the queue (reply-queue.ts), the sync (log/disk/sync-policy.ts).
 */

/** Longest time that replies wait for others to join them, ms: a few syncs of a fast disk. */
const GATHER_MS = 1;
/** What is left of the largest crowd after each sync. */
const FADE = 0.95;

/** How it stands with replies that wait. Offsets are ends of the log. */
export interface WaitingReplies {
  /** How many wait now, and how many were ever queued. */
  readonly length: number;
  readonly queued: number;
  /** Which the newest of them needs to be durable. */
  readonly newestOffset: number;
}

export class GroupCommit {
  /** What was asked for last, and how many had been queued by then. */
  #askedTo = 0;
  #askedQueued = 0;
  /** Most that lately waited at once. */
  #crowd = 0;
  /** At the last turn that chose `again`: since when, ms, and how many had been queued. */
  #sinceMs = Number.POSITIVE_INFINITY;
  #seenQueued = 0;

  /** The log is another one: nobody will say that what was asked for is durable. */
  reset(): void {
    this.#askedTo = 0;
    this.#askedQueued = 0;
    this.#sinceMs = Number.POSITIVE_INFINITY;
  }

  choose(replies: WaitingReplies, durable: number, nowMs: number): "ask" | "again" | "wait" {
    const { length, queued, newestOffset } = replies;
    // What is queued behind writes that are durable is released without a sync.
    const fresh = Math.min(length, queued - this.#askedQueued);
    if (length === 0 || fresh === 0) return "wait";
    this.#crowd = Math.max(this.#crowd, length);
    if (2 * fresh < this.#crowd) {
      if (durable < this.#askedTo) return "wait";
      if (this.#isGathering(queued, nowMs)) return "again";
    }
    this.#askedTo = newestOffset;
    this.#askedQueued = queued;
    this.#crowd *= FADE;
    this.#sinceMs = Number.POSITIVE_INFINITY;
    return "ask";
  }

  #isGathering(queued: number, nowMs: number): boolean {
    const isFirst = this.#sinceMs === Number.POSITIVE_INFINITY;
    const isMore = isFirst || queued > this.#seenQueued;
    if (isFirst) this.#sinceMs = nowMs;
    this.#seenQueued = queued;
    return isMore && nowMs - this.#sinceMs < GATHER_MS;
  }
}
