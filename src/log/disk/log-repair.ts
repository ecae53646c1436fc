/**
 * Makes a log on disk end where it is whole, so that a new file can follow it.
 *
 *   1 remember       incomplete only: in the manifest, synced, up to where the log was proven, and not
 *                    the checkpoints above its end any more. First, because the next steps destroy the
 *                    proof
 *   2 copy           what is cut off the file, capped, synced; a disk that has no room for it is no
 *                    reason not to start
 *   3 set aside      the files behind, under another name, the last one first; the folder is synced
 *   4 cut            the file at its last whole frame
 *   5 write again    what is behind its newest mark: it came from the page cache, and a sync that
 *                    failed in the last life may have marked its pages as clean
 *   6 sync           the file
 *
 * A crash at any step leaves a log that gets the same verdict: what 3 takes away no longer has to prove
 * anything, since 1 has it.
 *
 * Pure but for folders. Owns: the order. Does not own: the verdict (verdict.ts), when copies and files
 * that were set aside go.
 * Tested in: test/unit/log/disk/log-recovery.test.ts.
 */
import { DiskError } from "../../errors.ts";
import { type DiskFile, type DiskFolder, leaveFailed } from "./files.ts";
import { generationName } from "./generation-names.ts";
import { logFileName } from "./log-file-names.ts";
import type { Missing } from "./manifest.ts";
import type { FileReport, Verdict } from "./verdict.ts";

/** Bytes that are copied, or written again, at a time. */
const COPY_BYTES = 1024 * 1024;

/** Ends the name of a log file that is in the log no more. */
export const ASIDE = ".cut";

export interface RepairOptions {
  readonly folder: DiskFolder;
  readonly quarantine: DiskFolder;
  /** Number of the generation that `folder` is. */
  readonly generation: number;
  /** Bytes that one repair may copy there. */
  readonly quarantineBytesMax: number;
  /**
   * Writes to the manifest, synced, that the log was proven up to `missing`, and goes on from `end`,
   * in file `lastLog`: checkpoints above `end` are of a log that is left.
   */
  readonly rememberIncomplete: (missing: Missing, end: number, lastLog: number) => void;
}

/** What was cut, and what was kept of it. */
export interface Repair {
  /** Bytes of files that are in the log no more. */
  readonly cutBytes: number;
  /** Of these, so many have a copy in the quarantine. */
  readonly copiedBytes: number;
  /** Whole files that were set aside. */
  readonly filesAside: number;
  /** Bytes that were written again. */
  readonly rewrittenBytes: number;
}

/** @param syncedAt byte in the last file up to which marks prove that it was synced */
export function repairLog(
  files: readonly FileReport[],
  verdict: Verdict,
  syncedAt: number,
  options: RepairOptions,
): Repair {
  const { folder, rememberIncomplete } = options;
  const kept = files[verdict.last];
  const behind = files.slice(verdict.last + 1);
  const { kind, proven, end } = verdict;
  if (kind === "incomplete")
    rememberIncomplete(Number.isFinite(proven) ? proven : "unknown", end, kept?.number ?? 0);
  const copiedBytes = copyTail(kept, options);
  for (const { number } of behind.toReversed())
    folder.rename(logFileName(number), `${logFileName(number)}${ASIDE}`);
  if (behind.length > 0) folder.sync();
  return {
    cutBytes: behind.reduce((sum, file) => sum + file.sizeBytes, tailBytes(kept)),
    copiedBytes,
    filesAside: behind.length,
    rewrittenBytes: kept === undefined ? 0 : cutAndRewrite(kept, syncedAt, folder),
  };
}

/** Bytes behind the damage; zeros that were written ahead are no loss. */
function tailBytes(kept: FileReport | undefined): number {
  return kept === undefined || kept.damage === null ? 0 : kept.sizeBytes - kept.endAt;
}

function copyTail(kept: FileReport | undefined, options: RepairOptions): number {
  const bytes = Math.min(tailBytes(kept), options.quarantineBytesMax);
  if (kept === undefined || bytes === 0) return 0;
  const { generation, quarantine } = options;
  // Why not a new name each time: a node that is started again and again would fill the disk.
  const name = `${generationName(generation)}-${logFileName(kept.number)}.at-${kept.endAt}`;
  try {
    copyToQuarantine(name, kept, bytes, options);
    return bytes;
  } catch (error) {
    if (!(error instanceof DiskError)) throw error;
    // Half of one on a full disk would take the room that a start needs.
    leaveFailed(() => quarantine.remove(name));
    return 0;
  }
}

function copyToQuarantine(
  name: string,
  { number, endAt }: FileReport,
  bytes: number,
  { folder, quarantine }: RepairOptions,
): void {
  const source = folder.open(logFileName(number));
  try {
    const target = quarantine.create(name);
    try {
      copyRange(source, endAt, endAt + bytes, target, 0);
      target.sync();
    } finally {
      target.close();
    }
    quarantine.sync();
  } finally {
    source.close();
  }
}

function cutAndRewrite(kept: FileReport, syncedAt: number, folder: DiskFolder): number {
  const file = folder.open(logFileName(kept.number));
  try {
    file.truncate(kept.endAt);
    copyRange(file, syncedAt, kept.endAt, file, syncedAt);
    file.sync();
  } finally {
    file.close();
  }
  return kept.endAt - syncedAt;
}

function copyRange(from: DiskFile, at: number, to: number, into: DiskFile, position: number): void {
  const block = Buffer.allocUnsafe(Math.min(COPY_BYTES, to - at));
  for (let done = 0; at + done < to;) {
    const count = from.read(block, 0, Math.min(block.length, to - at - done), at + done);
    if (count === 0) return;
    into.write([block.subarray(0, count)], position + done);
    done += count;
  }
}
