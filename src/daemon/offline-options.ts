/**
 * The command lines of commands that work on files: `hawser inspect`, `hawser restore`, `hawser backup`.
 *
 * Owns: their words. Does not own: the form of flags (node/flag-words.ts).
 */
import { flagName, flagText } from "../node/flag-words.ts";
import { didYouMean } from "../node/nearest.ts";
import { readAddress, UsageError } from "../node/option-values.ts";
import { variableOf } from "../node/setting-lookup.ts";
import type { LogPoint } from "../log/disk/log-copy.ts";
import type { Address } from "../net/address.ts";
import { readPoint } from "./restore-point.ts";

export interface InspectOptions {
  readonly dir: string;
  readonly json: boolean;
}

export interface RestoreOptions {
  /** The file of a backup, or a data directory. */
  readonly source: string;
  readonly dir: string;
  /** The data directory whose log follows the file; "" for none. */
  readonly log: string;
  /** Up to where, and how that was said: "" for all. */
  readonly point: LogPoint;
  readonly at: string;
  /** Keeps history and lineage: the directory takes the place of the node that the source is of. */
  readonly replace: boolean;
}

export interface BackupOptions {
  /** A directory, or "-" for standard output. */
  readonly to: string;
  readonly from: Address;
  readonly json: boolean;
  /** Of replication links; "" without. */
  readonly password: string;
}

type Variables = Readonly<Record<string, string | undefined>>;

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
  const { plain, flags } = readWords(argv, {
    values: ["dir", "log", "at"],
    switches: ["replace"],
  });
  const dir = flags.get("dir") ?? "";
  if (dir === "") throw new UsageError("restore: --dir DIR is missing, the directory to make");
  const at = flags.get("at");
  return {
    source: only(plain, "FILE, or the data directory to read,", "restore"),
    dir,
    log: flags.get("log") ?? "",
    point: at === undefined ? { kind: "end" } : readPoint(at),
    at: at ?? "",
    replace: flags.get("replace") === "true",
  };
}

export function readBackupOptions(argv: readonly string[], variables: Variables): BackupOptions {
  const words = { values: ["from", "repl-password"], switches: ["json"] };
  const { plain, flags } = readWords(argv, words);
  const to = only(plain, "DIR (or - for standard output)", "backup");
  return {
    to,
    from: readFrom(flags.get("from") ?? "127.0.0.1:6380"),
    json: flags.get("json") === "true",
    password: flags.get("repl-password") ?? variables[variableOf("repl-password")] ?? "",
  };
}

function readFrom(text: string): Address {
  try {
    return readAddress(text);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    throw new UsageError(`--from: "${text}" ${error.message}`);
  }
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
