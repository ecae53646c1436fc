/**
 * The command lines of `hawser status`, `verify`, `checkpoint`, `switchover` and `members`: commands that ask a running node.
 *
 * Owns: their flags. Does not own: options of nodes (node/options.ts), the form of flags
 * (node/flag-words.ts), how a value is read (node/setting-text.ts).
 * Tested in: test/unit/fuzz/answers.test.ts.
 */
import { wordsOf } from "../errors.ts";
import { didYouMean } from "../node/nearest.ts";
import { flagName, flagText } from "../node/flag-words.ts";
import { readSetting, type SettingValue } from "../node/setting-text.ts";
import { variableOf } from "../node/setting-lookup.ts";
import { readAddress, readPort, UsageError } from "../node/option-values.ts";
import type { Address } from "../net/address.ts";

export interface StatusOptions {
  readonly target: Address;
  readonly watch: boolean;
  /** The memory of events instead of the status. */
  readonly events: boolean;
  readonly json: boolean;
  /** Reasons alone, and an exit code for monitoring (health.ts). */
  readonly check: boolean;
  readonly password: string;
}

export interface VerifyOptions {
  readonly target: Address;
  readonly json: boolean;
  readonly password: string;
  /** How long replicas have to answer. */
  readonly timeoutMs: number;
}

export interface CheckpointOptions {
  readonly target: Address;
  readonly json: boolean;
  readonly password: string;
  /** How long it may take. */
  readonly timeoutMs: number;
}

export interface SwitchoverOptions {
  readonly target: Address;
  /** The replica that is to lead. */
  readonly to: Address;
  readonly force: boolean;
  readonly json: boolean;
  readonly password: string;
  /** How long writers are held at most. */
  readonly timeoutMs: number;
}

export interface MembersOptions {
  readonly target: Address;
  /** Null to show them. */
  readonly change: { readonly kind: "add" | "remove"; readonly id: string } | null;
  /** The rule before counts no more, whether a change is confirmed or not. */
  readonly force: boolean;
  readonly json: boolean;
  readonly password: string;
  /** How long to wait until a change is confirmed. */
  readonly timeoutMs: number;
}

type Variables = Readonly<Record<string, string | undefined>>;

type AskCommand = "status" | "verify" | "checkpoint" | "switchover" | "members";

const ALL: readonly AskCommand[] = ["status", "verify", "checkpoint", "switchover", "members"];

/** Their flags, read as a node's settings are; "" is unset. */
const FLAGS = {
  watch: { kind: "switch", of: ["status"], fallback: "false" },
  json: { kind: "switch", of: ALL, fallback: "false" },
  events: { kind: "switch", of: ["status"], fallback: "false" },
  check: { kind: "switch", of: ["status"], fallback: "false" },
  password: { kind: "secret", of: ALL, fallback: "" },
  force: { kind: "switch", of: ["switchover", "members"], fallback: "false" },
  timeout: {
    kind: "time",
    of: ["verify", "checkpoint", "switchover", "members"],
    fallback: "30s",
  },
} as const;

/** Where it is longer: a large state takes minutes; or shorter: writers wait. */
const TIMEOUTS: Partial<Record<AskCommand, string>> = {
  checkpoint: "10m",
  switchover: "10s",
  members: "10s",
};

type FlagName = keyof typeof FLAGS;
type Values = { readonly [Name in FlagName]: ValueOfKind[(typeof FLAGS)[Name]["kind"]] };

interface ValueOfKind {
  switch: boolean;
  secret: string;
  time: number;
}

export function readStatusOptions(argv: readonly string[], variables: Variables): StatusOptions {
  const { target, values } = readWords("status", argv, variables);
  const { watch, events, json, check, password } = values;
  if (events && watch) throw new UsageError("--events: not together with --watch");
  if (check && (watch || events || json))
    throw new UsageError("--check: not together with --watch, --events or --json");
  return { target, watch, events, json, check, password };
}

export function readVerifyOptions(argv: readonly string[], variables: Variables): VerifyOptions {
  const { target, values } = readWords("verify", argv, variables);
  const { json, password, timeout: timeoutMs } = values;
  return { target, json, password, timeoutMs };
}

