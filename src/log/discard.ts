/**
 * What a log loses when a node gets the log, or a snapshot, of another in its place, and with which rank that one
 * has to be led for it:
 *
 *   the two logs                             what is discarded     when it may be
 *   nothing in common                        all of ours           by consent alone: ranks of strangers say nothing
 *   ours is a part of theirs                 nothing               always
 *   ours goes on where they went apart       what is behind that   theirs is led with a rank above that of our last byte
 *   theirs is a part of ours                 what theirs has not   the same
 *   one history, one place, another chain    nobody knows          the same
 *
 * A log may be discarded for whoever was chosen after it was written, and for nobody else: a leader that was left, or
 * one whose disk went back to an earlier day, would take with it what others have confirmed. Ranks compare with their
 * histories (history.ts), so that of two one always may, and never both.
 *
 * Pure. Owns: that rule, for both ends. Does not own: what the ends do then (primary/resume.ts,
 * replica/handshake.ts), consent.
 */
import {
  compareLeaders,
  lastWritten,
  latestCommon,
  type LogEnd,
  type LogName,
  rankText,
} from "./history.ts";

/** Whoever leads with a rank, in a history. */
export type Leader = Pick<LogName, "history" | "rank">;

/** From where on `own` has what `theirs` has not; null when it has no such log, or they are strangers. */
export function goesFrom(own: LogEnd, theirs: LogEnd): number | null {
  const common = latestCommon(theirs, own);
  if (common === null) return null;
  const from = Math.min(common.fork, theirs.offset);
  return own.offset > from ? from : null;
}

/** How whoever leads stands to the last byte of `own`: above 0 when it may be discarded for that one. */
export function standsAbove(leader: Leader, own: LogEnd): number {
  const last = lastWritten(own);
  // A history has one rank: whoever names another for it is not above itself by that.
  return last.history === leader.history ? 0 : compareLeaders(leader, last);
}

/** For people: both ranks. */
export function ranksText(leader: Leader, own: LogEnd): string {
  const last = lastWritten(own);
  const histories = last.history === leader.history ? "the same" : "another";
  return `rank ${rankText(leader.rank)}, and what it would discard was written with rank ${rankText(last.rank)} in ${histories} history`;
}
