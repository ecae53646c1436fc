/**
 * The words after SET key value and GETEX key, as redis's one parser for both takes them.
 *
 * Owns: which words go together. Does not own: what they do (strings.ts), times (expire-time.ts).
 * Tested in: test/e2e/beside-redis/strings.test.ts.
 */
import type { Args } from "../args.ts";
import type { Call } from "../context.ts";
import { ERR } from "./command.ts";
import { readExpireAt, UNIT, type ExpireUnit } from "./expire-time.ts";

export interface StringOptions {
  condition: "always" | "nx" | "xx";
  get: boolean;
  keepTtl: boolean;
  persist: boolean;
  /** Unit, and the argument that has the number. */
  ttl: { readonly unit: ExpireUnit; readonly index: number } | null;
}

const EXPIRE_WORDS: readonly (readonly [string, ExpireUnit])[] = [
  ["EX", UNIT.ex],
  ["PX", UNIT.px],
  ["EXAT", UNIT.exat],
  ["PXAT", UNIT.pxat],
];

/** The words from argument `from` on, or an error text. */
export function readOptions(
  args: Args,
  from: number,
  command: "set" | "getex",
): StringOptions | string {
  const options: StringOptions = {
    condition: "always",
    get: false,
    keepTtl: false,
    persist: false,
    ttl: null,
  };
  for (let i = from; i < args.count; i++) {
    const word = EXPIRE_WORDS.find(([name]) => args.is(i, name));
    if (word !== undefined) {
      // A unit may come again (the last one counts), but not two different ones.
      const other = options.ttl !== null && options.ttl.unit !== word[1];
      if (other || options.keepTtl || options.persist || i + 1 >= args.count) return ERR.syntax;
      options.ttl = { unit: word[1], index: ++i };
    } else if (!(command === "set" ? setWord : getexWord)(args, i, options)) return ERR.syntax;
  }
  return options;
}

function setWord(args: Args, index: number, options: StringOptions): boolean {
  if (args.is(index, "NX") && options.condition !== "xx") options.condition = "nx";
  else if (args.is(index, "XX") && options.condition !== "nx") options.condition = "xx";
  else if (args.is(index, "GET")) options.get = true;
  else if (args.is(index, "KEEPTTL") && options.ttl === null) options.keepTtl = true;
  else return false;
  return true;
}

function getexWord(args: Args, index: number, options: StringOptions): boolean {
  if (!args.is(index, "PERSIST") || options.ttl !== null) return false;
  options.persist = true;
  return true;
}

/** The absolute time that the options mean, 0 for none, or an error text. */
export function readTtl(
  call: Call,
  options: StringOptions,
  command: "set" | "getex",
): number | string {
  const { ttl } = options;
  if (ttl === null) return 0;
  return readExpireAt(call.args, ttl.index, ttl.unit, call.keys.now, command, true);
}
