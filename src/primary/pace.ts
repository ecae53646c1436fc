/**
 * How fast writers may go while a ship or a catch-up is under way (D15): fast enough not to be
 * noticed when there is room, bent early when there is not, so that the replica's hold never
 * reaches its cap and the sync never has to start again.
 *
 *   shipping   (room to half the cap) / (time the ship still needs)
 *   catching   3/4 of what the replica drains, so that its lag always shrinks
 *   none       no limit
 *
 *   bytes/s  ^ no limit ....                       .... no limit
 *            |              \_ shipping _          |
 *            |                           \_ catching up
 *            +---------------------------------------> time
 *
 * The pace is a token bucket on log bytes: a write is never refused, its execution waits. A link
 * that keeps the pace below the floor for throttleMaxMs is let go by the caller.
 *
 * Pure. Owns: the arithmetic and the bucket. Does not own: sockets that wait (resp/), holds.
 */

/** One link on whose account writers may be slowed. */
export interface PaceClaim {
  /** Bytes of backlog its hold may still pin before the cap. */
  readonly roomBytes: number;
  readonly capBytes: number;
  /** Chunk payload still to be loaded by the replica; 0 once it has swapped. */
  readonly shipBytesLeft: number;
  /** What the replica takes: chunk bytes per second while shipping, log bytes after; -1 not known yet. */
  readonly drainPerSecond: number;
}

/** Below this the pace counts as a stop in all but name. */
export const PACE_FLOOR_BYTES: number = 1024 * 1024;
/** A slower drain counts as this: the pace never becomes a full stop. */
const DRAIN_MIN_BYTES = 64 * 1024;
const CATCH_UP_SHARE = 0.75;
/** Writers may run this far ahead of an even pace. */
const BURST_S = 0.1;
const BURST_BYTES_MIN = 256 * 1024;

/** Bytes of log per second that `claim` leaves to writers. */
export function paceOf(claim: PaceClaim): number {
  const drain = Math.max(claim.drainPerSecond, DRAIN_MIN_BYTES);
  if (claim.shipBytesLeft > 0) {
    const room = Math.max(0, claim.roomBytes - claim.capBytes / 2);
    // Before the drain is known a second may use half of the room: nobody is stopped on a guess.
    return claim.drainPerSecond < 0 ? room / 2 : room / (claim.shipBytesLeft / drain);
  }
  return drain * CATCH_UP_SHARE;
}

export class Pace {
  /** Log bytes per second; Infinity while nobody needs it lower. */
  limit: number = Number.POSITIVE_INFINITY;
  /** Writes that had to wait, and the longest wait, ms. */
  delayed = 0;
  delayMsMax = 0;
  private tokens = 0;
  private atMs = 0;
  private chargedTo = 0;
  private pausedSinceMs = -1;

  /** The slowest claim rules. `tail` is the end of the log. */
  set(limit: number, tail: number, nowMs: number): void {
    if (!Number.isFinite(this.limit) && Number.isFinite(limit)) {
      this.tokens = burst(limit);
      this.atMs = nowMs;
      this.chargedTo = tail;
    }
    this.limit = limit;
  }

  /** Whether writers have to wait now; call with the log's tail. */
  paused(tail: number, nowMs: number): boolean {
    const paused = Number.isFinite(this.limit) && this.waitMs(tail, nowMs) > 0;
    if (paused && this.pausedSinceMs < 0) {
      this.pausedSinceMs = nowMs;
      this.delayed += 1;
    }
    if (!paused && this.pausedSinceMs >= 0) {
      this.delayMsMax = Math.max(this.delayMsMax, nowMs - this.pausedSinceMs);
      this.pausedSinceMs = -1;
    }
    return paused;
  }

  /** How long until the next write may run, ms; 0 for now. */
  waitMs(tail: number, nowMs: number): number {
    if (!Number.isFinite(this.limit)) return 0;
    this.tokens += ((nowMs - this.atMs) * this.limit) / 1000 - (tail - this.chargedTo);
    this.tokens = Math.min(this.tokens, burst(this.limit));
    this.atMs = nowMs;
    this.chargedTo = tail;
    if (this.tokens >= 0) return 0;
    return Math.ceil((-this.tokens * 1000) / Math.max(this.limit, 1));
  }
}

function burst(limit: number): number {
  return Math.max(BURST_BYTES_MIN, limit * BURST_S);
}
