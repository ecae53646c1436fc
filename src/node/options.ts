/**
 * What a node is started with, read from flags, HAWSER_* variables and the JSON file named by --config.
 *
 * Rules: flag > variable > file > profile > default. A wrong flag or value is a UsageError that names where
 * it came from and what is allowed. Listening beyond loopback without passwords is refused.
 * Owns: precedence and the typed options. Does not own: rows (option-table.ts), files, other commands
 * (daemon/command-line.ts).
 */
import { OPTION_ROWS, variableOf, type OptionName, type OptionRow } from "./option-table.ts";
import {
  isLoopback,
  readAddress,
  readAddresses,
  readChoice,
  readCount,
  readHost,
  readPort,
  readSize,
  readSwitch,
  readTime,
  UsageError,
  type Address,
} from "./option-values.ts";
import { LIMITS } from "../limits.ts";
import { outOfRange } from "./option-ranges.ts";
import type { LogFormat, LogLevel } from "./logger.ts";
import { type Profile, profileValue } from "./profiles.ts";

/** What a node is started with. Times in ms, sizes in bytes. */
export interface NodeOptions {
  readonly command: "primary" | "replica";
  /** 0 takes a free port. */
  readonly port: number;
  readonly replPort: number;
  readonly bind: string;
  /** Upstream; null on a primary. */
  readonly of: Address | null;
  readonly seedFrom: readonly Address[];
  /** "" without. */
  readonly requirepass: string;
  readonly replPassword: string;
  /** One password without the other is meant. */
  readonly replOpen: boolean;
  readonly clientsOpen: boolean;
  readonly insecure: boolean;
  /** "" and 0: what the socket says. */
  readonly announceHost: string;
  readonly announcePort: number;
  readonly announceReplPort: number;
  readonly backlogBytes: number;
  /** 0 keeps by size only. */
  readonly backlogTtlMs: number;
  /** 0 is 4 x the backlog, whatever that is at the time. */
  readonly holdBytes: number;
  readonly throttleMaxMs: number;
  readonly windowBytes: number;
  /** Bytes per second, 0 is unlimited. */
  readonly shipRate: number;
  readonly shipWindowBytes: number;
  readonly shipGatherMs: number;
  /** Chunks that a serialization reads ahead, and bytes of one with its head. */
  readonly ringSlots: number;
  readonly chunkBytes: number;
  readonly silenceMs: number;
  readonly stallMs: number;
  readonly handshakeMs: number;
  readonly backoffMaxMs: number;
  readonly onDivergence: "resync" | "refuse";
  readonly allowReset: boolean;
  /** 0 is unlimited. */
  readonly maxmemory: number;
  readonly maxclients: number;
  /** "" keeps nothing. */
  readonly dir: string;
  /** The role of the flags, not the one that `dir` remembers. */
  readonly roleFromFlags: boolean;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
}

export type Variables = Readonly<Record<string, string | undefined>>;

/** Of a wrong value an error shows it all up to this length, else its beginning. */
const SHOWN_MAX = 200;
const DEFAULT_PORT = { primary: 6380, replica: 6381 } as const;
const PORT_MAX = 65_535;
const REPL_PORT_DISTANCE = 10_000;

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
  const rows = OPTION_ROWS.filter((row) => row.of === "both" || row.of === command);
  const flags = readFlags(argv, rows, command);
  const configPath = flags.get("config")?.text ?? variables[variableOf("config")];
  const file =
    configPath === undefined ? new Map<string, Given>() : readConfig(configPath, readFile);
  const givenOf = (name: OptionName): Given | undefined => {
    const variable = variables[variableOf(name)];
    const fromVariable =
      variable === undefined ? undefined : { text: variable, source: variableOf(name) };
    return flags.get(name) ?? fromVariable ?? file.get(name);
  };
  const values = new Map<string, unknown>();
  const read = (row: OptionRow, fallback: string): void => {
    const given = givenOf(row.name) ?? { text: fallback, source: "default" };
    values.set(row.name, readValue(row, given));
  };
  // First: it decides the defaults of others.
  for (const row of rows) if (row.name === "profile") read(row, row.fallback);
  const profile = values.get("profile") as Profile;
  for (const row of rows)
    if (row.name !== "profile") read(row, profileValue(profile, row.name) ?? row.fallback);
  const options = assemble(command, values);
  check(options);
  return { options, warnings: unknownVariables(variables) };
}

