/**
 * What the manual says of settings at more length than --help does. A setting without a note is explained
 * by its line of help.
 *
 * Owns: words for docs/reference/options.md. Does not own: the settings (src/node/settings.ts).
 */
import type { SettingName } from "../../src/node/settings.ts";

type Notes = Readonly<Partial<Record<SettingName, string>>>;

export const NOTES: Notes = {
  port: "client port; 0 takes a free one",
  "repl-port": "replication port; 0 takes a free one",
  bind: "address that both ports listen on",
  of: "the node to follow, HOST:PORT",
  "seed-from":
    "HOST:PORT,..: take the state of these that counts for most, then be a primary if all of them are its replicas, or stay a replica if one of them has a living primary, [how](../guides/failover.md#bringing-a-primary-back-on-its-address)",
  requirepass: "password of clients, at most 4096 bytes; only together with `--repl-password`",
  "repl-password": "password of links, the same on both ends; only together with `--requirepass`",
  "repl-open": "allows `--requirepass` alone: anybody may copy everything by the replication port",
  "clients-open": "allows `--repl-password` alone: anybody may read and write by the client port",
  insecure: "allows listening beyond loopback without passwords",
  "announce-host":
    "address that INFO and ROLE of the upstream show for this node; default: where it comes from",
  "announce-port": "client port that they show; 0 is the real one",
  "announce-repl-port": "replication port that is announced; 0 is the real one",
  profile: "several defaults in one word, [below](#profiles)",
  "backlog-ttl": "drops log older than this; 0 keeps by size alone",
  hold: "log kept for a replica that syncs; 0 is 4 x backlog, also when that changes",
  "throttle-max": "how long one sync may hold writers below 1 MiB/s before it is given up",
  window:
    "log sent to a replica beyond what it has applied; on a replica: received and not applied",
  "ship-rate": "bytes per second of all full syncs together; 0 is unlimited",
  "ship-window": "snapshot bytes sent beyond what the replica acknowledged: what a cut can cost",
  "ring-slots":
    "chunks that a full sync reads ahead of the slowest replica that shares it; each takes `--chunk` of memory",
  chunk: "bytes of one chunk of a snapshot; what is received incompletely at a cut is sent again",
  silence:
    "a connection that received nothing for this long ends, on both ends; idle ones say something every second",
  stall:
    "a replica whose socket takes nothing and that receives nothing, or that has everything and applies nothing, is disconnected after this",
  "handshake-timeout": "longest dialling and handshake, on both ends",
  "backoff-max": "longest delay between a replica's attempts; they begin at 50 ms and double",
  "on-divergence":
    "a replica whose log went its own way: `resync` gives it up, `refuse` stops the replica",
  "allow-reset": "lets an unrelated upstream, even an empty one, replace this node's data, once",
  maxmemory: "writes that grow are refused above this; 0 is unlimited",
  dir: "where the node keeps its replica id, [its role](directory.md) and a half received snapshot; without it a restarted replica is a new one, and a full sync starts again",
  reclaim:
    "how long a primary that was started again waits for the nodes that followed it: the one that is furthest ahead on the same log gives back what `--dir` has lost, [how](../guides/persistence.md#what-a-restart-takes-back); when all have answered it does not wait; 0 does not ask",
  "replica-max-staleness":
    "refuse reads of a replica whose state may be older than this (3s, 2500ms; a number alone is seconds); 0 never",
  "checkpoint-rate":
    "bytes per second that a checkpoint is written with; left out, 96 MiB, and no limit while the log has grown by more than half of what is written, so that the log stays short; 0 is unlimited",
  "role-from-flags":
    "starts in the role that the flags name and forgets the one that `--dir` remembers",
};

/** Defaults that depend on something, in words. */
export const DEFAULTS_IN_WORDS: Notes = {
  port: "6380, replica 6381",
  "repl-port": "client port + 10000",
  of: "needed",
  reclaim: "5s, after a reboot 60s",
  "checkpoint-rate": "96mb, or what the log needs",
};
