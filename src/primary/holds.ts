/**
 * Holds: pins on the backlog, one for each replica whose ship or catch-up must not be overtaken by
 * trimming. Nothing at or after the lowest hold is trimmed, within a cap.
 *
 * Owns: offsets. Does not own: when a hold starts, moves or ends (ship-life.ts, pacing.ts, parking.ts).
 */
import { FEEDER_DEFAULTS } from "./options.ts";
import { SyncRate } from "./sync-rate.ts";

/** The pin of one sync, over all its connections. */
export class Hold {
  /** How fast its replica takes the sync. */
  readonly rate: SyncRate;
  #offset: number;
  #pace = Number.POSITIVE_INFINITY;

  /** @param chunkBytes what a chunk is taken to have before one was loaded */
  constructor(offset: number, chunkBytes: number) {
    this.#offset = offset;
    this.rate = new SyncRate(chunkBytes);
  }

  /** Nothing at or after it is trimmed. */
  get offset(): number {
    return this.#offset;
  }

  /** The pace of writers that it last asked for, bytes per second; Infinity for any. */
  get pace(): number {
    return this.#pace;
  }

  /** Its replica has applied the log up to `applied`. It never moves back. */
  moveTo(applied: number): void {
    if (applied > this.#offset) this.#offset = applied;
  }

  /** Writers are asked to write no more than `pace` bytes per second. */
  askFor(pace: number): void {
    this.#pace = pace;
  }

  /** It asks nothing of writers. */
  rest(): void {
    this.#pace = Number.POSITIVE_INFINITY;
  }
}

export class Holds {
  private readonly active = new Set<Hold>();

  add(offset: number, chunkBytes: number = FEEDER_DEFAULTS.chunkBytes): Hold {
    const hold = new Hold(offset, chunkBytes);
    this.active.add(hold);
    return hold;
  }

  drop(hold: Hold | null): void {
    if (hold !== null) this.active.delete(hold);
  }

  has(hold: Hold): boolean {
    return this.active.has(hold);
  }

  get count(): number {
    return this.active.size;
  }

  /** The lowest held offset, Infinity when nothing is held. */
  lowest(): number {
    let lowest = Number.POSITIVE_INFINITY;
    for (const hold of this.active) lowest = Math.min(lowest, hold.offset);
    return lowest;
  }

  /** Drops every hold that pins more than `capBytes` below `next`. Returns what was dropped. */
  enforce(next: number, capBytes: number): Hold[] {
    const dropped: Hold[] = [];
    for (const hold of this.active)
      if (next - hold.offset > capBytes) {
        this.active.delete(hold);
        dropped.push(hold);
      }
    return dropped;
  }
}
