/**
 * Writers that wait for the pace: they are told when they may go, the one that has waited longest first.
 *
 *   wait() --> queue --tell(), at the end of a turn--> those whose write may run now
 *
 * What lets a write go is seen at the end of a turn: ACKs make room, a tick changes the pace. Tokens
 * come with time alone: for them there is one clock, which wakes the turn when the first may go.
 *
 * Pure. Owns: the queue, when to look at it next. Does not own: what a write waits for (pace.ts).
 */
import type { WriterTurn } from "./pace.ts";

/** The queue is looked at no more often, ms: a few writes then go in one turn. */
const GAP_MS = 5;

/** How long until the writer's write may run by the clock alone, ms; 0 for now, Infinity for never. */
type DueIn = (turn: WriterTurn) => number;

interface Waiting {
  readonly turn: WriterTurn;
  readonly resume: () => void;
}

export class PacedWriters {
  readonly #queue = new Set<Waiting>();
  #toldMs = Number.NEGATIVE_INFINITY;
  #wakeMs = Number.POSITIVE_INFINITY;
  #waitedMs = Number.NEGATIVE_INFINITY;

  get count(): number {
    return this.#queue.size;
  }

  /** When tell() has something to do by the clock alone, ms; Infinity for never. */
  get wakeMs(): number {
    return this.#queue.size === 0 ? Number.POSITIVE_INFINITY : this.#wakeMs;
  }

  /** When a writer last waited, ms: now, while one does. */
  waitedMs(nowMs: number): number {
    return this.#queue.size > 0 ? nowMs : this.#waitedMs;
  }

  /** Calls `resume` once, at the end of the turn at which the write may run. @returns a cancel */
  wait(turn: WriterTurn, dueInMs: number, resume: () => void, nowMs: number): () => void {
    const waiting = { turn, resume };
    this.#queue.add(waiting);
    this.#waitedMs = nowMs;
    this.#lookAt(nowMs + dueInMs);
    return () => void this.#queue.delete(waiting);
  }

  /** Tells those that may go. Each runs its write at once, which the next one's time depends on. */
  tell(dueIn: DueIn, nowMs: number): void {
    if (this.#queue.size === 0) return;
    this.#waitedMs = nowMs;
    if (nowMs < this.#toldMs + GAP_MS) {
      this.#lookAt(nowMs);
      return;
    }
    this.#toldMs = nowMs;
    this.#wakeMs = Number.POSITIVE_INFINITY;
    // Why a copy: one whose next write has to wait again comes back, behind the others.
    for (const waiting of [...this.#queue]) {
      if (!this.#queue.has(waiting)) continue;
      const dueInMs = dueIn(waiting.turn);
      if (dueInMs > 0) this.#lookAt(nowMs + dueInMs);
      else {
        this.#queue.delete(waiting);
        waiting.resume();
      }
    }
  }

  #lookAt(atMs: number): void {
    this.#wakeMs = Math.min(this.#wakeMs, Math.max(atMs, this.#toldMs + GAP_MS));
  }
}
