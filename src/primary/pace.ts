/**
 * How fast writers may go while a sync is under way (D15): fast enough not to be noticed when there
 * is room, bent early when there is not, so that the replica's hold never reaches its cap and the
 * sync never has to start again.
 *
 *   the sync is            the pace is                               why
 *   ---------------------  ----------------------------------------  --------------------------------
 *   shipping, measured     usable room / (what is left / drain       even: all of the usable room is
 *                          + the swap's time)                        used when the replica has swapped
 *   shipping, not          usable room / 8 s                         most of the room is still there
 *   measured                                                         when the drain is known
 *   END out, not swapped   as shipping, what is in flight is left    the swap is part of the ship
 *   cut, less than 3 s     what it was                               it comes back in a moment, and a
 *   ago                                                              burst meanwhile would end the sync
 *   cut or standing still  no limit                                  nobody waits for what may be gone
 *   for longer
 *   resumed, not measured  as shipping, with the drain of the ship   same replica, same line: a new
 *   on this connection     before the cut                            connection changes nothing
 *   catching up, lag       3/4 of the drain                          the lag always shrinks
 *   above half the backlog
 *   probation (for         the same above half the backlog, else     a replica that is slower than its
 *   throttleMax)           no limit                                  writers would fall off again
 *
 * Usable is the room but for an eighth of the cap, which is kept for what was not foreseen; when not
 * much more than that is left, an eighth of the room. Among several syncs the slowest pace rules.
 *
 * The pace is a token bucket on log bytes. A write is never refused, its execution waits:
 *
 *   until there are tokens        but no command for longer than WAIT_MS_MAX, however many clients
 *                                 wait for the same tokens; what that costs shows in the next pace
 *   until the hold has room       for as long as it takes: only a write that fits may go. One larger
 *                                 than the whole cap does not wait for that: it never would fit
 *
 * The caller ends a sync that keeps the pace below the floor for throttleMaxMs.
 * Pure. Owns: the arithmetic and the bucket. Does not own: writers that wait (paced-writers.ts), holds.
 */

/** One sync on whose account writers may be slowed. */
export interface PaceClaim {
  /** Bytes of backlog its hold may still pin before the cap. */
  readonly roomBytes: number;
  readonly capBytes: number;
  readonly phase: "shipping" | "catching_up";
  /** Chunk payload still to be loaded by the replica. */
  readonly shipBytesLeft: number;
  /** Bytes per second that the replica takes, chunks or log; -1 not known yet. */
  readonly drainPerSecond: number;
}

/** Below this the pace counts as a stop in all but name. */
export const PACE_FLOOR_BYTES: number = 1024 * 1024;
/** No command waits longer for tokens, ms; with the timers of a busy loop that is below 300. */
export const WAIT_MS_MAX = 250;
/** A slower drain counts as this: the pace never becomes a full stop. */
const DRAIN_MIN_BYTES = 64 * 1024;
const CATCH_UP_SHARE = 0.75;
/** This share of the cap is not planned with. */
const RESERVE_SHARE = 0.125;
/** This share of what is left of the reserve is. */
const RESERVE_USE = 0.125;
const SWAP_S = 0.5;
const UNMEASURED_S = 8;
/** Writers may run this far ahead of an even pace. */
const BURST_S = 0.1;
const BURST_BYTES_MIN = 256 * 1024;

/** Bytes of log per second that `claim` leaves to writers. */
export function paceOf(claim: PaceClaim): number {
  const drain = Math.max(claim.drainPerSecond, DRAIN_MIN_BYTES);
  const isMeasured = claim.drainPerSecond >= 0;
  if (claim.phase === "catching_up" && isMeasured) return drain * CATCH_UP_SHARE;
  const room = Math.max(0, claim.roomBytes);
  const usable = Math.max(room - claim.capBytes * RESERVE_SHARE, room * RESERVE_USE);
  if (!isMeasured) return usable / UNMEASURED_S;
  return usable / (claim.shipBytesLeft / drain + SWAP_S);
}

