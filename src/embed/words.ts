/**
 * What parts of a node say to operators, in an embedder's words: flags are options, commands are methods. All that
 * an embedder is given to read goes through here: log lines, events, status, errors.
 *
 *   "--dir: no whole checkpoint; use --accept-loss"   "dir: no whole checkpoint; use acceptLoss"
 *
 * Owns: the translation. Does not own: the texts (who says them), names of options (node/settings.ts).
 */
import { HawserError } from "../errors.ts";
import { SETTINGS, type Setting } from "../node/settings.ts";

/** What the embedder calls a setting whose key is another one. */
export type OptionNames = Readonly<Partial<Record<Setting["key"], string>>>;

/** What replicate() calls otherwise than the table of settings. */
export const REPLICATE_NAMES: OptionNames = { replPort: "listen", replPassword: "password" };

export function shownKey({ key }: Setting, names: OptionNames): string {
  return names[key] ?? key;
}

/** In this order. */
const METHODS: readonly (readonly [RegExp, string])[] = [
  [/ or REPLICAOF(?= to | would |$)/g, ""],
  [/, or say REPLICAOF NO ONE FORCE/g, ""],
  [/ \(REPLICAOF host port\)/g, ""],
  [/REPLICAOF NO ONE FORCE/g, "promote() with force"],
  [/REPLICAOF NO ONE/g, "promote()"],
  [/REPLICAOF(?: host port)?/g, "follow()"],
  [/FAILOVER ABORT/g, "an abort of handOver()"],
  [/FAILOVER/g, "handOver()"],
];

const IS_FOREIGN = /--[a-z]|REPLICAOF|FAILOVER/;

export function asEmbedder(text: string, names: OptionNames = {}): string {
  if (!IS_FOREIGN.test(text)) return text;
  const flagless = text.replaceAll(/--([a-z][a-z-]*)/g, (flag: string, name: string) => {
    const setting = SETTINGS.find((candidate) => candidate.name === name);
    return setting === undefined ? flag : shownKey(setting, names);
  });
  return METHODS.reduce((said, [words, method]) => said.replaceAll(words, method), flagless);
}

/** All texts within `value`, which is data alone; the same value when none is foreign. */
export function inWords<T>(value: T, names: OptionNames): T {
  if (typeof value === "string") return asEmbedder(value, names) as T & string;
  if (typeof value !== "object" || value === null) return value;
  let copy: T | null = null;
  for (const [key, given] of Object.entries(value) as [keyof T, T[keyof T]][]) {
    const said = inWords(given, names);
    if (said === given) continue;
    copy ??= (Array.isArray(value) ? [...(value as unknown[])] : { ...value }) as T;
    copy[key] = said;
  }
  return copy ?? value;
}

/** The same error. What is none of this library is the embedder's, or the system's. */
export function errorInWords(error: unknown, names: OptionNames): unknown {
  if (!(error instanceof HawserError)) return error;
  const message = asEmbedder(error.message, names);
  if (message === error.message) return error;
  // Why: it has the message of when it was made, and is what a process prints that ends by it.
  if (error.stack !== undefined) error.stack = error.stack.replace(error.message, () => message);
  error.message = message;
  return error;
}
