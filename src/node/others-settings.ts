/**
 * The settings of what is asked of other nodes, how near they must be and what they must have confirmed: rows of
 * the table of settings (settings.ts).
 *
 * Owns: those rows. Does not own: what they do (nearness.ts, synchronous.ts).
 * Tested in: test/unit/node/settings.test.ts.
 */
export const OTHERS_SETTINGS = {
  "min-replicas-to-write": {
    key: "minReplicasToWrite",
    kind: "count",
    fallback: "0",
    range: "0 to 10000",
    of: "both",
    redis: ["min-slaves-to-write"],
    live: true,
    embedded: "both",
    help: "refuse writes while fewer replicas are near; 0 never",
  },
  "min-replicas-max-lag": {
    key: "minReplicasMaxLag",
    kind: "count",
    fallback: "10",
    range: "0 to 86400",
    of: "both",
    redis: ["min-slaves-max-lag"],
    live: true,
    embedded: "both",
    help: "a replica is near that acknowledged within so many seconds",
  },
  "replica-max-staleness": {
    key: "replicaMaxStalenessMs",
    kind: "time",
    fallback: "0",
    range: "0, or 1s to 1440m",
    of: "both",
    live: true,
    embedded: "both",
    help: "a replica whose state may be older refuses reads (3 or 3s); 0 never",
  },
  sync: {
    key: "sync",
    kind: "count",
    fallback: "0",
    range: "0 to 31",
    of: "both",
    live: true,
    embedded: "both",
    help: "answer when so many members have it too; 0 when this node has",
  },
  "sync-level": {
    key: "syncLevel",
    kind: "choice",
    fallback: "applied",
    choices: ["applied", "durable"],
    of: "both",
    live: true,
    embedded: "both",
    help: "what it has to be there, and durable: here too",
  },
  "sync-timeout": {
    key: "syncTimeoutMs",
    kind: "time",
    fallback: "5s",
    range: "100ms to 60m",
    of: "both",
    live: true,
    embedded: "both",
    help: "then it is UNCONFIRMED; a member not heard of for so long is none",
  },
} as const;
