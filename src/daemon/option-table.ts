/**
 * Every option of the daemon, one row each: flag, HAWSER_* variable and JSON key are the same name.
 *
 * Owns: names, defaults, help lines. Does not own: reading (options.ts), syntax (option-values.ts).
 */

export type OptionKind =
  | "port"
  | "size"
  | "time"
  | "text"
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
  | "insecure"
  | "announce-host"
  | "announce-port"
  | "announce-repl-port"
  | "backlog"
  | "backlog-ttl"
  | "hold"
  | "throttle-max"
  | "window"
  | "ship-rate"
  | "ship-window"
  | "ship-gather"
  | "load"
  | "on-divergence"
  | "allow-reset"
  | "maxmemory"
  | "maxclients"
  | "dir"
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
  bind: { kind: "text", fallback: "127.0.0.1", of: "both", help: "address both ports listen on" },
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
    help: "start as a replica of one of these, sync, then promote",
  },
  requirepass: { kind: "secret", fallback: "", of: "both", help: "password of clients (AUTH)" },
  "repl-password": {
    kind: "secret",
    fallback: "",
    of: "both",
    help: "shared password of replication links",
  },
  insecure: {
    kind: "switch",
    fallback: "false",
    of: "both",
    help: "allow listening beyond loopback without passwords",
  },
  "announce-host": {
    kind: "text",
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
    help: "how long writers may be slowed for a syncing replica",
  },
  window: {
    kind: "size",
    fallback: "64mb",
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
    fallback: "8mb",
    of: "both",
    help: "snapshot bytes sent beyond what was acknowledged",
  },
  "ship-gather": {
    kind: "time",
    fallback: "200ms",
    of: "both",
    help: "replicas that ask within this time share one snapshot",
  },
  load: {
    kind: "choice",
    fallback: "staged",
    of: "both",
    choices: ["staged", "flush"],
    help: "keep the old state while a full sync loads, or drop it",
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
  maxclients: { kind: "size", fallback: "10000", of: "both", help: "client connections at a time" },
  dir: { kind: "text", fallback: "", of: "both", help: "where the node keeps its replica id" },
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
