/**
 * What the feeding side tells the outside: one line per event, and named counters.
 *
 * Owns: the interface and the counter table. Does not own: where lines go (node/logger.ts).
 * Tested in: test/unit/docs/tables.test.ts.
 */
export type Level = "debug" | "info" | "warn" | "error";
export type Fields = Readonly<Record<string, string | number | boolean>>;
export type Journal = (level: Level, event: string, fields: Fields) => void;

/** Named counts, snake_case as INFO shows them. */
export class Counters {
  readonly values: Record<string, number> = Object.create(null) as Record<string, number>;

  constructor(names: readonly string[] = []) {
    for (const name of names) this.values[name] = 0;
  }

  bump(name: string, by = 1): void {
    this.values[name] = (this.values[name] ?? 0) + by;
  }

  get(name: string): number {
    return this.values[name] ?? 0;
  }
}

/** Counters that INFO shows even while they are 0. */
export const FEEDER_COUNTERS = [
  "sync_full",
  "sync_partial_ok",
  "sync_partial_err",
  "copies_begun",
  "copies_done",
  "snapshot_resumes",
  "snapshot_chunks_sent",
  "snapshot_bytes_sent",
  "snapshot_freezes",
  "resume_continue",
  "resume_too_old",
  "resume_ahead_of_replica",
  "resume_ahead_of_primary",
  "resume_chain_differs",
  "resume_diverged",
  "resume_new",
  "resume_reset",
  "resume_unrelated",
  "resume_unrelated_empty",
  "resume_asked",
  "resume_outranked",
  "resume_rolled_back",
  "stores_replaced",
  "fenced",
  "forks_discarded",
  "fork_discarded_records",
  "fork_discarded_bytes",
  "reclaimed_records",
  "reclaimed_bytes",
  "failovers_done",
  "failovers_resumed",
  "failovers_taken",
  "sync_requests",
  "links_accepted",
  "links_rejected",
  "stream_bytes_sent",
  "stream_bytes_from_store",
] as const;
