/**
 * Giving memory back when snapshots pin too much of it: what is parked goes first, oldest first,
 * then the connected ship with the most still to do. Never more than one at a time.
 *
 * Owns: the choice. Does not own: when (pacing.ts, the memory limit of the client port).
 */
import type { Feeder } from "./feeder.ts";
import type { Link } from "./link.ts";

/** What open snapshots keep from being used again, and how much of that is too much. */
export interface Pinned {
  readonly bytes: number;
  readonly capBytes: number;
}

/** Lets go of one snapshot. False when there is none. */
export function relieve(feeder: Feeder, pinned: Pinned, nowMs: number): boolean {
  const parked = feeder.parking.list().find((place) => place.snapshot !== null);
  if (parked !== undefined) {
    feeder.parking.forget(parked.replicaId);
    feeder.counters.bump("snapshots_dropped_for_memory");
    feeder.deps.journal("warn", "parked_snapshot_dropped", {
      replica: parked.replicaId,
      pinned_bytes: pinned.bytes,
      cap_bytes: pinned.capBytes,
    });
    return true;
  }
  const slowest = slowestShip(feeder);
  if (slowest === null) return false;
  feeder.counters.bump("snapshots_dropped_for_memory");
  const why = `its snapshot pins memory: ${pinned.bytes} bytes, ${pinned.capBytes} allowed`;
  feeder.pacing.giveUp(slowest, why, nowMs);
  return true;
}

function slowestShip(feeder: Feeder): Link | null {
  let slowest: Link | null = null;
  let mostLeft = -1;
  for (const link of feeder.links) {
    const { ship } = link;
    if (ship?.snapshot == null) continue;
    const left = ship.snapshot.frozen.bytes - ship.bytesAcked;
    if (left <= mostLeft) continue;
    mostLeft = left;
    slowest = link;
  }
  return slowest;
}
