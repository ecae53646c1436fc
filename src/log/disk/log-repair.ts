/**
 * Makes a log on disk end where it is whole, so that a new file can follow it.
 *
 *   1 remember       incomplete only: up to where the log was proven, in the manifest, synced. First,
 *                    because the next steps destroy the proof
 *   2 quarantine     a copy of what is cut, capped, synced
 *   3 remove         the files behind, the last one first, then the folder is synced
 *   4 cut            the file at its last whole frame
 *   5 write again    what is behind its newest mark: it came from the page cache, and a sync that
 *                    failed in the last life may have marked its pages as clean
 *   6 sync           the file
 *
 * A crash at any step leaves a log that gets the same verdict, or a better one: 1 is kept by the
 * manifest, 3 removes only what no longer proves anything that 1 did not write down.
 *
 * Pure but for folders. Owns: the order. Does not own: the verdict (proof.ts).
 */
import type { DiskFile, DiskFolder } from "./files.ts";
import { logFileName } from "./log-file-writer.ts";
import type { FileReport, Verdict } from "./proof.ts";

/** Bytes that are copied, or written again, at a time. */
const COPY_BYTES = 1024 * 1024;

export interface RepairOptions {
  readonly folder: DiskFolder;
  readonly quarantine: DiskFolder;
  /** Bytes that one repair may copy there. */
  readonly quarantineBytesMax: number;
  /** Names the copies: nobody else uses it. */
  readonly label: string;
  /** Remembers, synced, that the log was proven up to `proven`. Infinity: nobody knows how far. */
  readonly rememberIncomplete: (proven: number) => void;
}

/** What the log looks like, and what was made of it. */
export interface Repair {
  /** Bytes of files that are in the log no more. */
  readonly cutBytes: number;
  /** Of these, so many have a copy. */
  readonly copiedBytes: number;
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
  if (verdict.kind === "incomplete") rememberIncomplete(verdict.proven);
  const copiedBytes = verdict.kind === "whole" ? 0 : copyCut(kept, behind, options);
  for (const { number } of behind.toReversed()) folder.remove(logFileName(number));
  if (behind.length > 0) folder.sync();
  return {
    cutBytes: behind.reduce((sum, file) => sum + file.sizeBytes, tailBytes(kept)),
    copiedBytes,
    rewrittenBytes: kept === undefined ? 0 : cutAndRewrite(kept, syncedAt, folder),
  };
}

/** Bytes behind the damage; zeros that were written ahead are no loss. */
function tailBytes(kept: FileReport | undefined): number {
  return kept === undefined || kept.damage === null ? 0 : kept.sizeBytes - kept.endAt;
}

function copyCut(
  kept: FileReport | undefined,
  behind: readonly FileReport[],
  { folder, quarantine, quarantineBytesMax, label }: RepairOptions,
): number {
  let left = quarantineBytesMax;
  const copy = (number: number, from: number, to: number): void => {
    const bytes = Math.min(left, to - from);
    if (bytes <= 0) return;
    left -= bytes;
    const source = folder.open(logFileName(number));
    const target = quarantine.create(`${label}-${logFileName(number)}-at-${from}`);
    copyRange(source, from, from + bytes, target, 0);
    target.sync();
    target.close();
    source.close();
  };
  if (kept !== undefined && kept.damage !== null) copy(kept.number, kept.endAt, kept.sizeBytes);
  for (const { number, sizeBytes } of behind) copy(number, 0, sizeBytes);
  if (left < quarantineBytesMax) quarantine.sync();
  return quarantineBytesMax - left;
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
