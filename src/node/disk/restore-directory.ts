/**
 * Makes a data directory of a checkpoint's file, every sum of it checked.
 *
 *   1 the checkpoint is read and written aside, chunk for chunk; its END fits   2 rename, sync
 *   3 a log file begins at its position, synced   4 the manifest names both: before that it is no
 *   directory that a node starts from
 *
 *   as         history, lineage               replicas of the node that it is of
 *   new        a new history, no lineage      hold data of another history: they refuse it, and it them
 *   replace    as in the file                 that are not ahead of the file continue; others have data
 *                                             that it lacks, and give it up by consent alone
 *
 * Pure but for folders. Owns: the order. Does not own: who the node is (node/identity.ts: it has a new
 * id in any case), the command (daemon/restore.ts).
 */
import { CheckpointCopy } from "../../log/disk/checkpoint-copy.ts";
import { CheckpointReader } from "../../log/disk/checkpoint-reader.ts";
import { CheckpointWriter, checkpointName } from "../../log/disk/checkpoint-writer.ts";
import type { DiskFile, DiskFolder, DiskTree, MintId } from "../../log/disk/files.ts";
import { generationName } from "../../log/disk/generation-names.ts";
import { LogFileWriter } from "../../log/disk/log-file-writer.ts";
import { writeManifest } from "../../log/disk/manifest-file.ts";
import { UNFINISHED } from "../../log/disk/small-files.ts";
import type { SnapshotBegin } from "../../wire/messages.ts";

/** The number of the first log file, of the generation too. */
const FIRST = 1;
const FILE_BYTES = 64 * 1024 * 1024;

export interface RestoreParts {
  /** The checkpoint; closed here. */
  readonly file: DiskFile;
  /** An empty directory. */
  readonly tree: DiskTree;
  readonly as: "new" | "replace";
  readonly mint: MintId;
  /** Wall clock, ms. */
  readonly clock: () => number;
}

/** What was made. */
export interface Restored {
  readonly begin: SnapshotBegin;
  readonly records: number;
  readonly bytes: number;
}

/** @throws {DiskError} ERR_DISK_DAMAGED for a file that is no whole checkpoint, and what disks throw */
export function restoreDirectory(parts: RestoreParts): Restored {
  const { file, tree, as, mint, clock } = parts;
  const folder = tree.make(generationName(FIRST));
  const copy = new CheckpointCopy(
    (begin) => new CheckpointWriter(folder, FIRST, as === "replace" ? begin : renamed(begin, mint)),
  );
  const reader = new CheckpointReader(folderOf(file), FIRST, copy);
  try {
    while (reader.step());
  } finally {
    reader.close();
  }
  const { begin, end, bytes } = copy.made();
  folder.rename(checkpointName(FIRST) + UNFINISHED, checkpointName(FIRST));
  folder.sync();
  const { position, rank, lineage } = begin;
  const directoryId = mint();
  const writer = new LogFileWriter(
    { folder, fileBytes: FILE_BYTES, directoryId, generation: FIRST, mint, clock, name: () => {} },
    FIRST,
    position,
    { history: position.history, rank, lineage },
  );
  writer.stop();
  const entry = { position, log: FIRST, records: end.records, bytes, clockMs: clock() };
  writeManifest(tree.root, {
    directoryId,
    generation: FIRST,
    firstLog: FIRST,
    lastLog: FIRST,
    checkpoints: [entry],
    incompleteTo: null,
  });
  return { begin, records: end.records, bytes };
}

/** The same state at the same offset, of a history that nobody else has. */
function renamed(begin: SnapshotBegin, mint: MintId): SnapshotBegin {
  const position = { ...begin.position, history: mint() };
  return { ...begin, position, rank: { term: 1, run: 0 }, lineage: [] };
}

/** A folder in which every name is that file. */
function folderOf(file: DiskFile): Pick<DiskFolder, "open"> {
  return { open: () => file };
}
