/**
 * What a data directory has at a start, and which of it counts.
 *
 *   there is                                             then
 *   no manifest, no generation                           new: a generation begins with its first log file,
 *                                                        and the manifest is written with that
 *   no manifest, generation 1 without a batch            a start that was cut short: new
 *   a manifest, and the folder of its generation         kept: recovery (disk-recovery.ts)
 *   anything else                                        an error that names the file; nothing is touched
 *
 * Of one that is kept, what the manifest does not name goes: other generations, log files before the first,
 * checkpoints, files that were not finished. What was set aside by a repair stays while something is
 * missing, and up to a cap. What cannot be removed is left: the next start tries again.
 *
 * Pure but for a DiskTree. Owns: the table, the cleaning. Does not own: the lock (directory-lock.ts), the
 * files that say who the node is, what is in a generation.
 */
import { DiskError } from "../../errors.ts";
import { checkpointName } from "../../log/disk/checkpoint-writer.ts";
import { type DiskFolder, type DiskTree, leaveFailed, type MintId } from "../../log/disk/files.ts";
import { capBytes, QUARANTINE, QUARANTINE_BYTES_MAX } from "../../log/disk/quarantine.ts";
import { generationName, generationNumbers } from "../../log/disk/generation-names.ts";
import { LogFileScan, NO_SINK } from "../../log/disk/log-file-scan.ts";
import { logFileName, logFileNumbers } from "../../log/disk/log-file-names.ts";
import { readLogHead } from "../../log/disk/log-head.ts";
import { ASIDE } from "../../log/disk/log-repair.ts";
import type { Manifest } from "../../log/disk/manifest.ts";
import { MANIFEST_FILE, readManifest } from "../../log/disk/manifest-file.ts";
import { UNFINISHED } from "../../log/disk/small-files.ts";

/** All files of a generation that were set aside. */
const ASIDE_BYTES_MAX = 512 * 1024 * 1024;

export interface DataDirectory {
  /** Nothing was in it: the manifest is not written yet. */
  readonly isNew: boolean;
  readonly manifest: Manifest;
  /** Of the generation. */
  readonly folder: DiskFolder;
  readonly quarantine: DiskFolder;
}

/** Decides, and cleans. @throws {DiskError} naming the file, and what to do */
export function openDataDirectory(tree: DiskTree, mint: MintId): DataDirectory {
  const generations = generationNumbers(tree);
  const manifest = keptManifest(tree, generations);
  if (manifest === null) return makeNew(tree, generations, mint);
  const folder = tree.folder(generationName(manifest.generation));
  leaveFailed(() => {
    clean(tree, folder, manifest, generations);
  });
  return { isNew: false, manifest, folder, quarantine: openQuarantine(tree) };
}

// --- what there is -------------------------------------------------------------------------------

/** The manifest of a directory that is kept, null of a new one. @throws {DiskError} */
export function keptManifest(tree: DiskTree, generations: readonly number[]): Manifest | null {
  const manifest = readWhole(tree.root);
  if (manifest !== null) {
    const name = generationName(manifest.generation);
    if (generations.includes(manifest.generation)) return manifest;
    return refuse(`${name} is missing, which ${MANIFEST_FILE} names`);
  }
  if (generations.length === 0) return null;
  const name = generationName(generations[0]!);
  const isAlone = generations.length === 1 && generations[0] === 1;
  if (isAlone && hasNoBatch(tree.folder(name))) return null;
  return refuse(`${MANIFEST_FILE} is missing, and ${name} is there`);
}

function readWhole(root: DiskFolder): Manifest | null {
  try {
    return readManifest(root);
  } catch (error) {
    if (error instanceof DiskError && error.code === "ERR_DISK_DAMAGED")
      return refuse(error.message.replace(/^ERR_DISK_DAMAGED: /, ""));
    throw error;
  }
}

function refuse(what: string): never {
  throw new DiskError(
    "ERR_DISK_DAMAGED",
    `--dir: ${what}; put the file back, or start with another --dir and take the state from a replica (--seed-from) or a backup`,
  );
}

/** No more than a first log file, and that with nothing but its head. */
function hasNoBatch(folder: DiskFolder): boolean {
  const names = folder.list().filter((name) => !name.endsWith(UNFINISHED));
  if (names.length === 0) return true;
  if (names.length > 1 || names[0] !== logFileName(1)) return false;
  const file = folder.open(logFileName(1));
  try {
    const read = readLogHead(file, 1, { directoryId: null, generation: 1 });
    if (read === null) return false;
    const scan = new LogFileScan(file, read.head, read.bytes, NO_SINK);
    while (scan.offset === read.head.start.offset && scan.step());
    return scan.damage === null && scan.offset === read.head.start.offset;
  } finally {
    file.close();
  }
}

// --- making and cleaning -------------------------------------------------------------------------

function makeNew(tree: DiskTree, generations: readonly number[], mint: MintId): DataDirectory {
  const name = generationName(1);
  if (generations.length > 0) tree.removeFolder(name);
  const manifest: Manifest = {
    directoryId: mint(),
    generation: 1,
    firstLog: 1,
    lastLog: 0,
    checkpoints: [],
    incompleteTo: null,
  };
  return { isNew: true, manifest, folder: tree.make(name), quarantine: openQuarantine(tree) };
}

function openQuarantine(tree: DiskTree): DiskFolder {
  const quarantine = tree.make(QUARANTINE);
  leaveFailed(() => {
    capBytes(quarantine, quarantine.list(), QUARANTINE_BYTES_MAX / 2);
  });
  return quarantine;
}

function clean(
  tree: DiskTree,
  folder: DiskFolder,
  manifest: Manifest,
  generations: readonly number[],
): void {
  if (tree.root.list().includes(MANIFEST_FILE + UNFINISHED))
    tree.root.remove(MANIFEST_FILE + UNFINISHED);
  for (const number of generations)
    if (number !== manifest.generation) tree.removeFolder(generationName(number));
  for (const name of unnamed(folder, manifest)) folder.remove(name);
  const aside = folder.list().filter((name) => name.endsWith(ASIDE));
  capBytes(folder, aside, manifest.incompleteTo === null ? 0 : ASIDE_BYTES_MAX);
}

/** Files that do not count. */
function unnamed(folder: DiskFolder, manifest: Manifest): readonly string[] {
  const logs = new Set(logFileNumbers(folder, manifest.firstLog).map(logFileName));
  const checkpoints = new Set(manifest.checkpoints.map(({ log }) => checkpointName(log)));
  return folder
    .list()
    .filter(
      (name) =>
        name.endsWith(UNFINISHED) ||
        (name.endsWith(".log") && !logs.has(name)) ||
        (name.endsWith(".checkpoint") && !checkpoints.has(name)),
    );
}
