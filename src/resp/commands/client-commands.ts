/**
 * CLIENT: what a connection says about itself, and the list of all.
 *
 * Owns: subcommands and the line of CLIENT LIST. Does not own: connections (client.ts).
 * Tested in: test/e2e/beside-redis/server.test.ts.
 */
import type { Call, Connection } from "../context.ts";
import { readInteger } from "../numbers.ts";
import { ERR, NO_KEYS, row, type Command } from "./command.ts";
import { readClientText } from "./connection.ts";
import { replyHelp } from "./help-reply.ts";

/** Longer than any option's word. */
const OPTION_BYTES_MAX = 16;
/** CLIENT SYNC: as the setting. */
const COPIES_MAX = 31;
const FLAGS = "noscript loading stale";
const ADMIN = "admin noscript loading stale";

const HELP = [
  "CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
  "GETNAME",
  "    Return the name of the current connection.",
  "ID",
  "    Return the ID of the current connection.",
  "INFO",
  "    Return information about the current client connection.",
  "LIST [TYPE (NORMAL|MASTER|REPLICA|PUBSUB)] [ID <id> ...]",
  "    Return information about client connections.",
  "NO-EVICT (ON|OFF)",
  "    Protect current client connection from eviction.",
  "NO-TOUCH (ON|OFF)",
  "    Accepted for compatibility.",
  "SETINFO (LIB-NAME|LIB-VER) <value>",
  "    Say which library the client uses.",
  "SETNAME <name>",
  "    Assign the name <name> to the current connection.",
  "SYNC <copies>",
  "    Answer this connection when so many replicas have confirmed what it is shown. 0 for what the node asks for.",
  "TRACKING (ON|OFF)",
  "    ON is refused: there is no client side caching.",
  "HELP",
  "    Prints this help.",
];

export const CLIENT_COMMANDS: readonly Command[] = [
  row("client", -2, "", NO_KEYS, () => undefined, [
    row("client|id", 2, FLAGS, NO_KEYS, (call) => call.reply.integer(call.client.id)),
    row("client|getname", 2, FLAGS, NO_KEYS, getname),
    row("client|setname", 3, FLAGS, NO_KEYS, setname),
    row("client|setinfo", 4, FLAGS, NO_KEYS, setinfo),
    row("client|list", -2, ADMIN, NO_KEYS, list),
    row("client|info", 2, FLAGS, NO_KEYS, (call) => call.reply.verbatim(`${line(call.client)}\n`)),
    row("client|no-evict", 3, ADMIN, NO_KEYS, noEvict),
    row("client|no-touch", 3, FLAGS, NO_KEYS, noTouch),
    row("client|sync", 3, FLAGS, NO_KEYS, sync),
    row("client|tracking", -3, FLAGS, NO_KEYS, tracking),
    row("client|help", 2, "loading stale", NO_KEYS, (call) => replyHelp(call, HELP)),
  ]),
];

function getname(call: Call): void {
  if (call.client.name === "") call.reply.nil();
  else call.reply.bulkText(call.client.name);
}

function setname(call: Call): void {
  const name = readClientText(call, 2, "Client names");
  if (name === null) return;
  call.client.name = name;
  call.reply.ok();
}

function setinfo(call: Call): void {
  const { args, client, reply } = call;
  const option = args.word(2, OPTION_BYTES_MAX);
  if (option !== "lib-name" && option !== "lib-ver") {
    reply.error(`ERR Unrecognized option '${args.shown(2)}'`);
    return;
  }
  const value = readClientText(call, 3, option);
  if (value === null) return;
  if (option === "lib-name") client.libName = value;
  else client.libVersion = value;
  reply.ok();
}

function list(call: Call): void {
  const { args, port, reply } = call;
  let chosen: Connection[] = [...port.clients.values()];
  if (args.count === 4 && args.is(2, "TYPE")) {
    const type = args.word(3, OPTION_BYTES_MAX);
    if (type === null || !["normal", "master", "slave", "replica", "pubsub"].includes(type)) {
      reply.error(`ERR Unknown client type '${args.shown(3)}'`);
      return;
    }
    if (type !== "normal") chosen = [];
  } else if (args.count > 3 && args.is(2, "ID")) {
    const ids = new Set<number>();
    for (let i = 3; i < args.count; i++) {
      const id = readInteger(args.bytes, args.from(i), args.to(i));
      if (id === null) {
        reply.error("ERR Invalid client ID");
        return;
      }
      ids.add(Number(id));
    }
    chosen = chosen.filter((client) => ids.has(client.id));
  } else if (args.count !== 2) {
    reply.error(ERR.syntax);
    return;
  }
  reply.verbatim(chosen.map((client) => `${line(client)}\n`).join(""));
}

/** More than the node asks for, never less. */
function sync({ args, client, reply }: Call): void {
  const copies = readInteger(args.bytes, args.from(2), args.to(2));
  if (copies === null || copies < 0 || copies > COPIES_MAX) {
    reply.error(`ERR copies is '${args.shown(2)}'; 0 to ${COPIES_MAX} is allowed`);
    return;
  }
  client.copies = Number(copies);
  reply.ok();
}

/**
 * Never OK for ON: a client would keep what it has read and never hear that it changed. The text is what
 * its library shows.
 */
function tracking(call: Call): void {
  const on = readOnOff(call);
  if (on === null) return;
  if (on) call.reply.error("ERR client side caching is not supported, turn it off in the client");
  else call.reply.ok();
}

function noEvict(call: Call): void {
  const on = readOnOff(call);
  if (on === null) return;
  call.client.noEvict = on;
  call.reply.ok();
}

function noTouch(call: Call): void {
  const on = readOnOff(call);
  if (on === null) return;
  call.client.noTouch = on;
  call.reply.ok();
}

function readOnOff(call: Call): boolean | null {
  if (call.args.is(2, "ON")) return true;
  if (call.args.is(2, "OFF")) return false;
  call.reply.error(ERR.syntax);
  return null;
}

/** redis's fields, zero where we have no such thing. */
function line(client: Connection): string {
  const now = Date.now();
  const seconds = (ms: number) => Math.floor((now - ms) / 1000);
  const flags = client.isBlocked ? "b" : client.queue !== null ? "x" : "N";
  return (
    `id=${client.id} addr=${client.address} laddr=${client.localAddress} fd=-1 ` +
    `name=${client.name} age=${seconds(client.createdAtMs)} idle=${seconds(client.lastActiveMs)} ` +
    `flags=${flags} db=0 sub=0 psub=0 ssub=0 multi=${client.queue?.length ?? -1} ` +
    `watch=${client.watcher.keys.size} qbuf=${client.bufferedBytes} qbuf-free=0 argv-mem=0 ` +
    `multi-mem=${client.queue?.bytes ?? 0} rbs=0 rbp=0 obl=0 oll=0 omem=${client.outputBytes} tot-mem=0 events=r ` +
    `cmd=${client.lastCommand} user=default redir=-1 resp=${client.protocol} ` +
    `lib-name=${client.libName} lib-ver=${client.libVersion}`
  );
}
