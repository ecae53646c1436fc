/**
 * A node's --dir at its start: found or made, and its small files read, with errors for whoever gave the
 * option.
 *
 * Owns: those errors. Does not own: how a small file is written (log/disk/small-files.ts), what is in it
 * (node-file.ts), the log and checkpoints (disk/).
 */
import { accessSync, constants, existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { wordsOf } from "../errors.ts";
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

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? "";
}
