/**
 * Holds, their cap, and what writers have to give way to: looks at every link ten times a second.
 *
 *   hold moves with what its replica applied; ends below half the backlog, when the probation
 *                         (throttleMaxMs after the swap) is over
 *   hold at its cap       syncing:   the sync is given up, the replica is quarantined
 *                         caught up, parked: the hold is dropped, nobody is slowed for it
 *   writers               paced by the slowest connected, advancing sync (pace.ts); after the swap
 *                         only while its lag is above half the backlog
 *   throttleMaxMs below the floor: that sync is given up, the replica is quarantined
 *
 * Also the warnings at 50 % and 80 % of the backlog, for links without a hold.
 * Owns: rates of links, the pace. Does not own: the bucket's arithmetic (pace.ts).
 */
import type { Feeder } from "./feeder.ts";
import type { Link } from "./link.ts";
import { Pace, PACE_FLOOR_BYTES, paceOf, type PaceClaim } from "./pace.ts";
import { Rate } from "./rate.ts";
import { relieve } from "./relief.ts";

/** A sync that did not move for this long slows nobody. */
const ADVANCING_MS = 1_500;
/** Writers count as released when nobody had to wait for this long. */
const RELEASED_MS = 3_000;
/** A drain is believed after this. */
const MEASURED_MS = 1_000;
/** Shares of the backlog at which a lagging replica is warned of, and the one below which it is well again. */
const WARN_AT = [0.5, 0.8] as const;
const WELL_BELOW = 0.25;
/** What a resumed ship's earlier chunks are taken to have held; only the pace depends on it. */
const CHUNK_BYTES_USUAL = 256 * 1024;

/** What pacing remembers of a link. */
interface Watch {
  /** When chunks began to flow on this link. */
  shipSinceMs: number;
  readonly chunks: Rate;
  /** Null until the stream was first confirmed: a swap jumps to its offset. */
  applied: Rate | null;
  warned: number;
}

export class Pacing {
  readonly pace: Pace = new Pace();
  /** Log bytes written per second. */
  readonly writes: Rate = new Rate(0, 0);
  private readonly feeder: Feeder;
  private readonly watches = new WeakMap<Link, Watch>();
  private slowestSinceMs = -1;
  private slowing = false;
  /** When a writer last had to wait. */
  private bitMs = 0;

  constructor(feeder: Feeder) {
    this.feeder = feeder;
  }

  get holdCapBytes(): number {
    const { holdBytes } = this.feeder.options;
    return holdBytes === 0 ? 4 * this.feeder.backlog.sizeBytes : holdBytes;
  }

  /** Falling behind this soon after a ship counts as a failure of the ship. */
  get relapseMs(): number {
    return 3 * this.feeder.options.throttleMaxMs;
  }

  /** Seconds of history that the backlog holds when full, at the present write rate; -1 when idle. */
  get backlogSeconds(): number {
    const { perSecond } = this.writes;
    return perSecond < 1 ? -1 : this.feeder.backlog.sizeBytes / perSecond;
  }

  /** Whether writers have to wait now. */
  paused(nowMs: number): boolean {
    return this.pace.paused(this.feeder.backlog.tail, nowMs);
  }

  /** How long until the next write may run, ms. */
  waitMs(nowMs: number): number {
    return this.pace.waitMs(this.feeder.backlog.tail, nowMs);
  }

  // --- holds -----------------------------------------------------------------------------------

  moveHolds(nowMs: number): void {
    const { holds, backlog, links, options } = this.feeder;
    if (holds.count === 0) return;
    for (const link of links) {
      const { hold } = link;
      if (hold === null || link.confirmed < 0) continue;
      hold.offset = Math.max(hold.offset, link.confirmed);
      if (backlog.next - hold.offset >= backlog.sizeBytes / 2) continue;
      link.caughtUp = true;
      // Why not at once: a replica that is slower than its writers would fall off the backlog
      // seconds after its sync. For a while it is still held, and writers give way to it.
      if (nowMs - link.shippedAtMs < options.throttleMaxMs) continue;
      holds.drop(hold);
      link.hold = null;
    }
    this.enforceCap(nowMs);
  }

