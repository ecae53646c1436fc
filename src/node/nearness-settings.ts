/**
 * The settings of how near others must be: rows of the table of settings (settings.ts).
 *
 * Owns: those rows. Does not own: what they do (nearness.ts).
 * Tested in: test/unit/node/settings.test.ts.
 */
export const NEARNESS_SETTINGS = {
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
    help: "refuse reads of a replica whose state may be older than this (3s, 2500ms; a number alone is seconds); 0 never",
  },
} as const;
