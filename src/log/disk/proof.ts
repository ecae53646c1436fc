/**
 * Whether damage at the end of a log is the tail that a crash tore, or a loss of what was synced.
 * It is decided by proof, not by looks. P is the highest offset that is proven to have been synced:
 *
 *   witness                               proves
 *   a mark, wherever it stands            all up to the offset that it names
 *   the head of a file with a number      all before its start: a file gets its name only when
 *     above the first                       everything before it is synced
 *   the checkpoint that is used           all up to its position: it gets its name only when the
 *                                           log is synced up to there
 *   a name whose head is damaged          that something was lost, nobody knows how much: a head is
 *                                           synced before the file has its name
 *
 * E is where the log stops being whole: files follow each other by number, offset and chain.
 *
 *   E >= P, nothing behind E         whole
 *   E >= P, something behind E       torn: cut at E; all behind it goes, also what looks valid, since
 *                                    a middle block can be missing while the next one is there
 *   E <  P                           incomplete: cut at E, and what is missing up to P is asked of others
 *
 * Why garbage between a file's last batch and its end is no loss when the next file goes on from that
 * very batch: a file is cut to its length before the next one begins, and that cut is synced with it,
 * but what rots there costs nothing.
 *
 * Pure. Owns: the verdict. Does not own: reading (log-file-scan.ts), repairs (log-repair.ts).
 */
import type { Damage } from "./log-file-scan.ts";
import type { LogHead } from "./frames.ts";

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
  readonly damage: Damage | null;
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

export interface Verdict {
  readonly kind: "whole" | "torn" | "incomplete";
  /** The log is whole up to here, E. */
  readonly end: number;
  readonly chain: number;
  /** P; Infinity when nobody knows how far it was. */
  readonly proven: number;
  /** Index in the reports of the file that E is in, -1 when there is none. */
  readonly last: number;
  /** What stopped the log: a kind of damage, or a file that is not there, or "end". */
  readonly reason: Damage["kind"] | "missing_file" | "damaged_head" | "end";
  /** The log ends with the mark of a stop that was told. */
  readonly clean: boolean;
}

/**
 * Judges `files`, which are in the order of their numbers.
 * @param first number of the file that begins at `start`, as the manifest says
 */
export function judge(files: readonly FileReport[], first: number, start: LogStart): Verdict {
  const proven = provenTo(files, first, start);
  const last = lastLinked(files, first, start);
  const file = files[last];
  const end = file?.end ?? start.offset;
  const isBehind = last < files.length - 1 || (file !== undefined && file.damage !== null);
  return {
    kind: end < proven ? "incomplete" : isBehind ? "torn" : "whole",
    end,
    chain: file?.chain ?? start.chain,
    proven,
    last,
    reason: reasonOf(files, last, proven),
    clean: file !== undefined && file.clean && file.marked === end && !isBehind,
  };
}

function provenTo(files: readonly FileReport[], first: number, start: LogStart): number {
  let proven = start.offset;
  for (const { number, head, marked } of files) {
    if (head === null) return Number.POSITIVE_INFINITY;
    proven = Math.max(proven, marked, number > first ? head.start.offset : 0);
  }
  return proven;
}

/** The last of the files that follow each other from `start` on without a gap. */
function lastLinked(files: readonly FileReport[], first: number, start: LogStart): number {
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

function reasonOf(files: readonly FileReport[], last: number, proven: number): Verdict["reason"] {
  const after = files[last + 1];
  if (after !== undefined && after.head === null) return "damaged_head";
  const damage = files[last]?.damage ?? null;
  if (damage !== null) return damage.kind;
  return after !== undefined || proven > (files[last]?.end ?? 0) ? "missing_file" : "end";
}
