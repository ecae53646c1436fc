/**
 * Holds, their cap, and what writers have to give way to: looks at every sync ten times a second,
 * and at once when one begins or is cut.
 *
 *   hold moves with what its replica applied; ends below half the backlog, when the probation
 *                         (throttleMaxMs after the swap) is over
 *   hold at its cap       syncing:   the sync is given up, the replica is quarantined
 *                         caught up, parked: the hold is dropped
 *   writers               paced (pace.ts) by the slowest sync that advances, or that was cut less
 *                         than PATIENCE_MS ago; meanwhile none writes past a hold's cap
 *   throttleMaxMs below the floor: that sync is given up, the replica is quarantined
 *
 * Owns: the pace, which holds count for it. Does not own: the bucket's arithmetic (pace.ts), the
 * queue of writers (paced-writers.ts), rates of syncs (sync-rate.ts), links without a hold
 * (lag-warnings.ts).
 * Tested in: test/unit/primary/feeder.test.ts, test/e2e/slow-replica.test.ts.
 */
import type { FeederDeps } from "./deps.ts";
import type { Hold, Holds } from "./holds.ts";
import { LagWarnings, type LagOwner } from "./lag-warnings.ts";
import type { Link } from "./link.ts";
import { Pace, PACE_FLOOR_BYTES, paceOf, type HoldRoom, type WriterTurn } from "./pace.ts";
import { PacedWriters } from "./paced-writers.ts";
import { Rate } from "./rate.ts";
import { relieve, type ReliefOwner } from "./relief.ts";
import type { Ship } from "./ship.ts";

/** A sync that did not move, or is cut, for this long slows nobody. */
const PATIENCE_MS = 3_000;
/** Writers count as released when nobody had to wait for this long. */
const RELEASED_MS = 3_000;
/** Writers are slowed, for log lines, while one waits and for this long after. */
const WAITING_MS = 200;
/** A replica that is further behind than this share of the backlog is busy: its rate can be measured. */
const BUSY_SHARE = 0.125;

/** What pacing needs of the feeder. */
export interface PacingOwner extends LagOwner, ReliefOwner {
  readonly deps: Pick<FeederDeps, "journal" | "node" | "pinned" | "source">;
  readonly holds: Holds;
  wantPump(): void;
}

export class Pacing {
  readonly pace: Pace = new Pace();
  /** Log bytes written per second. */
  readonly writes: Rate = new Rate(0, 0);
  private readonly owner: PacingOwner;
  private readonly warnings = new LagWarnings();
  private readonly writers = new PacedWriters();
  /** Holds on whose account writers are paced. */
  private pacers: Hold[] = [];
  /** The one of them that asks for the lowest pace, and since when that is below the floor, ms. */
  private slowest: Hold | null = null;
  private slowestSinceMs = -1;
  private slowing = false;

  constructor(owner: PacingOwner) {
    this.owner = owner;
  }

  get holdCapBytes(): number {
    const { holdBytes } = this.owner.options;
    return holdBytes === 0 ? 4 * this.owner.backlog.sizeBytes : holdBytes;
  }

  /** Seconds of history that the backlog holds when full, at the present write rate; -1 when idle. */
  get backlogSeconds(): number {
    const { perSecond } = this.writes;
    return perSecond < 1 ? -1 : this.owner.backlog.sizeBytes / perSecond;
  }

  // --- writers -----------------------------------------------------------------------------------

  /** Whether writers have to ask for each write. */
  get isPacing(): boolean {
    return Number.isFinite(this.pace.limit);
  }

  /** Whether the next write had to wait, if it were small. */
  paused(nowMs: number): boolean {
    return this.isPacing && (this.roomBytes <= 0 || this.pace.waitMs(this.tail, nowMs) > 0);
  }

  /** Whether a write of about `bytes` of log may run now; else ask again when waitToWrite() says. */
  mayWrite(turn: WriterTurn, bytes: number, nowMs: number): boolean {
    if (this.isRefused) {
      this.pace.goes(turn, nowMs);
      return true;
    }
    return this.pace.mayWrite(turn, bytes, this.room, this.tail, nowMs);
  }

  /** Calls `resume` once, when it is worth asking again. @returns a cancel */
  waitToWrite(turn: WriterTurn, resume: () => void, nowMs: number): () => void {
    // Why: at its end the clock is set for the first that waits.
    this.owner.wantPump();
    return this.writers.wait(turn, this.dueInMs(turn, nowMs), resume, nowMs);
  }

  /** Writers whose turn has come are told: at the end of a turn, when all is as it leaves it. */
  tellWriters(nowMs: number): void {
    if (this.writers.count > 0) this.writers.tell((turn) => this.dueInMs(turn, nowMs), nowMs);
  }

  /** When tellWriters() has something to do by the clock alone, ms; Infinity for never. */
  get nextWakeMs(): number {
    return this.writers.wakeMs;
  }