/** `--name value`, `--name=value`; a switch may stand alone. */
function readFlags(
  argv: readonly string[],
  rows: readonly OptionRow[],
  command: string,
): Map<string, Given> {
  const flags = new Map<string, Given>();
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? "";
    if (!word.startsWith("--")) {
      throw new UsageError(`unexpected argument "${word}": hawser ${command} takes only --flags`);
    }
    const equals = word.indexOf("=");
    const name = equals === -1 ? word.slice(2) : word.slice(2, equals);
    const row = rows.find((r) => r.name === name);
    if (row === undefined && name !== "config") throw unknownFlag(name, rows, command);
    if (flags.has(name)) throw new UsageError(`--${name}: given twice`);
    let text = equals === -1 ? undefined : word.slice(equals + 1);
    if (text === undefined && row?.kind === "switch") {
      const next = argv[i + 1];
      text = next === "true" || next === "false" ? argv[++i] : "true";
    }
    text ??= argv[++i];
    if (text === undefined) throw new UsageError(`--${name}: a value is missing`);
    flags.set(name, { text, source: `--${name}` });
  }
  return flags;
}

function unknownFlag(name: string, rows: readonly OptionRow[], command: string): UsageError {
  const other = OPTION_ROWS.find((row) => row.name === name);
  if (other !== undefined) {
    return new UsageError(`--${name}: only for hawser ${other.of}, not for hawser ${command}`);
  }
  const allowed = ["config", ...rows.map((row) => row.name)].map((n) => `--${n}`).join(" ");
  return new UsageError(`unknown flag --${name}; allowed: ${allowed}`);
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
    if (!OPTION_ROWS.some((row) => row.name === name)) {
      const allowed = OPTION_ROWS.map((row) => row.name).join(" ");
      throw new UsageError(`${source}: unknown option; allowed: ${allowed}`);
    }
    if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") {
      throw new UsageError(`${source}: expected a string, a number or a boolean`);
    }
    values.set(name, { text: String(value), source });
  }
  return values;
}

function readValue(row: OptionRow, given: Given): unknown {
  if (given.text === "" && given.source === "default") return emptyValue(row);
  try {
    return READERS[row.kind](given.text, row);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const text = given.text.length > SHOWN_MAX ? `${given.text.slice(0, 40)}...` : given.text;
    const shown = row.kind === "secret" ? "" : ` "${text}"`;
    throw new UsageError(`${given.source}:${shown} ${error.message}`);
  }
}

const READERS: Readonly<Record<OptionRow["kind"], (text: string, row: OptionRow) => unknown>> = {
  port: readPort,
  size: readSize,
  count: readCount,
  time: readTime,
  text: (text) => text,
  host: readHost,
  secret: (text) => text,
  switch: readSwitch,
  choice: (text, row) => readChoice(text, row.choices ?? []),
  address: readAddress,
  addresses: readAddresses,
};

function emptyValue(row: OptionRow): unknown {
  if (row.kind === "port") return -1;
  if (row.kind === "address") return null;
  return row.kind === "addresses" ? [] : "";
}

