/**
 * Waiting for copies of what was written: WAIT and WAITAOF as redis, for what this connection wrote; and our
 * own REPL.WAITALL, for everything that this node was given so far.
 *
 *   WAIT replicas ms                    applied on so many replicas      how many have it
 *   WAITAOF local replicas ms           synced here, and on so many      [0 or 1, how many]
 *   REPL.WAITALL replicas level ms      received, applied or durable     how many have it
 *
 * Owns: arguments and replies. Does not own: who has what (primary/), what a connection wrote (log/write-mark.ts).
 * Tested in: test/unit/resp/commands/waiting.test.ts.
 */
import type { Call } from "../context.ts";
import { readInteger } from "../numbers.ts";
import type { ReplyWriter } from "../reply-writer.ts";
import type { CopyLevel, Wanted } from "../../primary/waiters.ts";
import { ERR, NO_KEYS, row, type Command } from "./command.ts";

export const WAITING_COMMANDS: readonly Command[] = [
  row("wait", 3, "noscript", NO_KEYS, wait),
  row("waitaof", 4, "noscript", NO_KEYS, waitAof),
  row("repl.waitall", 4, "noscript", NO_KEYS, waitAll),
];

/** What redis answers a client that waits when the node becomes a replica; it closes it, too. */
const UNBLOCKED =
  "UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)";

const NOT_ON_REPLICAS = {
  wait:
    "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if a " +
    "replica is configured to be writable (which is not the default) writes to replicas are " +
    "just local and are not propagated.",
  waitAof:
    "ERR WAITAOF cannot be used with replica instances. Please also note that writes to replicas are " +
    "just local and are not propagated.",
  waitAll: "ERR REPL.WAITALL asks the primary: a replica is given what it has by others",
} as const;

const NO_DISK = "ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.";

const LEVELS: readonly CopyLevel[] = ["received", "applied", "durable"];
/** "received". */
const LEVEL_BYTES_MAX = 8;

function wait(call: Call): void {
  const { args, client, port, reply } = call;
  if (port.node.role !== "primary") {
    reply.error(NOT_ON_REPLICAS.wait);
    return;
  }
  const replicas = readInteger(args.bytes, args.from(1), args.to(1));
  if (replicas === null) {
    reply.error(ERR.notInteger);
    return;
  }
  const timeoutMs = readTimeout(call, 2);
  if (timeoutMs === null) return;
  const offset = client.written.offsetIn(port.node.identity);
  if (offset < 0) {
    // A resync took the write away: nobody has it, and nobody will.
    reply.integer(0);
    return;
  }
  const wanted: Wanted = { offset, replicas: Number(replicas), level: "applied", local: false };
  waitFor(call, wanted, timeoutMs, (later, count) => later.integer(count));
}

/** Arguments in redis's order, each with its words. */
function waitAof(call: Call): void {
  const { args, client, port, reply } = call;
  const local = readInteger(args.bytes, args.from(1), args.to(1));
  if (local === null || local < 0 || local > 1) {
    reply.error(
      local === null ? ERR.notInteger : "ERR value is out of range, value must between 0 and 1",
    );
    return;
  }
  const replicas = readInteger(args.bytes, args.from(2), args.to(2));
  if (replicas === null || replicas < 0) {
    reply.error("ERR value is out of range, must be positive");
    return;
  }
  const timeoutMs = readTimeout(call, 3);
  if (timeoutMs === null) return;
  const { node } = port;
  if (node.role !== "primary") {
    reply.error(NOT_ON_REPLICAS.waitAof);
    return;
  }
  const keepsLog = node.logOnDisk !== null;
  if (local === 1 && !keepsLog) {
    reply.error(NO_DISK);
    return;
  }
  const offset = client.written.offsetIn(node.identity);
  const answer = (later: ReplyWriter, count: number): void => {
    later.array(2);
    later.integer(keepsLog && offset >= 0 && node.feeder.isDurable(offset) ? 1 : 0);
    later.integer(count);
  };
  // A resync took the write away: nobody has it, and nobody will.
  if (offset < 0) answer(reply, 0);
  else {
    const wanted: Wanted = {
      offset,
      replicas: Number(replicas),
      level: "durable",
      local: local === 1,
    };
    waitFor(call, wanted, timeoutMs, answer);
  }
}

/** For the shell of an operator, whose connection wrote nothing. */
function waitAll(call: Call): void {
  const { args, port, reply } = call;
  if (port.node.role !== "primary") {
    reply.error(NOT_ON_REPLICAS.waitAll);
    return;
  }
  const replicas = readInteger(args.bytes, args.from(1), args.to(1));
  if (replicas === null || replicas < 0) {
    reply.error("ERR value is out of range, must be positive");
    return;
  }
  const word = (args.word(2, LEVEL_BYTES_MAX) ?? "").toLowerCase();
  const level = LEVELS.find((each) => each === word);
  if (level === undefined) {
    reply.error(`ERR level is '${args.shown(2)}'; received, applied or durable is allowed`);
    return;
  }
  const timeoutMs = readTimeout(call, 3);
  if (timeoutMs === null) return;
  const offset = port.node.log.tail;
  const wanted: Wanted = { offset, replicas: Number(replicas), level, local: false };
  waitFor(call, wanted, timeoutMs, (later, count) => later.integer(count));
}

/** Answers at once when it holds, and where nothing may wait; else when it does, or the time is over. */
function waitFor(
  call: Call,
  wanted: Wanted,
  timeoutMs: number,
  answer: (reply: ReplyWriter, count: number) => void,
): void {
  const { client, port, reply } = call;
  const { node } = port;
  const { offset, replicas, level, local } = wanted;
  if (client.executing || (replicas <= 0 && (!local || node.feeder.isDurable(offset)))) {
    answer(reply, node.feeder.confirmedBy(offset, level));
    return;
  }
  const untilMs = untilMsOf(timeoutMs);
  client.block((done) =>
    node.feeder.wait(wanted, untilMs, (count) => {
      if (count === null) client.closeAfterReply();
      done((later) => {
        if (count === null) later.error(UNBLOCKED);
        else answer(later, count);
      });
    }),
  );
}

/** Argument `index`, ms, 0 for no limit; null when it is none, which is answered then. */
export function readTimeout({ args, reply }: Call, index: number): number | null {
  const timeout = readInteger(args.bytes, args.from(index), args.to(index));
  if (timeout !== null && timeout >= 0) return Number(timeout);
  reply.error(`ERR timeout is ${timeout === null ? "not an integer or out of range" : "negative"}`);
  return null;
}

/** When a wait of so many ms ends; 0 is never. */
export function untilMsOf(timeoutMs: number): number {
  return timeoutMs === 0 ? Number.POSITIVE_INFINITY : performance.now() + timeoutMs;
}
