/**
 * Times to live: EXPIRE in four forms, TTL in four forms, PERSIST. Logged as absolute times.
 *
 * Owns: options and replies. Does not own: deleting what expired (keyspace.ts, housekeeping.ts).
 * Tested in: test/e2e/beside-redis/expiry.test.ts.
 */
import type { Call } from "../context.ts";
import { ONE_KEY, row, type Command } from "./command.ts";
import { readExpireAt, UNIT, type ExpireUnit } from "./expire-time.ts";

const WRITE = "write fast";
const READ = "readonly fast";

export const EXPIRY_COMMANDS: readonly Command[] = [
  row("expire", -3, WRITE, ONE_KEY, (call) => expire(call, UNIT.ex, "expire")),
  row("pexpire", -3, WRITE, ONE_KEY, (call) => expire(call, UNIT.px, "pexpire")),
  row("expireat", -3, WRITE, ONE_KEY, (call) => expire(call, UNIT.exat, "expireat")),
  row("pexpireat", -3, WRITE, ONE_KEY, (call) => expire(call, UNIT.pxat, "pexpireat")),
  row("ttl", 2, READ, ONE_KEY, (call) => ttl(call, { seconds: true, left: true })),
  row("pttl", 2, READ, ONE_KEY, (call) => ttl(call, { seconds: false, left: true })),
  row("expiretime", 2, READ, ONE_KEY, (call) => ttl(call, { seconds: true, left: false })),
  row("pexpiretime", 2, READ, ONE_KEY, (call) => ttl(call, { seconds: false, left: false })),
  row("persist", 2, WRITE, ONE_KEY, persist),
];

interface Conditions {
  nx: boolean;
  xx: boolean;
  gt: boolean;
  lt: boolean;
}

function expire(call: Call, unit: ExpireUnit, command: string): void {
  const { args, keys, reply } = call;
  const conditions = readConditions(call);
  const at =
    typeof conditions === "string"
      ? conditions
      : readExpireAt(args, 2, unit, keys.now, command, false);
  if (typeof conditions === "string" || typeof at === "string") {
    reply.error(String(at));
    return;
  }
  const [from, to] = [args.from(1), args.to(1)];
  if (!keys.find(args.bytes, from, to) || !allows(conditions, at, keys.store.hitExpireAt)) {
    reply.integer(0);
    return;
  }
  if (at <= keys.now) keys.remove(args.bytes, from, to);
  else keys.expire(args.bytes, from, to, at);
  reply.integer(1);
}

/** NX XX GT LT after the time, or an error text. */
function readConditions(call: Call): Conditions | string {
  const { args } = call;
  const found: Conditions = { nx: false, xx: false, gt: false, lt: false };
  for (let i = 3; i < args.count; i++) {
    if (args.is(i, "NX")) found.nx = true;
    else if (args.is(i, "XX")) found.xx = true;
    else if (args.is(i, "GT")) found.gt = true;
    else if (args.is(i, "LT")) found.lt = true;
    else return `ERR Unsupported option ${args.shown(i)}`;
    if (found.nx && (found.xx || found.gt || found.lt)) {
      return "ERR NX and XX, GT or LT options at the same time are not compatible";
    }
    if (found.gt && found.lt) {
      return "ERR GT and LT options at the same time are not compatible";
    }
  }
  return found;
}

/** `current` 0 is no expiry, which GT and LT take as infinite. */
function allows(conditions: Conditions, at: number, current: number): boolean {
  if (conditions.nx && current !== 0) return false;
  if (conditions.xx && current === 0) return false;
  if (conditions.gt && (current === 0 || at <= current)) return false;
  return !(conditions.lt && current !== 0 && at >= current);
}

interface Shown {
  /** Seconds, to the nearest; else ms. */
  readonly seconds: boolean;
  /** From now on; else since 1970. */
  readonly left: boolean;
}

function ttl(call: Call, shown: Shown): void {
  const { args, keys, reply } = call;
  if (!keys.read(args.bytes, args.from(1), args.to(1))) {
    reply.integer(-2);
    return;
  }
  const at = keys.store.hitExpireAt;
  if (at > Number.MAX_SAFE_INTEGER) {
    const ms = BigInt(at) - (shown.left ? BigInt(keys.now) : 0n);
    reply.integerText(String(shown.seconds ? (ms + 500n) / 1000n : ms));
    return;
  }
  const ms = Math.max(at - (shown.left ? keys.now : 0), 0);
  reply.integer(at === 0 ? -1 : shown.seconds ? Math.floor((ms + 500) / 1000) : ms);
}

function persist(call: Call): void {
  const { args, keys, reply } = call;
  const [from, to] = [args.from(1), args.to(1)];
  if (!keys.find(args.bytes, from, to) || keys.store.hitExpireAt === 0) {
    reply.integer(0);
    return;
  }
  keys.expire(args.bytes, from, to, 0);
  reply.integer(1);
}
