/**
 * A ship from SNAPSHOT to the replica's first streaming ACK, and what is kept when it is cut.
 *
 *   requestShip (feeder.ts) -> beginShip: SNAPSHOT -> chunks (link-feed.ts) -> finishShip: END, stream
 *        ^                                                   |                     |
 *        +---- fellBehind: streamed too slowly               +-- cut: park --------+-- shipDone
 *
 * To a copy END is the last: acknowledged, the link ends, and nothing is kept of one that is cut.
 * Owns: messages, log lines, parking at the moves of a ship. Does not own: chunks (reading.ts).
 * Tested in: test/unit/primary/feeder.test.ts, test/unit/primary/copy.test.ts.
 */
import { Cursor } from "../log/cursor.ts";
import type { Backlog } from "../log/backlog.ts";
import type { FeederDeps } from "./deps.ts";
import type { Holds } from "./holds.ts";
import type { Counters } from "./journal.ts";
import type { CloseReason } from "./link-state.ts";
import type { Link } from "./link.ts";
import { relapseMs, type FeederOptions } from "./options.ts";
import type { Parking } from "./parking.ts";
import type { Ship } from "./ship.ts";
import type { Shipping } from "./shipping.ts";

/** What the moves of a ship need of the owner. */
export interface ShipOwner {
  readonly deps: Pick<FeederDeps, "node" | "journal" | "now">;
  readonly options: FeederOptions;
  readonly backlog: Backlog;
  readonly counters: Counters;
  readonly holds: Holds;
  readonly parking: Parking;
  readonly shipping: Shipping;
  /** Queues a ship for a welcomed link. */
  requestShip(link: Link, nowMs: number): void;
  giveUp(link: Link, why: string, nowMs: number): void;
  wantPump(): void;
}

export function beginShip(owner: ShipOwner, link: Link, ship: Ship, nowMs: number): void {
  const snapshot = ship.snapshot!;
  // Why the node's history and not that of the freeze: it may have been promoted since; the log
  // up to the snapshot is the same, and the stream that follows is the new history's.
  const { node } = owner.deps;
  ship.announced();
  const sync = ship.resumed ? "snapshot_resumes" : "sync_full";
  owner.counters.bump(link.isCopy ? "copies_begun" : sync);
  const event = link.isCopy ? "copy_begins" : "ship_begins";
  owner.deps.journal("info", event, {
    remote: link.remote,
    replica: link.hello?.storeId ?? "",
    snapshot: snapshot.id,
    offset: snapshot.offset,
    chunk: ship.firstChunk,
    records: snapshot.frozen.records,
    bytes: snapshot.frozen.bytes,
  });
  link.say(
    {
      type: "snapshot",
      snapshotId: snapshot.id,
      position: { history: node.history, offset: snapshot.offset, chain: snapshot.chain },
      rank: node.rank,
      lineage: node.lineage,
      sync: node.sync,
      format: node.format,
      firstChunk: ship.firstChunk,
      records: snapshot.frozen.records,
      bytes: snapshot.frozen.bytes,
    },
    nowMs,
  );
}

/** Every chunk is out: END, and the stream goes on where the snapshot was frozen. */
export function finishShip(owner: ShipOwner, link: Link, ship: Ship, nowMs: number): void {
  const totals = ship.reading!.totals!;
  const { offset } = ship.snapshot!;
  link.say({ type: "end", snapshotId: ship.snapshotId, ...totals }, nowMs);
  owner.shipping.leave(ship);
  ship.ended();
  if (link.isCopy) return;
  if (offset < owner.backlog.oldest) {
    link.bye("ship", `the backlog no longer holds ${offset}`, "ship_failed", nowMs);
    return;
  }
  link.stream(new Cursor(owner.backlog, offset), offset, nowMs);
  owner.wantPump();
}

/** The replica's first streaming ACK after a ship: it has swapped, nothing needs the snapshot. */
export function shipDone(owner: ShipOwner, link: Link): void {
  if (link.isCopy) {
    copyDone(owner, link);
    return;
  }
  const ship = link.swapped(owner.deps.now());
  if (ship === null) return;
  ship.swapped();
  owner.deps.journal("info", "ship_done", {
    remote: link.remote,
    replica: link.hello?.storeId ?? "",
    bytes: ship.bytesSent,
  });
}

/** A copy has acknowledged END: it has all that it came for. */
function copyDone(owner: ShipOwner, link: Link): void {
  link.ship!.swapped();
  owner.counters.bump("copies_done");
  link.bye("copied", "the copy is whole", "copied", owner.deps.now());
}

/** The link of a copy ended: a line of its own, as no replica is gone. */
export function tellCopyEnded(
  owner: Pick<ShipOwner, "deps">,
  { remote }: Link,
  ship: Ship | null,
  reason: CloseReason,
  detail: string,
): void {
  const bytes = ship?.bytesSent ?? 0;
  const level = reason === "copied" ? "info" : "warn";
  owner.deps.journal(level, "copy_ended", { remote, reason, detail, bytes });
}

/** The log does not reach back to where this link is. */
export function fellBehind(owner: ShipOwner, link: Link, nowMs: number): void {
  owner.counters.bump("sync_partial_err");
  owner.deps.journal("warn", "fell_behind", {
    remote: link.remote,
    replica: link.hello?.storeId ?? "",
    offset: link.sent,
    first: owner.backlog.oldest,
    next: owner.backlog.next,
  });
  // Why not a ship at once: a replica that was shipped to just now and could not keep up would get
  // ship after ship.
  const fresh =
    link.sync.shippedAtMs >= 0 && nowMs - link.sync.shippedAtMs < relapseMs(owner.options);
  if (fresh) owner.giveUp(link, "it fell behind again right after its sync", nowMs);
  else owner.requestShip(link, nowMs);
}

/** Keeps the snapshot and the hold of a link that ended, when its replica can use them. */
export function park(
  owner: ShipOwner,
  link: Link,
  cut: Ship | null,
  reason: CloseReason,
  stopping: boolean,
): void {
  const { hello, sync } = link;
  const { shippedAtMs, caughtUp } = sync;
  if (cut !== null) owner.shipping.leave(cut);
  const hold = sync.releaseHold();
  const snapshot = cut?.snapshot ?? null;
  if (hello === null || (snapshot === null && hold === null)) return;
  if (UNPARKED.has(reason) || stopping || link.isCopy) {
    snapshot?.release();
    owner.holds.drop(hold);
    return;
  }
  const sinceMs = owner.deps.now();
  const untilMs = sinceMs + owner.options.parkMs;
  const { storeId: replicaId } = hello;
  owner.parking.put({ replicaId, snapshot, hold, shippedAtMs, caughtUp, sinceMs, untilMs });
}

/** Ends after which the replica cannot use the snapshot and the hold. */
const UNPARKED: ReadonlySet<CloseReason> = new Set<CloseReason>([
  "upstream_resync",
  "shutdown",
  "rejected",
  "replica_refused",
  "sync_given_up",
]);
