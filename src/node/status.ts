/**
 * A node's figures for INFO, `hawser status` and REPL.STATUS, taken from its role, feeder and session.
 *
 * Owns: the mapping. Does not own: the figures.
 */
import { rankText } from "../log/history.ts";
import type { Feeder } from "../primary/feeder.ts";
import type { Link } from "../primary/link.ts";
import type { Session } from "../replica/session.ts";
import { downForMs, owedBytes, staleMs, wordOnRoot } from "../replica/owed.ts";
import { BATCH_HEAD_BYTES, batchClockMs } from "../wire/frame.ts";
import { printable } from "../wire/text.ts";
import { hostOf, type Address } from "../net/address.ts";
import type { NodeAddress } from "../wire/messages.ts";
import type {
  DiskStatus,
  HawserNode,
  LinkStatus,
  NodeStatus,
  ParkedStatus,
  ShipStatus,
  UpstreamStatus,
} from "./api.ts";
import type { NodeCore } from "./core.ts";
import { fenceText, ownBytes } from "./fence.ts";
import type { Near } from "./nearness.ts";
import { fenceOf, hasState, isReclaiming, seedingOf } from "./roles.ts";

/** All of a node. `target` is whom it dials, or would. */
export function nodeStatus(
  core: NodeCore,
  target: Address,
  address: NodeAddress,
  nowMs: number,
  wallMs: number,
): NodeStatus {
  const { backlog, feeder, identity, role } = core;
  const fence = fenceOf(core.roles.now);
  const links = feeder.replicas.map((link) => linkStatus(feeder, link, nowMs, wallMs));
  return {
    role,
    nodeId: identity.nodeId,
    replicaId: identity.storeId,
    position: core.position,
    lineage: identity.lineage,
    complete: core.view.complete,
    failover: core.failover.state,
    rank: rankText(identity.rank),
    fenced: core.view.fenced,
    supersededBy: fence?.history ?? "",
    ownBytes: fence === null ? 0 : ownBytes(fence, backlog.next),
    clientPort: address.clientPort,
    replPort: address.replPort,
    announceHost: address.host,
    backlog: {
      sizeBytes: backlog.sizeBytes,
      first: backlog.first,
      next: backlog.next,
      oldest: backlog.oldest,
      linksBehind: feeder.linksBehind.length,
      heldBytes: heldBytes(feeder),
      pinnedBytes: backlog.pinnedBytes,
      segments: backlog.segmentCount,
      seconds: feeder.pacing.backlogSeconds,
    },
    shipsQueued: feeder.shipping.queued,
    quarantined: feeder.quarantine.count(nowMs),
    parked: parkedStatus(feeder, nowMs),
    writePace: Number.isFinite(feeder.pacing.pace.limit) ? feeder.pacing.pace.limit : -1,
    near: nearOf(core.nearness),
    sync: core.synchronous.status(links, { ...address, complete: core.view.complete }),
    links,
    recovery: null,
    reclaiming: isReclaiming(core.roles.now) ? (core.reclaiming?.why ?? "") : "",
    disk: null,
    upstream: role === "primary" ? null : upstreamStatus(core, target, nowMs, wallMs),
    counters: feeder.counters.values,
  };
}

function nearOf({ lacksReplicas, isStale, staleMs: old, goodReplicas }: Near): Near {
  return { lacksReplicas, isStale, staleMs: old, goodReplicas };
}

/** The log on disk and what a start would read; null on a node that keeps none. */
export function diskStatus({
  logOnDisk,
  checkpoints,
}: Pick<HawserNode, "logOnDisk" | "checkpoints">): DiskStatus | null {
  if (logOnDisk === null) return null;
  const { newest = null, logBytes = 0 } = checkpoints?.status ?? {};
  const checkpoint =
    newest === null ? null : { offset: newest.position.offset, clockMs: newest.clockMs };
  return { ...logOnDisk, checkpoint, logBytes };
}

/** One connected replica. `nowMs` is monotonic, `wallMs` since 1970. */
export function linkStatus(feeder: Feeder, link: Link, nowMs: number, wallMs: number): LinkStatus {
  const { hello, state } = link;
  // Why not where it stands: WAIT counts with it, so it is only what this connection confirmed.
  const applied = Math.max(0, link.confirmed);
  const lagBytes = linkOwedBytes(feeder, link);
  return {
    replicaId: hello?.storeId ?? "",
    nodeId: hello?.nodeId ?? "",
    remote: link.remote,
    host: printable(hello?.address.host ?? "") || hostOf(link.remote),
    clientPort: hello?.address.clientPort ?? 0,
    replPort: hello?.address.replPort ?? 0,
    state: state.kind,
    sent: link.sent,
    applied,
    durable: link.flow.durable,
    complete: link.isComplete,
    lagBytes,
    lagMs: lagMs(feeder, link, lagBytes, wallMs),
    lastAckAgoMs: link.heartbeat.ackMs < 0 ? -1 : Math.round(nowMs - link.heartbeat.ackMs),
    outputBytes: link.output.bytes,
    connectedAtMs: Math.round(wallMs - (nowMs - link.movement.connectedAtMs)),
    ship: shipStatus(link, nowMs, wallMs),
  };
}

