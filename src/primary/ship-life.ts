/**
 * A ship from SNAPSHOT to the replica's first streaming ACK, and what is kept when it is cut.
 *
 *   requestShip (feeder.ts) -> beginShip: SNAPSHOT -> chunks (link-feed.ts) -> finishShip: END, stream
 *        ^                                                   |                     |
 *        +---- fellBehind: streamed too slowly               +-- cut: park --------+-- shipDone
 *
 * Owns: messages, log lines, parking at the moves of a ship. Does not own: chunks (reading.ts).
 */
import { Cursor } from "../log/cursor.ts";
import type { Feeder } from "./feeder.ts";
import type { CloseReason } from "./link-state.ts";
import type { Link } from "./link.ts";
import type { Ship } from "./ship.ts";

export function beginShip(feeder: Feeder, link: Link, ship: Ship, nowMs: number): void {
  const snapshot = ship.snapshot!;
  // Why the node's history and not that of the freeze: it may have been promoted since; the log
  // up to the snapshot is the same, and the stream that follows is the new history's.
  const { node } = feeder.deps;
  ship.begun = true;
  feeder.counters.bump(ship.resumed ? "snapshot_resumes" : "sync_full");
  feeder.deps.journal("info", "ship_begins", {
    remote: link.remote,
    replica: link.hello?.replicaId ?? "",
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
      lineage: node.lineage,
      format: node.format,
      firstChunk: ship.firstChunk,
      records: snapshot.frozen.records,
      bytes: snapshot.frozen.bytes,
    },
    nowMs,
  );
}

/** Every chunk is out: END, and the stream goes on where the snapshot was frozen. */
export function finishShip(feeder: Feeder, link: Link, ship: Ship, nowMs: number): void {
  const totals = ship.reading!.totals!;
  const { offset } = ship.snapshot!;
  link.say({ type: "end", snapshotId: ship.snapshotId, ...totals }, nowMs);
  feeder.shipping.leave(ship);
  ship.state = "finishing";
  link.ship = null;
  link.finishing = ship;
  if (offset < feeder.backlog.first) {
    link.bye("ship", `the backlog no longer holds ${offset}`, "ship_failed", nowMs);
    return;
  }
  link.stream(new Cursor(feeder.backlog, offset), offset, nowMs);
  feeder.wantPump();
}

/** The replica's first streaming ACK after a ship: it has swapped, nothing needs the snapshot. */
export function shipDone(feeder: Feeder, link: Link): void {
  const ship = link.finishing;
  if (ship === null) return;
  link.finishing = null;
  ship.state = "done";
  link.shippedAtMs = feeder.deps.now();
  ship.snapshot?.release();
  feeder.deps.journal("info", "ship_done", {
    remote: link.remote,
    replica: link.hello?.replicaId ?? "",
    bytes: ship.bytesSent,
  });
}

/** The backlog does not reach back to where this link is. */
export function fellBehind(feeder: Feeder, link: Link, nowMs: number): void {
  feeder.counters.bump("sync_partial_err");
  feeder.deps.journal("warn", "fell_behind", {
    remote: link.remote,
    replica: link.hello?.replicaId ?? "",
    offset: link.sent,
    first: feeder.backlog.first,
    next: feeder.backlog.next,
  });
  // Why not a ship at once: a replica that was shipped to just now and could not keep up would get
  // ship after ship.
  const fresh = link.shippedAtMs >= 0 && nowMs - link.shippedAtMs < feeder.pacing.relapseMs;
  if (fresh) feeder.pacing.giveUp(link, "it fell behind again right after its sync", nowMs);
  else feeder.requestShip(link, nowMs);
}

/** Keeps the snapshot and the hold of a link that ended, when its replica can use them. */
export function park(feeder: Feeder, link: Link, reason: CloseReason, stopping: boolean): void {
  const ship = link.finishing ?? (link.ship?.state === "queued" ? null : link.ship);
  if (link.ship !== null) feeder.shipping.leave(link.ship);
  const { hello, hold, shippedAtMs, caughtUp } = link;
  link.finishing = null;
  link.ship = null;
  link.hold = null;
  const snapshot = ship?.snapshot ?? null;
  if (hello === null || (snapshot === null && hold === null)) return;
  if (UNPARKED.has(reason) || stopping) {
    snapshot?.release();
    if (hold !== null) feeder.holds.drop(hold);
    return;
  }
  const sinceMs = feeder.deps.now();
  const untilMs = sinceMs + feeder.options.parkMs;
  const { replicaId } = hello;
  feeder.parking.put({ replicaId, snapshot, hold, shippedAtMs, caughtUp, sinceMs, untilMs });
}

/** Ends after which the snapshot and the hold are of no use to the replica. */
const UNPARKED: ReadonlySet<CloseReason> = new Set<CloseReason>([
  "upstream_resync",
  "shutdown",
  "rejected",
  "replica_refused",
  "sync_given_up",
]);
