/**
 * Running one command that was let through: at once, or from EXEC's queue.
 *
 * Owns: what a write that turns out impossible answers. Does not own: the gate (dispatch.ts).
 */
import { type ErrorCode, HawserError } from "../errors.ts";
import { ERR, FLAG, type Command } from "./commands/command.ts";
import type { Call } from "./context.ts";

const ANSWERS: Readonly<Partial<Record<ErrorCode, string>>> = {
  ERR_LOG_RECORD_SIZE: ERR.tooLong,
  ERR_LOG_FULL: ERR.oom,
  ERR_STORE_FULL: ERR.oom,
};

/** Runs `command` with the arguments `call` points at. */
export function execute(call: Call, command: Command): void {
  try {
    command.handler(call);
  } catch (error) {
    // Log and state are as they were before: a record is checked, and has its memory, first.
    if (!(error instanceof HawserError)) throw error;
    call.reply.error(ANSWERS[error.code as ErrorCode] ?? `ERR ${error.message}`);
  }
  if ((command.bits & FLAG.write) !== 0) {
    const { node } = call.port;
    call.client.written.set(node.identity.history, node.log.tail);
  }
}