function assemble(
  command: "primary" | "replica",
  values: ReadonlyMap<string, unknown>,
): NodeOptions {
  // The reader of the row's kind made the value: the casts restate the table's types.
  const number = (name: OptionName) => values.get(name) as number;
  const text = (name: OptionName) => values.get(name) as string;
  const flag = (name: OptionName) => values.get(name) as boolean;
  const given = number("port");
  const port = given === -1 ? DEFAULT_PORT[command] : given;
  return {
    command,
    port,
    replPort: replPortOf(port, number("repl-port")),
    bind: text("bind"),
    of: (values.get("of") as Address | null | undefined) ?? null,
    seedFrom: (values.get("seed-from") as readonly Address[] | undefined) ?? [],
    requirepass: text("requirepass"),
    replPassword: text("repl-password"),
    replOpen: flag("repl-open"),
    clientsOpen: flag("clients-open"),
    insecure: flag("insecure"),
    announceHost: text("announce-host"),
    announcePort: number("announce-port"),
    announceReplPort: number("announce-repl-port"),
    backlogBytes: number("backlog"),
    backlogTtlMs: number("backlog-ttl"),
    holdBytes: number("hold"),
    throttleMaxMs: number("throttle-max"),
    windowBytes: number("window"),
    shipRate: number("ship-rate"),
    shipWindowBytes: number("ship-window"),
    shipGatherMs: number("ship-gather"),
    ringSlots: number("ring-slots"),
    chunkBytes: number("chunk"),
    silenceMs: number("silence"),
    stallMs: number("stall"),
    handshakeMs: number("handshake-timeout"),
    backoffMaxMs: number("backoff-max"),
    onDivergence: text("on-divergence") as NodeOptions["onDivergence"],
    allowReset: flag("allow-reset"),
    maxmemory: number("maxmemory"),
    maxclients: number("maxclients"),
    dir: text("dir"),
    roleFromFlags: flag("role-from-flags"),
    logLevel: text("log-level") as LogLevel,
    logFormat: text("log-format") as LogFormat,
  };
}

function replPortOf(port: number, given: number): number {
  if (given !== -1) return given;
  if (port === 0) return 0;
  if (port + REPL_PORT_DISTANCE > PORT_MAX) {
    throw new UsageError(
      `--repl-port: needed, because the default (--port ${port} + ${REPL_PORT_DISTANCE}) is above ${PORT_MAX}`,
    );
  }
  return port + REPL_PORT_DISTANCE;
}

function check(options: NodeOptions): void {
  if (options.command === "replica" && options.of === null) {
    throw new UsageError("--of: needed, the HOST:PORT of the node to follow");
  }
  if (options.port !== 0 && options.port === options.replPort) {
    throw new UsageError(`--repl-port: ${options.replPort} is the client port; expected another`);
  }
  checkRanges(options);
  checkPasswords(options);
  if (options.insecure || isLoopback(options.bind)) return;
  const missing = [
    ...(options.requirepass === "" && !options.clientsOpen ? ["--requirepass"] : []),
    ...(options.replPassword === "" && !options.replOpen ? ["--repl-password"] : []),
  ];
  if (missing.length > 0) {
    throw new UsageError(
      `--bind ${options.bind} is not loopback: set ${missing.join(" and ")}, or --insecure to allow it`,
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

function checkRanges(options: NodeOptions): void {
  for (const [name, value] of [
    ["backlog", options.backlogBytes],
    ["backlog-ttl", options.backlogTtlMs],
    ["hold", options.holdBytes],
    ["throttle-max", options.throttleMaxMs],
    ["window", options.windowBytes],
    ["ship-rate", options.shipRate],
    ["ship-window", options.shipWindowBytes],
    ["ship-gather", options.shipGatherMs],
    ["ring-slots", options.ringSlots],
    ["chunk", options.chunkBytes],
    ["silence", options.silenceMs],
    ["stall", options.stallMs],
    ["handshake-timeout", options.handshakeMs],
    ["backoff-max", options.backoffMaxMs],
    ["maxmemory", options.maxmemory],
    ["maxclients", options.maxclients],
  ] as const) {
    const wrong = outOfRange(name, value);
    if (wrong !== null) throw new UsageError(`--${name}: ${value} is out of range; ${wrong}`);
  }
}

/** Variables of ours that name no option: a misspelt password must not pass in silence. */
function unknownVariables(variables: Variables): string[] {
  const known = new Set(["config", ...OPTION_ROWS.map((row) => row.name)].map(variableOf));
  return Object.keys(variables).filter((name) => name.startsWith("HAWSER_") && !known.has(name));
}
