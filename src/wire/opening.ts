/**
 * How a connection opens: the replica speaks first, in RESP, so that whatever kind of port it has
 * reached can answer in a way that it understands, however long that takes.
 *
 *   replica    *2 $9 REPL.INFO $4 LINK
 *   answer     GREETING, frames from there on      a replication port
 *              a map with repl_port among it       a node's client port: dial there
 *              -ERR ...                            another server that speaks RESP, or one without a place
 *
 * A feeder that hears anything else has a stranger at its port: a client, a browser, a port scanner.
 *
 * Pure. Owns: the bytes, and telling by them who is at the other end. Does not own: what follows (primary/doorstep.ts,
 * node/).
 */
import { AT, FRAME_HEAD_BYTES } from "./frame.ts";
import { GREETING_MAGIC } from "./codec.ts";
import { FRAME } from "./messages.ts";

/** The first bytes that a replica sends. */
export const OPENING: Buffer = Buffer.from("*2\r\n$9\r\nREPL.INFO\r\n$4\r\nLINK\r\n");

/** Bytes of a first line that are looked at: enough for the request of a browser. */
const LINE_BYTES_MAX = 512;

/** Who opened a connection to the replication port; "wait" while the bytes are too few to tell. */
export type Opener = "wait" | "replica" | "resp" | "http" | "noise";

const REQUEST_LINE = /^[A-Z]+ \S+ HTTP\/\d/;
/** An inline command: a word of letters, then anything that can be printed. */
const INLINE = /^[A-Za-z][\w.]*( [\x20-\x7e]*)?\r?$/;

/** Tells by the bytes that have arrived so far. */
export function openerOf(bytes: Buffer): Opener {
  const common = Math.min(bytes.length, OPENING.length);
  if (bytes.compare(OPENING, 0, common, 0, common) === 0)
    return bytes.length < OPENING.length ? "wait" : "replica";
  const end = bytes.indexOf("\n");
  if (end < 0 && bytes.length < LINE_BYTES_MAX && isText(bytes)) return "wait";
  const line = bytes.toString("latin1", 0, Math.min(end < 0 ? bytes.length : end, LINE_BYTES_MAX));
  if (REQUEST_LINE.test(line)) return "http";
  return /^\*-?\d+\r?$/.test(line) || INLINE.test(line) ? "resp" : "noise";
}

function isText(bytes: Buffer): boolean {
  return bytes.every((byte) => (byte >= 0x20 && byte <= 0x7e) || byte === 0x0d);
}

/** What answered the opening; "wait" while the bytes are too few to tell. */
export type Answerer = "wait" | "feeder" | "resp" | "noise";

const MAGIC_END = FRAME_HEAD_BYTES + GREETING_MAGIC.length;
const RESP_TYPES = "+-:$*%_#,(!=~>";

/** Tells by the bytes that have arrived so far. */
export function answererOf(bytes: Buffer): Answerer {
  // Why before RESP: a frame begins with a sum, which may be any bytes.
  if (bytes.length >= MAGIC_END && isGreeting(bytes)) return "feeder";
  if (bytes.length === 0) return "wait";
  const isResp = RESP_TYPES.includes(String.fromCharCode(bytes[0]!));
  if (isResp && bytes.includes("\r\n")) return "resp";
  if (isResp) return bytes.length < MAGIC_END ? "wait" : "resp";
  const mayGreet = bytes.length <= AT.type || bytes[AT.type] === FRAME.greeting;
  return mayGreet && bytes.length < MAGIC_END ? "wait" : "noise";
}

function isGreeting(bytes: Buffer): boolean {
  return (
    bytes[AT.type] === FRAME.greeting &&
    bytes.toString("latin1", FRAME_HEAD_BYTES, MAGIC_END) === GREETING_MAGIC
  );
}
