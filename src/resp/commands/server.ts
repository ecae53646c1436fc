/**
 * The process: INFO, TIME, SHUTDOWN.
 *
 * Owns: which sections are asked for. Does not own: their fields (info.ts), the end (main.ts).
 * Tested in: test/e2e/beside-redis/server.test.ts.
 */
import type { Call } from "../context.ts";
import { infoText } from "../info.ts";
import { ERR, NO_KEYS, row, type Command } from "./command.ts";

export const SERVER_COMMANDS: readonly Command[] = [
  row("info", -1, "loading stale", NO_KEYS, info),
  row("time", 1, "loading stale fast", NO_KEYS, time),
  row("shutdown", -1, "admin noscript loading stale no_multi allow_busy", NO_KEYS, shutdown),
];

/** Longer than any section's name. */
const SECTION_BYTES_MAX = 32;
const SHUTDOWN_WORDS = ["NOSAVE", "SAVE", "NOW", "FORCE", "ABORT"];

function info(call: Call): void {
  const { args, port, reply } = call;
  const sections: string[] = [];
  for (let i = 1; i < args.count; i++) {
    const section = args.word(i, SECTION_BYTES_MAX);
    if (section !== null) sections.push(section);
    else if (sections.length === 0) sections.push("");
  }
  reply.verbatim(infoText(port, sections));
}

function time(call: Call): void {
  const { reply } = call;
  const now = performance.timeOrigin + performance.now();
  reply.array(2);
  reply.bulkText(String(Math.floor(now / 1000)));
  reply.bulkText(String(Math.floor((now % 1000) * 1000)));
}

function shutdown(call: Call): void {
  const { args, client, port, reply } = call;
  const words = new Set<string>();
  for (let i = 1; i < args.count; i++) {
    const word = SHUTDOWN_WORDS.find((known) => args.is(i, known));
    if (word === undefined) {
      reply.error(ERR.syntax);
      return;
    }
    words.add(word);
  }
  const isAbort = words.has("ABORT");
  if ((isAbort && words.size > 1) || (words.has("SAVE") && words.has("NOSAVE"))) {
    reply.error(ERR.syntax);
    return;
  }
  if (isAbort) {
    reply.error("ERR No shutdown in progress.");
    return;
  }
  port.log.info("shutdown_asked", { client: client.address, words: [...words].join(" ") });
  client.closeAfterReply();
  port.shutdown(words.has("SAVE") ? "save" : words.has("NOSAVE") ? "nosave" : "auto");
}
