/**
 * Which log a node's offsets count in: the current history and the lineage that led to it.
 *
 *   lineage   [ (H0, left 120) , (H1, left 300) ]   current H2
 *   log       0 ......... 120 ........... 300 ........ next
 *             written as H0   as H1         as H2
 *
 * Pure values. Owns: promotion and adoption. Does not own: what to do at a resume (resume.ts).
 */
import { LIMITS } from "../limits.ts";
import type { Id, Lineage, LineageEntry, Position, Rank } from "../wire/messages.ts";

const RUN_MAX = 0xffff_ffff;

export interface HistoryState {
  readonly history: Id;
  /** Oldest first; `left` never decreases. */
  readonly lineage: Lineage;
}

/** Which log it is: a history, the rank that it is led with, and what led to it. */
export interface LogName extends HistoryState {
  readonly rank: Rank;
}

/** A log up to `offset`. */
export interface LogEnd extends LogName {
  readonly offset: number;
}

/** What names a log in a message: HELLO, WELCOME, SNAPSHOT, STATE. */
export interface NamedLog extends Pick<LogName, "rank" | "lineage"> {
  readonly position: Position;
}

/** The log that a message is of. */
export function logEndOf({ position, rank, lineage }: NamedLog): LogEnd {
  return { history: position.history, offset: position.offset, rank, lineage };
}

/** Before any leader was heard of. */
export const NO_RANK: Rank = { term: 0, run: 0 };

/** 0 when equal, below 0 when `a` is lower. */
export function compareRanks(a: Rank, b: Rank): number {
  return a.term - b.term || a.run - b.run;
}

/** Which of two leaders comes after the other, as ranks compare; of equal ranks the history decides. */
export function compareLeaders(
  a: Pick<LogName, "history" | "rank">,
  b: Pick<LogName, "history" | "rank">,
): number {
  const ranks = compareRanks(a.rank, b.rank);
  if (ranks !== 0 || a.history === b.history) return ranks;
  return a.history < b.history ? -1 : 1;
}

/** "3.1": for people. */
export function rankText({ term, run }: Rank): string {
  return `${term}.${run}`;
}

/**
 * Which of two logs counts for more, 0 for neither, below 0 when `a` is behind `b`: by the rank of the history
 * that the last byte of each belongs to, by that history, by where they end. Never by where they end alone: of
 * logs that went different ways the longer one may be the one that was left.
 */
export function compareLogs(a: LogEnd, b: LogEnd): number {
  return compareLeaders(lastWritten(a), lastWritten(b)) || a.offset - b.offset;
}

/** The history that the last byte of a log was written in. Its end may be that of an earlier one than it is in. */
export function lastWritten({
  history,
  rank,
  lineage,
  offset,
}: LogEnd): Pick<LogName, "history" | "rank"> {
  for (const entry of lineage)
    if (entry.left >= offset) return { history: entry.history, rank: entry };
  return { history, rank };
}

/** The rank of a promotion: the highest term seen + 1. At the limit terms stay equal, and ids decide. */
export function nextTerm(highest: Rank): Rank {
  return { term: Math.min(highest.term + 1, LIMITS.termMax), run: 0 };
}

/** The rank of a term's own leader that was started again. */
export function nextRun({ term, run }: Rank): Rank {
  return run < RUN_MAX ? { term, run: run + 1 } : nextTerm({ term, run });
}

/**
 * The history of a node that is promoted at `offset`: every older history counts as left no later
 * than here, the present one as left here. Worked example: (H1 left 300), current H2, promoted at
 * 280 (it had not even got to 300, its upstream told it of H2) gives H1 left 280, H2 left 280.
 */
export function promoted(state: LogName, offset: number, fresh: Id, rank: Rank): LogName {
  const lowered: LineageEntry[] = state.lineage.map((entry) => ({
    ...entry,
    left: Math.min(entry.left, offset),
  }));
  lowered.push({ history: state.history, left: offset, ...state.rank });
  return { history: fresh, rank, lineage: withoutShortest(lowered, LIMITS.lineageEntriesMax) };
}

/**
 * What fits a lineage of `most` entries: of more those go that were the shortest, of equal ones the older,
 * since few can be in them. The oldest stays, which tells relatives from strangers, and so does the newest,
 * which all replicas are in. Changes what it is given.
 */
export function withoutShortest(lineage: LineageEntry[], most: number): Lineage {
  while (lineage.length > most) {
    let shortest = 1;
    for (let i = 2; i < lineage.length - 1; i++)
      if (lengthOf(lineage, i) < lengthOf(lineage, shortest)) shortest = i;
    lineage.splice(shortest, 1);
  }
  return lineage;
}

/** Bytes of the log that were written in history `i`, or in those forgotten before it. */
function lengthOf(lineage: Lineage, i: number): number {
  return lineage[i]!.left - lineage[i - 1]!.left;
}

/** With which rank `history` is led, or was; null when `name` does not know it. */
export function rankIn(name: LogName, history: Id): Rank | null {
  if (name.history === history) return name.rank;
  return name.lineage.find((entry) => entry.history === history) ?? null;
}

/** Where `state` left `history`: Infinity for the current one, -1 when it never lived in it. */
export function leftAt(state: HistoryState, history: Id): number {
  if (state.history === history) return Number.POSITIVE_INFINITY;
  for (let i = state.lineage.length - 1; i >= 0; i--) {
    const entry = state.lineage[i]!;
    if (entry.history === history) return entry.left;
  }
  return -1;
}

/** The newest history of `replica` that `feeder` knows, and where the two left it. */
export function latestCommon(
  feeder: HistoryState,
  replica: HistoryState,
): { readonly history: string; readonly fork: number } | null {
  const newestFirst = [replica.history, ...replica.lineage.map((entry) => entry.history).reverse()];
  for (const history of newestFirst) {
    const feederLeft = leftAt(feeder, history);
    if (feederLeft < 0) continue;
    return { history, fork: Math.min(feederLeft, leftAt(replica, history)) };
  }
  return null;
}
