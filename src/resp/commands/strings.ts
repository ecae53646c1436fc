/**
 * Whole values: GET and SET in all their forms, and the commands of many keys.
 *
 * Owns: their options, replies and errors. Does not own: the log and expiry (keyspace.ts).
 * Tested in: test/e2e/beside-redis/strings.test.ts.
 */
import type { Call } from "../context.ts";
import { setBytes } from "../../store/record.ts";
import { ALL_KEYS, ONE_KEY, row, type Command, type KeyRange } from "./command.ts";
import { readExpireAt, UNIT, type ExpireUnit } from "./expire-time.ts";
import { readOptions, readTtl } from "./string-options.ts";

const PAIRS: KeyRange = [1, -1, 2];
/** Nothing said about expiry. */
const NO_EXPIRY = 0;

export const STRING_COMMANDS: readonly Command[] = [
  row("get", 2, "readonly fast", ONE_KEY, get),
  row("set", -3, "write denyoom", ONE_KEY, set),
  row("setnx", 3, "write denyoom fast", ONE_KEY, setnx),
  row("setex", 4, "write denyoom", ONE_KEY, (call) => setWithTtl(call, UNIT.ex, "setex")),
  row("psetex", 4, "write denyoom", ONE_KEY, (call) => setWithTtl(call, UNIT.px, "psetex")),
  row("getset", 3, "write denyoom fast", ONE_KEY, getset),
  row("getdel", 2, "write fast", ONE_KEY, getdel),
  row("getex", -2, "write fast", ONE_KEY, getex),
  row("mget", -2, "readonly fast", ALL_KEYS, mget),
  row("mset", -3, "write denyoom", PAIRS, mset),
  row("msetnx", -3, "write denyoom", PAIRS, msetnx),
];

function get(call: Call): void {
  const { args, keys, reply } = call;
  const { store } = keys;
  if (keys.read(args.bytes, args.from(1), args.to(1))) {
    reply.bulk(store.hitBytes, store.hitFrom, store.hitTo);
  } else reply.nil();
}

function set(call: Call): void {
  const { args, keys, reply } = call;
  if (args.count === 3) {
    setValue(call, 2, NO_EXPIRY);
    reply.ok();
    return;
  }
  const options = readOptions(args, 3, "set");
  const expireAt = typeof options === "string" ? options : readTtl(call, options, "set");
  if (typeof options === "string" || typeof expireAt === "string") {
    reply.error(String(expireAt));
    return;
  }
  const { store } = keys;
  const found = keys.find(args.bytes, args.from(1), args.to(1));
  const keptExpiry = options.keepTtl && found ? store.hitExpireAt : NO_EXPIRY;
  if (options.get) {
    if (found) reply.bulk(store.hitBytes, store.hitFrom, store.hitTo);
    else reply.nil();
  }
  if (options.condition !== "always" && (options.condition === "xx") !== found) {
    if (!options.get) reply.nil();
    return;
  }
  setValue(call, 2, options.keepTtl ? keptExpiry : expireAt);
  if (!options.get) reply.ok();
}

function setnx(call: Call): void {
  const { args, keys, reply } = call;
  if (keys.find(args.bytes, args.from(1), args.to(1))) {
    reply.integer(0);
    return;
  }
  setValue(call, 2, NO_EXPIRY);
  reply.integer(1);
}

function setWithTtl(call: Call, unit: ExpireUnit, command: string): void {
  const at = readExpireAt(call.args, 2, unit, call.keys.now, command, true);
  if (typeof at === "string") {
    call.reply.error(at);
    return;
  }
  setValue(call, 3, at);
  call.reply.ok();
}

function getset(call: Call): void {
  get(call);
  setValue(call, 2, NO_EXPIRY);
}

function getdel(call: Call): void {
  const { args, keys, reply } = call;
  const { store } = keys;
  if (!keys.read(args.bytes, args.from(1), args.to(1))) {
    reply.nil();
    return;
  }
  reply.bulk(store.hitBytes, store.hitFrom, store.hitTo);
  keys.remove(args.bytes, args.from(1), args.to(1));
}

function getex(call: Call): void {
  const { args, keys, reply } = call;
  const options = readOptions(args, 2, "getex");
  if (typeof options === "string") {
    reply.error(options);
    return;
  }
  const { store } = keys;
  const [from, to] = [args.from(1), args.to(1)];
  if (!keys.read(args.bytes, from, to)) {
    reply.nil();
    return;
  }
  const hadExpiry = store.hitExpireAt !== 0;
  const at = readTtl(call, options, "getex");
  if (typeof at === "string") {
    reply.error(at);
    return;
  }
  reply.bulk(store.hitBytes, store.hitFrom, store.hitTo);
  if (options.ttl !== null) {
    if (at <= keys.now) keys.remove(args.bytes, from, to);
    else keys.expire(args.bytes, from, to, at);
  } else if (options.persist && hadExpiry) keys.expire(args.bytes, from, to, 0);
}

function mget(call: Call): void {
  const { args, keys, reply } = call;
  const { store } = keys;
  reply.array(args.count - 1);
  for (let i = 1; i < args.count; i++) {
    if (keys.read(args.bytes, args.from(i), args.to(i))) {
      reply.bulk(store.hitBytes, store.hitFrom, store.hitTo);
    } else reply.nil();
  }
}

function mset(call: Call): void {
  if (!hasPairs(call, "mset")) return;
  setPairs(call);
  call.reply.ok();
}

function msetnx(call: Call): void {
  const { args, keys, reply } = call;
  if (!hasPairs(call, "msetnx")) return;
  for (let i = 1; i < args.count; i += 2) {
    if (keys.find(args.bytes, args.from(i), args.to(i))) {
      reply.integer(0);
      return;
    }
  }
  setPairs(call);
  reply.integer(1);
}

function hasPairs(call: Call, command: string): boolean {
  if (call.args.count % 2 === 1) return true;
  call.reply.error(`ERR wrong number of arguments for '${command}' command`);
  return false;
}

/** All pairs as one record. */
function setPairs(call: Call): void {
  const { args, keys } = call;
  let bytes = 0;
  for (let i = 1; i < args.count; i += 2) {
    bytes += 4 + setBytes(args.length(i), args.length(i + 1), NO_EXPIRY);
  }
  const alone = !keys.grouping && args.count > 3;
  if (alone) keys.beginGroup();
  try {
    if (args.count > 3) {
      keys.secureGroup(bytes);
      secureState(call);
    }
    for (let i = 1; i < args.count; i += 2) {
      const valueFrom = args.from(i + 1);
      keys.set(args.bytes, args.from(i), args.to(i), args.bytes, valueFrom, args.to(i + 1), 0);
    }
  } finally {
    if (alone) keys.endGroup();
    keys.store.room.release();
  }
}

/** All pairs or none: the state's memory for all of them, before the first. */
function secureState({ args, keys }: Call): void {
  const { room } = keys.store;
  room.clear();
  for (let i = 1; i < args.count; i += 2) room.want(args.length(i), args.length(i + 1));
  if (room.isThere) return;
  room.clear();
  for (let i = 1; i < args.count; i += 2)
    room.wantUnlessInPlace(args.bytes, args.from(i), args.to(i), args.length(i + 1));
  room.secure();
}

/** Sets key (argument 1) to argument `value`. */
function setValue(call: Call, value: number, expireAt: number): void {
  const { args, keys } = call;
  const { bytes } = args;
  keys.set(bytes, args.from(1), args.to(1), bytes, args.from(value), args.to(value), expireAt);
}
