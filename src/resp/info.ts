/**
 * INFO: redis's sections and field names, so that dashboards work, and fields of our own.
 *
 * What redis counts and we do not have is 0 where 0 is true, and left out where it would be a lie.
 * Owns: names and values of fields. Does not own: how they are counted.
 */
import { freemem, release, totalmem, type as osType } from "node:os";
import type { PortContext } from "./context.ts";
import { oneLine, replicationFields } from "./info-replication.ts";
import type { InfoFields } from "./info-fields.ts";
import { VERSION } from "../version.ts";
import { REDIS_VERSION } from "./redis-version.ts";
import { printable } from "../wire/text.ts";

type Section = (port: PortContext) => InfoFields;

const SECTIONS: Readonly<Record<string, Section>> = {
  server,
  clients,
  memory,
  persistence,
  stats,
  replication: (port) => replicationFields(port.node.status()),
  cpu,
  cluster: () => [["cluster_enabled", 0]],
  keyspace,
};

/** Sections by name in redis's order; none, "default", "all" and "everything" mean all of them. */
export function infoText(port: PortContext, asked: readonly string[]): string {
  const all =
    asked.length === 0 || asked.some((name) => ["default", "all", "everything"].includes(name));
  let text = "";
  for (const [name, section] of Object.entries(SECTIONS)) {
    if (!all && !asked.includes(name)) continue;
    const title = name === "cpu" ? "CPU" : name[0]!.toUpperCase() + name.slice(1);
    text += `${text === "" ? "" : "\r\n"}# ${title}\r\n`;
    for (const [field, value] of section(port)) text += `${field}:${value}\r\n`;
  }
  return text;
}

function server(port: PortContext): InfoFields {
  const upSeconds = Math.floor((Date.now() - port.startedAtMs) / 1000);
  return [
    ["redis_version", REDIS_VERSION],
    ["hawser_version", VERSION],
    ["redis_mode", "standalone"],
    ["os", `${osType()} ${release()} ${process.arch}`],
    ["arch_bits", 64],
    ["node_version", process.versions.node],
    ["process_id", process.pid],
    ["run_id", `${port.node.status().nodeId}00000000`],
    ["tcp_port", port.port],
    ["server_time_usec", Date.now() * 1000],
    ["uptime_in_seconds", upSeconds],
    ["uptime_in_days", Math.floor(upSeconds / 86_400)],
    ["hz", 10],
  ];
}

function clients(port: PortContext): InfoFields {
  let blocked = 0;
  for (const client of port.clients.values()) if (client.isBlocked) blocked++;
  return [
    ["connected_clients", port.clients.size],
    ["maxclients", port.settings.maxclients],
    ["blocked_clients", blocked],
    ["watched_keys", port.keys.watches.size],
  ];
}

function memory(port: PortContext): InfoFields {
  const store = port.node.store.stats();
  const heap = process.memoryUsage();
  const total = totalmem();
  return [
    ["used_memory", store.usedBytes],
    ["used_memory_human", human(store.usedBytes)],
    ["used_memory_rss", heap.rss],
    ["used_memory_rss_human", human(heap.rss)],
    ["used_memory_dataset", store.datasetBytes],
    ["used_memory_dead", store.deadBytes],
    ["used_memory_index", store.indexBytes],
    ["used_memory_heap", heap.heapUsed],
    ["used_memory_external", heap.external],
    ["mem_clients_normal", clientBytes(port)],
    ["total_system_memory", total],
    ["total_system_memory_human", human(total)],
    ["free_system_memory", freemem()],
    ["maxmemory", port.keys.maxmemory],
    ["maxmemory_human", human(port.keys.maxmemory)],
    ["maxmemory_policy", "noeviction"],
    ["arena_segments", store.arenaSegments],
    ["arena_segments_free", store.freeSegments],
    ["snapshots_open", store.snapshotsOpen],
    ["snapshot_pinned_bytes", store.snapshotPinnedBytes],
    ["mem_clients_normal", port.keys.clientBytes],
  ];
}

/** Requests not executed yet and replies not taken yet, of all clients. */
function clientBytes(port: PortContext): number {
  let bytes = 0;
  for (const client of port.clients.values()) bytes += client.bufferedBytes + client.outputBytes;
  return bytes;
}

function persistence(port: PortContext): InfoFields {
  return [
    ["loading", port.node.isLoading() ? 1 : 0],
    ["async_loading", 0],
    ...loadingFields(port),
    ...checkpointFields(port),
    ...logFields(port),
  ];
}

/** redis's fields of its append only file are those of the log on disk. */
function logFields(port: PortContext): InfoFields {
  const log = port.node.logOnDisk;
  if (log === null)
    return [
      ["aof_enabled", 0],
      ["aof_rewrite_in_progress", 0],
    ];
  const { appended, sealed, written, durable } = log.watermarks;
  return [
    ["aof_enabled", 1],
    ["aof_rewrite_in_progress", 0],
    ["aof_last_write_status", log.trouble === "" ? "ok" : "err"],
    ["aof_buffer_length", sealed - written],
    ["aof_pending_bio_fsync", durable < written ? 1 : 0],
    ["aof_delayed_fsync", log.timesBehind],
    ["log_fsync", log.fsync],
    ["log_appended", appended],
    ["log_sealed", sealed],
    ["log_written", written],
    ["log_durable", durable],
    ["log_trouble", oneLine(log.trouble)],
    ["log_incomplete_to", log.incompleteTo ?? ""],
    ["log_found_replayed", log.found?.replayed ?? 0],
    ["log_found_cut_bytes", log.found?.cutBytes ?? 0],
    ["log_found_ms", log.found?.ms ?? -1],
  ];
}

