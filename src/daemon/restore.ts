/**
 * `hawser restore FILE|OLD --dir DIR`: a data directory from a backup's file or from another data directory,
 * up to a point when there is a log.
 *
 * Exit codes: 0 made; 1 not, 2 wrong command line: then DIR is empty.
 * Owns: what is said, the lock, what is removed again, the cluster in node.json. Does not own: what is made
 * (node/disk/restore-directory.ts).
 * Tested in: test/unit/node/disk/restore-directory.test.ts, test/e2e/restore.test.ts.
 */
import { counted } from "./counted.ts";
import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join, resolve, sep } from "node:path";
import { DiskError } from "../errors.ts";
import { readBackupHead } from "../log/disk/backup-head.ts";
import { checkpointName } from "../log/disk/checkpoint-writer.ts";
import { openDirectory } from "../node/directory.ts";
import { DirectoryLock, holderOf } from "../node/disk/directory-lock.ts";
import { FsFolder, FsTree } from "../node/disk/fs-folder.ts";
import { LogSource } from "../node/disk/log-source.ts";
import {
  PointOutsideError,
  restoreDirectory,
  type CheckpointFile,
  type Restored,
} from "../node/disk/restore-directory.ts";
import { escapeText } from "../node/logger.ts";
import { changeNode, readNode } from "../node/node-file.ts";
import { UsageError } from "../node/option-values.ts";
import { randomId } from "../wire/id.ts";
import type { Id } from "../wire/messages.ts";
import { momentText } from "./moment-text.ts";
import type { RestoreOptions } from "./offline-options.ts";

export function runRestore(options: RestoreOptions): number {
  try {
    process.stdout.write(restore(options));
    return 0;
  } catch (error) {
    const words = wordsOf(error, options);
    if (words === null) throw error;
    process.stderr.write(`hawser: ${escapeText(words)}\n`);
    return error instanceof DiskError ? 1 : 2;
  }
}

/** Null for an error that is none of an operator's. */
function wordsOf(error: unknown, { source, log, at }: RestoreOptions): string | null {
  if (error instanceof PointOutsideError) {
    const { first, last } = error;
    return `--at: "${at}" is outside of what ${log === "" ? source : log} has: ${momentText(first)} to ${momentText(last)}`;
  }
  // What is read is called by the name that it gets.
  if (error instanceof DiskError)
    return `${source}: ${error.message.replace(checkpointName(1), source)}`;
  return error instanceof UsageError ? error.message : null;
}

/** @returns what is said of it */
function restore(options: RestoreOptions): string {
  const { dir, replace, point } = options;
  const from = openSource(options);
  openDirectory(dir);
  // Why empty alone: what is there is somebody's state.
  if (readdirSync(dir).length > 0)
    throw new UsageError(`--dir "${dir}": it is not empty; expected a new or empty directory`);
  const lock = new DirectoryLock(dir);
  try {
    if (replace && from.clusterId !== null) changeNode(dir, { clusterId: from.clusterId });
    const { checkpoint, log } = from;
    const tree = new FsTree(dir);
    const as = replace ? "replace" : "new";
    const parts = { checkpoint, log, point, tree, as, mint: randomId, clock: Date.now } as const;
    return reportText(restoreDirectory(parts), options, from);
  } catch (error) {
    for (const name of readdirSync(dir))
      if (name !== "lock") rmSync(join(dir, name), { recursive: true, force: true });
    throw error;
  } finally {
    lock.free();
  }
}

// --- what it is made of ----------------------------------------------------------------------------

interface Source {
  readonly checkpoint: CheckpointFile | null;
  readonly log: LogSource | null;
  /** Of the node that it is of; null when that is not said. */
  readonly clusterId: Id | null;
  /** What the operator should know of it; "" for nothing. */
  readonly note: string;
}

/** @throws {DiskError, UsageError} before anything is made */
function openSource({ source, log, at, dir, point }: RestoreOptions): Source {
  if (existsSync(source) && statSync(source).isDirectory()) {
    if (log !== "") throw new UsageError(`--log "${log}": ${source} is a directory, and has a log`);
    const opened = openLog(source, dir);
    return { checkpoint: null, ...opened, clusterId: clusterIn(source) };
  }
  if (log === "" && point.kind !== "end")
    throw new UsageError(
      `--at: "${at}" needs a log: name the data directory that has it, with --log, or in place of the file`,
    );
  const file = new FsFolder(dirname(source), "r").open(basename(source));
  const head = readBackupHead(file);
  const opened = log === "" ? { log: null, note: "" } : openLog(log, dir);
  const checkpoint = { file, from: head?.bytes ?? 0, number: 1 };
  return { checkpoint, ...opened, clusterId: head?.head.clusterId ?? null };
}

function openLog(path: string, dir: string): Pick<Source, "log" | "note"> {
  if (resolve(dir).startsWith(resolve(path) + sep))
    throw new UsageError(`--dir "${dir}": it is inside of ${path}, which is only read`);
  const holder = holderOf(path);
  const note =
    holder === null
      ? ""
      : `note: ${path} is in use by process ${holder.pid}; what that had written by now was read\n`;
  return { log: new LogSource(new FsTree(path, "r")), note };
}

/** The cluster of a node's directory; null when nobody can say. */
function clusterIn(path: string): Id | null {
  try {
    return readNode(path)?.clusterId ?? null;
  } catch (error) {
    if (error instanceof UsageError) return null;
    throw error;
  }
}

// --- what is said ----------------------------------------------------------------------------------

function reportText(
  made: Restored,
  { replace }: RestoreOptions,
  { clusterId, note }: Source,
): string {
  const { records, logRecords, end, clockMs } = made;
  const more = logRecords === 0 ? "" : ` and ${counted(logRecords, "change")} behind`;
  const where = momentText({ offset: end.offset, clockMs });
  const lines = [
    `restored ${counted(records, "record")}${more}, at ${where}, of ${replace ? "" : "the new "}history ${end.history}`,
  ];
  if (replace && clusterId === null)
    lines.push(
      "note: it is not said of which cluster the node was (an older backup): this one begins another, which its replicas take from it",
    );
  return `${lines.join("\n")}\n${note}`;
}
