/**
 * Waiters: who wants to know when so many replicas have applied an offset (WAIT).
 *
 * Owns: the list. Does not own: what replicas have applied (flow.ts), asking them (feeder.ts).
 */
export interface Waiter {
  readonly offset: number;
  readonly replicas: number;
  /** When it gives up, ms; Infinity never. */
  readonly untilMs: number;
  /** Called once: with how many have applied it, or null when nobody may say any more. */
  readonly done: (count: number | null) => void;
}

export class Waiters {
  private readonly waiting = new Set<Waiter>();

  get size(): number {
    return this.waiting.size;
  }

  add(waiter: Waiter): void {
    this.waiting.add(waiter);
  }

  /** Forgets a waiter without calling it. */
  cancel(waiter: Waiter): void {
    this.waiting.delete(waiter);
  }

  /** Answers those that are satisfied by `countAt(offset)` or out of time. */
  settle(nowMs: number, countAt: (offset: number) => number): void {
    for (const waiter of [...this.waiting]) {
      const count = countAt(waiter.offset);
      if (count < waiter.replicas && nowMs < waiter.untilMs) continue;
      this.waiting.delete(waiter);
      waiter.done(count);
    }
  }

  /** Ends all of them without a count. */
  cut(): void {
    const cut = [...this.waiting];
    this.waiting.clear();
    for (const waiter of cut) waiter.done(null);
  }
}
