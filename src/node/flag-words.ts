/**
 * Words of a command line that are flags: `--name value`, `--name=value`, and switches that may stand alone.
 *
 * Owns: that syntax. Does not own: which flags there are (options.ts, daemon/ask-options.ts), values
 * (setting-text.ts).
 */
import { UsageError } from "./option-values.ts";

/** The name in `--name` or `--name=value`; null when the word is no flag. */
export function flagName(word: string): string | null {
  return /^--([^=]*)/.exec(word)?.[1] ?? null;
}

/**
 * The text that belongs to the flag `argv[at]`, and the index of the last word of both.
 * @throws {UsageError} when it is missing
 */
export function flagText(
  argv: readonly string[],
  at: number,
  isSwitch: boolean,
): { readonly text: string; readonly last: number } {
  const word = argv[at] ?? "";
  const equals = word.indexOf("=");
  if (equals >= 0) return { text: word.slice(equals + 1), last: at };
  const next = argv[at + 1];
  if (isSwitch && next !== "true" && next !== "false") return { text: "true", last: at };
  if (next === undefined) throw new UsageError(`${word}: a value is missing`);
  return { text: next, last: at + 1 };
}