  private enforceCap(nowMs: number): void {
    const { holds, backlog, links, deps } = this.feeder;
    // Why not `next`: a batch larger than the cap moves too, when it is the only thing in the way.
    for (const hold of holds.enforce(backlog.newestSegmentStart, this.holdCapBytes)) {
      const link = links.find((other) => other.hold === hold);
      const fields = { offset: hold.offset, next: backlog.next, cap: this.holdCapBytes };
      deps.journal("warn", "hold_dropped", {
        ...fields,
        replica: link?.hello?.replicaId ?? "parked",
      });
      if (link === undefined) continue;
      link.hold = null;
      // One that had caught up streams on; whether it is too old shows when it wants to.
      if (!link.caughtUp) this.giveUp(link, "its hold reached the cap", nowMs);
    }
  }

  /** Ends a sync that cannot succeed; the replica has to wait before the next. */
  giveUp(link: Link, why: string, nowMs: number): void {
    const { backlog, deps, quarantine, counters } = this.feeder;
    const replica = link.hello?.replicaId ?? "";
    const waitMs = quarantine.fail(replica, nowMs);
    counters.bump("syncs_given_up");
    deps.journal("warn", "sync_given_up", {
      replica,
      why,
      lag_bytes: backlog.next - Math.max(link.confirmed, link.hold?.offset ?? 0),
      cap_bytes: this.holdCapBytes,
      ship_bytes_left: shipBytesLeft(link),
      pace: Number.isFinite(this.pace.limit) ? Math.round(this.pace.limit) : -1,
      quarantine_ms: waitMs,
    });
    link.bye("ship", why, "sync_given_up", nowMs);
  }

  // --- ten times a second ----------------------------------------------------------------------

  tick(nowMs: number): void {
    const { links, backlog } = this.feeder;
    this.writes.observe(backlog.tail, nowMs);
    let slowest: Link | null = null;
    let limit = Number.POSITIVE_INFINITY;
    for (const link of links) {
      const watch = this.watch(link, nowMs);
      const claim = this.claimOf(link, watch, nowMs);
      if (claim === null) {
        this.lookAfter(link, watch, nowMs);
        continue;
      }
      const own = paceOf(claim);
      if (own < limit) {
        limit = own;
        slowest = link;
      }
    }
    this.pace.set(limit, backlog.tail, nowMs);
    this.capPinned(nowMs);
    this.judgeSlowest(slowest, nowMs);
  }

  /** Memory that only snapshots keep is capped: over the cap the slowest goes. */
  private capPinned(nowMs: number): void {
    const pinned = this.feeder.deps.pinned();
    if (pinned.bytes > pinned.capBytes) relieve(this.feeder, pinned, nowMs);
  }

  private watch(link: Link, nowMs: number): Watch {
    let watch = this.watches.get(link);
    if (watch === undefined) {
      watch = { chunks: new Rate(0, nowMs), applied: null, warned: 0, shipSinceMs: -1 };
      this.watches.set(link, watch);
    }
    if (link.ship?.state !== "sending") watch.shipSinceMs = -1;
    else if (watch.shipSinceMs < 0) watch.shipSinceMs = nowMs;
    watch.chunks.observe((link.ship ?? link.finishing)?.bytesAcked ?? 0, nowMs);
    if (link.confirmed < 0) watch.applied = null;
    else if (watch.applied !== null) watch.applied.observe(link.confirmed, nowMs);
    // Why the chunks' rate: what took chunks at that rate a moment ago takes the log at it now.
    else watch.applied = new Rate(link.confirmed, nowMs, watch.chunks.perSecond);
    return watch;
  }

