/**
 * Parts of values: APPEND, STRLEN, GETRANGE (and SUBSTR), SETRANGE. Logged as the bytes that change.
 *
 * Owns: index rules. Does not own: the log (keyspace.ts).
 * Tested in: test/e2e/beside-redis/strings.test.ts.
 */
import { LIMITS } from "../../limits.ts";
import type { Call } from "../context.ts";
import { readClamped } from "../numbers.ts";
import { ERR, ONE_KEY, row, type Command } from "./command.ts";

const NOTHING = Buffer.alloc(0);

export const RANGE_COMMANDS: readonly Command[] = [
  row("append", 3, "write denyoom fast", ONE_KEY, append),
  row("strlen", 2, "readonly fast", ONE_KEY, strlen),
  row("getrange", 4, "readonly", ONE_KEY, getrange),
  row("substr", 4, "readonly", ONE_KEY, getrange),
  row("setrange", 4, "write denyoom", ONE_KEY, setrange),
];

function append(call: Call): void {
  const { args, keys, reply } = call;
  const { bytes } = args;
  const found = keys.find(bytes, args.from(1), args.to(1));
  const length = found ? keys.store.hitTo - keys.store.hitFrom : 0;
  const after = length + args.length(2);
  if (found && after > LIMITS.valueBytesMax) {
    reply.error(ERR.tooLong);
    return;
  }
  if (found) keys.patch(bytes, args.from(1), args.to(1), length, bytes, args.from(2), args.to(2));
  else keys.set(bytes, args.from(1), args.to(1), bytes, args.from(2), args.to(2), 0);
  reply.integer(after);
}

function strlen(call: Call): void {
  const { args, keys, reply } = call;
  const found = keys.read(args.bytes, args.from(1), args.to(1));
  reply.integer(found ? keys.store.hitTo - keys.store.hitFrom : 0);
}

function getrange(call: Call): void {
  const { args, keys, reply } = call;
  let start = readClamped(args.bytes, args.from(2), args.to(2));
  let end = readClamped(args.bytes, args.from(3), args.to(3));
  if (start === null || end === null) {
    reply.error(ERR.notInteger);
    return;
  }
  const { store } = keys;
  const found = keys.read(args.bytes, args.from(1), args.to(1));
  const length = found ? store.hitTo - store.hitFrom : 0;
  if (!found || (start < 0 && end < 0 && start > end)) {
    reply.bulk(NOTHING, 0, 0);
    return;
  }
  start = Math.max(start < 0 ? length + start : start, 0);
  end = Math.min(Math.max(end < 0 ? length + end : end, 0), length - 1);
  if (start > end || length === 0) reply.bulk(NOTHING, 0, 0);
  else reply.bulk(store.hitBytes, store.hitFrom + start, store.hitFrom + end + 1);
}

function setrange(call: Call): void {
  const { args, keys, reply } = call;
  const at = readClamped(args.bytes, args.from(2), args.to(2));
  if (at === null || at < 0) {
    reply.error(at === null ? ERR.notInteger : "ERR offset is out of range");
    return;
  }
  const found = keys.find(args.bytes, args.from(1), args.to(1));
  const length = found ? keys.store.hitTo - keys.store.hitFrom : 0;
  if (args.length(3) === 0) {
    reply.integer(length);
    return;
  }
  const end = at + args.length(3);
  if (end > LIMITS.valueBytesMax) {
    reply.error(ERR.tooLong);
    return;
  }
  const { bytes } = args;
  keys.patch(bytes, args.from(1), args.to(1), at, bytes, args.from(3), args.to(3));
  reply.integer(Math.max(length, end));
}
