/**
 * Every option of the daemon, one row each: flag, HAWSER_* variable and JSON key are the same name.
 *
 * Owns: names, defaults, help lines. Does not own: reading (options.ts), syntax (option-values.ts),
 * other defaults (profiles.ts).
 */
import { PROFILES } from "./profiles.ts";

export type OptionKind =
  | "port"
  | "size"
  | "count"
  | "time"
  | "text"
  | "host"
  | "secret"
  | "switch"
  | "choice"
  | "address"
  | "addresses";

export interface OptionRow {
  readonly name: OptionName;
  readonly kind: OptionKind;
  /** As it would be written; "" is unset. */
  readonly fallback: string;
  readonly of: "both" | "primary" | "replica";
  readonly choices?: readonly string[];
  readonly help: string;
}

export type OptionName =
  | "port"
  | "repl-port"
  | "bind"
  | "of"
  | "seed-from"
  | "requirepass"
  | "repl-password"
  | "repl-open"
  | "clients-open"
  | "insecure"
  | "announce-host"
  | "announce-port"
  | "announce-repl-port"
  | "profile"
  | "backlog"
  | "backlog-ttl"
  | "hold"
  | "throttle-max"
  | "window"
  | "ship-rate"
  | "ship-window"
  | "ship-gather"
  | "ring-slots"
  | "chunk"
  | "silence"
  | "stall"
  | "handshake-timeout"
  | "backoff-max"
  | "on-divergence"
  | "allow-reset"
  | "maxmemory"
  | "maxclients"
  | "dir"
  | "role-from-flags"
  | "log-level"
  | "log-format";

type Row = Omit<OptionRow, "name">;

const ROWS: Readonly<Record<OptionName, Row>> = {
  port: {
    kind: "port",
    fallback: "",
    of: "both",
    help: "client port, RESP (6380; replica 6381); 0 takes a free one",
  },
  "repl-port": {
    kind: "port",
    fallback: "",
    of: "both",
    help: "replication port (client port + 10000)",
  },
  bind: { kind: "host", fallback: "127.0.0.1", of: "both", help: "address both ports listen on" },
  of: {
    kind: "address",
    fallback: "",
    of: "replica",
    help: "the node to follow: its client or its replication port",
  },
  "seed-from": {
    kind: "addresses",
    fallback: "",
    of: "primary",
    help: "take the furthest state of these, then be a primary unless one lives",
  },
  requirepass: { kind: "secret", fallback: "", of: "both", help: "password of clients (AUTH)" },
  "repl-password": {
    kind: "secret",
    fallback: "",
    of: "both",
    help: "shared password of replication links",
  },
  "repl-open": {
    kind: "switch",
    fallback: "false",
    of: "both",
    help: "with --requirepass alone: anybody may copy everything by the replication port",
  },
  "clients-open": {
    kind: "switch",
    fallback: "false",
    of: "both",
    help: "with --repl-password alone: anybody may read and write by the client port",
  },
  insecure: {
    kind: "switch",
    fallback: "false",
    of: "both",
    help: "allow listening beyond loopback without passwords",
  },
  "announce-host": {
    kind: "host",
    fallback: "",
    of: "both",
    help: "address others reach this node at",
  },
  "announce-port": {
    kind: "port",
    fallback: "0",
    of: "both",
    help: "client port others reach it at",
  },
  "announce-repl-port": {
    kind: "port",
    fallback: "0",
    of: "both",
    help: "replication port others reach it at",
  },
  profile: {
    kind: "choice",
    fallback: "lan",
    of: "both",
    choices: ["lan", "wan", "edge"],
    help: "defaults of windows, chunks, timeouts and backoff in one word",
  },
  backlog: {
    kind: "size",
    fallback: "256mb",
    of: "both",
    help: "log kept for replicas that come back",
  },
  "backlog-ttl": {
    kind: "time",
    fallback: "0",
    of: "both",
    help: "drop log older than this; 0 keeps by size only",
  },
  hold: {
    kind: "size",
    fallback: "0",
    of: "both",
    help: "log kept for a syncing replica; 0 is 4 x backlog",
  },
  "throttle-max": {
    kind: "time",
    fallback: "60s",
    of: "both",
    help: "how long one sync may hold writers below 1 MiB/s",
  },
  window: {
    kind: "size",
    fallback: PROFILES.lan.window,
    of: "both",
    help: "log sent to a replica beyond what it has applied",
  },
  "ship-rate": {
    kind: "size",
    fallback: "0",
    of: "both",
    help: "bytes per second of a full sync; 0 is unlimited",
  },
  "ship-window": {
    kind: "size",
    fallback: PROFILES.lan["ship-window"],
    of: "both",
    help: "snapshot bytes sent beyond what was acknowledged",
  },
  "ship-gather": {
    kind: "time",
    fallback: "200ms",
    of: "both",
    help: "replicas that ask within this time share one snapshot",
  },
  "ring-slots": {
    kind: "count",
    fallback: PROFILES.lan["ring-slots"],
    of: "both",
    help: "chunks read ahead for each full sync, 2 to 1024",
  },
  chunk: {
    kind: "size",
    fallback: PROFILES.lan.chunk,
    of: "both",
    help: "bytes of one chunk of a snapshot, 4kb to 1mb",
  },
  silence: {
    kind: "time",
    fallback: PROFILES.lan.silence,
    of: "both",
    help: "a connection that says nothing for this long ends",
  },
  stall: {
    kind: "time",
    fallback: PROFILES.lan.stall,
    of: "both",
    help: "a replica that takes or applies nothing for this long is let go",
  },
  "handshake-timeout": {
    kind: "time",
    fallback: PROFILES.lan["handshake-timeout"],
    of: "both",
    help: "longest dialling and handshake",
  },
  "backoff-max": {
    kind: "time",
    fallback: PROFILES.lan["backoff-max"],
    of: "both",
    help: "longest delay between a replica's attempts",
  },
  "on-divergence": {
    kind: "choice",
    fallback: "resync",
    of: "both",
    choices: ["resync", "refuse"],
    help: "what a replica with writes of its own does",
  },
  "allow-reset": {
    kind: "switch",
    fallback: "false",
    of: "both",
    help: "once: let an unrelated (or empty) primary replace our data",
  },
  maxmemory: {
    kind: "size",
    fallback: "0",
    of: "both",
    help: "refuse growing writes above this; 0 is unlimited",
  },
  maxclients: {
    kind: "count",
    fallback: "10000",
    of: "both",
    help: "client connections at a time",
  },
  dir: {
    kind: "text",
    fallback: "",
    of: "both",
    help: "where the node keeps its replica id, its role and a half received snapshot",
  },
  "role-from-flags": {
    kind: "switch",
    fallback: "false",
    of: "both",
    help: "once: start in the role of the flags, whatever --dir remembers of REPLICAOF",
  },
  "log-level": {
    kind: "choice",
    fallback: "info",
    of: "both",
    choices: ["debug", "info", "warn", "error"],
    help: "least grave level that is logged",
  },
  "log-format": {
    kind: "choice",
    fallback: "pretty",
    of: "both",
    choices: ["json", "pretty"],
    help: "form of the lines on stderr",
  },
};

/** All rows in the order of the help text. */
export const OPTION_ROWS: readonly OptionRow[] = (Object.keys(ROWS) as OptionName[]).map(
  (name) => ({ name, ...ROWS[name] }),
);

/** HAWSER_REPL_PORT of repl-port. */
export function variableOf(name: string): string {
  return `HAWSER_${name.replaceAll("-", "_").toUpperCase()}`;
}
