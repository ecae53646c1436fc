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
import type { Id, Lineage, LineageEntry } from "../wire/messages.ts";

export interface HistoryState {
  readonly history: Id;
  /** Oldest first; `left` never decreases. */
  readonly lineage: Lineage;
}

/**
 * The history of a node that is promoted at `offset`: every older history counts as left no later
 * than here, the present one as left here. Worked example: (H1 left 300), current H2, promoted at
 * 280 (it had not even got to 300, its upstream told it of H2) gives H1 left 280, H2 left 280.
 */
export function promoted(state: HistoryState, offset: number, fresh: Id): HistoryState {
  const lowered: LineageEntry[] = state.lineage.map((entry) => ({
    history: entry.history,
    left: Math.min(entry.left, offset),
  }));
  lowered.push({ history: state.history, left: offset });
  return { history: fresh, lineage: lowered.slice(-LIMITS.lineageEntriesMax) };
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
