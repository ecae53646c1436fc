/**
 * Reading on any node what was written on another:
 *
 *   REPL.TOKEN             where what this connection wrote ends, as a text; when it wrote nothing, where
 *                          this node's state is
 *   REPL.WAIT token ms     OK once this node's state has that; at once LOST when it never will; TIMEOUT
 *
 * Owns: arguments and replies. Does not own: what a token says (log/token.ts).
 * Tested in: test/unit/resp/commands/tokens.test.ts.
 */
import {
  readToken,
  standingOf,
  type Token,
  TOKEN_CHARS_MAX,
  tokenAt,
  tokenText,
} from "../../log/token.ts";
import { leftAt } from "../../log/history.ts";
import type { HawserNode } from "../../node/api.ts";
import type { Call } from "../context.ts";
import type { ReplyWriter } from "../reply-writer.ts";
import { NO_KEYS, row, type Command } from "./command.ts";
import { readTimeout, untilMsOf } from "./waiting.ts";

export const TOKEN_COMMANDS: readonly Command[] = [
  // Not in MULTI: what a transaction wrote is in the log once EXEC is over.
  row("repl.token", 1, "noscript stale fast no_multi", NO_KEYS, token),
  row("repl.wait", 3, "noscript loading stale", NO_KEYS, wait),
];

function token({ client, port, reply }: Call): void {
  const { node } = port;
  const { identity } = node;
  const { written } = client;
  const offset = written.isSet ? written.offsetIn(identity) : appliedTo(node);
  if (offset < 0)
    reply.error(
      "LOST what this connection wrote last is in this node's log no more: it went on from before that",
    );
  else reply.bulkText(tokenText(tokenAt(identity, offset)));
}

function wait(call: Call): void {
  const { args, client, port, reply } = call;
  const place = readToken(args.latin1(1, TOKEN_CHARS_MAX) ?? "");
  if (place === null) {
    reply.error(`ERR token is '${args.shown(1)}'; what REPL.TOKEN answered is allowed`);
    return;
  }
  const timeoutMs = readTimeout(call, 2);
  if (timeoutMs === null) return;
  const { node } = port;
  const isOver = (): boolean => standingOf(node.identity, appliedTo(node), place) !== "ahead";
  if (client.executing || isOver()) {
    answer(reply, node, place, 0);
    return;
  }
  const untilMs = untilMsOf(timeoutMs);
  client.block((done) =>
    // The time limit is looked at in every turn, and there is one at least ten times a second.
    node.turn.until(
      () => isOver() || performance.now() >= untilMs,
      () => done((later) => answer(later, node, place, timeoutMs)),
    ),
  );
}

function answer(reply: ReplyWriter, node: HawserNode, place: Token, waitedMs: number): void {
  const { identity } = node;
  const applied = appliedTo(node);
  const { history, offset } = place;
  switch (standingOf(identity, applied, place)) {
    case "reached":
      reply.ok();
      return;
    case "ahead":
      reply.error(
        `TIMEOUT this node has applied ${applied} of history ${identity.history}, and not ${offset} of ${history} within ${waitedMs} ms`,
      );
      return;
    case "lost": {
      const left = leftAt(identity, history);
      const why =
        left < 0
          ? `history ${identity.history}, which is led by a higher rank, does not come from it`
          : `this node's log left that history at ${left}`;
      reply.error(`LOST ${offset} of history ${history} is not here and never will be: ${why}`);
    }
  }
}

/** Where the state is. A primary's has what is in the open batch. */
function appliedTo({ role, log }: HawserNode): number {
  return role === "primary" ? log.tail : log.next;
}
