/**
 * The memory of events: the last disconnects, resyncs, refusals and role changes, with time and both
 * positions, so that "why did it resync last night" has an answer without a log collector.
 *
 * What repeats is one event with a count: an upstream that stays away, a replica that is refused again
 * and again, a load balancer that looks whether the port is open. Strangers, who may come from as many
 * addresses as they like, have only so many places.
 *
 * Owns: the memory and which events are kept. Does not own: showing them (resp/, daemon/).
 */
import { addressOf } from "../primary/crowd.ts";
import type { Fields, Level } from "../primary/journal.ts";

export interface KeptEvent {
  /** When it happened last. */
  readonly timeMs: number;
  readonly level: Level;
  readonly event: string;
  /** As it happened last. */
  readonly fields: Fields;
  /** How often it happened, and when first. */
  readonly times: number;
  readonly sinceMs: number;
}

const EVENTS_MAX = 128;
/** Places of strangers among them. */
const STRANGERS_MAX = 16;

/** Events that are remembered; the rest is only logged. */
const KEPT: ReadonlySet<string> = new Set([
  "link_closed",
  "stranger",
  "resume",
  "fell_behind",
  "ship_begins",
  "ship_done",
  "copy_begins",
  "copy_ended",
  "snapshot_frozen",
  "hold_dropped",
  "parked_snapshot_dropped",
  "sync_given_up",
  "writers_slowed",
  "writers_released",
  "replica_lags",
  "replica_caught_up",
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
  "reclaim",
  "reclaimed",
  "fenced",
  "failover_begins",
  "failover_resumed",
  "resigned",
  "failover_take",
  "failover_passed_over",
  "failover_done",
  "failover_released",
]);

/** What makes two events the same; "" when it never is. */
type Sameness = (fields: Fields) => string;

/** Done by somebody who was let in by nobody. */
const STRANGERS: Readonly<Record<string, Sameness>> = {
  stranger: ({ kind, remote }) => `${kind} ${addressOf(String(remote))}`,
  link_closed: ({ welcomed, reason, replica, remote }) =>
    welcomed === false ? `${reason} ${replica} ${addressOf(String(remote))}` : "",
  resume: ({ case: name, replica }) =>
    String(name).startsWith("unrelated") ? `${name} ${replica}` : "",
};

/** Caused by somebody who was let in by nobody. */
export function isByStranger(event: string, fields: Fields): boolean {
  return (STRANGERS[event]?.(fields) ?? "") !== "";
}

/** Of our own attempts. */
const ATTEMPTS: Readonly<Record<string, Sameness>> = {
  upstream_lost: ({ why }) => String(why),
  upstream_refused: ({ why }) => String(why),
};

interface Entry extends KeptEvent {
  readonly same: string;
  readonly byStranger: boolean;
}

export class EventLog {
  private events: Entry[] = [];

  note(timeMs: number, level: Level, event: string, fields: Fields): void {
    // Quiet ones are not worth a place, but for strangers, who share theirs.
    if (!KEPT.has(event) || (level === "debug" && event !== "stranger")) return;
    const stranger = STRANGERS[event]?.(fields) ?? "";
    const same = stranger === "" ? (ATTEMPTS[event]?.(fields) ?? "") : stranger;
    const byStranger = stranger !== "";
    const at = same === "" ? -1 : this.findSame(event, same, byStranger);
    const [before] = at < 0 ? [] : this.events.splice(at, 1);
    const { times, sinceMs } = before ?? { times: 0, sinceMs: timeMs };
    this.events.push({ timeMs, level, event, fields, times: times + 1, sinceMs, same, byStranger });
    if (this.events.length > EVENTS_MAX) this.events.shift();
    if (byStranger) this.capStrangers();
  }

  /** An attempt is the same only while nothing came of one in between. */
  private findSame(event: string, same: string, byStranger: boolean): number {
    for (let at = this.events.length - 1; at >= 0; at--) {
      const entry = this.events[at]!;
      if (entry.event === event && entry.same === same) return at;
      if (!byStranger && entry.same === "") return -1;
    }
    return -1;
  }

  private capStrangers(): void {
    const theirs = this.events.filter((entry) => entry.byStranger);
    if (theirs.length <= STRANGERS_MAX) return;
    this.events.splice(this.events.indexOf(theirs[0]!), 1);
  }

  /** Oldest first. */
  list(): readonly KeptEvent[] {
    return this.events.map(({ timeMs, level, event, fields, times, sinceMs }) => {
      return { timeMs, level, event, fields, times, sinceMs };
    });
  }
}
