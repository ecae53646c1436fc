/**
 * The memory of events: the last disconnects, resyncs, refusals and role changes, with time and both
 * positions, so that "why did it resync last night" has an answer without a log collector.
 *
 * Owns: the ring and which events are kept. Does not own: showing them (commands/, status.ts).
 */
import type { Fields, Level } from "../primary/journal.ts";

export interface KeptEvent {
  readonly timeMs: number;
  readonly level: Level;
  readonly event: string;
  readonly fields: Fields;
}

const EVENTS_MAX = 128;

/** Events that are remembered; the rest is only logged. */
const KEPT: ReadonlySet<string> = new Set([
  "link_closed",
  "resume",
  "fell_behind",
  "ship_begins",
  "ship_done",
  "snapshot_frozen",
  "hold_dropped",
  "parked_snapshot_dropped",
  "sync_given_up",
  "writers_slowed",
  "writers_released",
  "replica_lags",
  "upstream_lost",
  "upstream_refused",
  "welcomed",
  "restore_begins",
  "restored",
  "role_changed",
  "role_remembered",
  "role_from_flags",
  "primary_starts_empty",
  "seed_choice",
  "superseded",
]);

export class EventLog {
  private readonly events: KeptEvent[] = [];

  note(timeMs: number, level: Level, event: string, fields: Fields): void {
    if (level === "debug" || !KEPT.has(event)) return;
    this.events.push({ timeMs, level, event, fields });
    if (this.events.length > EVENTS_MAX) this.events.shift();
  }

  /** Oldest first. */
  list(): readonly KeptEvent[] {
    return this.events;
  }
}