  private dueInMs(turn: WriterTurn, nowMs: number): number {
    return this.isRefused ? 0 : this.pace.dueInMs(turn, this.room, this.tail, nowMs);
  }

  /** Writes are not paced, because a replica refuses them. */
  private get isRefused(): boolean {
    return this.owner.deps.node.role === "replica";
  }

  private get room(): HoldRoom {
    return { roomBytes: this.roomBytes, capBytes: this.holdCapBytes };
  }

  private get tail(): number {
    return this.owner.backlog.tail;
  }

  /** What may be written before a hold that writers give way to is at its cap. */
  get roomBytes(): number {
    let lowest = Number.POSITIVE_INFINITY;
    for (const hold of this.pacers)
      if (this.owner.holds.has(hold)) lowest = Math.min(lowest, hold.offset);
    return lowest + this.holdCapBytes - this.tail;
  }

  // --- holds -----------------------------------------------------------------------------------

  moveHolds(nowMs: number): void {
    const { holds, backlog, links, options } = this.owner;
    if (holds.count === 0) return;
    let isAnyBehind = false;
    for (const link of links) {
      const { hold } = link;
      if (hold === null || link.confirmed < 0) continue;
      hold.moveTo(link.confirmed);
      if (backlog.next - hold.offset >= backlog.sizeBytes / 2) {
        isAnyBehind = true;
        continue;
      }
      link.sync.gotNear();
      // Why not at once: a replica that is slower than its writers would fall off the backlog
      // seconds after its sync. For a while it is still held, and writers give way to it.
      if (nowMs - link.sync.shippedAtMs < options.throttleMaxMs) continue;
      holds.drop(link.sync.releaseHold());
    }
    // Why at once: until the next tick writers could go from here to the cap.
    if (isAnyBehind && !this.isPacing) this.review(nowMs);
    this.enforceCap(nowMs);
  }

  private enforceCap(nowMs: number): void {
    const { holds, backlog, links, deps } = this.owner;
    // Why not `next`: a batch larger than the cap moves too, when it is the only thing in the way.
    for (const hold of holds.enforce(backlog.newestSegmentStart, this.holdCapBytes)) {
      const link = links.find((other) => other.hold === hold);
      const fields = { offset: hold.offset, next: backlog.next, cap: this.holdCapBytes };
      deps.journal("warn", "hold_dropped", {
        ...fields,
        replica: link?.hello?.storeId ?? "parked",
      });
      if (link === undefined) continue;
      link.sync.releaseHold();
      // One that had caught up streams on; whether it is too old shows when it wants to.
      if (!link.sync.caughtUp) this.giveUp(link, "its hold reached the cap", nowMs);
    }
  }

  /**
   * Ends a sync.
   * @param isItsFault it cannot succeed: the replica has to wait before the next
   */
  giveUp(link: Link, why: string, nowMs: number, isItsFault = true): void {
    const { quarantine } = this.owner;
    const replica = link.hello?.storeId ?? "";
    const from = Math.max(link.confirmed, link.hold?.offset ?? 0);
    const waitMs = isItsFault ? quarantine.fail(replica, nowMs) : 0;
    this.tellGivenUp(replica, why, from, shipBytesLeft(link), waitMs);
    link.bye("ship", why, "sync_given_up", nowMs);
  }

  private tellGivenUp(
    replica: string,
    why: string,
    from: number,
    left: number,
    waitMs: number,
  ): void {
    const { backlog, deps, counters } = this.owner;
    counters.bump("syncs_given_up");
    deps.journal("warn", "sync_given_up", {
      replica,
      why,
      lag_bytes: backlog.next - from,
      cap_bytes: this.holdCapBytes,
      ship_bytes_left: left,
      pace: this.isPacing ? Math.round(this.pace.limit) : -1,
      quarantine_ms: waitMs,
    });
  }

  /** Ends the sync that `hold` is for, connected or parked. */
  private giveUpHold(hold: Hold, why: string, nowMs: number): void {
    const { links, parking, quarantine } = this.owner;
    const link = links.find((other) => other.hold === hold);
    if (link !== undefined) {
      this.giveUp(link, why, nowMs);
      return;
    }
    const place = parking.list().find((other) => other.hold === hold);
    if (place === undefined) return;
    const waitMs = quarantine.fail(place.replicaId, nowMs);
    this.tellGivenUp(place.replicaId, why, hold.offset, -1, waitMs);
    parking.forget(place.replicaId);
  }

  // --- ten times a second ----------------------------------------------------------------------

  tick(nowMs: number): void {
    const { links, backlog } = this.owner;
    this.writes.observe(backlog.tail, nowMs);
    for (const link of links) {
      if (link.hold !== null) this.measure(link, link.hold, nowMs);
      // One that writers give way to needs no warning.
      if (link.hold === null || !Number.isFinite(link.hold.pace))
        this.warnings.look(this.owner, link, this.writes.perSecond, nowMs);
    }
    this.review(nowMs);
    this.capPinned(nowMs);
    this.judge(nowMs);
  }

