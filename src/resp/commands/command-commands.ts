/**
 * COMMAND: what clients and redis-cli ask about the commands themselves.
 *
 * Owns: the form of the answers. Does not own: the table (table.ts), texts (command-docs.ts).
 */
import type { Args } from "../args.ts";
import type { Call } from "../context.ts";
import type { ReplyWriter } from "../reply-writer.ts";
import { COMMAND_DOCS } from "./command-docs.ts";
import { NAME_BYTES_MAX, NO_KEYS, row, type Command } from "./command.ts";
import { replyHelp } from "./help-reply.ts";

const FLAGS = "loading stale";
/** Names of one COMMAND INFO. */
const NAMES_MAX = 1024;

const HELP = [
  "COMMAND <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
  "(no subcommand)",
  "    Return details about all commands.",
  "COUNT",
  "    Return the total number of commands in this server.",
  "LIST",
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

function list(call: Call, table: CommandTable): void {
  const { reply } = call;
  const commands = table.all();
  reply.array(commands.length);
  for (const command of commands) reply.bulkText(command.name);
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
    if (command === undefined) reply.nilArray();
    else replyInfo(reply, command);
  }
}

function replyInfos(reply: ReplyWriter, commands: readonly Command[]): void {
  reply.array(commands.length);
  for (const command of commands) replyInfo(reply, command);
}

/** redis 7's ten fields; categories, tips and key specifications are left empty. */
function replyInfo(reply: ReplyWriter, command: Command): void {
  reply.array(10);
  reply.bulkText(command.name);
  reply.integer(command.arity);
  reply.set(command.flags.length);
  for (const flag of command.flags) reply.simple(flag);
  reply.integer(command.firstKey);
  reply.integer(command.lastKey);
  reply.integer(command.keyStep);
  reply.set(0);
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
