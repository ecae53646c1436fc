/**
 * Makes a data directory of a checkpoint, or of another data directory, every sum of it checked; up to a
 * point, when there is a log.
 *
 *   1 the checkpoint is read and written aside, chunk for chunk; its END fits   2 rename, sync
 *   3 a log file begins at its position   4 the log's batches follow, up to the point; synced
 *   5 the manifest names all: before that it is no directory that a node starts from
 *
 *   the state begins with           when
 *   the checkpoint that is given    it is the file of one
 *   the newest whole checkpoint     a directory is given: of those at or before the point
 *   nothing                         a directory has none of these, and its log is there from the beginning
 *
 *   as         history, lineage               replicas of the node that it is of
 *   new        a new history, no lineage      hold data of another history: they refuse it, and it them
 *   replace    as in what is read             that are not ahead of it continue; others have data that it
 *                                             lacks, and give it up by consent alone
 *
 * Nothing that is read is changed. Memory: a MiB, or a batch that is longer.
 * Pure but for folders. Owns: the order. Does not own: who the node is (node/identity.ts: it has a new
 * id in any case), the command (daemon/restore.ts).
 */
import { DiskError } from "../../errors.ts";
import { CheckpointCopy } from "../../log/disk/checkpoint-copy.ts";
import { CheckpointReader } from "../../log/disk/checkpoint-reader.ts";
import { CheckpointWriter, checkpointName } from "../../log/disk/checkpoint-writer.ts";
import type { DiskFile, DiskFolder, DiskTree, MintId } from "../../log/disk/files.ts";
import type { LogHead } from "../../log/disk/frames.ts";
import { generationName } from "../../log/disk/generation-names.ts";
import { LogCopy, type LogPoint } from "../../log/disk/log-copy.ts";
import { LogFileWriter } from "../../log/disk/log-file-writer.ts";
import { logFileName } from "../../log/disk/log-file-names.ts";
import type { LogRecovery } from "../../log/disk/log-recovery.ts";
import type { CheckpointEntry } from "../../log/disk/manifest.ts";
import { writeManifest } from "../../log/disk/manifest-file.ts";
import { UNFINISHED } from "../../log/disk/small-files.ts";
import { claimsOf, judge } from "../../log/disk/verdict.ts";
import type { LogName } from "../../log/history.ts";
import { NO_SYNC, type Position, type SnapshotBegin } from "../../wire/messages.ts";
import type { LogMoment, LogSource } from "./log-source.ts";

/** The number of the first log file, of the generation too. */
const FIRST = 1;
const FILE_BYTES = 64 * 1024 * 1024;

/** A checkpoint's file, and where SNAPSHOT is in it. */
export interface CheckpointFile {
  readonly file: DiskFile;
  readonly from: number;
  /** In the name that errors call it by. */
  readonly number: number;
}

export interface RestoreParts {
  /** The checkpoint to begin with; null for the best one of `log`. Closed here. */
  readonly checkpoint: CheckpointFile | null;
  /** The log that follows it; null for none. One of the two is there. */
  readonly log: LogSource | null;
  /** Up to where. */
  readonly point: LogPoint;
  /** An empty directory. */
  readonly tree: DiskTree;
  readonly as: "new" | "replace";
  readonly mint: MintId;
  /** Wall clock, ms. */
  readonly clock: () => number;
}

/** What was made. */
export interface Restored {
  readonly end: Position;
  /** Clock of the newest batch in it, ms; 0 when no log tells. */
  readonly clockMs: number;
  /** In its checkpoint, and in the log behind that. */
  readonly records: number;
  readonly logRecords: number;
}

/** The point is not between the first and the last moment of what there is. */
export class PointOutsideError extends Error {
  readonly first: LogMoment;
  readonly last: LogMoment;

  constructor({ first, last }: { readonly first: LogMoment; readonly last: LogMoment }) {
    super("the point is outside of the log");
    this.first = first;
    this.last = last;
  }
}

