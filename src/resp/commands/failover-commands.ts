/**
 * FAILOVER [TO host port [FORCE]] [TIMEOUT ms] and FAILOVER ABORT, with redis's words.
 *
 * OK says that it has begun, as in redis; INFO master_failover_state says how far it is. ABORT waits for the
 * target where that has to agree.
 * Owns: arguments and replies. Does not own: what they set off (node/failover.ts).
 */
import { LIMITS } from "../../limits.ts";
import type { Address } from "../../net/address.ts";
import type { Args } from "../args.ts";
import type { Call } from "../context.ts";
import { readInteger } from "../numbers.ts";
import { ERR, NO_KEYS, row, type Command } from "./command.ts";

export const FAILOVER_COMMANDS: readonly Command[] = [
  row("failover", -1, "admin noscript stale", NO_KEYS, failover),
];

/** As long as a timer may be, ms. */
const TIMEOUT_MS_MAX = 2 ** 31 - 1;

interface Asked {
  to: Address | null;
  timeoutMs: number;
  force: boolean;
}

function failover(call: Call): void {
  const { args, port, reply } = call;
  if (args.count === 2 && args.is(1, "ABORT")) {
    abort(call);
    return;
  }
  const asked: Asked = { to: null, timeoutMs: 0, force: false };
  for (let at = 1; at < args.count;) {
    const read = readOption(args, at, asked);
    if (typeof read === "string") {
      reply.error(read);
      return;
    }
    at += read;
  }
  const refusal = port.node.failover.start(asked, () => undefined);
  if (refusal === null) reply.ok();
  else reply.error(`ERR ${refusal}`);
}

/** @returns how many arguments it is, or the error */
function readOption(args: Args, at: number, asked: Asked): number | string {
  if (args.is(at, "TIMEOUT") && at + 1 < args.count && asked.timeoutMs === 0) {
    const timeout = readInteger(args.bytes, args.from(at + 1), args.to(at + 1));
    if (typeof timeout !== "number" || timeout > TIMEOUT_MS_MAX) return ERR.notInteger;
    if (timeout <= 0) return "ERR FAILOVER timeout must be greater than 0";
    asked.timeoutMs = timeout;
    return 2;
  }
  if (args.is(at, "TO") && at + 2 < args.count && asked.to === null) {
    const port = readInteger(args.bytes, args.from(at + 2), args.to(at + 2));
    if (typeof port !== "number") return ERR.notInteger;
    // Why a name that is no host: whatever is longer names no replica.
    asked.to = { host: args.text(at + 1, LIMITS.textBytesMax) ?? "", port };
    return 3;
  }
  if (args.is(at, "FORCE") && !asked.force) {
    asked.force = true;
    return 1;
  }
  return ERR.syntax;
}

function abort({ client, port, reply }: Call): void {
  const { failover: planned } = port.node;
  const text = (why: string | null): string | null => (why === null ? null : `ERR ${why}`);
  if (client.executing) {
    const refusal = text(planned.abort(() => undefined));
    if (refusal === null) reply.ok();
    else reply.error(refusal);
    return;
  }
  client.block((done) => {
    const answer = (why: string | null): void =>
      done((later) => {
        const refusal = text(why);
        if (refusal === null) later.ok();
        else later.error(refusal);
      });
    const refusal = planned.abort(answer);
    if (refusal !== null) answer(refusal);
    // What was asked for happens, whoever is there to hear of it.
    return () => undefined;
  });
}
