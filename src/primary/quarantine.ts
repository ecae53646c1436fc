/**
 * Replicas whose last sync came to nothing, and how long each must wait for its next ship. The wait
 * doubles with every failure and is forgotten once the replica has kept up for a while. Resuming
 * within the backlog is never refused.
 */
import type { Id } from "../wire/messages.ts";

const FIRST_MS = 1_000;
const LONGEST_MS = 10 * 60_000;
/** Replicas remembered at most; the oldest is forgotten first. */
const REPLICAS_MAX = 1_000;

interface Entry {
  readonly waitMs: number;
  readonly untilMs: number;
}

export class Quarantine {
  private readonly entries = new Map<Id, Entry>();

  /** A sync of this replica failed. Returns how long it has to wait, ms. */
  fail(replicaId: Id, nowMs: number): number {
    const before = this.entries.get(replicaId);
    const waitMs = before === undefined ? FIRST_MS : Math.min(LONGEST_MS, before.waitMs * 2);
    this.entries.delete(replicaId);
    this.entries.set(replicaId, { waitMs, untilMs: nowMs + waitMs });
    const oldest = this.entries.keys().next().value;
    if (this.entries.size > REPLICAS_MAX && oldest !== undefined) this.entries.delete(oldest);
    return waitMs;
  }

  /** ms until it may be shipped to again, 0 for now. */
  waitMs(replicaId: Id, nowMs: number): number {
    return Math.max(0, (this.entries.get(replicaId)?.untilMs ?? 0) - nowMs);
  }

  /** It has kept up: its past is forgotten. */
  forgive(replicaId: Id): void {
    this.entries.delete(replicaId);
  }

  /** Replicas that would be refused a ship now. */
  count(nowMs: number): number {
    let count = 0;
    for (const entry of this.entries.values()) if (entry.untilMs > nowMs) count += 1;
    return count;
  }
}
