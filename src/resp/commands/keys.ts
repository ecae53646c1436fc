/**
 * Keys as a whole: DEL, EXISTS, TYPE, RENAME, COPY and their kin.
 *
 * Owns: their replies and errors. Does not own: the log (keyspace.ts), iteration (scanning.ts).
 * Tested in: test/e2e/beside-redis/keys.test.ts.
 */
import { delBytes } from "../../store/record.ts";
import type { Call } from "../context.ts";
import { readInteger } from "../numbers.ts";
import { ALL_KEYS, ERR, NO_KEYS, ONE_KEY, row, type Command, type KeyRange } from "./command.ts";

const TWO_KEYS: KeyRange = [1, 2, 1];

export const KEY_COMMANDS: readonly Command[] = [
  row("del", -2, "write", ALL_KEYS, del),
  row("unlink", -2, "write fast", ALL_KEYS, del),
  row("exists", -2, "readonly fast", ALL_KEYS, exists),
  row("touch", -2, "readonly fast", ALL_KEYS, exists),
  row("type", 2, "readonly fast", ONE_KEY, type),
  row("rename", 3, "write", TWO_KEYS, (call) => rename(call, false)),
  row("renamenx", 3, "write fast", TWO_KEYS, (call) => rename(call, true)),
  row("copy", -3, "write denyoom", TWO_KEYS, copy),
  row("dbsize", 1, "readonly fast", NO_KEYS, (call) => call.reply.integer(call.keys.store.size)),
  row("flushdb", -1, "write", NO_KEYS, flush),
  row("flushall", -1, "write", NO_KEYS, flush),
];

function del(call: Call): void {
  const { args, keys, reply } = call;
  let bytes = 0;
  for (let i = 1; i < args.count; i++) bytes += 4 + delBytes(args.length(i));
  const alone = !keys.grouping && args.count > 2;
  if (alone) keys.beginGroup();
  let deleted = 0;
  try {
    if (args.count > 2) keys.secureGroup(bytes);
    for (let i = 1; i < args.count; i++) {
      if (!keys.find(args.bytes, args.from(i), args.to(i))) continue;
      keys.remove(args.bytes, args.from(i), args.to(i));
      deleted++;
    }
  } finally {
    if (alone) keys.endGroup();
  }
  reply.integer(deleted);
}

function exists(call: Call): void {
  const { args, keys, reply } = call;
  let found = 0;
  for (let i = 1; i < args.count; i++) {
    if (keys.read(args.bytes, args.from(i), args.to(i))) found++;
  }
  reply.integer(found);
}

function type(call: Call): void {
  const { args, keys, reply } = call;
  reply.simple(keys.find(args.bytes, args.from(1), args.to(1)) ? "string" : "none");
}

function rename(call: Call, onlyNew: boolean): void {
  const { args, keys, reply } = call;
  const { bytes } = args;
  if (!keys.find(bytes, args.from(1), args.to(1))) {
    reply.error(ERR.noSuchKey);
    return;
  }
  const same = sameKeys(call);
  if (onlyNew && (same || keys.find(bytes, args.from(2), args.to(2)))) {
    reply.integer(0);
    return;
  }
  if (!same) {
    keys.move("rename", bytes, args.from(1), args.to(1), args.from(2), args.to(2));
  }
  if (onlyNew) reply.integer(1);
  else reply.ok();
}

function copy(call: Call): void {
  const { args, keys, reply } = call;
  const { bytes } = args;
  let replace = false;
  let database = 0;
  for (let i = 3; i < args.count; i++) {
    if (args.is(i, "REPLACE")) replace = true;
    else if (args.is(i, "DB") && i + 1 < args.count) {
      const index = readInteger(bytes, args.from(++i), args.to(i));
      if (index === null || typeof index === "bigint") {
        reply.error(ERR.notInteger);
        return;
      }
      database = index;
    } else {
      reply.error(ERR.syntax);
      return;
    }
  }
  if (database !== 0) {
    reply.error("ERR DB index is out of range");
    return;
  }
  if (sameKeys(call)) {
    reply.error("ERR source and destination objects are the same");
    return;
  }
  if (!keys.find(bytes, args.from(1), args.to(1))) {
    reply.integer(0);
    return;
  }
  if (keys.find(bytes, args.from(2), args.to(2)) && !replace) {
    reply.integer(0);
    return;
  }
  keys.move("copy", bytes, args.from(1), args.to(1), args.from(2), args.to(2));
  reply.integer(1);
}

function sameKeys(call: Call): boolean {
  const { args } = call;
  const { bytes } = args;
  return bytes.compare(bytes, args.from(2), args.to(2), args.from(1), args.to(1)) === 0;
}

function flush(call: Call): void {
  const { args, keys, reply } = call;
  if (args.count > 2 || (args.count === 2 && !args.is(1, "ASYNC") && !args.is(1, "SYNC"))) {
    reply.error(ERR.syntax);
    return;
  }
  keys.flush();
  reply.ok();
}