/** redis's fields of a save are those of checkpoints. */
function checkpointFields(port: PortContext): InfoFields {
  const status = port.node.checkpoints?.status ?? null;
  if (status === null)
    return [
      ["rdb_changes_since_last_save", 0],
      ["rdb_bgsave_in_progress", 0],
      ["rdb_last_save_time", 0],
      ["rdb_last_bgsave_status", "ok"],
      ["rdb_last_bgsave_time_sec", -1],
      ["rdb_current_bgsave_time_sec", -1],
    ];
  const { present, newest, lastMs, lastError, records, logBytes } = status;
  const seconds = (ms: number): number => (ms < 0 ? -1 : Math.floor(ms / 1000));
  return [
    ["rdb_changes_since_last_save", records],
    ["rdb_bgsave_in_progress", present === null ? 0 : 1],
    ["rdb_last_save_time", seconds(newest?.clockMs ?? 0)],
    ["rdb_last_bgsave_status", lastError === "" ? "ok" : "err"],
    ["rdb_last_bgsave_time_sec", seconds(lastMs)],
    ["rdb_current_bgsave_time_sec", present === null ? -1 : seconds(present.ms)],
    ["checkpoint_last_error", oneLine(lastError)],
    ["checkpoint_log_bytes", logBytes],
  ];
}

/** What is being loaded: from the disk, or from the upstream. */
function loadOf(port: PortContext): {
  readonly bytes: number;
  readonly bytesTotal: number;
  readonly startedAtMs: number;
} | null {
  const { recovery, upstream } = port.node.status();
  if (recovery === null) return upstream?.restore ?? null;
  const { loadedBytes: bytes, totalBytes: bytesTotal, startedAtMs } = recovery;
  return { bytes, bytesTotal, startedAtMs };
}

/** redis's fields of a load under way; clients wait by the last. */
function loadingFields(port: PortContext): InfoFields {
  if (!port.node.isLoading()) return [];
  const { reclaiming } = port.node.status();
  if (reclaiming !== "")
    return [
      ["loading_eta_seconds", 1],
      ["loading_reclaims", printable(reclaiming)],
    ];
  const load = loadOf(port);
  if (load === null) return [["loading_eta_seconds", 1]];
  const { bytes, bytesTotal, startedAtMs } = load;
  const seconds = Math.max(0, Date.now() - startedAtMs) / 1000;
  const left = Math.max(0, bytesTotal - bytes);
  const eta = bytes === 0 ? 1 : Math.ceil((left * seconds) / bytes);
  return [
    ["loading_start_time", Math.floor(startedAtMs / 1000)],
    ["loading_total_bytes", bytesTotal],
    ["loading_loaded_bytes", bytes],
    ["loading_loaded_perc", (bytesTotal === 0 ? 0 : (100 * bytes) / bytesTotal).toFixed(2)],
    ["loading_eta_seconds", Math.max(1, eta)],
  ];
}

function stats(port: PortContext): InfoFields {
  const { counters, keys, reply } = port;
  return [
    ["total_connections_received", counters.connections],
    ["total_commands_processed", counters.commands],
    ["total_net_input_bytes", counters.inputBytes],
    ["total_net_output_bytes", reply.bytesTotal],
    ["rejected_connections", counters.rejectedConnections],
    ["client_port_errors", counters.portErrors],
    ...syncCounters(port),
    ["expired_keys", keys.counters.expired],
    ["evicted_keys", 0],
    ["keyspace_hits", keys.counters.hits],
    ["keyspace_misses", keys.counters.misses],
    ["total_error_replies", reply.errorsTotal],
    ["total_reads_processed", counters.reads],
    ["total_writes_processed", counters.writes],
    ["client_protocol_errors", counters.protocolErrors],
    ["client_auth_failures", counters.authFailures],
    ["client_output_buffer_limit_disconnections", counters.outputLimitDisconnections],
    ["unconfirmed_writes", counters.unconfirmedWrites],
    ["unconfirmed_reads", counters.unconfirmedReads],
  ];
}

/** Every counter of the node by its name since CONFIG RESETSTAT; redis's three are there even at 0. */
function syncCounters(port: PortContext): InfoFields {
  const all = {
    sync_full: 0,
    sync_partial_ok: 0,
    sync_partial_err: 0,
    ...port.node.status().counters,
  };
  return Object.entries(all).map(([name, n]) => [name, n - (port.nodeCountersReset[name] ?? 0)]);
}

function cpu(): InfoFields {
  const { user, system } = process.cpuUsage();
  return [
    ["used_cpu_sys", (system / 1e6).toFixed(6)],
    ["used_cpu_user", (user / 1e6).toFixed(6)],
  ];
}

function keyspace(port: PortContext): InfoFields {
  const { keys, expires } = port.node.store.stats();
  return keys === 0 ? [] : [["db0", `keys=${keys},expires=${expires},avg_ttl=0`]];
}

/** 1.50M, as redis writes sizes. */
function human(bytes: number): string {
  const units = ["B", "K", "M", "G", "T"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return unit === 0 ? `${bytes}B` : `${value.toFixed(2)}${units[unit]!}`;
}
