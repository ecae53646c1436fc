/**
 * Whether damage at the end of a log is the tail that a crash tore, or a loss of what was synced.
 * It is decided by proof, not by looks. P is the highest offset that is proven to have been synced:
 *
 *   witness                               proves
 *   a mark, wherever it stands            all up to the offset that it names
 *   the head of a file with a number      all before its start: a file gets its name only when
 *     above the first                       everything before it is synced
 *   every checkpoint in the manifest,     all up to its position: it gets there only when the log is
 *     whole or not                          synced up to it
 *   what the manifest says is missing     all up to there
 *   the newest file that the manifest     that something is missing, and nobody knows how much
 *     names, when it is not there
 *   a name whose head is damaged          the same: a head is synced before the file has its name. But
 *                                           a later file with a whole head says how much
 *
 * E is where the log stops being whole: files follow each other by number, offset, chain.
 *
 *   E >= P, nothing behind E              whole
 *   E >= P, something behind E in its     torn: cut at E; all behind it goes, also what looks valid,
 *     file, which is the last one           since a middle block can be missing while the next is there
 *   E < P, or files behind that do not    incomplete: cut at E, and what is missing is asked of others.
 *     follow                                A crash never leaves such files
 *
 * Garbage between a file's last batch and its end is no loss when the next file goes on from that very
 * batch: all that was there is in E.
 *
 * Nobody can prove what was synced last before a crash, when rot hit it and its mark was not synced; nor
 * a sector of zeros where bytes were lost whose crc32 is 0: that takes bytes made for it, and a crash.
 *
 * Pure. Owns: the verdict. Does not own: reading (log-file-scan.ts), repairs (log-repair.ts).
 * Tested in: test/unit/log/disk/log-recovery.test.ts.
 */
import type { LogDamage } from "./log-file-scan.ts";
import type { LogHead } from "./frames.ts";
import type { Manifest } from "./manifest.ts";

/** What was found in one log file. */
export interface FileReport {
  readonly number: number;
  /** Null when it is damaged. */
  readonly head: LogHead | null;
  /** Offset and chain up to which it is whole. */
  readonly end: number;
  readonly chain: number;
  /** Byte in the file after the last whole frame. */
  readonly endAt: number;
  readonly sizeBytes: number;
  readonly damage: LogDamage | null;
  /** The highest offset that a mark in it names, -1 for none. */
  readonly marked: number;
  /** The newest mark says that the process was told to stop there. */
  readonly clean: boolean;
}

/** Where the log that is needed begins: at a checkpoint, or at 0. */
export interface LogStart {
  readonly offset: number;
  readonly chain: number;
}

/** What the manifest says of the log. */
export interface Claims {
  /** Number of the file that begins at the start. */
  readonly first: number;
  /** Number of the newest file; 0 before there was one. */
  readonly last: number;
  /** The log was synced up to here: the highest checkpoint, what was missing; Infinity: unknown. */
  readonly proven: number;
}

/** What `manifest` says of the log from file `first` on. */
export function claimsOf({ lastLog, checkpoints, incompleteTo }: Manifest, first: number): Claims {
  const missing = incompleteTo === "unknown" ? Number.POSITIVE_INFINITY : (incompleteTo ?? 0);
  const proven = Math.max(missing, ...checkpoints.map(({ position }) => position.offset));
  return { first, last: lastLog, proven };
}

export interface Verdict {
  readonly kind: "whole" | "torn" | "incomplete";
  /** The log is whole up to here, E. */
  readonly end: number;
  readonly chain: number;
  /** P; Infinity when nobody knows how far it was. */
  readonly proven: number;
  /** Index in the reports of the file that E is in, -1 when there is none. */
  readonly last: number;
  /** What stopped the log: a kind of damage; a file, or the end of one, that is not there; its end. */
  readonly reason: LogDamage["kind"] | "missing" | "damaged_head" | "end";
  /** The log ends with the mark of a stop that was told. */
  readonly clean: boolean;
}

/** Judges `files`, those from `claims.first` on, in the order of their numbers. */
export function judge(files: readonly FileReport[], start: LogStart, claims: Claims): Verdict {
  const last = lastLinked(files, start, claims.first);
  const file = files[last];
  const end = file?.end ?? start.offset;
  const filesBehind = last < files.length - 1;
  const proven = Math.max(provenTo(files, start, claims), filesBehind ? end + 1 : 0);
  const isTorn = file !== undefined && file.damage !== null;
  return {
    kind: end < proven ? "incomplete" : isTorn ? "torn" : "whole",
    end,
    chain: file?.chain ?? start.chain,
    proven: filesBehind && proven === end + 1 ? Number.POSITIVE_INFINITY : proven,
    last,
    reason: reasonOf(files, last, end < proven),
    clean: file !== undefined && file.clean && file.marked === end && !isTorn && end >= proven,
  };
}

function provenTo(files: readonly FileReport[], start: LogStart, claims: Claims): number {
  const newest = files.at(-1);
  const isNewestThere = newest !== undefined && newest.number >= claims.last;
  if (claims.last > 0 && !isNewestThere) return Number.POSITIVE_INFINITY;
  if (newest?.head === null) return Number.POSITIVE_INFINITY;
  let proven = Math.max(start.offset, claims.proven);
  for (const { number, head, marked } of files) {
    const begun = head !== null && number > claims.first ? head.start.offset : 0;
    proven = Math.max(proven, marked, begun);
  }
  return proven;
}

/** The last of the files that follow each other from `start` on without a gap. */
function lastLinked(files: readonly FileReport[], start: LogStart, first: number): number {
  let last = -1;
  let { offset, chain } = start;
  for (let i = 0; i < files.length; i++) {
    const { number, head, end, chain: endChain } = files[i]!;
    const follows =
      head !== null &&
      number === first + i &&
      head.start.offset === offset &&
      head.start.chain === chain;
    if (!follows) break;
    last = i;
    offset = end;
    chain = endChain;
  }
  return last;
}

function reasonOf(
  files: readonly FileReport[],
  last: number,
  isIncomplete: boolean,
): Verdict["reason"] {
  if (files[last + 1]?.head === null) return "damaged_head";
  const damage = files[last]?.damage ?? null;
  if (damage !== null) return damage.kind;
  return isIncomplete ? "missing" : "end";
}