/** Where the log begins that is written, and what is before that. */
interface Base {
  readonly position: Position;
  readonly name: LogName;
  /** Of the manifest; null for none. */
  readonly entry: CheckpointEntry | null;
  /** The file of `log` that is read first; 0 for not known. */
  readonly log: number;
}

/**
 * @throws {DiskError} ERR_DISK_DAMAGED for what is not whole up to the point, and what disks throw
 * @throws {PointOutsideError}
 */
export function restoreDirectory(parts: RestoreParts): Restored {
  const { tree, mint, clock, log } = parts;
  const folder = tree.make(generationName(FIRST));
  const base = makeBase(parts, folder);
  const { position, name, entry } = base;
  const directoryId = mint();
  const writer = new LogFileWriter(
    { folder, fileBytes: FILE_BYTES, directoryId, generation: FIRST, mint, clock, name: () => {} },
    FIRST,
    position,
    name,
  );
  const made =
    log === null ? { end: position, clockMs: 0, logRecords: 0 } : copyLog(parts, log, base, writer);
  writer.stop();
  writeManifest(tree.root, {
    directoryId,
    generation: FIRST,
    firstLog: FIRST,
    lastLog: writer.number,
    checkpoints: entry === null ? [] : [entry],
    incompleteTo: null,
  });
  return { ...made, records: entry?.records ?? 0 };
}

// --- the checkpoint --------------------------------------------------------------------------------

function makeBase(parts: RestoreParts, folder: DiskFolder): Base {
  const { checkpoint, log, point } = parts;
  if (checkpoint !== null) return { ...copyCheckpoint(parts, checkpoint, folder), log: 0 };
  const damaged: string[] = [];
  for (const entry of log!.checkpointsFor(point)) {
    try {
      const file = log!.folder.open(checkpointName(entry.log));
      const made = copyCheckpoint(parts, { file, from: 0, number: entry.log }, folder);
      if (made.position.offset === entry.position.offset) return { ...made, log: entry.log };
      damaged.push(`${checkpointName(entry.log)} is of another position`);
      folder.remove(checkpointName(FIRST));
    } catch (error) {
      if (!isDamage(error)) throw error;
      damaged.push(error.message.replace(/^\w+: /, ""));
    }
  }
  return fromBeginning(parts, log!, damaged);
}

function isDamage(error: unknown): error is DiskError {
  return (
    error instanceof DiskError &&
    (error.code === "ERR_DISK_DAMAGED" || error.code === "ERR_DISK_READ")
  );
}

/** The state from nothing. */
function fromBeginning(parts: RestoreParts, log: LogSource, damaged: readonly string[]): Base {
  const head = log.beginning();
  if (head === null) {
    if (damaged.length === 0 && log.manifest.checkpoints.length > 0)
      throw new PointOutsideError(log.range());
    const why = [...damaged, "the log is not there from its beginning"].join("; ");
    throw new DiskError("ERR_DISK_DAMAGED", `no whole checkpoint to begin with: ${why}`);
  }
  const { start, rank, number } = head;
  if (rank.term === 0)
    throw new DiskError("ERR_DISK_DAMAGED", "it has no state: its node never led, nor followed");
  const name = nameOf(parts, nameIn(head)!);
  return { position: { ...start, history: name.history }, name, entry: null, log: number };
}

function copyCheckpoint(
  parts: RestoreParts,
  { file, from, number }: CheckpointFile,
  folder: DiskFolder,
): Omit<Base, "log"> {
  const copy = new CheckpointCopy(
    (begin) => new CheckpointWriter(folder, FIRST, renamed(parts, begin)),
  );
  const reader = new CheckpointReader({ open: () => file }, number, copy, from);
  try {
    while (reader.step());
  } catch (error) {
    copy.abandon();
    throw error;
  } finally {
    reader.close();
  }
  const { begin, end, bytes } = copy.made();
  folder.rename(checkpointName(FIRST) + UNFINISHED, checkpointName(FIRST));
  folder.sync();
  const { position, rank, lineage } = begin;
  const { records } = end;
  const entry = { position, log: FIRST, records, bytes, clockMs: parts.clock() };
  return { position, name: { history: position.history, rank, lineage }, entry };
}

