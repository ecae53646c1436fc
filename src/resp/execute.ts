/**
 * Running one command that was let through: at once, or from EXEC's queue.
 *
 * Owns: what a record that is too large answers. Does not own: the gate (dispatch.ts).
 */
import { LogError } from "../errors.ts";
import { ERR, FLAG, type Command } from "./commands/command.ts";
import type { Call } from "./context.ts";

/** Runs `command` with the arguments `call` points at. */
export function execute(call: Call, command: Command): void {
  try {
    command.handler(call);
  } catch (error) {
    // The only thing a client can cause: a record that no log segment may hold.
    if (!(error instanceof LogError)) throw error;
    call.reply.error(ERR.tooLong);
  }
  if ((command.bits & FLAG.write) !== 0) call.client.writtenTo = call.port.node.log.tail;
}
