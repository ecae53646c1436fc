/**
 * What a data directory has, and what a start would come to, without changing anything.
 *
 *   verdict      a start would
 *   new          begin an empty state: there is nothing
 *   whole        go on at the log's end
 *   torn         cut the tail that a crash tore, and go on: nothing is lost that was proven synced
 *   incomplete   go on at the log's end, and confirm and lead nothing before it has again what is missing
 *   refused      end with an error
 *
 * Beside a running process it is a moment of a directory in which that writes: the newest file may end
 * inside a batch, which is torn then and whole a moment later.
 *
 * Pure but for a DiskTree. Owns: the report. Does not own: the verdict (log/disk/verdict.ts), text
 * (daemon/inspect.ts).
 */
import { DiskError } from "../../errors.ts";
import { CheckpointReader } from "../../log/disk/checkpoint-reader.ts";
import type { DiskFolder, DiskTree } from "../../log/disk/files.ts";
import { generationName, generationNumbers } from "../../log/disk/generation-names.ts";
import { NO_SINK } from "../../log/disk/log-file-scan.ts";
import { LogRecovery } from "../../log/disk/log-recovery.ts";
import type { CheckpointEntry, Manifest } from "../../log/disk/manifest.ts";
import { QUARANTINE } from "../../log/disk/quarantine.ts";
import { claimsOf, judge, type FileReport, type LogStart } from "../../log/disk/verdict.ts";
import type { Position } from "../../wire/messages.ts";
import { keptManifest } from "./data-directory.ts";
import { LogSource, type LogRange } from "./log-source.ts";

const NO_STATE = { begin: () => undefined, chunk: () => undefined, end: () => undefined };

export interface CheckpointReport extends CheckpointEntry {
  /** Why it cannot be used, "" when it is whole. */
  readonly damage: string;
}

/** What a start would come to. */
export interface StartReport {
  readonly verdict: "new" | "whole" | "torn" | "incomplete" | "refused";
  /** What stops the log, or the error. */
  readonly reason: string;
  /** The log file that is read first, and the checkpoint that it begins with; null for none. */
  readonly firstLog: number;
  readonly checkpoint: CheckpointEntry | null;
  /** Where the log ends; null when it would not start. */
  readonly end: Position | null;
  /** Proven synced up to here, Infinity when nobody knows how far it was. */
  readonly proven: number;
  /** Bytes of files that would be in the log no more, zeros among them. */
  readonly cutBytes: number;
  /** The process was told to stop, and nothing follows. */
  readonly clean: boolean;
}

export interface DirectoryReport {
  readonly manifest: Manifest | null;
  /** Numbers of all generations that are there; the manifest names one. */
  readonly generations: readonly number[];
  /** Log files that count. */
  readonly logs: readonly FileReport[];
  readonly checkpoints: readonly CheckpointReport[];
  /** Files of the generation that do not count: they go at the next start, or were set aside. */
  readonly others: readonly string[];
  /** Copies of what was cut off. */
  readonly quarantine: readonly FileSize[];
  readonly restore: RestoreReport;
  readonly start: StartReport;
}

export interface FileSize {
  readonly name: string;
  readonly bytes: number;
}

/** Between which moments `hawser restore --at` can go. */
export interface RestoreReport {
  readonly ranges: readonly LogRange[];
  /** Why there is none, "" when there is. */
  readonly reason: string;
}

/** Reads all of it. @throws {DiskError} ERR_DISK_READ when a file is gone meanwhile */
export function reportDirectory(tree: DiskTree): DirectoryReport {
  const generations = generationNumbers(tree);
  let manifest: Manifest | null;
  try {
    manifest = keptManifest(tree, generations);
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    return nothing(tree, generations, startless("refused", error.message));
  }
  if (manifest === null) return nothing(tree, generations, startless("new", ""));
  const folder = tree.folder(generationName(manifest.generation));
  const checkpoints = manifest.checkpoints.map((entry) => checkpointReport(folder, entry));
  const logs = scanLogs(folder, manifest);
  const start = startReport(manifest, checkpoints, logs);
  return {
    manifest,
    generations,
    logs,
    checkpoints,
    others: otherFiles(folder, manifest),
    quarantine: quarantineFiles(tree),
    restore: restoreReport(tree, checkpoints),
    start,
  };
}