  /** Memory that only snapshots keep is capped: over the cap one of them goes. */
  private capPinned(nowMs: number): void {
    const pinned = this.owner.deps.pinned();
    const overBytes = pinned.bytes - pinned.capBytes;
    if (overBytes > 0) relieve(this.owner, pinned, overBytes, nowMs);
  }

  private measure(link: Link, hold: Hold, nowMs: number): void {
    const { backlog } = this.owner;
    const ship = link.currentShip;
    if (ship !== null) hold.rate.observeShip(ship, nowMs);
    else if (link.confirmed >= 0) {
      const isBusy = backlog.next - link.confirmed >= backlog.sizeBytes * BUSY_SHARE;
      hold.rate.observeStream(link, link.confirmed, nowMs, isBusy);
    }
  }

  /** Sets the pace to what syncs need now. Cheap: called at every tick, and when one begins or is cut. */
  review(nowMs: number): void {
    const { links, parking, holds } = this.owner;
    this.pacers = [];
    for (const link of links) {
      const { hold } = link;
      if (hold === null) continue;
      const advances = nowMs - link.progressMs <= PATIENCE_MS;
      if (advances) hold.askFor(this.paceFor(hold, link.currentShip));
      else hold.rest();
      if (Number.isFinite(hold.pace)) this.pacers.push(hold);
    }
    for (const { hold, snapshot, sinceMs } of parking.list()) {
      if (hold === null || !holds.has(hold)) continue;
      if (nowMs - sinceMs > PATIENCE_MS) {
        // Its link may be back before the next review, and has not asked for anything then.
        hold.rest();
        continue;
      }
      // A ship's pace stays what it was; one that was catching up has a lag that goes on growing.
      if (snapshot === null) hold.askFor(this.paceFor(hold, null));
      if (Number.isFinite(hold.pace)) this.pacers.push(hold);
    }
    let slowest: Hold | null = null;
    for (const hold of this.pacers)
      if (slowest === null || hold.pace < slowest.pace) slowest = hold;
    this.slowest = slowest;
    this.pace.set(slowest?.pace ?? Number.POSITIVE_INFINITY, this.tail, nowMs);
  }

  /** What a sync that goes on asks of writers: chunks of `ship`, or null when it is catching up. */
  private paceFor(hold: Hold, ship: Ship | null): number {
    const { backlog } = this.owner;
    const lag = this.tail - hold.offset;
    if (ship === null && lag < backlog.sizeBytes / 2) return Number.POSITIVE_INFINITY;
    const capBytes = this.holdCapBytes;
    return paceOf({
      phase: ship === null ? "catching_up" : "shipping",
      roomBytes: capBytes - lag,
      capBytes,
      shipBytesLeft: ship === null ? 0 : ship.bytesLeft(hold.rate.chunkBytes),
      drainPerSecond: hold.rate.perSecond,
    });
  }

  /** Reports writers that wait; gives up a sync that makes them wait too much for too long. */
  private judge(nowMs: number): void {
    const { slowest, pace } = this;
    const { counters, deps, options } = this.owner;
    const waitedAgoMs = nowMs - this.writers.waitedMs(nowMs);
    const biting = slowest !== null && waitedAgoMs < WAITING_MS;
    counters.values["writes_delayed"] = pace.delayed;
    counters.values["write_delay_ms_max"] = Math.round(pace.delayMsMax);
    if (biting && !this.slowing)
      deps.journal("warn", "writers_slowed", {
        replica: this.replicaOf(slowest),
        pace: Math.round(pace.limit),
      });
    const over = this.slowing && waitedAgoMs > RELEASED_MS;
    if (over) deps.journal("info", "writers_released", {});
    this.slowing = !over && (this.slowing || biting);
    if (slowest === null || pace.limit >= PACE_FLOOR_BYTES || !this.slowing) {
      this.slowestSinceMs = -1;
      return;
    }
    if (this.slowestSinceMs < 0) this.slowestSinceMs = nowMs;
    if (nowMs - this.slowestSinceMs < options.throttleMaxMs) return;
    this.slowestSinceMs = -1;
    this.giveUpHold(slowest, `writers were held below ${PACE_FLOOR_BYTES} bytes/s for it`, nowMs);
  }

  private replicaOf(hold: Hold): string {
    const { links, parking } = this.owner;
    const link = links.find((other) => other.hold === hold);
    const place = parking.list().find((other) => other.hold === hold);
    return link?.hello?.storeId ?? place?.replicaId ?? "";
  }
}

/** For log lines. */
function shipBytesLeft(link: Link): number {
  const ship = link.currentShip;
  return ship?.bytesLeft(link.hold?.rate.chunkBytes ?? 0) ?? 0;
}