export function readCheckpointOptions(
  argv: readonly string[],
  variables: Variables,
): CheckpointOptions {
  const { target, values } = readWords("checkpoint", argv, variables);
  const { json, password, timeout: timeoutMs } = values;
  return { target, json, password, timeoutMs };
}

/** PRIMARY TO REPLICA, and flags. */
export function readSwitchoverOptions(
  argv: readonly string[],
  variables: Variables,
): SwitchoverOptions {
  const at = argv.findIndex((word) => word.toUpperCase() === "TO");
  const replica = argv[at + 1];
  if (at < 1 || replica === undefined || flagName(replica) !== null)
    throw new UsageError("expected hawser switchover PRIMARY TO REPLICA, a HOST:PORT each");
  const to = readTarget(replica);
  const { target, values } = readWords("switchover", argv.toSpliced(at, 2), variables);
  const { force, json, password, timeout: timeoutMs } = values;
  if (timeoutMs < 1) throw new UsageError("--timeout: expected 1ms or more");
  return { target, to, force, json, password, timeoutMs };
}

/** [HOST:PORT] [add ID | remove ID], and flags. */
export function readMembersOptions(argv: readonly string[], variables: Variables): MembersOptions {
  const at = argv.findIndex((word) => word === "add" || word === "remove");
  const kind = argv[at] === "add" ? "add" : "remove";
  const id = argv[at + 1] ?? "";
  if (at >= 0 && !/^[0-9a-f]{32}$/.test(id))
    throw new UsageError(
      `${kind}: "${id}" is no store id, expected 32 hex digits in lower case, as hawser members lists them`,
    );
  const words = at < 0 ? argv : argv.toSpliced(at, 2);
  const { target, values } = readWords("members", words, variables);
  const { force, json, password, timeout: timeoutMs } = values;
  return { target, change: at < 0 ? null : { kind, id }, force, json, password, timeoutMs };
}

/** [HOST:PORT], and flags. */
function readWords(
  command: AskCommand,
  argv: readonly string[],
  variables: Variables,
): { readonly target: Address; readonly values: Values } {
  const names = (Object.keys(FLAGS) as FlagName[]).filter((name) =>
    (FLAGS[name].of as readonly AskCommand[]).includes(command),
  );
  const texts = new Map<FlagName, string>();
  let target: Address = { host: "127.0.0.1", port: 6380 };
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? "";
    const flag = flagName(word);
    const name = names.find((known) => known === flag);
    if (name !== undefined) {
      const { text, last } = flagText(argv, i, FLAGS[name].kind === "switch");
      i = last;
      texts.set(name, text);
    } else if (flag !== null) throw unknownFlag(word, names);
    else target = readTarget(word);
  }
  const password = variables[variableOf("requirepass")];
  if (password !== undefined && !texts.has("password")) texts.set("password", password);
  const read = (name: FlagName): SettingValue =>
    readValue(name, texts.get(name) ?? fallbackOf(name, command));
  // What was read for a flag is of the flag's kind.
  const values = Object.fromEntries(
    (Object.keys(FLAGS) as FlagName[]).map((name) => [name, read(name)]),
  ) as unknown as Values;
  return { target, values };
}

function fallbackOf(name: FlagName, command: AskCommand): string {
  return (name === "timeout" ? TIMEOUTS[command] : undefined) ?? FLAGS[name].fallback;
}

function unknownFlag(word: string, names: readonly FlagName[]): UsageError {
  const allowed = names.map((name) => `--${name}`);
  const meant = didYouMean(word.split("=", 1)[0]!, allowed);
  return new UsageError(`unknown flag ${word}${meant}; allowed: ${allowed.join(" ")}`);
}

function readValue(name: FlagName, text: string): SettingValue {
  try {
    return readSetting(FLAGS[name], text);
  } catch (error) {
    throw new UsageError(`--${name}: "${text}" ${wordsOf(error)}`);
  }
}

function readTarget(word: string): Address {
  if (/^\d{1,5}$/.test(word)) return { host: "127.0.0.1", port: readPort(word) };
  try {
    return readAddress(word);
  } catch (error) {
    throw new UsageError(`"${word}": ${wordsOf(error)}`);
  }
}
