/**
 * Waiters: who wants to know when so many replicas have an offset, and perhaps this node's own disk
 * (WAIT, WAITAOF, REPL.WAITALL).
 *
 *   level      a replica has it when it said, on its present connection, that
 *   received   the bytes have arrived
 *   applied    its state shows them
 *   durable    a crash of its machine would not lose them
 *
 * Owns: the list. Does not own: what replicas have (flow.ts), asking them (feeder.ts).
 */
export type CopyLevel = "received" | "applied" | "durable";

/** What somebody waits for. */
export interface Wanted {
  /** The log up to here. */
  readonly offset: number;
  readonly replicas: number;
  readonly level: CopyLevel;
  /** It has to be durable on this node as well. */
  readonly local: boolean;
}

export interface Waiter extends Wanted {
  /** When it gives up, ms; Infinity never. */
  readonly untilMs: number;
  /** Called once: with how many have it, or null when nobody may say any more. */
  readonly done: (count: number | null) => void;
}

/** It waits for the disks of replicas. */
export function wantsDisks({ level, replicas }: Wanted): boolean {
  return level === "durable" && replicas > 0;
}

/** Who has what, now. */
export interface Holders {
  /** Replicas that have the log up to `offset`. */
  confirmedBy(offset: number, level: CopyLevel): number;
  isDurable(offset: number): boolean;
}

export class Waiters {
  private readonly waiting = new Set<Waiter>();

  get size(): number {
    return this.waiting.size;
  }

  /** Up to where somebody waits for this node's own disk; -1 for nobody. */
  get localTo(): number {
    let to = -1;
    for (const { local, offset } of this.waiting) if (local) to = Math.max(to, offset);
    return to;
  }

  /** Up to where somebody waits for the disks of replicas; -1 for nobody. */
  get durableTo(): number {
    let to = -1;
    for (const waiter of this.waiting) if (wantsDisks(waiter)) to = Math.max(to, waiter.offset);
    return to;
  }

  add(waiter: Waiter): void {
    this.waiting.add(waiter);
  }

  /** Forgets a waiter without calling it. */
  cancel(waiter: Waiter): void {
    this.waiting.delete(waiter);
  }

  /** Answers those that are satisfied by `holders`, or out of time. */
  settle(nowMs: number, holders: Holders): void {
    for (const waiter of [...this.waiting]) this.answer(waiter, nowMs, holders);
  }

  /** The same of one. @returns whether it is answered */
  answer(waiter: Waiter, nowMs: number, holders: Holders): boolean {
    const { offset, replicas, level, local, untilMs } = waiter;
    const count = holders.confirmedBy(offset, level);
    const isEnough = count >= replicas && (!local || holders.isDurable(offset));
    if (!isEnough && nowMs < untilMs) return false;
    this.waiting.delete(waiter);
    waiter.done(count);
    return true;
  }

  /** Ends all of them without a count. */
  cut(): void {
    const cut = [...this.waiting];
    this.waiting.clear();
    for (const waiter of cut) waiter.done(null);
  }
}
