/**
 * Walking over the keys: SCAN, KEYS, RANDOMKEY.
 *
 * Keys that expired by the clock are left out; nothing is deleted while walking.
 * Owns: patterns, cursors as text, gathering. Does not own: the order (store/scan.ts).
 * Tested in: test/e2e/beside-redis/keys.test.ts.
 */
import { LIMITS } from "../../limits.ts";
import type { Call } from "../context.ts";
import { matchesGlob } from "../../node/glob.ts";
import { readInteger } from "../numbers.ts";
import { ERR, NO_KEYS, row, type Command } from "./command.ts";
import { KeyList } from "./key-list.ts";

/** Keys of one SCAN when COUNT is not given, as redis. */
const COUNT_DEFAULT = 10;
/** Keys of one SCAN at most: the loop must not be held. */
const COUNT_MAX = 10_000;
/** Keys of one slice of KEYS. */
const KEYS_SLICE = 1000;
/** Tries of RANDOMKEY to find one that has not expired. */
const RANDOM_TRIES = 100;
const U64_MAX = 0xffff_ffff_ffff_ffffn;
/** A sign and 32 digits. */
const CURSOR_CHARS_MAX = 33;
const PATTERN_TOO_LONG = `ERR a pattern has at most ${LIMITS.patternBytesMax} bytes`;
const ANSWER_TOO_LONG = `ERR the keys of the answer have more than ${LIMITS.keyListBytesMax} bytes`;
const MATCH_ALL = Buffer.from("*");

export const SCAN_COMMANDS: readonly Command[] = [
  row("scan", -2, "readonly", NO_KEYS, scan),
  row("keys", 2, "readonly", NO_KEYS, keysCommand),
  row("randomkey", 1, "readonly", NO_KEYS, randomkey),
];

interface ScanOptions {
  count: number;
  pattern: Buffer;
  /** Only strings exist. */
  strings: boolean;
}

function scan(call: Call): void {
  const { args, keys, reply } = call;
  const from = readCursor(args.latin1(1, CURSOR_CHARS_MAX));
  if (from === null) {
    reply.error("ERR invalid cursor");
    return;
  }
  const options = readScanOptions(call);
  if (typeof options === "string") {
    reply.error(options);
    return;
  }
  const found = new KeyList();
  const all = options.pattern.equals(MATCH_ALL);
  const next = keys.store.scan(from, options.count, (bytes, keyFrom, keyTo, expireAt) => {
    if (expireAt !== 0 && expireAt < keys.now) return;
    if (options.strings && (all || matchesGlob(options.pattern, bytes, keyFrom, keyTo))) {
      found.add(bytes, keyFrom, keyTo);
    }
  });
  if (found.tooLong) {
    reply.error(ANSWER_TOO_LONG);
    return;
  }
  reply.array(2);
  reply.bulkText(String(next));
  found.reply(reply);
}

/** A cursor as strtoul takes it: empty is 0, negative ones wrap around. Ours are below 2^53. */
function readCursor(text: string | null): number | null {
  const match = text === null ? null : /^(?:([+-]?)(\d{1,32}))?$/.exec(text);
  if (match === null) return null;
  const digits = BigInt(match[2] ?? "0");
  if (digits > U64_MAX) return null;
  const value = match[1] === "-" && digits > 0n ? U64_MAX + 1n - digits : digits;
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(value);
}

/** COUNT, MATCH and TYPE after the cursor, or an error text. */
function readScanOptions(call: Call): ScanOptions | string {
  const { args } = call;
  const options: ScanOptions = { count: COUNT_DEFAULT, pattern: MATCH_ALL, strings: true };
  for (let i = 2; i < args.count; i += 2) {
    if (i + 1 >= args.count) return ERR.syntax;
    if (args.is(i, "COUNT")) {
      const count = readInteger(args.bytes, args.from(i + 1), args.to(i + 1));
      if (count === null) return ERR.notInteger;
      if (count < 1) return ERR.syntax;
      options.count = count > COUNT_MAX ? COUNT_MAX : Number(count);
    } else if (args.is(i, "MATCH")) {
      if (args.length(i + 1) > LIMITS.patternBytesMax) return PATTERN_TOO_LONG;
      options.pattern = args.view(i + 1);
    } else if (args.is(i, "TYPE")) {
      options.strings = args.is(i + 1, "STRING");
    } else return ERR.syntax;
  }
  return options;
}

function keysCommand(call: Call): void {
  const { args, keys, reply } = call;
  if (args.length(1) > LIMITS.patternBytesMax) {
    reply.error(PATTERN_TOO_LONG);
    return;
  }
  const pattern = args.view(1);
  const all = pattern.equals(MATCH_ALL);
  const found = new KeyList();
  let cursor = 0;
  do {
    cursor = keys.store.scan(cursor, KEYS_SLICE, (bytes, from, to, expireAt) => {
      if (expireAt !== 0 && expireAt < keys.now) return;
      if (all || matchesGlob(pattern, bytes, from, to)) found.add(bytes, from, to);
    });
  } while (cursor !== 0);
  if (found.tooLong) reply.error(ANSWER_TOO_LONG);
  else found.reply(reply);
}

function randomkey(call: Call): void {
  const { keys, reply } = call;
  const found = new KeyList();
  for (let i = 0; i < RANDOM_TRIES && found.count === 0; i++) {
    const any = keys.store.randomKey((bytes, from, to, expireAt) => {
      if (expireAt === 0 || expireAt >= keys.now) found.add(bytes, from, to);
    });
    if (!any) break;
  }
  if (found.count === 0) reply.nil();
  else found.replyFirst(reply);
}
