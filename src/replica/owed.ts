/**
 * What a replica lacks: in bytes, to where a log is known to end, and in ms, how old its state may
 * be against the root. Never less than what is really missing, as far as anything was heard.
 *
 * Pure. Owns: the arithmetic. Does not own: what was heard (root-view.ts, session.ts).
 */
import type { RootNews } from "./root-view.ts";
import type { Session } from "./session.ts";

/**
 * Bytes until this replica has the log up to `end`: what is left of its snapshot, and the log after
 * it; -1 unknown: nothing was heard, or how large its snapshot is.
 */
export function owedBytes(session: Session, end: number): number {
  if (end < 0) return -1;
  const { restore } = session;
  if (restore === null) return session.owesSnapshot ? -1 : Math.max(0, end - session.deps.log.next);
  const { bytes, position } = restore.begin;
  // What an earlier connection left means nothing when this one does not continue it.
  if (isAnnounced(session) || position.history !== session.root.history) return -1;
  // Why at least 1: the size is an estimate, and it owes something until the swap.
  const left = Math.max(1, bytes - restore.bytes);
  return Math.min(Number.MAX_SAFE_INTEGER, left + Math.max(0, end - position.offset));
}

/** A snapshot was announced on this connection, and SNAPSHOT has not come. */
function isAnnounced({ state }: Session): boolean {
  return state.kind === "restoring" && state.begin === null;
}

/** For how long it has had no standing connection, whole ms, at least 1 then; 0 while it has one. */
export function downForMs({ downSinceMs }: Session, nowMs: number): number {
  return downSinceMs < 0 ? 0 : Math.max(1, Math.round(nowMs - downSinceMs));
}

/** The root is heard of each second, over each step of the way; after this it is not known to live any more. */
export const SILENT_MS = 5_000;

/**
 * The newest word on the root, null before the first. It is away also when nothing was heard of it for a while
 * and all links seem to stand: its process may be stopped, or a cut not be noticed yet.
 */
export function wordOnRoot(session: Session, nowMs: number): RootNews | null {
  const { root, lastReceivedMs } = session;
  const word = root.wordAt(nowMs, downForMs(session, nowMs));
  if (word === null || word.awayMs > 0 || word.ageMs <= SILENT_MS) return word;
  // Why asked: PING waits for the end of a batch, which may be long.
  if (root.isUpstream && nowMs - lastReceivedMs <= SILENT_MS) return word;
  return { ...word, awayMs: word.ageMs };
}

/**
 * How old what this replica answers may be at most, ms by the root's clock; -1 unknown. A state that
 * has all that the root is known to have is as old as that word; else as its newest batch.
 */
export function staleMs(session: Session, nowMs: number): number {
  const { root, lastReceivedMs, deps } = session;
  const word = root.wordAt(nowMs, 0);
  if (word === null) return -1;
  const hasAll = owedBytes(session, root.end) === 0;
  const freshAtMs = Math.max(deps.log.newestClockMs, hasAll ? word.clockMs - word.ageMs : 0);
  if (freshAtMs <= 0) return -1;
  // Why the last too: clocks jump, and nothing is newer than what was last received.
  const silentMs = lastReceivedMs < 0 ? 0 : nowMs - lastReceivedMs;
  return Math.round(Math.max(0, word.clockMs - freshAtMs, silentMs));
}
