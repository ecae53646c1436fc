/**
 * INFO replication: redis's fields from the node's status, then our own.
 *
 * redis's replication ids have 40 hex digits and our histories 32: eight zeros follow.
 * Owns: names and their meaning. Does not own: the status (node/api.ts).
 */
import type { InfoFields } from "./info-fields.ts";
import type { LinkStateName, LinkStatus, NodeStatus, UpstreamStatus } from "../node/api.ts";
import type { MemberStatus, SyncStatus } from "../node/member-status.ts";

const NO_ID = "0".repeat(40);

/** redis's words for where a replica is. */
const LINK_STATES: Readonly<Record<LinkStateName, string>> = {
  greeting: "wait_bgsave",
  handshake: "wait_bgsave",
  closed: "wait_bgsave",
  waiting: "wait_bgsave",
  shipping: "send_bulk",
  streaming: "online",
};

export function replicationFields(status: NodeStatus): InfoFields {
  const { backlog, lineage, position } = status;
  const previous = lineage.at(-1);
  const lagging = status.links.filter((link) => link.state === "streaming");
  const upstream = status.upstream;
  return [
    ["role", status.role === "primary" ? "master" : "slave"],
    ...(status.role === "replica" && upstream !== null ? upstreamFields(upstream) : []),
    ["connected_slaves", status.links.length],
    ...status.links.map((link, index) => [`slave${index}`, linkLine(link)] as const),
    ...(status.near.goodReplicas < 0
      ? []
      : [["min_slaves_good_slaves", status.near.goodReplicas] as const]),
    ...memberFields(status.sync),
    ["master_failover_state", status.failover],
    ["master_replid", `${position.history}00000000`],
    ["master_replid2", previous === undefined ? NO_ID : `${previous.history}00000000`],
    ["master_repl_offset", position.offset],
    ["second_repl_offset", previous === undefined ? -1 : previous.left],
    ["repl_backlog_active", 1],
    ["repl_backlog_size", backlog.sizeBytes],
    ["repl_backlog_first_byte_offset", backlog.first],
    ["repl_backlog_histlen", backlog.next - backlog.first],
    ["backlog_held_bytes", backlog.heldBytes],
    ["backlog_pinned_bytes", backlog.pinnedBytes],
    ["backlog_segments", backlog.segments],
    ["backlog_oldest_offset", backlog.oldest],
    ["backlog_links_behind", backlog.linksBehind],
    ["repl_backlog_seconds", Math.round(backlog.seconds)],
    ["ships_queued", status.shipsQueued],
    ["replicas_quarantined", status.quarantined],
    ["replicas_parked", status.parked.length],
    ["write_pace", status.writePace],
    [
      "replica_lag_bytes",
      toRoot(
        lagging.map((link) => link.lagBytes),
        upstream?.lagBytes,
      ),
    ],
    [
      "replica_lag_ms",
      toRoot(
        lagging.map((link) => link.lagMs),
        upstream?.staleMs,
      ),
    ],
    ["node_id", status.nodeId],
    ["replica_id", status.replicaId],
    ["repl_port", status.replPort],
    ["chain", position.chain],
    ["complete", status.complete ? 1 : 0],
    ["rank", status.rank],
    ["fenced", status.fenced === "" ? 0 : 1],
    ["own_bytes", status.ownBytes],
    ["superseded_by", status.supersededBy],
  ];
}

/** Of synchronous mode, when it is on. */
function memberFields(sync: SyncStatus | null): InfoFields {
  if (sync === null) return [];
  const { copies, level, members, goodMembers, confirmed, heldReplies, change } = sync;
  return [
    ["sync_copies", copies],
    ["sync_level", level],
    ["sync_members", members.length],
    ["sync_good_members", goodMembers],
    ["sync_confirmed_offset", confirmed],
    ["sync_held_replies", heldReplies],
    ["sync_changing", change === null ? 0 : 1],
    ...members.map((member, index) => [`sync_member${index}`, memberLine(member)] as const),
  ];
}

/** A member that is not linked is where it was last. */
function memberLine(member: MemberStatus): string {
  const { storeId, host, clientPort, replPort, linked, complete, good, replacedBy } = member;
  return [
    `id=${storeId}`,
    `ip=${oneWord(host)}`,
    `port=${clientPort}`,
    `repl_port=${replPort}`,
    `linked=${linked ? 1 : 0}`,
    `complete=${complete ? 1 : 0}`,
    `good=${good ? 1 : 0}`,
    `confirmed=${member.confirmed}`,
    `lag_bytes=${member.lagBytes}`,
    `replaced_by=${replacedBy}`,
  ].join(",");
}

function upstreamFields(upstream: UpstreamStatus): InfoFields {
  const { lastIoAgoMs, restore } = upstream;
  const up = upstream.state === "streaming";
  return [
    ["master_host", upstream.host],
    ["master_port", upstream.port],
    ["master_link_status", up ? "up" : "down"],
    ["master_last_io_seconds_ago", up && lastIoAgoMs >= 0 ? Math.floor(lastIoAgoMs / 1000) : -1],
    ["master_sync_in_progress", restore === null ? 0 : 1],
    ["slave_read_repl_offset", upstream.received],
    ["slave_repl_offset", upstream.applied],
    ...syncFields(upstream),
    ...(up
      ? []
      : ([["master_link_down_since_seconds", Math.floor(upstream.downForMs / 1000)]] as const)),
    ["slave_priority", 100],
    ["slave_read_only", 1],
    ["replica_announced", 1],
    ["session_state", upstream.state],
    ["session_last_error", oneLine(upstream.lastError)],
    ["session_retry_in_ms", upstream.retryInMs],
    ["upstream_lag_bytes", upstream.upstreamLagBytes],
    ["root_link_status", upstream.rootLink],
    ...(upstream.rootLink === "up"
      ? []
      : ([["root_link_down_since_seconds", Math.floor(upstream.rootDownForMs / 1000)]] as const)),
    ["root_lag_bytes", upstream.lagBytes],
    ["root_stale_ms", upstream.staleMs],
  ];
}

function syncFields(upstream: UpstreamStatus): InfoFields {
  const { restore } = upstream;
  if (restore === null) return [];
  const done = restore.bytesTotal === 0 ? 0 : (100 * restore.bytes) / restore.bytesTotal;
  return [
    ["master_sync_total_bytes", restore.bytesTotal],
    ["master_sync_read_bytes", restore.bytes],
    ["master_sync_left_bytes", Math.max(restore.bytesTotal - restore.bytes, 0)],
    ["master_sync_perc", done.toFixed(2)],
    ["master_sync_chunks", restore.chunks],
  ];
}

function linkLine(link: LinkStatus): string {
  const lagSeconds = link.lastAckAgoMs < 0 ? -1 : Math.floor(link.lastAckAgoMs / 1000);
  return (
    `ip=${oneWord(link.host)},port=${link.clientPort},state=${LINK_STATES[link.state]},` +
    `offset=${link.applied},lag=${lagSeconds},lag_bytes=${link.lagBytes},lag_ms=${link.lagMs}`
  );
}

/** What a peer announced must not begin a field of its own. */
function oneWord(text: string): string {
  return text.replaceAll(/[^\w.:%-]/g, "?");
}

export function oneLine(text: string): string {
  return text.replaceAll(/[\r\n]/g, " ");
}

/** The largest lag of those that follow this node, and its own on top; -1 when one is unknown. */
function toRoot(below: readonly number[], own = 0): number {
  return own < 0 || below.includes(-1) ? -1 : own + Math.max(0, ...below);
}
