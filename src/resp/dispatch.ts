/**
 * One parsed command: may it run, is it queued by MULTI, then run it.
 *
 * The checks and their order are redis's processCommand; each answers its text and marks an open
 * transaction as broken. Owns: the gate. Does not own: what commands do (commands/), blocking.
 * Tested in: test/unit/resp/client.test.ts.
 */
import { LIMITS } from "../limits.ts";
import type { Args } from "./args.ts";
import { type CommandQueue, queuedBytes } from "./command-queue.ts";
import { ERR, FLAG, hasArity, type Command } from "./commands/command.ts";
import { findSubcommand } from "./commands/table.ts";
import type { Call } from "./context.ts";
import { execute } from "./execute.ts";
import { saysToLead } from "./role-words.ts";
import type { WriteRefusal } from "../node/api.ts";
import { staleText } from "../node/nearness.ts";
import { shortageText } from "../node/synchronous.ts";

/** All arguments together of which an error repeats the beginning, as redis. */
const QUOTED_CHARS_MAX = 128;

const REFUSALS: Readonly<Record<Exclude<WriteRefusal, "fenced" | "nomembers" | null>, string>> = {
  readonly: ERR.readonly,
  seeding: ERR.seeding,
  disk: ERR.disk,
  noreplicas: ERR.noReplicas,
  loading: ERR.loading,
  paused: ERR.readonly,
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
  call.client.lastCommand = command.name;
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
    enqueue(call, call.client.queue, command);
    return;
  }
  execute(call, command);
}

/** As in redis: of a transaction that is broken, or whose watched keys changed, nothing is kept. */
function enqueue(call: Call, queue: CommandQueue<Command>, command: Command): void {
  const { args, client, keys, reply } = call;
  if (!queue.broken && !client.watcher.touched) {
    const bytes = queuedBytes(args);
    if (keys.clientBytes + bytes > LIMITS.clientsBytesMax) {
      reject(call, ERR.oom);
      return;
    }
    queue.push(command, args);
    keys.queuedBytes += bytes;
    if ((command.bits & FLAG.demotes) !== 0) noteRole(queue, args);
  }
  reply.simple("QUEUED");
}

/** REPLICAOF, SLAVEOF. */
function noteRole(queue: CommandQueue<Command>, args: Args): void {
  if (!args.is(1, "NO")) queue.demotes = true;
  else if (saysToLead(args) && queue.promotes === "no")
    queue.promotes = args.count === 4 ? "forced" : "asked";
}

/** Why `command` may not run now, as an error text; null when it may. */
function refusalOf(call: Call, command: Command): string | null {
  const { client, keys } = call;
  if (!client.authenticated && (command.bits & FLAG.noAuth) === 0) return ERR.noAuth;
  if (client.queue !== null && (command.bits & FLAG.noMulti) !== 0) {
    return "ERR Command not allowed inside a transaction";
  }
  const { queue } = client;
  const isExec = command.name === "exec" && queue !== null;
  const bits = isExec ? command.bits | queue.bits : command.bits;
  // As in redis: what is to be queued takes memory, whatever it does.
  const isQueued = queue !== null && (bits & FLAG.unqueued) === 0;
  const takesMemory = isQueued || (bits & FLAG.denyoom) !== 0;
  if (takesMemory && keys.maxmemory > 0 && keys.isOverMemory()) return ERR.oom;
  // Why not what is queued while paused: it waits as EXEC, when it is known who leads.
  if ((bits & FLAG.write) !== 0 && keys.refusal !== null) {
    const { refusal } = keys;
    if (refusal === "fenced") return `READONLY This node is fenced: ${call.port.node.fenced}`;
    if (refusal === "nomembers") return noMembers(call);
    if (refusal !== "paused" || !isQueued) return REFUSALS[refusal];
  }
  if (client.copies > 0 && (bits & FLAG.write) !== 0) {
    const { goodReplicas: good } = call.port.node.synchronous;
    if (good < client.copies)
      return `NOREPLICAS ${shortageText({ good, needed: client.copies })}: CLIENT SYNC`;
  }
  // One record for all writes would come after the demotion, into the log of a replica.
  if (isExec && queue.demotes && (bits & FLAG.write) !== 0) return ERR.readonly;
  if ((bits & FLAG.denyStale) !== 0 && call.port.node.nearness.isStale)
    return `STALE ${staleText(call.port.node.nearness, call.port.settings.replicaMaxStalenessMs)}`;
  if ((bits & FLAG.denyLoading) !== 0 && call.port.node.isLoading()) return ERR.loading;
  return null;
}

function noMembers({ port }: Call): string {
  const { lacks } = port.node.synchronous;
  return `NOREPLICAS ${shortageText(lacks ?? { good: 0, needed: 0 })}`;
}

function reject(call: Call, text: string, command?: Command): void {
  const { client, keys, reply } = call;
  if (command?.name === "exec") {
    // redis's execCommandAbort: the queue is gone, and the reason without its first word stays.
    client.discard(keys.watches);
    reply.error(`EXECABORT Transaction discarded because of: ${text}`);
    return;
  }
  if (client.queue !== null) {
    keys.queuedBytes -= client.queue.bytes;
    client.queue.spoil();
  }
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