function nothing(
  tree: DiskTree,
  generations: readonly number[],
  start: StartReport,
): DirectoryReport {
  return {
    manifest: null,
    generations,
    logs: [],
    checkpoints: [],
    others: [],
    quarantine: quarantineFiles(tree),
    restore: { ranges: [], reason: start.verdict === "new" ? "it has no state" : start.reason },
    start,
  };
}

/** Of a directory that no log can be read of. */
function startless(verdict: "new" | "refused", reason: string): StartReport {
  return {
    verdict,
    reason,
    firstLog: 0,
    checkpoint: null,
    end: null,
    proven: 0,
    cutBytes: 0,
    clean: false,
  };
}

function quarantineFiles(tree: DiskTree): readonly FileSize[] {
  if (!tree.folders().includes(QUARANTINE)) return [];
  const folder = tree.folder(QUARANTINE);
  return [...folder.list()].sort().map((name) => {
    const file = folder.open(name);
    const bytes = file.sizeBytes;
    file.close();
    return { name, bytes };
  });
}

function restoreReport(tree: DiskTree, checkpoints: readonly CheckpointReport[]): RestoreReport {
  try {
    const whole = checkpoints.filter(({ damage }) => damage === "");
    const ranges = new LogSource(tree).ranges(whole);
    const reason = ranges.length > 0 ? "" : "no whole checkpoint, and no log from its beginning";
    return { ranges, reason };
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    return { ranges: [], reason: error.message };
  }
}

function checkpointReport(folder: DiskFolder, entry: CheckpointEntry): CheckpointReport {
  try {
    const reader = new CheckpointReader(folder, entry.log, NO_STATE);
    try {
      while (reader.step());
    } finally {
      reader.close();
    }
    return { ...entry, damage: "" };
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    return { ...entry, damage: error.message };
  }
}

function scanLogs(folder: DiskFolder, manifest: Manifest): readonly FileReport[] {
  const { directoryId, generation, firstLog } = manifest;
  const scan = new LogRecovery({
    folder,
    directoryId,
    generation,
    start: { offset: 0, chain: 0 },
    claims: { first: firstLog, last: 0, proven: 0 },
    sink: NO_SINK,
    // Of a repair, which is not made.
    quarantine: folder,
    quarantineBytesMax: 0,
    rememberIncomplete: () => undefined,
  });
  while (scan.step());
  return scan.reports;
}

function startReport(
  manifest: Manifest,
  checkpoints: readonly CheckpointReport[],
  logs: readonly FileReport[],
): StartReport {
  const used = checkpoints.find(({ damage }) => damage === "") ?? null;
  const head = logs.find(({ number }) => number === manifest.firstLog)?.head ?? null;
  const start: LogStart | null = used?.position ?? (head?.start.offset === 0 ? head.start : null);
  if (start === null)
    return startless("refused", "no whole checkpoint, and no log from its beginning");
  const first = used?.log ?? manifest.firstLog;
  const read = logs.filter(({ number }) => number >= first);
  const verdict = judge(read, start, claimsOf(manifest, first));
  const { end: offset, chain, last } = verdict;
  const history = read[last]?.head?.start.history ?? used?.position.history ?? "";
  return {
    verdict: verdict.kind,
    reason: verdict.reason === "end" ? "" : verdict.reason,
    firstLog: first,
    checkpoint: used,
    end: { history, offset, chain },
    proven: verdict.proven,
    cutBytes: verdict.kind === "whole" ? 0 : bytesBehind(read, last),
    clean: verdict.clean,
  };
}

function bytesBehind(read: readonly FileReport[], last: number): number {
  const file = read[last];
  const inFile = file === undefined ? 0 : file.sizeBytes - file.endAt;
  return read.slice(last + 1).reduce((sum, { sizeBytes }) => sum + sizeBytes, inFile);
}

function otherFiles(folder: DiskFolder, manifest: Manifest): readonly string[] {
  const checkpoints = new Set(manifest.checkpoints.map(({ log }) => log));
  return folder
    .list()
    .filter((name) => {
      const number = Number(/^(\d{8,15})\.(log|checkpoint)$/.exec(name)?.[1] ?? -1);
      return name.endsWith(".log") ? number < manifest.firstLog : !checkpoints.has(number);
    })
    .sort();
}
