/**
 * Values that are numbers: INCR and its kin. Logged as the value that results.
 *
 * Owns: their range checks and errors. Does not own: syntax of numbers (numbers.ts, long-double.ts).
 * Tested in: test/e2e/beside-redis/strings.test.ts.
 */
import { latin1Within } from "../../node/bounded-text.ts";
import type { Call } from "../context.ts";
import { writeDecimal } from "../decimal.ts";
import { addLongDoubles, FLOAT_CHARS_MAX } from "../long-double.ts";
import { I64_MAX, I64_MIN, readInteger } from "../numbers.ts";
import { ERR, ONE_KEY, row, type Command } from "./command.ts";

const FLAGS = "write denyoom fast";
const OVERFLOW = "ERR increment or decrement would overflow";
/** Sums of numbers below this are exact. */
const SAFE = 2 ** 52;
/** Where the digits of a new value are written before they are copied into the log. */
const digits = Buffer.alloc(32);

export const COUNTER_COMMANDS: readonly Command[] = [
  row("incr", 2, FLAGS, ONE_KEY, (call) => add(call, 1)),
  row("decr", 2, FLAGS, ONE_KEY, (call) => add(call, -1)),
  row("incrby", 3, FLAGS, ONE_KEY, (call) => addArgument(call, false)),
  row("decrby", 3, FLAGS, ONE_KEY, (call) => addArgument(call, true)),
  row("incrbyfloat", 3, FLAGS, ONE_KEY, incrbyfloat),
];

function addArgument(call: Call, negate: boolean): void {
  const { args, reply } = call;
  const delta = readInteger(args.bytes, args.from(2), args.to(2));
  if (delta === null) {
    reply.error(ERR.notInteger);
    return;
  }
  if (negate && delta === I64_MIN) {
    reply.error("ERR decrement would overflow");
    return;
  }
  add(call, negate ? -delta : delta);
}

function add(call: Call, delta: number | bigint): void {
  const { args, keys, reply } = call;
  const { store } = keys;
  const found = keys.find(args.bytes, args.from(1), args.to(1));
  const old = found ? readInteger(store.hitBytes, store.hitFrom, store.hitTo) : 0;
  if (old === null) {
    reply.error(ERR.notInteger);
    return;
  }
  const expireAt = found ? store.hitExpireAt : 0;
  if (typeof old === "number" && typeof delta === "number" && Math.abs(delta) < SAFE) {
    const sum = old + delta;
    storeNumber(call, sum, expireAt);
    reply.integer(sum);
    return;
  }
  const sum = BigInt(old) + BigInt(delta);
  if (sum > I64_MAX || sum < I64_MIN) {
    reply.error(OVERFLOW);
    return;
  }
  storeNumber(call, sum, expireAt);
  reply.integerText(String(sum));
}

function storeNumber(call: Call, value: number | bigint, expireAt: number): void {
  const { args, keys } = call;
  const end =
    typeof value === "number"
      ? writeDecimal(digits, 0, value)
      : digits.write(String(value), "latin1");
  keys.set(args.bytes, args.from(1), args.to(1), digits, 0, end, expireAt);
}

function incrbyfloat(call: Call): void {
  const { args, keys, reply } = call;
  const { store } = keys;
  const found = keys.find(args.bytes, args.from(1), args.to(1));
  const { hitBytes, hitFrom, hitTo } = store;
  const old = found ? latin1Within(hitBytes, hitFrom, hitTo, FLOAT_CHARS_MAX) : "0";
  const delta = args.latin1(2, FLOAT_CHARS_MAX);
  const sum = old === null || delta === null ? "not a float" : addLongDoubles(old, delta);
  if (sum === "not a float") {
    reply.error(ERR.notFloat);
    return;
  }
  if (sum === "infinite") {
    reply.error("ERR increment would produce NaN or Infinity");
    return;
  }
  const value = Buffer.from(sum, "latin1");
  const expireAt = found ? store.hitExpireAt : 0;
  keys.set(args.bytes, args.from(1), args.to(1), value, 0, value.length, expireAt);
  reply.bulk(value, 0, value.length);
}
