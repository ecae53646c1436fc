/**
 * The connection itself: PING, ECHO, AUTH, HELLO, SELECT, RESET, QUIT.
 *
 * Owns: passwords (compared in constant time) and the protocol version. Does not own: CLIENT.
 * Tested in: test/e2e/beside-redis/connection.test.ts.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import { LIMITS } from "../../limits.ts";
import type { Call } from "../context.ts";
import { REDIS_VERSION } from "../redis-version.ts";
import { readInteger } from "../numbers.ts";
import { ERR, NO_KEYS, row, type Command } from "./command.ts";

const WRONG_PASS = "WRONGPASS invalid username-password pair or user is disabled.";
const NO_BYTES = Buffer.alloc(0);
const INT_MAX = 0x7fff_ffff;
const AUTH_FLAGS = "noscript loading stale fast no_auth allow_busy";

export const CONNECTION_COMMANDS: readonly Command[] = [
  row("ping", -1, "fast", NO_KEYS, ping),
  row("echo", 2, "loading stale fast", NO_KEYS, echo),
  row("auth", -2, AUTH_FLAGS, NO_KEYS, auth),
  row("hello", -1, AUTH_FLAGS, NO_KEYS, hello),
  row("select", 2, "loading stale fast", NO_KEYS, select),
  row("reset", 1, AUTH_FLAGS, NO_KEYS, reset),
  row("quit", -1, AUTH_FLAGS, NO_KEYS, quit),
  // What a browser sends to a port that it was tricked to: closed, as redis does.
  row("post", -1, "loading stale no_auth", NO_KEYS, httpAttack),
  row("host:", -1, "loading stale no_auth", NO_KEYS, httpAttack),
];

function ping(call: Call): void {
  const { args, reply } = call;
  if (args.count > 2) reply.error("ERR wrong number of arguments for 'ping' command");
  else if (args.count === 1) reply.simple("PONG");
  else reply.bulk(args.bytes, args.from(1), args.to(1));
}

function echo(call: Call): void {
  call.reply.bulk(call.args.bytes, call.args.from(1), call.args.to(1));
}

function auth(call: Call): void {
  const { args, port, reply } = call;
  if (args.count > 3) {
    reply.error(ERR.syntax);
    return;
  }
  if (args.count === 2 && port.settings.requirepass === "") {
    reply.error(
      "ERR AUTH <password> called without any password configured for the default user. " +
        "Are you sure your configuration is correct?",
    );
    return;
  }
  const user = args.count === 3 ? args.latin1(1, LIMITS.settingBytesMax) : "default";
  if (authenticate(call, user, args.view(args.count - 1))) reply.ok();
  else reply.error(WRONG_PASS);
}

/** True when the client is authenticated now. */
function authenticate(call: Call, user: string | null, password: Buffer): boolean {
  const { client, port } = call;
  const { requirepass } = port.settings;
  const right = requirepass === "" || samePassword(password, Buffer.from(requirepass));
  if (user === "default" && right) {
    client.authenticated = true;
    return true;
  }
  port.counters.authFailures++;
  port.log.warn("auth_failed", { client: client.address });
  return false;
}

/** Takes the same time however much of it is right; one that is too long for any is not looked at. */
function samePassword(given: Buffer, expected: Buffer): boolean {
  if (given.length > LIMITS.settingBytesMax) return false;
  const digest = (bytes: Buffer) => createHash("sha256").update(bytes).digest();
  return timingSafeEqual(digest(given), digest(expected));
}

interface HelloOptions {
  withAuth: boolean;
  /** null when it is longer than any. */
  user: string | null;
  password: Buffer;
  name: string | null;
}

function hello(call: Call): void {
  const { args, client, reply } = call;
  let version: number = client.protocol;
  if (args.count > 1) {
    const given = readInteger(args.bytes, args.from(1), args.to(1));
    if (given === null) {
      reply.error("ERR Protocol version is not an integer or out of range");
      return;
    }
    version = Number(given);
    if (version !== 2 && version !== 3) {
      reply.error("NOPROTO unsupported protocol version");
      return;
    }
  }
  const options = readHelloOptions(call);
  if (options === null) return;
  if (options.withAuth && !authenticate(call, options.user, options.password)) {
    reply.error(WRONG_PASS);
    return;
  }
  if (!client.authenticated) {
    reply.error(
      "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO " +
        "<proto> AUTH <user> <pass> option can be used to authenticate the client and select the " +
        "RESP protocol version at the same time",
    );
    return;
  }
  if (options.name !== null) client.name = options.name;
  client.protocol = version === 3 ? 3 : 2;
  reply.protocol = client.protocol;
  replyHello(call);
}

/** AUTH and SETNAME after the version; null when an error was replied. */
function readHelloOptions(call: Call): HelloOptions | null {
  const { args, reply } = call;
  const options: HelloOptions = {
    withAuth: false,
    user: null,
    password: NO_BYTES,
    name: null,
  };
  for (let i = 2; i < args.count; i++) {
    if (args.is(i, "AUTH") && i + 2 < args.count) {
      options.withAuth = true;
      options.user = args.latin1(i + 1, LIMITS.settingBytesMax);
      options.password = args.view(i + 2);
      i += 2;
    } else if (args.is(i, "SETNAME") && i + 1 < args.count) {
      options.name = readClientText(call, ++i, "Client names");
      if (options.name === null) return null;
    } else {
      reply.error(`ERR Syntax error in HELLO option '${args.shown(i)}'`);
      return null;
    }
  }
  return options;
}

function replyHello(call: Call): void {
  const { client, port, reply } = call;
  reply.map(7);
  reply.bulkText("server");
  reply.bulkText("redis");
  reply.bulkText("version");
  reply.bulkText(REDIS_VERSION);
  reply.bulkText("proto");
  reply.integer(client.protocol);
  reply.bulkText("id");
  reply.integer(client.id);
  reply.bulkText("mode");
  reply.bulkText("standalone");
  reply.bulkText("role");
  reply.bulkText(port.node.role === "primary" ? "master" : "replica");
  reply.bulkText("modules");
  reply.array(0);
}

/** Argument `index` as what CLIENT LIST can show; null when an error was replied, which begins with `what`. */
export function readClientText(call: Call, index: number, what: string): string | null {
  const text = call.args.latin1(index, LIMITS.clientTextBytesMax);
  if (text === null) {
    call.reply.error(`ERR ${what} cannot be longer than ${LIMITS.clientTextBytesMax} bytes.`);
    return null;
  }
  if (/^[!-~]*$/.test(text)) return text;
  call.reply.error(`ERR ${what} cannot contain spaces, newlines or special characters.`);
  return null;
}

function select(call: Call): void {
  const { args, reply } = call;
  const index = readInteger(args.bytes, args.from(1), args.to(1));
  if (index === null) reply.error(ERR.notInteger);
  else if (index > INT_MAX || index < -INT_MAX - 1) reply.error(ERR.notInt);
  else if (index !== 0) reply.error("ERR DB index is out of range");
  else reply.ok();
}

function reset(call: Call): void {
  const { client, keys, port, reply } = call;
  client.discard(keys.watches);
  client.name = "";
  client.protocol = 2;
  client.noEvict = false;
  client.noTouch = false;
  client.authenticated = port.settings.requirepass === "";
  reply.protocol = 2;
  reply.simple("RESET");
}

function quit(call: Call): void {
  call.reply.ok();
  call.client.closeAfterReply();
}

function httpAttack(call: Call): void {
  call.port.log.warn("client_dropped", { client: call.client.address, reason: "http_request" });
  call.client.closeAfterReply();
}
