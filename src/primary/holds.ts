/**
 * Holds: pins on the backlog, one for each replica whose ship or catch-up must not be overtaken by
 * trimming. Nothing at or after the lowest hold is trimmed, within a cap.
 *
 * Owns: offsets. Does not own: when a hold starts, moves or ends (ship-life.ts, pacing.ts, parking.ts).
 */
import { SyncRate } from "./sync-rate.ts";

/** The pin of one sync, over all its connections. */
export class Hold {
  offset: number;
  /** How fast its replica takes the sync. */
  readonly rate: SyncRate = new SyncRate();
  /** The pace that it last asked for, bytes per second. */
  pace: number = Number.POSITIVE_INFINITY;
  constructor(offset: number) {
    this.offset = offset;
  }
}

export class Holds {
  private readonly active = new Set<Hold>();

  add(offset: number): Hold {
    const hold = new Hold(offset);
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
