/**
 * Parking: what is kept of a replica whose connection ended during a ship or its catch-up, for a
 * grace time: the snapshot and the hold. Consumed by the replica's next HELLO.
 *
 * A replica that is still queued has nothing to park. Writers give way to a parked hold for a moment
 * (pacing.ts); then it is dropped at the cap like every other.
 */
import type { Id } from "../wire/messages.ts";
import type { Hold, Holds } from "./holds.ts";
import type { OpenSnapshot } from "./open-snapshot.ts";

export interface Parked {
  readonly replicaId: Id;
  readonly snapshot: OpenSnapshot | null;
  readonly hold: Hold | null;
  /** Of the link that ended: its swap, and whether it had caught up (link-sync.ts). */
  readonly shippedAtMs: number;
  readonly caughtUp: boolean;
  readonly sinceMs: number;
  readonly untilMs: number;
}

export class Parking {
  private readonly places = new Map<Id, Parked>();
  private readonly holds: Holds;

  constructor(holds: Holds) {
    this.holds = holds;
  }

  /** Keeps `parked`; what was kept of the same replica before is dropped. Takes over the snapshot's use. */
  put(parked: Parked): void {
    this.forget(parked.replicaId);
    this.places.set(parked.replicaId, parked);
  }

  /** Hands what is parked to the returning replica; the caller owns snapshot use and hold now. */
  take(replicaId: Id): Parked | null {
    const parked = this.places.get(replicaId) ?? null;
    this.places.delete(replicaId);
    return parked;
  }

  /** Lets everything go that is older than its grace. Returns the replica ids. */
  expire(nowMs: number): Id[] {
    const gone: Id[] = [];
    for (const parked of this.places.values())
      if (nowMs >= parked.untilMs) gone.push(parked.replicaId);
    for (const id of gone) this.forget(id);
    return gone;
  }

  clear(): void {
    for (const id of [...this.places.keys()]) this.forget(id);
  }

  list(): readonly Parked[] {
    return [...this.places.values()];
  }

  /** Lets go of what is kept of one replica. */
  forget(replicaId: Id): void {
    const parked = this.take(replicaId);
    if (parked === null) return;
    parked.snapshot?.release();
    this.holds.drop(parked.hold);
  }
}
