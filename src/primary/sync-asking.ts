/**
 * Asking one replica to sync its log (SYNC), for those who wait until its disk has it:
 *
 *   what            state before      what is said
 *   want(to)        idle              SYNC(to); asked
 *   want(to)        asked             nothing: the highest `to` is kept for the next
 *   durable(at)     asked, at < it    nothing
 *   durable(at)     asked, at >= it   idle; SYNC of the highest `to`, when that is above `at`; asked
 *   startedOver()   any               idle: what it had synced is gone with its state
 *
 * So one is on its way at most, and one sync serves all who began to wait during the one before. A replica
 * without a disk never answers, and is asked once.
 *
 * Pure. Owns: what is asked of one link. Does not own: who waits (waiters.ts), when it is said (link-feed.ts).
 */
export class SyncAsking {
  /** The SYNC that is not answered; -1 for none. */
  #asked = -1;
  /** The highest offset that somebody wanted. */
  #wanted = -1;

  /** Nothing was ever wanted, or all of it was answered. */
  get isIdle(): boolean {
    return this.#asked < 0;
  }

  /** Somebody waits until the log is durable up to `to`. @returns what to ask for; -1 nothing now */
  want(to: number, durable: number): number {
    this.#wanted = Math.max(this.#wanted, to);
    return this.#next(durable);
  }

  /** The replica has said how far it is. @returns what to ask for; -1 nothing now */
  said(durable: number): number {
    if (this.#asked < 0 || durable < this.#asked) return -1;
    this.#asked = -1;
    return this.#next(durable);
  }

  startedOver(): void {
    this.#asked = -1;
    this.#wanted = -1;
  }

  #next(durable: number): number {
    if (this.#asked >= 0 || this.#wanted <= durable) return -1;
    this.#asked = this.#wanted;
    return this.#asked;
  }
}
