/**
 * `hawser restore FILE --dir DIR`: a data directory from a checkpoint's file.
 *
 * Exit codes: 0 made; 1 not, and DIR is as before or without a manifest.
 * Owns: what is said, the lock. Does not own: what is made (node/disk/restore-directory.ts).
 * Tested in: test/unit/node/disk/restore-directory.test.ts.
 */
import { existsSync, readdirSync } from "node:fs";
import { basename, dirname } from "node:path";
import { DiskError } from "../errors.ts";
import { checkpointName } from "../log/disk/checkpoint-writer.ts";
import { openDirectory } from "../node/directory.ts";
import { DirectoryLock } from "../node/disk/directory-lock.ts";
import { FsFolder, FsTree } from "../node/disk/fs-folder.ts";
import { restoreDirectory } from "../node/disk/restore-directory.ts";
import { UsageError } from "../node/option-values.ts";
import { randomId } from "../wire/id.ts";
import type { RestoreOptions } from "./offline-options.ts";

export function runRestore({ file, dir, replace }: RestoreOptions): number {
  try {
    const source = new FsFolder(dirname(file)).open(basename(file));
    // Why empty alone: what is there is somebody's state.
    if (existsSync(dir) && readdirSync(dir).length > 0)
      throw new UsageError(`--dir "${dir}": it is not empty; expected a new or empty directory`);
    openDirectory(dir);
    const lock = new DirectoryLock(dir);
    try {
      const as = replace ? "replace" : "new";
      const tree = new FsTree(dir);
      const made = restoreDirectory({ file: source, tree, as, mint: randomId, clock: Date.now });
      const { position } = made.begin;
      process.stdout.write(
        `restored ${made.records} records, at offset ${position.offset} of ${replace ? "" : "the new "}history ${position.history}\n`,
      );
      return 0;
    } finally {
      lock.free();
    }
  } catch (error) {
    if (!(error instanceof DiskError || error instanceof UsageError)) throw error;
    // What is read is called by the name that it gets.
    process.stderr.write(`hawser: ${error.message.replace(checkpointName(1), file)}\n`);
    return error instanceof UsageError ? 2 : 1;
  }
}
