/**
 * The settings of a node: one table, a row each, and the one place of each. Flags, HAWSER_* variables, the config
 * file, CONFIG GET and SET, an embedder's options, --help and the manual's table all read it.
 *
 * A value is written here as on the command line ("256mb", "60s"). A new setting is a row here, and a use.
 * Owns: names, types, defaults, ranges, who may set what and when, one line of help. Does not own: texts
 * to values and back (setting-text.ts), precedence (options.ts).
 */
import { OTHERS_SETTINGS } from "./others-settings.ts";
import type { Row, ValueOf, Written } from "./setting-kinds.ts";

export { PROFILES, type Profile, type SettingKind } from "./setting-kinds.ts";

/*
 * The profiles. wan: long round trips, so more in flight keeps them full, and pauses of the path are no
 * faults yet. edge: thin, wireless, small machines, so little memory, little lost by a cut, patience.
 *
 * The ranges. A log or window below 16kb could not hold a turn's worth; of values up to 1 PiB sums of a few
 * stay exact. Below three heartbeats, one a second, some could be missed; a day is longer than any clock
 * is useful, and far below what timers can do.
 */
const OWN = {
  port: {
    key: "port",
    kind: "port",
    fallback: "",
    of: "both",
    help: "client port, RESP (6380; replica 6381); 0 takes a free one",
  },
  "repl-port": {
    key: "replPort",
    kind: "port",
    fallback: "",
    of: "both",
    embedded: "both",
    help: "replication port (client port + 10000)",
  },
  bind: {
    key: "bind",
    kind: "host",
    fallback: "127.0.0.1",
    of: "both",
    embedded: "both",
    help: "address both ports listen on",
  },
  of: {
    key: "of",
    kind: "address",
    fallback: "",
    of: "replica",
    redis: ["replicaof", "slaveof"],
    embedded: "replica",
    help: "the node to follow: its client or its replication port",
  },
  "seed-from": {
    key: "seedFrom",
    kind: "addresses",
    fallback: "",
    of: "primary",
    help: "take the state of these that counts for most, then lead if they are its replicas",
  },
  requirepass: {
    key: "requirepass",
    kind: "secret",
    fallback: "",
    of: "both",
    live: true,
    help: "password of clients (AUTH)",
  },
  "repl-password": {
    key: "replPassword",
    kind: "secret",
    fallback: "",
    of: "both",
    embedded: "both",
    help: "shared password of replication links",
  },
  "repl-open": {
    key: "replOpen",
    kind: "switch",
    fallback: "false",
    of: "both",
    help: "with --requirepass alone: anybody may copy everything by the replication port",
  },
  "clients-open": {
    key: "clientsOpen",
    kind: "switch",
    fallback: "false",
    of: "both",
    help: "with --repl-password alone: anybody may read and write by the client port",
  },
  insecure: {
    key: "insecure",
    kind: "switch",
    fallback: "false",
    of: "both",
    embedded: "both",
    help: "allow listening beyond loopback without passwords",
  },
  "announce-host": {
    key: "announceHost",
    kind: "host",
    fallback: "",
    of: "both",
    redis: ["replica-announce-ip", "slave-announce-ip"],
    help: "address others reach this node at",
  },
  "announce-port": {
    key: "announcePort",
    kind: "port",
    fallback: "0",
    of: "both",
    redis: ["replica-announce-port", "slave-announce-port"],
    help: "client port others reach it at",
  },
  "announce-repl-port": {
    key: "announceReplPort",
    kind: "port",
    fallback: "0",
    of: "both",
    help: "replication port others reach it at",
  },
  profile: {
    key: "profile",
    kind: "choice",
    fallback: "lan",
    choices: ["lan", "wan", "edge"],
    of: "both",
    help: "defaults of windows, chunks, timeouts and backoff in one word",
  },
  backlog: {
    key: "backlogBytes",
    kind: "size",
    fallback: "256mb",
    range: "16kb to 1048576gb",
    of: "both",
    redis: ["repl-backlog-size"],
    live: true,
    embedded: "both",
    help: "log kept for replicas that come back",
  },
  "backlog-ttl": {
    key: "backlogTtlMs",
    kind: "time",
    fallback: "0",
    range: "0 to 525600m",
    of: "both",
    redis: ["repl-backlog-ttl"],
    help: "drop log older than this; 0 keeps by size only",
  },
  hold: {
    key: "holdBytes",
    kind: "size",
    fallback: "0",
    range: "0, or 16kb to 1048576gb",
    of: "both",
    help: "log kept for a syncing replica; 0 is 4 x backlog",
  },
  "log-keep": {
    key: "logKeepBytes",
    kind: "size",
    fallback: "0",
    range: "0, or 16kb to 1048576gb",
    of: "both",
    live: true,
    embedded: "both",
    help: "log kept on disk for replicas that come back; 0 is 4 x backlog",
  },
  "throttle-max": {
    key: "throttleMaxMs",
    kind: "time",
    fallback: "60s",
    range: "100ms to 1440m",
    of: "both",
    help: "how long one sync may hold writers below 1 MiB/s",
  },
  window: {
    key: "windowBytes",
    kind: "size",
    fallback: "64mb",
    profiles: { wan: "64mb", edge: "1mb" },
    range: "16kb to 1048576gb",
    of: "both",
    embedded: "both",
    help: "log sent to a replica beyond what it has applied",
  },
  "ship-rate": {
    key: "shipRate",
    kind: "size",
    fallback: "0",
    // Below it a chunk of the usual size takes longer than half of the stall clock.
    range: "0, or 16kb to 1048576gb",
    of: "both",
    live: true,
    embedded: "both",
    help: "bytes per second of a full sync; 0 is unlimited",
  },
  "ship-window": {
    key: "shipWindowBytes",
    kind: "size",
    fallback: "4mb",
    profiles: { wan: "32mb", edge: "1mb" },
    range: "16kb to 1048576gb",
    of: "both",
    help: "snapshot bytes sent beyond what was acknowledged",
  },
  "ship-gather": {
    key: "shipGatherMs",
    kind: "time",
    fallback: "200ms",
    range: "0 to 60s",
    of: "both",
    help: "replicas that ask within this time share one snapshot",
  },
  "ring-slots": {
    key: "ringSlots",
    kind: "count",
    fallback: "16",
    profiles: { wan: "16", edge: "8" },
    range: "2 to 1024",
    of: "both",
    help: "chunks read ahead for each full sync, 2 to 1024",
  },
  chunk: {
    key: "chunkBytes",
    kind: "size",
    fallback: "256kb",
    profiles: { wan: "256kb", edge: "64kb" },
    range: "4kb to 1mb",
    of: "both",
    help: "bytes of one chunk of a snapshot, 4kb to 1mb",
  },
  silence: {
    key: "silenceMs",
    kind: "time",
    fallback: "60s",
    profiles: { wan: "120s", edge: "300s" },
    range: "3s to 1440m",
    of: "both",
    redis: ["repl-timeout"],
    help: "a connection that says nothing for this long ends",
  },
  stall: {
    key: "stallMs",
    kind: "time",
    fallback: "30s",
    profiles: { wan: "60s", edge: "120s" },
    range: "3s to 1440m",
    of: "both",
    help: "a replica that takes or applies nothing for this long is disconnected",
  },
  "handshake-timeout": {
    key: "handshakeMs",
    kind: "time",
    fallback: "10s",
    profiles: { wan: "20s", edge: "30s" },
    range: "100ms to 1440m",
    of: "both",
    help: "longest dialling and handshake",
  },
  "backoff-max": {
    key: "backoffMaxMs",
    kind: "time",
    fallback: "15s",
    profiles: { wan: "30s", edge: "60s" },
    range: "100ms to 1440m",
    of: "both",
    embedded: "both",
    help: "longest delay between a replica's attempts",
  },
  "on-divergence": {
    key: "onDivergence",
    kind: "choice",
    fallback: "resync",
    choices: ["resync", "refuse"],
    of: "both",
    help: "what a replica with writes of its own does",
  },
  "allow-reset": {
    key: "allowReset",
    kind: "switch",
    fallback: "false",
    of: "both",
    embedded: "replica",
    help: "once: let an unrelated (or empty) primary replace our data",
  },
  maxmemory: {
    key: "maxmemory",
    kind: "size",
    fallback: "0",
    range: "0 to 1048576gb",
    of: "both",
    live: true,
    embedded: "both",
    help: "refuse growing writes above this; 0 is unlimited",
  },
  maxclients: {
    key: "maxclients",
    kind: "count",
    fallback: "10000",
    range: "1 to 999999",
    of: "both",
    live: true,
    help: "client connections at a time",
  },
  dir: {
    key: "dir",
    kind: "text",
    fallback: "",
    of: "both",
    embedded: "both",
    help: "where the node keeps its state, its role, its id and a half received snapshot",
  },
  persist: {
    key: "persist",
    kind: "choice",
    fallback: "yes",
    choices: ["yes", "no"],
    of: "both",
    help: "keep the state in --dir; no: all but the state and its log",
  },
  "accept-loss": {
    key: "acceptLoss",
    kind: "switch",
    fallback: "false",
    of: "both",
    embedded: "both",
    help: "once: lead with what is left in --dir, though what was synced is missing",
  },
  reclaim: {
    key: "reclaimMs",
    kind: "time",
    fallback: "",
    range: "0, or 100ms to 60m",
    of: "both",
    embedded: "both",
    help: "a restarted primary asks its replicas for what --dir lost (5s, reboot 60s)",
  },
  "checkpoint-rate": {
    key: "checkpointRate",
    kind: "size",
    fallback: "",
    range: "0, or 16kb to 1048576gb",
    of: "both",
    live: true,
    help: "bytes per second that a checkpoint is written with (96mb, or what the log needs)",
  },
  "stop-checkpoint": {
    key: "stopCheckpointMs",
    kind: "time",
    fallback: "5s",
    range: "0 to 10m",
    of: "both",
    live: true,
    embedded: "both",
    help: "time for a checkpoint at a stop, if the next start gains; 0: none",
  },
  "role-from-flags": {
    key: "roleFromFlags",
    kind: "switch",
    fallback: "false",
    of: "both",
    help: "once: start in the role of the flags, whatever --dir remembers of REPLICAOF",
  },
  fsync: {
    key: "fsync",
    kind: "choice",
    fallback: "everysec",
    choices: ["always", "everysec", "no"],
    of: "both",
    redis: ["appendfsync"],
    live: true,
    embedded: "both",
    help: "the log on disk is synced before replies, each second, or later",
  },
  "log-level": {
    key: "logLevel",
    kind: "choice",
    fallback: "info",
    choices: ["debug", "info", "warn", "error"],
    of: "both",
    embedded: "both",
    help: "least grave level that is logged",
  },
  "log-format": {
    key: "logFormat",
    kind: "choice",
    fallback: "pretty",
    choices: ["json", "pretty"],
    of: "both",
    embedded: "both",
    help: "form of the lines on stderr",
  },
} as const;

