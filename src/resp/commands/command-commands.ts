/**
 * COMMAND: what clients and redis-cli ask about the commands themselves.
 *
 * Owns: the form of the answers. Does not own: the table (table.ts), texts (command-docs.ts).
 * Tested in: test/e2e/beside-redis/server.test.ts.
 */
import type { Args } from "../args.ts";
import type { Call } from "../context.ts";
import { matchesGlob } from "../../node/glob.ts";
import type { ReplyWriter } from "../reply-writer.ts";
import { COMMAND_DOCS } from "./command-docs.ts";
import { ERR, NAME_BYTES_MAX, NO_KEYS, row, type Command } from "./command.ts";
import { replyHelp } from "./help-reply.ts";

const FLAGS = "loading stale";
/** Names of one COMMAND INFO. */
const NAMES_MAX = 1024;
const PATTERN_BYTES_MAX = 1024;

const HELP = [
  "COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
  "(no subcommand)",
  "    Return details about all commands.",
  "COUNT",
  "    Return the total number of commands in this server.",
  "LIST [FILTERBY (MODULE <module-name>|ACLCAT <cat>|PATTERN <pattern>)]",
  "    Return a list of all commands in this server.",
  "INFO [<command-name> ...]",
  "    Return details about multiple commands.",
  "DOCS [<command-name> ...]",
  "    Return documentation details about multiple commands.",
  "HELP",
  "    Prints this help.",
];

/** What COMMAND needs of the table that it is itself a part of. */
export interface CommandTable {
  /** All top-level commands. */
  all(): readonly Command[];
  /** "config" or "config|get". */
  byName(name: string): Command | undefined;
}

export function commandCommands(table: CommandTable): readonly Command[] {
  return [
    row("command", -1, FLAGS, NO_KEYS, (call) => replyInfos(call.reply, table.all()), [
      row("command|count", 2, FLAGS, NO_KEYS, (call) => call.reply.integer(table.all().length)),
      row("command|list", -2, FLAGS, NO_KEYS, (call) => list(call, table)),
      row("command|info", -2, FLAGS, NO_KEYS, (call) => info(call, table)),
      row("command|docs", -2, FLAGS, NO_KEYS, (call) => docs(call, table)),
      row("command|help", 2, FLAGS, NO_KEYS, (call) => replyHelp(call, HELP)),
    ]),
  ];
}

type Filter = (command: Command) => boolean;

/** Commands and subcommands, as redis 7 lists them. */
function list(call: Call, table: CommandTable): void {
  const { args, reply } = call;
  const filter = args.count === 2 ? (): boolean => true : readFilter(args);
  if (filter === null) {
    reply.error(ERR.syntax);
    return;
  }
  const chosen = table
    .all()
    .flatMap((command) => [command, ...(command.subcommands?.values() ?? [])])
    .filter(filter);
  reply.array(chosen.length);
  for (const command of chosen) reply.bulkText(command.name);
}

function readFilter(args: Args): Filter | null {
  if (args.count !== 5 || !args.is(2, "FILTERBY")) return null;
  if (args.is(3, "MODULE")) return () => false; // There are none.
  if (args.is(3, "ACLCAT")) {
    const name = `@${args.shown(4).toLowerCase()}`;
    return (command) => categoriesOf(command).some((category) => category === name);
  }
  if (!args.is(3, "PATTERN")) return null;
  const pattern = args.word(4, PATTERN_BYTES_MAX);
  if (pattern === null) return () => false;
  const bytes = Buffer.from(pattern, "latin1");
  return ({ name }) => matchesGlob(bytes, Buffer.from(name), 0, name.length);
}

/** redis's categories, in its order. */
const CATEGORIES = [
  "@keyspace",
  "@read",
  "@write",
  "@string",
  "@admin",
  "@fast",
  "@slow",
  "@dangerous",
  "@connection",
  "@transaction",
] as const;
type Category = (typeof CATEGORIES)[number];

const OF_FLAG: Readonly<Record<string, readonly Category[]>> = {
  write: ["@write"],
  readonly: ["@read"],
  admin: ["@admin", "@dangerous"],
  fast: ["@fast"],
};

/** Of a group of COMMAND DOCS. */
const OF_GROUP: Readonly<Record<string, readonly Category[]>> = {
  string: ["@string"],
  generic: ["@keyspace"],
  connection: ["@connection"],
  transactions: ["@transaction"],
};

