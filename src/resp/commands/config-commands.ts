/**
 * CONFIG: settings by redis's names where redis has them, and by our own.
 *
 * By our name a value is shown as the flag takes it ("60s"), by redis's as redis does (60).
 * Owns: what is shown, and that a change is whole or none. Does not own: the settings and their ranges
 * (node/settings.ts).
 */
import { LIMITS } from "../../limits.ts";
import { UsageError } from "../../node/option-values.ts";
import { mayClientsBeOpen, openPort, unset } from "../../node/options.ts";
import {
  OutOfRange,
  readSetting,
  showSetting,
  type SettingValue,
} from "../../node/setting-text.ts";
import { SETTINGS, type Setting, type SettingName } from "../../node/settings.ts";
import type { Call, PortContext } from "../context.ts";
import { matchesGlob } from "../../node/glob.ts";
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

/** A name that CONFIG knows. Several may show one setting: by our name, and by redis's. */
interface Parameter {
  readonly name: string;
  /** Null for what is always the same here. */
  readonly setting: Setting | null;
  readonly read: (port: PortContext) => string;
}

/** What a setting is in truth, where the node has chosen or changed it since it was started. */
const ACTUAL: Partial<Record<SettingName, (port: PortContext) => SettingValue>> = {
  port: (port) => port.port,
  "repl-port": (port) => port.node.status().replPort,
  hold: ({ settings }) => settings.holdBytes || 4 * settings.backlogBytes,
  "log-keep": ({ settings }) => settings.logKeepBytes || 4 * settings.backlogBytes,
  of: (port) => port.node.status().upstream,
};

function valueOf(setting: Setting, port: PortContext): SettingValue {
  const actual = ACTUAL[setting.name];
  return actual === undefined ? port.settings[setting.key] : actual(port);
}

/** By our name a value is shown as the flag takes it. */
function ours(setting: Setting): Parameter {
  const read = (port: PortContext): string => showSetting(setting.kind, valueOf(setting, port));
  return { name: setting.name, setting, read };
}

/** By redis's name as redis's tools read it: which the flag takes too, but for the address of a node. */
function redis(name: string, setting: Setting): Parameter {
  const read = (port: PortContext): string => {
    const value = valueOf(setting, port);
    if (setting.kind === "time") return String(Number(value) / 1000);
    const shown = showSetting(setting.kind, value);
    return setting.kind === "address" ? shown.replace(/:(\d+)$/, " $1") : shown;
  };
  return { name, setting, read };
}

const fixed = (name: string, value: string): Parameter => ({
  name,
  setting: null,
  read: () => value,
});

const PARAMETERS: readonly Parameter[] = [
  // Why not: who may read all keys need not know what links prove.
  ...SETTINGS.filter(({ name }) => name !== "repl-password").flatMap((setting) => [
    ours(setting),
    ...(setting.redis ?? []).map((name) => redis(name, setting)),
  ]),
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

function get(call: Call): void {
  const { args, port, reply } = call;
  const chosen = new Set<Parameter>();
  for (let i = 2; i < args.count; i++) {
    const word = args.word(i, PATTERN_BYTES_MAX);
    if (word === null) continue;
    const pattern = Buffer.from(word, "latin1");
    for (const parameter of PARAMETERS) {
      const name = Buffer.from(parameter.name);
      if (matchesGlob(pattern, name, 0, name.length)) chosen.add(parameter);
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
  const changes = new Map<Setting, SettingValue>();
  let refusal: string | null = null;
  const texts: [Setting, string, string][] = [];
  for (let i = 2; i < args.count; i += 2) {
    const name = args.word(i, PATTERN_BYTES_MAX);
    const parameter = PARAMETERS.find((candidate) => candidate.name === name);
    if (parameter === undefined) {
      refusal ??= `ERR Unknown option or number of arguments for CONFIG SET - '${args.shown(i)}'`;
      continue;
    }
    const { setting } = parameter;
    const value = args.text(i + 1, LIMITS.settingBytesMax);
    if (setting?.live !== true) refusal ??= failed(args.shown(i), "can't set immutable config");
    else if (texts.some(([other]) => other === setting))
      refusal ??= failed(args.shown(i), "duplicate parameter");
    else if (value === null) {
      const most = `argument must be at most ${LIMITS.settingBytesMax} bytes`;
      refusal ??= failed(args.shown(i), most);
    } else texts.push([setting, value, parameter.name]);
  }
  for (const [setting, value, name] of texts) {
    if (refusal !== null) break;
    const read = readArgument(setting, value);
    const why = setting.name === "requirepass" ? whyNotPassword(call.port, value) : null;
    if (typeof read === "string") refusal = failed(name, read);
    else if (why !== null) refusal = failed(name, why);
    else changes.set(setting, read.value);
  }
  if (refusal !== null) {
    reply.error(refusal);
    return;
  }
  // Only what may change is among them, and of its kind.
  for (const [{ key }, value] of changes) Object.assign(call.port.settings, { [key]: value });
  call.port.node.settingsChanged();
  reply.ok();
}

function failed(name: string, why: string): string {
  return `ERR CONFIG SET failed (possibly related to argument '${name}') - ${why}`;
}

/** The value in the setting's range, or what is wrong with the text. */
function readArgument(setting: Setting, text: string): { readonly value: SettingValue } | string {
  try {
    const isUnset = text === "" && setting.fallback === "";
    return { value: isUnset ? unset(setting) : readSetting(setting, text) };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    if (error instanceof OutOfRange) return `argument is out of range: ${error.message}`;
    // Sizes in redis's words.
    if (setting.kind === "size") return "argument must be a memory value";
    return error.message.replace(/^expected/, "argument must be");
  }
}

/** Why a client password may not be this one beside the other settings; null when it may. */
function whyNotPassword({ settings }: PortContext, requirepass: string): string | null {
  const open = openPort(settings, requirepass, settings.replPassword);
  if (open === "replication")
    return "the replication port has no password, anybody could copy everything by it; start with --repl-password, or --repl-open";
  if (open === "client")
    return "the replication port has a password, without one here anybody could read and write; start with --clients-open to allow it";
  if (requirepass === "" && !mayClientsBeOpen(settings))
    return `the client port listens on ${settings.bind}, without a password anybody could read and write; start with --clients-open to allow it`;
  return null;
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
