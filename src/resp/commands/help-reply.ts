/**
 * HELP of a command with subcommands: one simple string a line, as redis replies it.
 *
 * Owns: nothing but the form. Does not own: the lines.
 * Tested in: test/e2e/beside-redis/server.test.ts.
 */
import type { Call } from "../context.ts";

export function replyHelp(call: Call, lines: readonly string[]): void {
  call.reply.array(lines.length);
  for (const line of lines) call.reply.simple(line);
}
