/**
 * Replies that wait until others have confirmed what they show: a queue for each number of copies that somebody
 * asks for, fewest first. What more copies have, fewer have too, so a connection that asks for more from now on
 * keeps its order; one that asks for less waits until nothing of it is here (resp/client-server.ts).
 *
 *   a reply goes        when the log that it shows is confirmed and, if it answers a read, as many have been
 *                       heard since
 *   it is UNCONFIRMED   after the time limit, and when the node leads no more
 *
 * Pure. Owns: those queues. Does not own: how far the log is confirmed (synchronous.ts), the turn (turn.ts).
 */
import { type ReplyOut, ReplyQueue } from "./reply-queue.ts";

/** Who confirms what waits, beside the own disk. */
export interface TurnConfirmer {
  /** Replies wait, whoever asks. */
  readonly isOn: boolean;
  /** For so long, ms. */
  readonly timeoutMs: number;
  /** The own disk has to have it, too. */
  readonly needsDurable: boolean;
  /** Once a turn, before the others are asked. */
  look(): void;
  /** End of the log that is confirmed by the rule, and by `copies` others; -1 for nothing. */
  confirmedTo(copies: number): number;
  /** Of PINGs the newest that as many have answered, us. */
  heardUs(copies: number): number;
  /** They are to say at once that they follow. */
  ask(): void;
  /** Their disks are to have the log up to its end now, and not when it is their time. */
  askToSync(): void;
}

export class ConfirmQueues {
  /** By copies. */
  readonly #queues = new Map<number, ReplyQueue>();
  /** Their keys, ascending. */
  #order: readonly number[] = [];

  get length(): number {
    let length = 0;
    for (const queue of this.#queues.values()) length += queue.length;
    return length;
  }

  get isEmpty(): boolean {
    return this.length === 0;
  }

  /**
   * Keeps `bytes`, which show the log up to `offset`.
   * @param hearUs  as many must have been heard since; 0 for never
   */
  hold(
    copies: number,
    out: ReplyOut,
    bytes: Buffer,
    offset: number,
    hearUs: number,
    nowMs: number,
  ): void {
    let queue = this.#queues.get(copies);
    if (queue === undefined) {
      queue = new ReplyQueue(true);
      this.#queues.set(copies, queue);
      this.#order = [...this.#queues.keys()].sort((a, b) => a - b);
    }
    queue.hold(out, bytes, offset, true, hearUs, nowMs);
  }

  /**
   * Writes what is confirmed, durable up to `durable` too, and gives up what was held at `sinceMs` or before.
   * @returns nothing waits any more
   */
  release(confirmer: TurnConfirmer, durable: number, sinceMs: number): boolean {
    for (const copies of this.#order) {
      const queue = this.#queues.get(copies)!;
      if (queue.length === 0) continue;
      const to = Math.min(confirmer.confirmedTo(copies), durable);
      queue.releaseTo(to, confirmer.heardUs(copies));
      queue.giveUp(sinceMs);
    }
    return this.isEmpty;
  }

  /** All of it is for a log that nobody confirms any more. */
  giveUp(): void {
    for (const copies of this.#order) this.#queues.get(copies)!.giveUp();
  }

  drop(): void {
    for (const copies of this.#order) this.#queues.get(copies)!.drop();
  }
}
