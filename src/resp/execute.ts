/**
 * Running one command that was let through: at once, or from EXEC's queue.
 *
 * A command answers once: what it wrote before it failed is taken back. A failure that a client can
 * cause has its error reply. Any other is a fault of ours: it costs the connection when log and state are
 * as they were before the command, and the process when they are not, because then nobody knows
 * whether they still agree.
 * Owns: what a failure costs. Does not own: the gate (dispatch.ts).
 * Tested in: test/unit/resp/client.test.ts.
 */
import { type ErrorCode, HawserError, wordsOf } from "../errors.ts";
import { ERR, FLAG } from "./commands/command.ts";
import type { Call, Command } from "./context.ts";
import { UNCONFIRMED } from "./unconfirmed.ts";
import type { ReplyWriter } from "./reply-writer.ts";

const ANSWERS: Readonly<Partial<Record<ErrorCode, string>>> = {
  ERR_LOG_RECORD_SIZE: ERR.tooLong,
  ERR_LOG_FULL: ERR.oom,
  ERR_STORE_FULL: ERR.oom,
};

/** Runs `command` with the arguments `call` points at. */
export function execute(call: Call, command: Command): void {
  const { keys, reply } = call;
  const { steps } = keys;
  const writes = (command.bits & FLAG.write) !== 0;
  const from = reply.pending;
  // Of what waits nothing goes before it is known where it ends.
  const isHeld = writes || ((command.bits & FLAG.readonly) !== 0 && waitsForOthers(call));
  if (isHeld) reply.hold();
  else reply.mark();
  try {
    command.handler(call);
  } catch (error) {
    // A record that is refused is refused whole: log and state agree, whatever came before it.
    if (keys.steps !== steps && !(error instanceof HawserError)) throw error;
    fail(call, command.name, error);
  }
  if (!isHeld) return;
  // Inside EXEC they are one record, which is not in the log yet.
  if (!call.client.executing) {
    if (writes) noteWrite(call, from, steps);
    else noteRead(call, from);
  }
  reply.release();
}

/** In synchronous mode: what a reply shows, others have to confirm first. */
export function waitsForOthers({ client, port }: Call): boolean {
  const { confirmer } = port.node.turn;
  return confirmer !== null && (confirmer.isOn || client.copies > 0);
}

/** The client's reply from `from` on shows the state as it is. */
export function noteRead({ client, port, reply }: Call, from: number): void {
  const { node } = port;
  client.shown.set(node.identity.history, node.log.tail);
  client.answersData(from, reply.pending, UNCONFIRMED.read);
}

/**
 * The client's reply from `from` on answers a write. Why before it is released: it may be handed over
 * there, and waits for what the client is known to have written.
 * @param steps of the keys before it
 */
export function noteWrite(call: Call, from: number, steps: number): void {
  const { client, keys, port, reply } = call;
  const { node } = port;
  client.written.set(node.identity.history, node.log.tail);
  const hasWritten = keys.steps !== steps;
  if (waitsForOthers(call)) {
    // One that found nothing to write has shown that.
    if (!hasWritten) noteRead(call, from);
    else {
      client.shown.set(node.identity.history, node.log.tail);
      client.answersData(from, reply.pending, UNCONFIRMED.write);
    }
  } else if (node.turn.confirmsDurable && hasWritten)
    client.answersData(from, reply.pending, UNCONFIRMED.disk);
}

/** Writes the reply of a command that had to wait. */
export function answer(call: Call, write: (reply: ReplyWriter) => void): void {
  const { keys, reply } = call;
  const { steps } = keys;
  reply.mark();
  try {
    write(reply);
  } catch (error) {
    if (keys.steps !== steps) throw error;
    fail(call, "an answer that was waited for", error);
  }
}

/** Log and state are as they were: the client hears of it, and others go on. */
function fail(call: Call, what: string, error: unknown): void {
  const { client, port, reply } = call;
  const whole = reply.rollback();
  if (whole && error instanceof HawserError) {
    reply.error(ANSWERS[error.code as ErrorCode] ?? `ERR ${error.message}`);
    return;
  }
  port.log.error("command_failed", {
    command: what,
    client: client.address,
    message: wordsOf(error),
    stack: error instanceof Error ? (error.stack ?? "") : "",
  });
  // Half a reply is out: an error in its midst would be taken for a part of it.
  client.closeAfterReply();
  if (!whole) client.destroy();
  else reply.error("ERR internal error, the connection is closed; the log of the server says more");
}