  /** What a connected, advancing sync asks of writers. */
  private claimOf(link: Link, watch: Watch, nowMs: number): PaceClaim | null {
    const { hold } = link;
    if (hold === null || nowMs - link.progressMs > ADVANCING_MS) return null;
    const { backlog } = this.feeder;
    const left = shipBytesLeft(link);
    const lag = backlog.tail - hold.offset;
    if (left === 0 && lag < backlog.sizeBytes / 2) return null;
    const capBytes = this.holdCapBytes;
    const measured = left === 0 || nowMs - watch.shipSinceMs >= MEASURED_MS;
    const drain = left > 0 ? watch.chunks : (watch.applied ?? watch.chunks);
    return {
      roomBytes: capBytes - lag,
      capBytes,
      shipBytesLeft: left,
      drainPerSecond: measured ? drain.perSecond : -1,
    };
  }

  private judgeSlowest(slowest: Link | null, nowMs: number): void {
    const { counters, deps, options } = this.feeder;
    const biting = slowest !== null && this.paused(nowMs);
    counters.values["writes_delayed"] = this.pace.delayed;
    counters.values["write_delay_ms_max"] = Math.round(this.pace.delayMsMax);
    if (biting && !this.slowing)
      deps.journal("warn", "writers_slowed", {
        replica: slowest.hello?.replicaId ?? "",
        pace: Math.round(this.pace.limit),
      });
    if (biting) this.bitMs = nowMs;
    const over = this.slowing && nowMs - this.bitMs > RELEASED_MS;
    if (over) deps.journal("info", "writers_released", {});
    this.slowing = !over && (this.slowing || biting);
    if (slowest === null || this.pace.limit >= PACE_FLOOR_BYTES || !this.slowing) {
      this.slowestSinceMs = -1;
      return;
    }
    if (this.slowestSinceMs < 0) this.slowestSinceMs = nowMs;
    if (nowMs - this.slowestSinceMs < options.throttleMaxMs) return;
    this.slowestSinceMs = -1;
    this.giveUp(slowest, `writers were held below ${PACE_FLOOR_BYTES} bytes/s for it`, nowMs);
  }

  // --- links without a hold --------------------------------------------------------------------

  private lookAfter(link: Link, watch: Watch, nowMs: number): void {
    if (link.state.kind !== "streaming" || link.confirmed < 0) return;
    const { backlog, quarantine, deps } = this.feeder;
    const lag = backlog.next - link.confirmed;
    const share = lag / backlog.sizeBytes;
    if (share < WELL_BELOW) {
      watch.warned = 0;
      if (nowMs - Math.max(link.connectedAtMs, link.shippedAtMs) > this.relapseMs)
        quarantine.forgive(link.hello?.replicaId ?? "");
      return;
    }
    const next = WARN_AT[watch.warned];
    if (next === undefined || share < next) return;
    watch.warned += 1;
    const growth = this.writes.perSecond - (watch.applied?.perSecond ?? 0);
    deps.journal("warn", "replica_lags", {
      replica: link.hello?.replicaId ?? "",
      percent_of_backlog: Math.round(share * 100),
      lag_bytes: lag,
      seconds_left: growth > 0 ? Math.round((backlog.sizeBytes - lag) / growth) : -1,
    });
    this.feeder.counters.bump(`replica_lag_warnings_${next * 100}`);
  }
}

/** Chunk payload that the replica still has to load; estimates, for the pace only. */
function shipBytesLeft(link: Link): number {
  const { ship } = link;
  if (ship?.state !== "sending" || ship.snapshot === null) return 0;
  const done = ship.firstChunk * CHUNK_BYTES_USUAL + ship.bytesAcked;
  // Why at least one chunk: the estimate may be short, and the ship is not over.
  return Math.max(CHUNK_BYTES_USUAL, ship.snapshot.frozen.bytes - done);
}
