/**
 * All commands, and finding one from the bytes of its name without making a string.
 *
 * Lookup: a hash of length, first two, middle and last byte, upper-cased, into an open table that
 * is filled at start with the smallest shift that gives few collisions; then the name is compared.
 * Owns: the list and the lookup. Does not own: rows of a family, execution (dispatch.ts).
 * Tested in: test/unit/resp/one-reply.test.ts, test/e2e/beside-redis/connection.test.ts.
 */
import type { Args } from "../args.ts";
import { CHECKPOINT_COMMANDS } from "./checkpoints.ts";
import { CLIENT_COMMANDS } from "./client-commands.ts";
import { NAME_BYTES_MAX, type Command } from "./command.ts";
import { commandCommands } from "./command-commands.ts";
import { CONFIG_COMMANDS } from "./config-commands.ts";
import { CONNECTION_COMMANDS } from "./connection.ts";
import { COUNTER_COMMANDS } from "./counters.ts";
import { EXPIRY_COMMANDS } from "./expiry.ts";
import { KEY_COMMANDS } from "./keys.ts";
import { RANGE_COMMANDS } from "./ranges.ts";
import { REPLICATION_COMMANDS } from "./replication.ts";
import { SCAN_COMMANDS } from "./scanning.ts";
import { SERVER_COMMANDS } from "./server.ts";
import { STRING_COMMANDS } from "./strings.ts";
import { TOKEN_COMMANDS } from "./tokens.ts";
import { TRANSACTION_COMMANDS } from "./transactions.ts";
import { WAITING_COMMANDS } from "./waiting.ts";

const SLOTS = 1024;

const ALL: readonly Command[] = [
  ...STRING_COMMANDS,
  ...COUNTER_COMMANDS,
  ...RANGE_COMMANDS,
  ...KEY_COMMANDS,
  ...EXPIRY_COMMANDS,
  ...SCAN_COMMANDS,
  ...TRANSACTION_COMMANDS,
  ...CONNECTION_COMMANDS,
  ...CLIENT_COMMANDS,
  ...commandCommands({ all: allCommands, byName: findByName }),
  ...CONFIG_COMMANDS,
  ...SERVER_COMMANDS,
  ...CHECKPOINT_COMMANDS,
  ...REPLICATION_COMMANDS,
  ...WAITING_COMMANDS,
  ...TOKEN_COMMANDS,
];

interface Slot {
  readonly command: Command;
  /** Upper-case bytes of the name. */
  readonly name: Uint8Array;
}

const slots: (Slot | undefined)[] = new Array<Slot | undefined>(SLOTS);

for (const command of ALL) {
  const name = Buffer.from(command.name.toUpperCase());
  let at = hashName(name, 0, name.length);
  while (slots[at] !== undefined) at = (at + 1) & (SLOTS - 1);
  slots[at] = { command, name };
}

/** All top-level commands in table order. */
export function allCommands(): readonly Command[] {
  return ALL;
}

/** The command whose name is argument 0, in any case. */
export function findCommand(bytes: Buffer, from: number, to: number): Command | undefined {
  let at = hashName(bytes, from, to);
  for (let slot = slots[at]; slot !== undefined; slot = slots[at]) {
    if (sameName(slot.name, bytes, from, to)) return slot.command;
    at = (at + 1) & (SLOTS - 1);
  }
  return undefined;
}

/** "config" or "config|get", for COMMAND INFO. */
export function findByName(name: string): Command | undefined {
  const [parent = "", sub] = name.toLowerCase().split("|");
  const bytes = Buffer.from(parent, "latin1");
  const command = findCommand(bytes, 0, bytes.length);
  return sub === undefined ? command : command?.subcommands?.get(sub);
}

/** The subcommand that argument 1 names; undefined when there is no such one. */
export function findSubcommand(command: Command, args: Args): Command | undefined {
  const name = args.word(1, NAME_BYTES_MAX);
  return name === null ? undefined : command.subcommands?.get(name);
}

function hashName(bytes: Uint8Array, from: number, to: number): number {
  const length = to - from;
  if (length === 0) return 0;
  const first = bytes[from]! & 0xdf;
  const second = bytes[from + (length > 1 ? 1 : 0)]! & 0xdf;
  const middle = bytes[from + (length >> 1)]! & 0xdf;
  const last = bytes[to - 1]! & 0xdf;
  const mixed = Math.imul(
    first + (second << 7) + (middle << 14) + (last << 20) + length,
    0x9e3779b1,
  );
  return mixed >>> 22;
}

function sameName(name: Uint8Array, bytes: Uint8Array, from: number, to: number): boolean {
  if (to - from !== name.length) return false;
  for (let i = 0; i < name.length; i++) {
    const byte = bytes[from + i]!;
    if ((byte >= 0x61 && byte <= 0x7a ? byte - 0x20 : byte) !== name[i]) return false;
  }
  return true;
}
