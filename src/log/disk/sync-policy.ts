/**
 * When the log writer syncs.
 *
 *   policy      syncs
 *   always      as soon as something is written; what is sealed meanwhile waits for the next sync, so
 *               that one sync serves all who wait (group commit)
 *   everysec    a second after the oldest byte that is not synced, and when somebody waits
 *   no          when somebody waits; the kernel writes back when it likes, about every 30 s
 *
 * Whatever the policy, a file that is full is synced before the next one begins (log-file-writer.ts).
 * Pure. Owns: the moment. Does not own: the sync, the clock.
 */

export const FSYNC_POLICIES = ["always", "everysec", "no"] as const;

export type FsyncPolicy = (typeof FSYNC_POLICIES)[number];

/** Age of the oldest byte that is not synced, at which `everysec` syncs, ms. */
const EVERYSEC_MS = 1000;

/** How it stands with the log. Times are ms of a monotonic clock. */
export interface SyncNeed {
  readonly written: number;
  readonly durable: number;
  /** Up to where somebody waits for durable; 0 for nobody. */
  readonly wanted: number;
  /** When the oldest byte that is not synced was written. */
  readonly dirtySinceMs: number;
}

/** When to sync, ms on the same clock: not after now for at once, Infinity for not yet. */
export function syncAtMs(policy: FsyncPolicy, need: SyncNeed): number {
  if (need.written === need.durable) return Number.POSITIVE_INFINITY;
  if (policy === "always" || need.wanted > need.durable) return 0;
  return policy === "everysec" ? need.dirtySinceMs + EVERYSEC_MS : Number.POSITIVE_INFINITY;
}
