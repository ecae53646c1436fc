/**
 * What the daemon knows of a command, and how a family of commands is written down.
 *
 *   row("get", 2, "readonly fast", [1, 1, 1], get)
 *
 * Arity counts the name; negative means at least that many. Flags are redis's. Keys are first, last
 * (negative: from the end) and step. Owns: shape. Does not own: rows (each family's file).
 * Tested in: test/unit/resp/one-reply.test.ts, test/e2e/beside-redis/connection.test.ts.
 */
import type { Command, Handler } from "../context.ts";

export type { Command };

/** Flags that dispatch looks at, as bits. */
export const FLAG = {
  write: 1,
  readonly: 2,
  denyoom: 4,
  /** Refused while the node has no state: every command without redis's flag `loading`. */
  denyLoading: 8,
  noAuth: 16,
  noMulti: 32,
  /** Not queued by MULTI: EXEC, DISCARD, MULTI, WATCH, QUIT, RESET. */
  unqueued: 64,
  /** May take long however short the request: after such a one a run may end (client.ts). */
  costly: 128,
  /** REPLICAOF, SLAVEOF: may make a replica of this node. */
  demotes: 256,
  /** Refused while a replica is too far behind: every command without redis's flag `stale`. */
  denyStale: 512,
} as const;

const BITS: Readonly<Record<string, number>> = {
  write: FLAG.write,
  readonly: FLAG.readonly,
  denyoom: FLAG.denyoom,
  no_auth: FLAG.noAuth,
  no_multi: FLAG.noMulti,
};
/** What walks over keys, copies values, or writes long answers. */
const COSTLY = new Set([
  "append",
  "client",
  "command",
  "config",
  "copy",
  "exec",
  "flushall",
  "flushdb",
  "getrange",
  "incrbyfloat",
  "info",
  "keys",
  "mget",
  "randomkey",
  "rename",
  "renamenx",
  "repl.bucket",
  "repl.digest",
  "repl.events",
  "repl.status",
  "repl.verify",
  "role",
  "scan",
  "setrange",
  "substr",
  "watch",
]);
const DEMOTES = new Set(["replicaof", "slaveof"]);
const UNQUEUED = new Set(["exec", "discard", "multi", "watch", "quit", "reset"]);

/** No name of a command is longer, "parent|sub" included. */
export const NAME_BYTES_MAX = 64;

export type KeyRange = readonly [first: number, last: number, step: number];
export const NO_KEYS: KeyRange = [0, 0, 0];
export const ONE_KEY: KeyRange = [1, 1, 1];
export const ALL_KEYS: KeyRange = [1, -1, 1];

export function row(
  name: string,
  arity: number,
  flags: string,
  keys: KeyRange,
  handler: Handler,
  subcommands: readonly Command[] = [],
): Command {
  const words = flags === "" ? [] : flags.split(" ");
  let bits = (UNQUEUED.has(name) ? FLAG.unqueued : 0) | (COSTLY.has(name) ? FLAG.costly : 0);
  if (DEMOTES.has(name)) bits |= FLAG.demotes;
  for (const word of words) bits |= BITS[word] ?? 0;
  if (!words.includes("loading")) bits |= FLAG.denyLoading;
  if (!words.includes("stale")) bits |= FLAG.denyStale;
  return {
    name,
    arity,
    bits,
    flags: words,
    firstKey: keys[0],
    lastKey: keys[1],
    keyStep: keys[2],
    handler,
    subcommands:
      subcommands.length === 0
        ? null
        : new Map(subcommands.map((sub) => [sub.name.slice(name.length + 1), sub])),
  };
}

/** Whether `count` arguments, the name included, are right for `command`. */
export function hasArity(command: Command, count: number): boolean {
  return command.arity >= 0 ? count === command.arity : count >= -command.arity;
}

/** The error texts that many commands share. */
export const ERR = {
  syntax: "ERR syntax error",
  notInteger: "ERR value is not an integer or out of range",
  notInt: "ERR value is out of range, value must between -2147483648 and 2147483647",
  notFloat: "ERR value is not a valid float",
  tooLong: "ERR string exceeds maximum allowed size (proto-max-bulk-len)",
  noSuchKey: "ERR no such key",
  disk: "MISCONF The disk of --dir takes no writes now, so none is executed; the log and INFO say why",
  unconfirmed:
    "UNCONFIRMED This write was executed, and the disk of --dir has not taken it: a crash now would lose it; the log and INFO say why",
  unconfirmedWrite:
    "UNCONFIRMED This write was executed here, and too few members have confirmed it: it may be lost",
  unconfirmedRead:
    "UNCONFIRMED What this read would show too few members have confirmed: it may be lost, or not the newest",
  readonly: "READONLY You can't write against a read only replica.",
  loading: "LOADING Redis is loading the dataset in memory",
  noReplicas: "NOREPLICAS Not enough good replicas to write.",
  seeding: "LOADING This primary is still syncing from its seed; it takes writes once it has",
  oom: "OOM command not allowed when used memory > 'maxmemory'.",
  noAuth: "NOAUTH Authentication required.",
} as const;