type Table = typeof OWN & typeof OTHERS_SETTINGS;

export type SettingName = keyof Table;

/** A value for each setting, by its key. Sizes in bytes, times in ms. */
export type SettingValues = {
  readonly [Name in SettingName as Table[Name]["key"]]: ValueOf<Table[Name]>;
};

type LiveName = {
  [Name in SettingName]: Table[Name] extends { readonly live: true } ? Name : never;
}[SettingName];

/** Those that CONFIG SET may change. */
export type ChangingValues = {
  -readonly [Name in LiveName as Table[Name]["key"]]: ValueOf<Table[Name]>;
};

type EmbeddedName<Command extends "primary" | "replica"> = {
  [Name in SettingName]: Table[Name] extends { readonly embedded: "both" | Command } ? Name : never;
}[SettingName];

/** Those that an embedder may give to a node of that kind, as the embedder writes them. */
export type EmbeddedValues<Command extends "primary" | "replica"> = {
  readonly [Name in EmbeddedName<Command> as Table[Name]["key"]]?: Written<ValueOf<Table[Name]>>;
};

export interface Setting extends Row {
  readonly name: SettingName;
  readonly key: keyof SettingValues;
}

/** All of them, in the order of the help text. */
export const SETTINGS: readonly Setting[] = Object.entries({ ...OWN, ...OTHERS_SETTINGS }).map(
  ([name, row]) => ({ name: name as SettingName, ...(row satisfies Row) }),
);
