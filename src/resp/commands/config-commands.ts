/**
 * CONFIG: settings by redis's names where redis has them, and by our own.
 *
 * Owns: names, current values as text, what may be set at runtime. Does not own: options at start.
 */
import { openPort } from "../../node/options.ts";
import { LIMITS } from "../../limits.ts";
import { matchesGlob } from "../glob.ts";
import type { Call, PortContext } from "../context.ts";
import type { HawserNode, RuntimeSetting } from "../../node/api.ts";
import { isOutOfRange } from "../../node/setting-text.ts";
import { SETTINGS as TABLE } from "../../node/settings.ts";
import { formatAddress, readSize, UsageError } from "../../node/option-values.ts";
import { ERR, NO_KEYS, row, type Command } from "./command.ts";
import { replyHelp } from "./help-reply.ts";

/** A longer pattern or name means no setting; a run of stars aside, and nobody types that. */
const PATTERN_BYTES_MAX = 1024;
const ADMIN = "admin noscript loading stale";

const HELP = [
  "CONFIG <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
  "GET <pattern>",
  "    Return parameters matching the glob-like <pattern> and their values.",
  "SET <directive> <value>",
  "    Set the configuration <directive> to <value>.",
  "RESETSTAT",
  "    Reset statistics reported by the INFO command.",
  "HELP",
  "    Prints this help.",
];

export const CONFIG_COMMANDS: readonly Command[] = [
  row("config", -2, "", NO_KEYS, () => undefined, [
    row("config|get", -3, ADMIN, NO_KEYS, get),
    row("config|set", -4, ADMIN, NO_KEYS, set),
    row("config|resetstat", 2, ADMIN, NO_KEYS, resetStat),
    row("config|help", 2, "loading stale", NO_KEYS, (call) => replyHelp(call, HELP)),
  ]),
];

interface Setting {
  readonly name: string;
  readonly read: (port: PortContext) => string;
  /** Absent: cannot be changed while running. Changes nothing yet; an error text when it may not be. */
  readonly write?: (call: Call, text: string) => Change | string;
}

/** Puts a checked value in force; an error text, with nothing changed, or null. */
type Change = () => string | null;

const fixed = (name: string, value: string): Setting => ({ name, read: () => value });
const text = (read: (port: PortContext) => number | string | boolean) => (port: PortContext) => {
  const value = read(port);
  if (typeof value === "boolean") return value ? "yes" : "no";
  return String(value);
};

const backlogOf = (node: HawserNode): number => node.status().backlog.sizeBytes;

const SETTINGS: readonly Setting[] = [
  { name: "port", read: text((port) => port.port) },
  { name: "bind", read: text((port) => port.options.bind) },
  { name: "maxclients", read: text((port) => port.settings.maxclients), write: setMaxclients },
  {
    name: "maxmemory",
    read: text((port) => port.keys.maxmemory),
    write: setSize("maxmemory", (port, bytes) => (port.keys.maxmemory = bytes)),
  },
  { name: "requirepass", read: text((port) => port.settings.requirepass), write: setPassword },
  {
    name: "repl-backlog-size",
    read: text((port) => port.node.status().backlog.sizeBytes),
    write: setSize("backlog"),
  },
  {
    name: "backlog",
    read: text((port) => port.node.status().backlog.sizeBytes),
    write: setSize("backlog"),
  },
  {
    name: "ship-rate",
    read: shipRate,
    write: setSize("ship-rate", (port, bytes) => shipRates.set(port, bytes)),
  },
  { name: "repl-backlog-ttl", read: text((port) => port.options.backlogTtlMs / 1000) },
  { name: "repl-port", read: text((port) => port.node.status().replPort) },
  { name: "hold", read: text(({ options, node }) => options.holdBytes || 4 * backlogOf(node)) },
  { name: "window", read: text((port) => port.options.windowBytes) },
  { name: "ship-window", read: text((port) => port.options.shipWindowBytes) },
  { name: "ship-gather", read: text((port) => port.options.shipGatherMs) },
  { name: "throttle-max", read: text((port) => port.options.throttleMaxMs) },
  { name: "ring-slots", read: text((port) => port.options.ringSlots) },
  { name: "chunk", read: text((port) => port.options.chunkBytes) },
  { name: "silence", read: text((port) => port.options.silenceMs) },
  { name: "stall", read: text((port) => port.options.stallMs) },
  { name: "handshake-timeout", read: text((port) => port.options.handshakeMs) },
  { name: "backoff-max", read: text((port) => port.options.backoffMaxMs) },
  { name: "on-divergence", read: text((port) => port.options.onDivergence) },
  { name: "dir", read: text((port) => port.options.dir) },
  { name: "log-level", read: text((port) => port.options.logLevel) },
  { name: "log-format", read: text((port) => port.options.logFormat) },
  {
    name: "replicaof",
    read: (port) => {
      const upstream = port.node.status().upstream;
      return upstream === null ? "" : formatAddress(upstream).replace(/:(\d+)$/, " $1");
    },
  },
  // What redis's tools ask for, with what is true here.
  fixed("save", ""),
  fixed("appendonly", "no"),
  fixed("databases", "1"),
  fixed("maxmemory-policy", "noeviction"),
  fixed("replica-read-only", "yes"),
  fixed("slave-read-only", "yes"),
  fixed("replica-serve-stale-data", "yes"),
  fixed("proto-max-bulk-len", "536870912"),
  fixed("timeout", "0"),
];