function renamed(parts: RestoreParts, begin: SnapshotBegin): SnapshotBegin {
  const { rank, lineage } = begin;
  const name = nameOf(parts, { history: begin.position.history, rank, lineage });
  const position = { ...begin.position, history: name.history };
  // Why off: of another cluster nobody confirms anything here.
  const sync = name.history === begin.position.history ? begin.sync : NO_SYNC;
  return { ...begin, position, rank: name.rank, lineage: name.lineage, sync };
}

/** As it is, or one that nobody else has. */
function nameOf({ as, mint }: RestoreParts, name: LogName): LogName {
  return as === "replace" ? name : { history: mint(), rank: { term: 1, run: 0 }, lineage: [] };
}

// --- the log ---------------------------------------------------------------------------------------

function copyLog(
  parts: RestoreParts,
  log: LogSource,
  base: Base,
  writer: LogFileWriter,
): Omit<Restored, "records"> {
  const { point, as } = parts;
  const first = firstFile(log, base);
  const start = base.log > 0 ? base.position : first.start;
  let reading: LogRecovery | null = null;
  const copy = new LogCopy({
    start,
    startClockMs: log.clockBefore(first.number),
    from: base.position,
    point,
    writer,
    own: base.name,
    name: () => (as === "new" ? null : nameIn(reading?.head ?? null)),
  });
  reading = log.read(first.number, start, copy);
  while (!copy.isOver && reading.step());
  if (copy.isOver) reading.abandon();
  copy.finish(point.kind === "end");
  checkReached(parts, log, copy, { offset: writer.written, clockMs: copy.clockMs });
  if (point.kind === "end") checkWhole(log, first.number, start, reading.reports);
  const end = { history: copy.name.history, offset: writer.written, chain: copy.chain };
  return { end, clockMs: copy.clockMs, logRecords: copy.records };
}

function nameIn(head: LogHead | null): LogName | null {
  if (head === null) return null;
  const { start, rank, lineage } = head;
  return { history: start.history, rank, lineage };
}

/** The log file that has the base's position. @throws {DiskError} */
function firstFile(log: LogSource, base: Base): { number: number; start: Position } {
  const { offset } = base.position;
  if (base.log > 0) return { number: base.log, start: base.position };
  const head = log.fileFor(offset);
  if (head !== null) return head;
  throw new DiskError(
    "ERR_DISK_DAMAGED",
    `the checkpoint is of offset ${offset}, and no log file goes back to it: the first is ${logFileName(log.manifest.firstLog)}`,
  );
}

/** @throws {PointOutsideError} when the point is before the base, or behind the end */
function checkReached(parts: RestoreParts, log: LogSource, copy: LogCopy, end: LogMoment): void {
  const { point } = parts;
  const from = { offset: copy.from.offset, clockMs: copy.fromClockMs };
  const isInside =
    point.kind === "end" ||
    (point.kind === "offset"
      ? point.offset >= from.offset && (copy.isOver || point.offset === end.offset)
      : point.ms >= from.clockMs && (copy.isOver || point.ms === end.clockMs));
  if (isInside) return;
  const { first, last } = log.range();
  throw new PointOutsideError({ first: parts.checkpoint === null ? first : from, last });
}

/** Without a point the log is to be there up to what was proven. @throws {DiskError} */
function checkWhole(
  log: LogSource,
  first: number,
  start: Position,
  reports: Parameters<typeof judge>[0],
): void {
  const { kind, end, last, reason, proven } = judge(reports, start, claimsOf(log.manifest, first));
  if (kind !== "incomplete") return;
  const upTo = Number.isFinite(proven) ? `offset ${proven}` : "an offset that nobody knows";
  const file = logFileName(first + Math.max(last, 0));
  throw new DiskError(
    "ERR_DISK_DAMAGED",
    `${file}: the log ends at offset ${end} (${reason}), and was synced up to ${upTo}; --at ${end} restores what is left`,
  );
}