/** Of commands that redis puts elsewhere than their group. */
const OF_COMMAND: Readonly<Record<string, readonly Category[]>> = {
  dbsize: ["@keyspace"],
  flushdb: ["@keyspace", "@dangerous"],
  flushall: ["@keyspace", "@dangerous"],
  keys: ["@keyspace", "@dangerous"],
  client: [],
  ...Object.fromEntries(
    ["", "|count", "|list", "|info", "|docs", "|help"].map((sub) => [
      `command${sub}`,
      ["@connection"],
    ]),
  ),
  info: ["@dangerous"],
  role: ["@admin", "@dangerous"],
  lastsave: ["@admin", "@dangerous"],
  wait: ["@connection"],
  waitaof: ["@connection"],
};

function categoriesOf({ name, flags }: Command): readonly Category[] {
  const [parent = ""] = name.split("|");
  const group = COMMAND_DOCS[parent]?.[1] ?? "";
  const found = new Set<Category>([
    ...flags.flatMap((flag) => OF_FLAG[flag] ?? []),
    ...(OF_COMMAND[name] ?? OF_GROUP[group] ?? []),
  ]);
  if (!flags.includes("fast")) found.add("@slow");
  return CATEGORIES.filter((category) => found.has(category));
}

function info(call: Call, table: CommandTable): void {
  const { args, reply } = call;
  if (args.count === 2) {
    replyInfos(reply, table.all());
    return;
  }
  // Each is answered, also one that comes again: a request of 10 MB would ask for gigabytes.
  if (args.count - 2 > NAMES_MAX) {
    reply.error(`ERR at most ${NAMES_MAX} names at a time`);
    return;
  }
  reply.array(args.count - 2);
  for (let i = 2; i < args.count; i++) {
    const command = named(table, args, i);
    if (command === undefined) reply.nil();
    else replyInfo(reply, command);
  }
}

function replyInfos(reply: ReplyWriter, commands: readonly Command[]): void {
  reply.array(commands.length);
  for (const command of commands) replyInfo(reply, command);
}

/** redis 7's ten fields; tips and key specifications are left empty. */
function replyInfo(reply: ReplyWriter, command: Command): void {
  reply.array(10);
  reply.bulkText(command.name);
  reply.integer(command.arity);
  reply.set(command.flags.length);
  for (const flag of command.flags) reply.simple(flag);
  reply.integer(command.firstKey);
  reply.integer(command.lastKey);
  reply.integer(command.keyStep);
  const categories = categoriesOf(command);
  reply.set(categories.length);
  for (const category of categories) reply.simple(category);
  reply.array(0);
  reply.array(0);
  const subcommands = [...(command.subcommands?.values() ?? [])];
  reply.array(subcommands.length);
  for (const sub of subcommands) replyInfo(reply, sub);
}

function docs(call: Call, table: CommandTable): void {
  const { args, reply } = call;
  const chosen = args.count === 2 ? table.all() : [...allNamed(table, args)];
  reply.map(chosen.length);
  for (const command of chosen) {
    reply.bulkText(command.name);
    replyDoc(reply, command);
  }
}

/** The commands that the arguments name, each once. */
function allNamed(table: CommandTable, args: Args): Set<Command> {
  const found = new Set<Command>();
  for (let i = 2; i < args.count; i++) {
    const command = named(table, args, i);
    if (command !== undefined) found.add(command);
  }
  return found;
}

function named(table: CommandTable, args: Args, index: number): Command | undefined {
  const name = args.latin1(index, NAME_BYTES_MAX);
  return name === null ? undefined : table.byName(name);
}

function replyDoc(reply: ReplyWriter, command: Command): void {
  const [since, group, summary] = COMMAND_DOCS[command.name] ?? ["0.1.0", "server", ""];
  const subcommands = [...(command.subcommands?.values() ?? [])];
  reply.map(subcommands.length === 0 ? 3 : 4);
  reply.bulkText("summary");
  reply.bulkText(summary);
  reply.bulkText("since");
  reply.bulkText(since);
  reply.bulkText("group");
  reply.bulkText(group);
  if (subcommands.length === 0) return;
  reply.bulkText("subcommands");
  reply.map(subcommands.length);
  for (const sub of subcommands) {
    reply.bulkText(sub.name);
    replyDoc(reply, sub);
  }
}
