/**
 * What a node is started with, read from flags, HAWSER_* variables and the JSON file named by --config.
 *
 * Rules: flag > variable > file > profile > default. A wrong flag or value is a UsageError that names where
 * it came from and what is allowed. Listening beyond loopback without passwords is refused.
 * Owns: precedence, and what settings must be together. Does not own: the table (settings.ts), one value
 * (setting-text.ts), files, other commands (daemon/command-line.ts).
 */
import { LIMITS } from "../limits.ts";
import { flagName, flagText } from "./flag-words.ts";
import { didYouMean } from "./nearest.ts";
import { isLoopback, UsageError } from "./option-values.ts";
import { OutOfRange, readSetting, type SettingValue } from "./setting-text.ts";
import {
  SETTINGS,
  type ChangingValues,
  type Profile,
  type Setting,
  type SettingName,
  type SettingValues,
} from "./settings.ts";
import { defaultOf, settingsOf, variableOf } from "./setting-lookup.ts";

/** What a node is started with: a value for each setting. */
export interface NodeOptions extends SettingValues {
  readonly command: "primary" | "replica";
}

/**
 * The settings of a running node, one object for all who use them. Whoever needs a value reads it there
 * when it is needed: a change by CONFIG SET is then in force everywhere at once.
 */
export type LiveSettings = Omit<NodeOptions, keyof ChangingValues> & ChangingValues;

export type Variables = Readonly<Record<string, string | undefined>>;

/** Of a wrong value an error shows it all up to this length, else its beginning. */
const SHOWN_MAX = 200;
const DEFAULT_PORT = { primary: 6380, replica: 6381 } as const;
const PORT_MAX = 65_535;
const REPL_PORT_DISTANCE = 10_000;
/** Decided by the command, by the client port, or by what the node finds. */
const UNSET = -1;

/** Where a value was given, for error messages. */
interface Given {
  readonly text: string;
  readonly source: string;
}

/** A node's options, and variables of ours that name none. */
export interface ReadOptions {
  readonly options: NodeOptions;
  readonly warnings: readonly string[];
}

/**
 * Reads the options of a node.
 * @param argv     the flags alone
 * @param readFile text of the --config file; throws when it cannot be read
 * @throws {UsageError} with a message for the operator
 */
export function readNodeOptions(
  command: "primary" | "replica",
  argv: readonly string[],
  variables: Variables,
  readFile: (path: string) => string,
): ReadOptions {
  const rows = settingsOf(command);
  const flags = readFlags(argv, rows, command);
  const configPath = flags.get("config")?.text ?? variables[variableOf("config")];
  const file =
    configPath === undefined ? new Map<string, Given>() : readConfig(configPath, readFile);
  const givenOf = (name: SettingName): Given | undefined => {
    const variable = variables[variableOf(name)];
    const fromVariable =
      variable === undefined ? undefined : { text: variable, source: variableOf(name) };
    return flags.get(name) ?? fromVariable ?? file.get(name);
  };
  const options = assemble(command, (setting) => {
    const given = givenOf(setting.name);
    return given === undefined ? undefined : readValue(setting, given);
  });
  check(options, AS_FLAGS);
  return { options, warnings: unknownVariables(variables) };
}

/**
 * The options of a node of which some settings are given.
 * @param given the value of a setting, checked; undefined where its default is in force
 * @throws {UsageError} when there is no default
 */
export function assemble(
  command: "primary" | "replica",
  given: (setting: Setting) => SettingValue | undefined,
): NodeOptions {
  const values = new Map<keyof SettingValues, SettingValue>();
  const rows = settingsOf(command);
  // First: it decides the defaults of others.
  const chosen = rows.filter(({ name }) => name === "profile").map(given)[0];
  const profile = (chosen ?? "lan") as Profile;
  for (const setting of SETTINGS) {
    const fallback = (): SettingValue => {
      const text = defaultOf(setting, profile);
      return text === "" ? unset(setting) : readSetting(setting, text);
    };
    const value = rows.includes(setting) ? given(setting) : undefined;
    values.set(setting.key, value ?? fallback());
  }
  // What was read for a row, or its default, is of the row's kind.
  const read = Object.fromEntries(values) as unknown as SettingValues;
  const port = read.port === UNSET ? DEFAULT_PORT[command] : read.port;
  return { ...read, command, port, replPort: replPortOf(port, read.replPort) };
}

function readFlags(
  argv: readonly string[],
  rows: readonly Setting[],
  command: string,
): Map<string, Given> {
  const flags = new Map<string, Given>();
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? "";
    const name = flagName(word);
    if (name === null) {
      throw new UsageError(`unexpected argument "${word}": hawser ${command} takes only --flags`);
    }
    const row = rows.find((r) => r.name === name);
    if (row === undefined && name !== "config") throw unknownFlag(name, rows, command);
    if (flags.has(name)) throw new UsageError(`--${name}: given twice`);
    const { text, last } = flagText(argv, i, row?.kind === "switch");
    i = last;
    flags.set(name, { text, source: `--${name}` });
  }
  return flags;
}