/** One writer's waiting: kept by the writer, changed here only. */
export interface WriterTurn {
  /** Since when its next write waits, ms; -1 when it does not. */
  sinceMs: number;
  /** Bytes of log that this write adds, about. */
  bytes: number;
}

/** The turn of a writer that does not wait. */
export function newWriterTurn(): WriterTurn {
  return { sinceMs: -1, bytes: 0 };
}

/** What may be added to the log before a hold that counts is at its cap, and that cap. */
export interface HoldRoom {
  readonly roomBytes: number;
  /** A write larger than this does not wait for room: it never would fit. */
  readonly capBytes: number;
}

export class Pace {
  /** Log bytes per second; Infinity while nobody needs it lower. */
  limit: number = Number.POSITIVE_INFINITY;
  /** Writes that had to wait, and the longest wait of one, ms. */
  delayed = 0;
  delayMsMax = 0;
  private tokens = 0;
  private atMs = 0;
  private chargedTo = 0;

  /** The slowest claim rules. `tail` is the end of the log. */
  set(limit: number, tail: number, nowMs: number): void {
    if (Number.isFinite(this.limit)) this.settle(tail, nowMs);
    else {
      this.tokens = burst(limit);
      this.atMs = nowMs;
      this.chargedTo = tail;
    }
    this.limit = limit;
  }

  /** Whether a write of about `bytes` of log may run now; else it waits, and is counted once. */
  mayWrite(turn: WriterTurn, bytes: number, room: HoldRoom, tail: number, nowMs: number): boolean {
    turn.bytes = bytes;
    if (this.dueInMs(turn, room, tail, nowMs) <= 0) {
      this.goes(turn, nowMs);
      return true;
    }
    if (turn.sinceMs >= 0) return false;
    turn.sinceMs = nowMs;
    this.delayed += 1;
    return false;
  }

  /** The writer waits no more. */
  goes(turn: WriterTurn, nowMs: number): void {
    if (turn.sinceMs >= 0) this.delayMsMax = Math.max(this.delayMsMax, nowMs - turn.sinceMs);
    turn.sinceMs = -1;
  }

  /**
   * How long until the writer's write may run by the clock alone, ms: 0 for now, Infinity when it needs
   * room, which an ACK makes.
   */
  dueInMs(
    turn: WriterTurn,
    { roomBytes, capBytes }: HoldRoom,
    tail: number,
    nowMs: number,
  ): number {
    if (!Number.isFinite(this.limit)) return 0;
    if (turn.bytes > roomBytes && turn.bytes <= capBytes) return Number.POSITIVE_INFINITY;
    const tokensMs = this.waitMs(tail, nowMs);
    if (turn.sinceMs < 0) return tokensMs;
    return Math.max(0, Math.min(tokensMs, turn.sinceMs + WAIT_MS_MAX - nowMs));
  }

  /** How long until there are tokens again, ms; 0 for now. Call with the log's tail. */
  waitMs(tail: number, nowMs: number): number {
    if (!Number.isFinite(this.limit)) return 0;
    this.settle(tail, nowMs);
    if (this.tokens >= 0) return 0;
    return Math.ceil((-this.tokens * 1000) / Math.max(this.limit, 1));
  }

  private settle(tail: number, nowMs: number): void {
    this.tokens += ((nowMs - this.atMs) * this.limit) / 1000 - (tail - this.chargedTo);
    // Why a bound below: what a large write owes beyond it is paid by a lower pace afterwards.
    const debt = (-this.limit * WAIT_MS_MAX) / 1000;
    this.tokens = Math.max(debt, Math.min(this.tokens, burst(this.limit)));
    this.atMs = nowMs;
    this.chargedTo = tail;
  }
}

function burst(limit: number): number {
  return Math.max(BURST_BYTES_MIN, limit * BURST_S);
}