/** What the replica lacks of our state: the rest of its snapshot, and the log after it; -1 unknown. */
function linkOwedBytes(feeder: Feeder, link: Link): number {
  const { next } = feeder.backlog;
  const ship = link.currentShip;
  if (ship !== null && ship.state !== "done") {
    const { snapshot } = ship;
    if (snapshot === null) return -1;
    // Why at least 1: the size is an estimate, and it owes something until the swap.
    const left = Math.max(1, snapshot.frozen.bytes - ship.bytesAcked);
    return left + Math.max(0, next - snapshot.offset);
  }
  if (link.state.kind === "waiting") return 0;
  return Math.max(0, next - (link.confirmed >= 0 ? link.confirmed : link.applied));
}

/** Bytes of the log that holds keep from being trimmed. */
export function heldBytes(feeder: Feeder): number {
  return Math.max(0, feeder.backlog.next - Math.min(feeder.holds.lowest(), feeder.backlog.next));
}

/** Age of the oldest batch that the replica has not applied; one round trip when it has all. */
function lagMs(feeder: Feeder, link: Link, lagBytes: number, wallMs: number): number {
  if (link.confirmed < 0 || lagBytes < 0) return -1;
  if (lagBytes === 0) return Math.round(link.heartbeat.roundTripMs);
  const { backlog } = feeder;
  if (link.confirmed < backlog.first) return -1;
  const segment = backlog.segmentAt(link.confirmed);
  const at = link.confirmed - segment.start;
  // Why the head: what a replica says it has applied need not be where a batch starts.
  if (at + BATCH_HEAD_BYTES > segment.sealed) return 0;
  return Math.max(0, Math.round(wallMs - batchClockMs(segment.bytes, at)));
}

function shipStatus(link: Link, nowMs: number, wallMs: number): ShipStatus | null {
  const ship = link.currentShip;
  if (ship === null || ship.state === "done") return null;
  return {
    state: ship.state,
    snapshotId: ship.snapshotId,
    chunksSent: ship.nextChunk,
    chunksAcked: ship.ackedChunk,
    bytesSent: ship.bytesSent,
    bytesTotal: ship.snapshot?.frozen.bytes ?? 0,
    startedAtMs: Math.round(wallMs - (nowMs - ship.queuedAtMs)),
  };
}

/** What is kept of disconnected replicas. */
export function parkedStatus(feeder: Feeder, nowMs: number): readonly ParkedStatus[] {
  return feeder.parking.list().map((parked) => ({
    replicaId: parked.replicaId,
    snapshotId: parked.snapshot?.id ?? "",
    heldBytes: parked.hold === null ? 0 : Math.max(0, feeder.backlog.next - parked.hold.offset),
    leftMs: Math.max(0, Math.round(parked.untilMs - nowMs)),
  }));
}

/** The session to the upstream, or what a node that seeds is about. */
export function upstreamStatus(
  core: Pick<NodeCore, "roles" | "session">,
  target: Address,
  nowMs: number,
  wallMs: number,
): UpstreamStatus {
  const role = core.roles.now;
  const status = sessionStatus(core.session, target, hasState(role), nowMs, wallMs);
  const fence = fenceOf(role);
  // Why unknown: it has not heard how far whoever leads is.
  if (fence !== null)
    return {
      ...status,
      upstreamLagBytes: -1,
      lagBytes: -1,
      lastError: `fenced: ${fenceText(fence)}`,
    };
  const seeding = seedingOf(role);
  if (seeding === null) return status;
  // It has no session before it has chosen a source, and it is not stopped either.
  const state = seeding.source === null ? "connecting" : status.state;
  return { ...status, state, lastError: `--seed-from: ${seeding.rounds.why}` };
}

function sessionStatus(
  session: Session,
  target: Address,
  synced: boolean,
  nowMs: number,
  wallMs: number,
): UpstreamStatus {
  const { state, restore, deps, root } = session;
  const downMs = downForMs(session, nowMs);
  const word = wordOnRoot(session, nowMs);
  return {
    host: target.host,
    port: target.port,
    state: state.kind,
    lastIoAgoMs: session.lastReceivedMs < 0 ? -1 : Math.round(nowMs - session.lastReceivedMs),
    downForMs: downMs,
    lastError: session.lastError,
    retryInMs: state.kind === "retrying" ? Math.max(0, Math.round(state.atMs - nowMs)) : 0,
    received: deps.log.tail,
    applied: deps.log.next,
    upstreamLagBytes: owedBytes(session, root.upstreamNext),
    rootLink: downMs === 0 && word?.awayMs === 0 ? "up" : "down",
    rootDownForMs: Math.max(downMs, word?.awayMs ?? 0),
    lagBytes: owedBytes(session, root.end),
    staleMs: synced ? staleMs(session, nowMs) : -1,
    restore:
      restore === null
        ? null
        : {
            chunks: restore.nextChunk,
            bytes: restore.bytes,
            bytesTotal: restore.begin.bytes,
            startedAtMs: Math.round(wallMs - (nowMs - restore.startedAtMs)),
          },
  };
}