function unknownFlag(name: string, rows: readonly Setting[], command: string): UsageError {
  const other = SETTINGS.find((row) => row.name === name);
  if (other !== undefined) {
    return new UsageError(`--${name}: only for hawser ${other.of}, not for hawser ${command}`);
  }
  const allowed = ["config", ...rows.map((row) => row.name)].map((n) => `--${n}`);
  return new UsageError(
    `unknown flag --${name}${didYouMean(`--${name}`, allowed)}; allowed: ${allowed.join(" ")}`,
  );
}

function readConfig(path: string, readFile: (path: string) => string): Map<string, Given> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFile(path));
  } catch (error) {
    throw new UsageError(
      `--config ${path}: ${error instanceof Error ? error.message : "unreadable"}`,
    );
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw new UsageError(`--config ${path}: expected a JSON object of options`);
  }
  const values = new Map<string, Given>();
  for (const [name, value] of Object.entries(parsed)) {
    const source = `${name} in ${path}`;
    const names = SETTINGS.map((setting) => setting.name);
    if (!names.some((known) => known === name)) {
      const meant = didYouMean(name, names);
      throw new UsageError(`${source}: unknown option${meant}; allowed: ${names.join(" ")}`);
    }
    if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") {
      throw new UsageError(`${source}: expected a string, a number or a boolean`);
    }
    values.set(name, { text: String(value), source });
  }
  return values;
}

function readValue(setting: Setting, given: Given): SettingValue {
  try {
    return readSetting(setting, given.text);
  } catch (error) {
    if (error instanceof OutOfRange)
      throw new UsageError(`${given.source}: ${error.value} is out of range; ${error.message}`);
    if (!(error instanceof UsageError)) throw error;
    const text = given.text.length > SHOWN_MAX ? `${given.text.slice(0, 40)}...` : given.text;
    const shown = setting.kind === "secret" ? "" : ` "${text}"`;
    throw new UsageError(`${given.source}:${shown} ${error.message}`);
  }
}

/** The value of a setting that nobody gave, and that has no default in its row: "" in texts. */
export function unset({ kind }: Setting): SettingValue {
  if (kind === "port" || kind === "time" || kind === "size") return UNSET;
  if (kind === "address") return null;
  return kind === "addresses" ? [] : "";
}

function replPortOf(port: number, given: number): number {
  if (given !== UNSET) return given;
  if (port === 0) return 0;
  if (port + REPL_PORT_DISTANCE > PORT_MAX) {
    throw new UsageError(
      `--repl-port: needed, because the default (--port ${port} + ${REPL_PORT_DISTANCE}) is above ${PORT_MAX}`,
    );
  }
  return port + REPL_PORT_DISTANCE;
}

/** How messages call settings: as who gave them does. */
export type Spelling = (name: SettingName) => string;

const AS_FLAGS: Spelling = (name) => `--${name}`;

/** What settings must be together. @throws {UsageError} */
export function check(options: NodeOptions, name: Spelling): void {
  if (options.command === "replica" && options.of === null) {
    throw new UsageError(`${name("of")}: needed, the HOST:PORT of the node to follow`);
  }
  if (options.port !== 0 && options.port === options.replPort) {
    throw new UsageError(
      `${name("repl-port")}: ${options.replPort} is the client port; expected another`,
    );
  }
  checkPasswords(options);
  if (options.insecure || isLoopback(options.bind)) return;
  const missing: SettingName[] = [];
  if (options.requirepass === "" && !mayClientsBeOpen(options)) missing.push("requirepass");
  if (options.replPassword === "" && !options.replOpen) missing.push("repl-password");
  if (missing.length > 0) {
    const set = missing.map(name).join(" and ");
    throw new UsageError(
      `${name("bind")} ${options.bind} is not loopback: set ${set}, or ${name("insecure")} to allow it`,
    );
  }
}

function checkPasswords(options: NodeOptions): void {
  const { requirepass, replPassword } = options;
  if (Buffer.byteLength(requirepass) > LIMITS.settingBytesMax)
    throw new UsageError(`--requirepass: longer than ${LIMITS.settingBytesMax} bytes`);
  const open = openPort(options, requirepass, replPassword);
  if (open === "replication")
    throw new UsageError(
      "--requirepass without --repl-password: anybody could copy everything by the replication port; set both, or --repl-open to allow it",
    );
  if (open === "client")
    throw new UsageError(
      "--repl-password without --requirepass: anybody could read and write by the client port; set both, or --clients-open to allow it",
    );
}

/** The port that has no password while the other has one, when that is not what the operator said. */
export function openPort(
  options: Pick<NodeOptions, "replOpen" | "clientsOpen">,
  requirepass: string,
  replPassword: string,
): "client" | "replication" | null {
  if (requirepass !== "" && replPassword === "" && !options.replOpen) return "replication";
  if (requirepass === "" && replPassword !== "" && !options.clientsOpen) return "client";
  return null;
}

/** Clients need no password: from this machine alone, or because the operator said so. */
export function mayClientsBeOpen(
  options: Pick<NodeOptions, "bind" | "clientsOpen" | "insecure">,
): boolean {
  return isLoopback(options.bind) || options.clientsOpen || options.insecure;
}

/** Variables of ours that name no option: a misspelt password must not pass in silence. */
function unknownVariables(variables: Variables): string[] {
  const known = new Set(["config", ...SETTINGS.map((setting) => setting.name)].map(variableOf));
  return Object.keys(variables).filter((name) => name.startsWith("HAWSER_") && !known.has(name));
}
