/**
 * The small files of a node's --dir: found or made at the start, written whole or not at all.
 *
 * Order of a write: 1 a file aside   2 synced   3 renamed over the old one   4 the directory synced.
 * A crash at any point leaves the old text or the new one.
 * Owns: how a small text file is kept. Does not own: what is in it (identity.ts, role-memory.ts),
 * the part file (replica/part-file.ts).
 */
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { UsageError } from "./option-values.ts";

/** No file that is read here is longer unless its reader says so, bytes. */
const SMALL_BYTES_MAX = 4096;

/** Makes `dir` if it is not there. @throws {UsageError} when files cannot be kept in it */
export function openDirectory(dir: string): void {
  try {
    makeDirectory(resolve(dir));
    if (!statSync(dir).isDirectory()) throw new Error("it is no directory");
    accessSync(dir, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new UsageError(
      `--dir "${dir}": files cannot be kept there (${wordsOf(error)}); expected a directory that this user may write to`,
    );
  }
}

/** Why not mkdir's own recursion: below /proc it tries again for ever. */
function makeDirectory(dir: string): void {
  if (existsSync(dir)) return;
  const parent = dirname(dir);
  if (parent !== dir) makeDirectory(parent);
  try {
    mkdirSync(dir);
  } catch (error) {
    if (codeOf(error) !== "EEXIST") throw error;
  }
}

/**
 * The text of `dir`/`name`, null when there is no such file.
 * @throws {UsageError} when it cannot be read, or is no small file
 */
export function readSmall(
  dir: string,
  name: string,
  bytesMax: number = SMALL_BYTES_MAX,
): string | null {
  const path = join(dir, name);
  try {
    const { size } = statSync(path);
    if (size > bytesMax) throw new Error(`it has ${size} bytes`);
    return readFileSync(path, "utf8");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return null;
    throw new UsageError(`--dir: ${path} cannot be read (${wordsOf(error)})`);
  }
}

/** Writes `dir`/`name`, whole and synced. @throws the system's error, with the old text untouched */
export function writeSmall(dir: string, name: string, text: string): void {
  const path = join(dir, name);
  const aside = `${path}.tmp`;
  try {
    const file = openSync(aside, "w");
    try {
      writeFileSync(file, text);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(aside, path);
  } catch (error) {
    rmSync(aside, { force: true });
    throw error;
  }
  syncDirectory(dir);
}

/** Removes `dir`/`name` for good; nothing happens when it is not there. */
export function removeSmall(dir: string, name: string): void {
  rmSync(join(dir, name), { force: true });
  syncDirectory(dir);
}

/** Names in `dir` survive a crash of the machine then. @throws the system's error */
export function syncDirectory(dir: string): void {
  const directory = openSync(dir, "r");
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? "";
}

/** What went wrong, on one line. */
export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
