/**
 * One parsed command: may it run, is it queued by MULTI, then run it.
 *
 * The checks and their order are redis's processCommand; each answers its text and marks an open
 * transaction as broken. Owns: the gate. Does not own: what commands do (commands/), blocking.
 */
import { ERR, FLAG, hasArity, type Command } from "./commands/command.ts";
import { findSubcommand } from "./commands/table.ts";
import type { Call } from "./context.ts";
import { execute } from "./execute.ts";
import type { WriteRefusal } from "../node/api.ts";

/** All arguments together of which an error repeats the beginning, as redis. */
const QUOTED_CHARS_MAX = 128;

const REFUSALS: Readonly<Record<Exclude<WriteRefusal, null>, string>> = {
  readonly: ERR.readonly,
  loading: ERR.loading,
  seeding: ERR.seeding,
};

/** Executes the command `call` points at; `found` is its table entry. */
export function dispatch(call: Call, found: Command | undefined): void {
  if (found === undefined) {
    reject(call, unknownCommand(call));
    return;
  }
  let command = found;
  if (found.subcommands !== null && call.args.count > 1) {
    const sub = findSubcommand(found, call.args);
    if (sub === undefined) {
      reject(call, unknownSubcommand(call));
      return;
    }
    command = sub;
  }
  if (!hasArity(command, call.args.count)) {
    reject(call, `ERR wrong number of arguments for '${command.name}' command`);
    return;
  }
  const refusal = refusalOf(call, command);
  if (refusal !== null) {
    reject(call, refusal, command);
    return;
  }
  if (call.client.queue !== null && (command.bits & FLAG.unqueued) === 0) {
    call.client.queue.push({ command, args: call.args.detach() });
    call.client.queueBits |= command.bits;
    call.reply.simple("QUEUED");
    return;
  }
  execute(call, command);
}

/** Why `command` may not run now, as an error text; null when it may. */
function refusalOf(call: Call, command: Command): string | null {
  const { client, keys } = call;
  if (!client.authenticated && (command.bits & FLAG.noAuth) === 0) return ERR.noAuth;
  if (client.queue !== null && (command.bits & FLAG.noMulti) !== 0) {
    return "ERR Command not allowed inside a transaction";
  }
  const bits = command.name === "exec" ? command.bits | client.queueBits : command.bits;
  if ((bits & FLAG.denyoom) !== 0 && keys.maxmemory > 0 && keys.isOverMemory()) return ERR.oom;
  if ((bits & FLAG.write) !== 0 && keys.refusal !== null) return REFUSALS[keys.refusal];
  if ((bits & FLAG.denyLoading) !== 0 && call.port.node.isLoading()) return ERR.loading;
  return null;
}

function reject(call: Call, text: string, command?: Command): void {
  const { client, reply } = call;
  if (command?.name === "exec") {
    // redis's execCommandAbort: the queue is gone, and the reason without its first word stays.
    client.discard(call.keys.watches);
    reply.error(`EXECABORT Transaction discarded because of: ${text}`);
    return;
  }
  if (client.queue !== null) client.queueBroken = true;
  reply.error(text);
}

function unknownCommand(call: Call): string {
  const { args } = call;
  let shown = "";
  for (let i = 1; i < args.count && shown.length < QUOTED_CHARS_MAX; i++) {
    shown += `'${args.shown(i, QUOTED_CHARS_MAX - shown.length)}' `;
  }
  return `ERR unknown command '${args.shown(0)}', with args beginning with: ${shown}`;
}

function unknownSubcommand(call: Call): string {
  const { args } = call;
  return `ERR unknown subcommand '${args.shown(1)}'. Try ${args.shown(0).toUpperCase()} HELP.`;
}
