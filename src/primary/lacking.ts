/**
 * Which replicas lack something of this node's log or state: what a stop waits for, and says.
 *
 * Received counts, not applied: what a replica has received it applies without us.
 * Owns: that judgement, and how it is told. Does not own: waiting (the replication port).
 * Tested in: test/e2e/stopping.test.ts.
 */
import type { Backlog } from "../log/backlog.ts";
import type { Fields } from "./journal.ts";
import type { Link } from "./link.ts";

export interface Lacking {
  readonly replica: string;
  readonly remote: string;
  /** What it is in the middle of. */
  readonly state: string;
  /** Bytes of the log beyond what it said it has, or beyond its snapshot. */
  readonly logBytes: number;
  /** Bytes of its snapshot that it has not loaded; 0 when there is none, or nothing is known. */
  readonly snapshotBytes: number;
}

/** Whose links are judged. */
export interface LackingOwner {
  readonly links: readonly Link[];
  readonly backlog: Backlog;
}

/** What the log says of one that a stop leaves behind. */
export function lackingFields({
  replica,
  remote,
  state,
  logBytes,
  snapshotBytes,
}: Lacking): Fields {
  return { replica, remote, state, log_bytes: logBytes, snapshot_bytes: snapshotBytes };
}

/** Every connected replica that lacks something, with how much. */
export function lackingReplicas(feeder: LackingOwner): readonly Lacking[] {
  return feeder.links.filter((link) => lacksAny(feeder, link)).map((link) => lackOf(feeder, link));
}

/** Some replica may get what it lacks soon: the log, or the end of its snapshot. */
export function isDrained(feeder: LackingOwner): boolean {
  return feeder.links.every((link) => link.state.kind !== "streaming" || !lacksAny(feeder, link));
}

function lacksAny(feeder: LackingOwner, link: Link): boolean {
  if (!link.welcomed || link.isCopy || link.state.kind === "waiting") return false;
  if (link.currentShip !== null) return true;
  return link.received < feeder.backlog.next;
}

function lackOf(feeder: LackingOwner, link: Link): Lacking {
  const ship = link.currentShip;
  const snapshot = ship?.snapshot ?? null;
  const has = snapshot === null ? link.received : snapshot.offset;
  const unloaded = snapshot === null ? 0 : snapshot.frozen.bytes - (ship?.bytesAcked ?? 0);
  return {
    replica: link.hello?.storeId ?? "",
    remote: link.remote,
    state: ship === null ? "streaming" : "full sync",
    logBytes: Math.max(0, feeder.backlog.next - has),
    snapshotBytes: Math.max(0, unloaded),
  };
}
