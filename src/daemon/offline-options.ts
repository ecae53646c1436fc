/**
 * The command lines of commands that work on files, without a node: `hawser inspect`, `hawser restore`.
 *
 * Owns: their words. Does not own: the form of flags (node/flag-words.ts).
 */
import { flagName, flagText } from "../node/flag-words.ts";
import { didYouMean } from "../node/nearest.ts";
import { UsageError } from "../node/option-values.ts";

export interface InspectOptions {
  readonly dir: string;
  readonly json: boolean;
}

export interface RestoreOptions {
  readonly file: string;
  readonly dir: string;
  /** Keeps history and lineage: the directory takes the place of the node that the file is of. */
  readonly replace: boolean;
}

/** Flags of a command; those of `switches` stand alone. */
interface Words {
  readonly values: readonly string[];
  readonly switches: readonly string[];
}

export function readInspectOptions(argv: readonly string[]): InspectOptions {
  const { plain, flags } = readWords(argv, { values: [], switches: ["json"] });
  return { dir: only(plain, "DIR", "inspect"), json: flags.get("json") === "true" };
}

export function readRestoreOptions(argv: readonly string[]): RestoreOptions {
  const { plain, flags } = readWords(argv, { values: ["dir"], switches: ["replace"] });
  const dir = flags.get("dir") ?? "";
  if (dir === "") throw new UsageError("restore: --dir DIR is missing, the directory to make");
  return { file: only(plain, "FILE", "restore"), dir, replace: flags.get("replace") === "true" };
}

function readWords(
  argv: readonly string[],
  { values, switches }: Words,
): { readonly plain: readonly string[]; readonly flags: ReadonlyMap<string, string> } {
  const plain: string[] = [];
  const flags = new Map<string, string>();
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i]!;
    const flag = flagName(word);
    if (flag === null) plain.push(word);
    else if (values.includes(flag) || switches.includes(flag)) {
      const { text, last } = flagText(argv, i, switches.includes(flag));
      if (switches.includes(flag) && text !== "true" && text !== "false")
        throw new UsageError(`--${flag}: "${text}" expected true or false`);
      i = last;
      flags.set(flag, text);
    } else {
      const allowed = [...values, ...switches].map((name) => `--${name}`);
      const meant = didYouMean(word.split("=", 1)[0]!, allowed);
      throw new UsageError(`unknown flag ${word}${meant}; allowed: ${allowed.join(" ")}`);
    }
  }
  return { plain, flags };
}

function only(plain: readonly string[], what: string, command: string): string {
  const [word, more] = plain;
  if (word === undefined || word === "") throw new UsageError(`${command}: ${what} is missing`);
  if (more !== undefined) throw new UsageError(`${command}: "${more}" is one word too many`);
  return word;
}
