/**
 * What of the log stays in memory: at least so many bytes, all that is held, and the newest batch;
 * with an age, nothing that is older unless it is held.
 *
 * Owns: that decision. Does not own: who holds (primary/holds.ts), the list (segments.ts).
 */
import type { Segments } from "./segments.ts";

/** Log segments dropped in one call: trimming must not hold the loop. */
const DROPPED_MAX = 8;

/** Read whenever the log is trimmed, never copied: they may change. */
export interface BacklogLimits {
  /** Bytes of history to keep; at most one log segment more is held. */
  readonly sizeBytes: number;
  /** Also drop what is older than this, ms; 0 keeps by bytes alone. */
  readonly ttlMs?: number;
}

/**
 * Drops the oldest log segments beyond the size (and age), but nothing at or after `hold`.
 * @param clock wall clock, ms since 1970
 * @returns true when there is more to drop in a later call
 */
export function trim(
  segments: Segments,
  limits: BacklogLimits,
  hold: number,
  clock: () => number,
): boolean {
  for (let dropped = 0; mayDrop(segments, limits, hold, clock); dropped++) {
    if (dropped === DROPPED_MAX) return true;
    segments.dropOldest();
  }
  return false;
}

function mayDrop(
  segments: Segments,
  limits: BacklogLimits,
  hold: number,
  clock: () => number,
): boolean {
  const [oldest, second] = [segments.list[0]!, segments.list[1]];
  if (second === undefined || second.sealed === 0) return false;
  if (oldest.end > hold || oldest.sealed !== oldest.used) return false;
  if (segments.next - oldest.end >= limits.sizeBytes) return true;
  const { ttlMs = 0 } = limits;
  return ttlMs > 0 && oldest.clockMs < clock() - ttlMs;
}