/** Set at runtime; the node keeps the value, and does not show it. */
const shipRates = new WeakMap<PortContext, number>();

function shipRate(port: PortContext): string {
  return String(shipRates.get(port) ?? port.options.shipRate);
}

function get(call: Call): void {
  const { args, port, reply } = call;
  const chosen = new Set<Setting>();
  for (let i = 2; i < args.count; i++) {
    const word = args.word(i, PATTERN_BYTES_MAX);
    if (word === null) continue;
    const pattern = Buffer.from(word, "latin1");
    for (const setting of SETTINGS) {
      const name = Buffer.from(setting.name);
      if (matchesGlob(pattern, name, 0, name.length)) chosen.add(setting);
    }
  }
  reply.map(chosen.size);
  for (const { name, read } of chosen) {
    reply.bulkText(name);
    reply.bulkText(read(port));
  }
}

function set(call: Call): void {
  const { args, reply } = call;
  if (args.count % 2 === 1) {
    reply.error(ERR.syntax);
    return;
  }
  const chosen = new Map<Setting, string>();
  let refusal: string | null = null;
  for (let i = 2; i < args.count; i += 2) {
    const name = args.word(i, PATTERN_BYTES_MAX);
    const setting = SETTINGS.find((candidate) => candidate.name === name);
    if (setting === undefined) {
      refusal ??= `ERR Unknown option or number of arguments for CONFIG SET - '${args.shown(i)}'`;
      continue;
    }
    const value = args.text(i + 1, LIMITS.settingBytesMax);
    if (setting.write === undefined)
      refusal ??= failed(args.shown(i), "can't set immutable config");
    else if (chosen.has(setting)) refusal ??= failed(args.shown(i), "duplicate parameter");
    else if (value === null) {
      const most = `argument must be at most ${LIMITS.settingBytesMax} bytes`;
      refusal ??= failed(args.shown(i), most);
    } else chosen.set(setting, value);
  }
  refusal ??= change(call, chosen);
  if (refusal === null) reply.ok();
  else reply.error(refusal);
}

/** All of them or, with an error text, none. */
function change(call: Call, chosen: ReadonlyMap<Setting, string>): string | null {
  const changes: [Setting, Change][] = [];
  for (const [setting, value] of chosen) {
    const checked = setting.write!(call, value);
    if (typeof checked === "string") return failed(setting.name, checked);
    changes.push([setting, checked]);
  }
  const before = changes.map(([setting]) => setting.read(call.port));
  for (const [at, [setting, apply]] of changes.entries()) {
    const error = apply();
    if (error === null) continue;
    for (let n = at - 1; n >= 0; n--) restore(call, changes[n]![0], before[n]!);
    return failed(setting.name, error);
  }
  return null;
}

/** Back to a value that was in force, which is none that may be refused. */
function restore(call: Call, setting: Setting, value: string): void {
  const checked = setting.write!(call, value);
  if (typeof checked !== "string") checked();
}

function failed(name: string, why: string): string {
  return `ERR CONFIG SET failed (possibly related to argument '${name}') - ${why}`;
}

function setMaxclients(call: Call, value: string): Change | string {
  const count = /^\d{1,6}$/.test(value) ? Number(value) : 0;
  if (count < 1) return "argument must be between 1 and 999999";
  return () => {
    call.port.settings.maxclients = count;
    return null;
  };
}

function setPassword(call: Call, value: string): Change | string {
  const { options, settings } = call.port;
  const open = openPort(options, value, options.replPassword);
  if (open === "replication")
    return "the replication port has no password, anybody could copy everything by it; start with --repl-password, or --repl-open";
  if (open === "client")
    return "the replication port has a password, without one here anybody could read and write; start with --clients-open to allow it";
  return () => {
    settings.requirepass = value;
    return null;
  };
}

/** A size that the node takes; `done` when it took it. */
function setSize(
  name: RuntimeSetting,
  done: (port: PortContext, bytes: number) => void = () => undefined,
): (call: Call, value: string) => Change | string {
  return ({ port }, value) => {
    const bytes = sizeOf(name, value);
    if (typeof bytes === "string") return bytes;
    return () => {
      const error = port.node.applySetting(name, bytes);
      if (error === null) done(port, bytes);
      return error;
    };
  };
}

/** Bytes within the range of the flag of this name, or what is wrong with them. */
function sizeOf(name: RuntimeSetting, value: string): number | string {
  try {
    const bytes = readSize(value);
    const setting = TABLE.find((candidate) => candidate.name === name)!;
    if (!isOutOfRange(setting, bytes)) return bytes;
    return `argument is out of range: expected ${setting.range}`;
  } catch (error) {
    if (error instanceof UsageError) return "argument must be a memory value";
    throw error;
  }
}

function resetStat(call: Call): void {
  const { counters, keys, reply, node } = call.port;
  for (const name of Object.keys(counters) as (keyof typeof counters)[]) counters[name] = 0;
  keys.counters.hits = 0;
  keys.counters.misses = 0;
  keys.counters.expired = 0;
  reply.bytesTotal = 0;
  reply.errorsTotal = 0;
  call.port.nodeCountersReset = { ...node.status().counters };
  reply.ok();
}
