/**
 * REPL.MEMBERS [ADD id | REMOVE id | FORCE]: who confirms writes in synchronous mode, as JSON, and changes of that.
 *
 * OK says that a change has begun: it is over when the members that count before and after have confirmed it.
 * Owns: arguments and replies. Does not own: what may change (node/synchronous.ts).
 * Tested in: test/unit/resp/commands/member-commands.test.ts.
 */
import type { Call } from "../context.ts";
import { NO_KEYS, row, type Command } from "./command.ts";

export const MEMBER_COMMANDS: readonly Command[] = [
  row("repl.members", -1, "admin noscript stale", NO_KEYS, members),
];

const ID_CHARS = 32;
const OFF =
  "synchronous mode is off: nobody has to confirm a write; it is on with --sync N of the primary, or CONFIG SET sync N";

function members({ args, port, reply }: Call): void {
  const { node } = port;
  const isChange = args.count === 3 && (args.is(1, "ADD") || args.is(1, "REMOVE"));
  const isForce = args.count === 2 && args.is(1, "FORCE");
  if (args.count > 1 && !isChange && !isForce) {
    reply.error("ERR expected REPL.MEMBERS [ADD id | REMOVE id | FORCE]");
    return;
  }
  const { sync } = node.status();
  if (sync === null) {
    reply.error(`ERR ${OFF}`);
    return;
  }
  if (args.count === 1) {
    reply.bulkText(JSON.stringify(sync));
    return;
  }
  const id = isChange ? (args.latin1(2, ID_CHARS) ?? "") : "";
  if (isChange && !/^[0-9a-f]{32}$/.test(id)) {
    reply.error(`ERR '${args.shown(2)}' is no store id: expected 32 hex digits in lower case`);
    return;
  }
  const { synchronous } = node;
  const refusal = isForce
    ? synchronous.force()
    : args.is(1, "ADD")
      ? synchronous.add(id)
      : synchronous.remove(id);
  if (refusal === null) reply.ok();
  else reply.error(`ERR ${refusal}`);
}
