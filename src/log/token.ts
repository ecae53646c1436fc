/**
 * A place in a log that is handed on: what somebody wrote on one node, and wants to see on another.
 *
 *   00112233445566778899aabbccddeeff-3-1-8192     history, rank (term 3, run 1), offset
 *
 * How a node at offset `next` of its own log stands to such a place:
 *
 *   the history is          and the place is         then
 *   its own, or one that    beyond where it left it  lost: it went on from before that place
 *   led to it               within, above `next`     ahead: it will have it
 *                           within, up to `next`     reached
 *   unknown to it           of a lower rank          lost: what it has is led by a higher one, and does not
 *                                                    come from there
 *                           of no lower rank         ahead: it may hear of it yet
 *
 * Ranks are equal when two lead in one term; then the higher id wins, on all nodes the same. A history that a
 * lineage has forgotten (history.ts) counts as unknown: lost is said rather than reached.
 *
 * Pure. Owns: the text, that comparison. Does not own: lineages (history.ts), who waits.
 */
import type { Id, Rank } from "../wire/messages.ts";
import { compareRanks, leftAt, type LogName } from "./history.ts";

/** A place in a log, with the rank of its history where it is known. */
export interface Place {
  readonly history: Id;
  readonly offset: number;
  readonly rank?: Rank;
}

export interface Token extends Place {
  readonly rank: Rank;
}

export type Standing = "reached" | "ahead" | "lost";

/** No token is longer. */
export const TOKEN_CHARS_MAX = 80;

const FORM = /^([0-9a-f]{32})-(0|[1-9]\d{0,15})-(0|[1-9]\d{0,9})-(0|[1-9]\d{0,15})$/;
const RUN_MAX = 0xffff_ffff;

export function tokenText({ history, rank, offset }: Token): string {
  return `${history}-${rank.term}-${rank.run}-${offset}`;
}

/** What a text says; null when it is no token. */
export function readToken(text: string): Token | null {
  const [, history, ...digits] = (text.length <= TOKEN_CHARS_MAX ? FORM.exec(text) : null) ?? [];
  if (history === undefined) return null;
  const [term = -1, run = -1, offset = -1] = digits.map(Number);
  const isWhole = Number.isSafeInteger(term) && run <= RUN_MAX && Number.isSafeInteger(offset);
  return isWhole ? { history, rank: { term, run }, offset } : null;
}

/** The place at `offset` of the log `name`, in the history that the byte before it was written in. */
export function tokenAt(name: LogName, offset: number): Token {
  const within = name.lineage.find(({ left }) => left >= offset);
  if (within === undefined) return { history: name.history, rank: name.rank, offset };
  const { history, term, run } = within;
  return { history, rank: { term, run }, offset };
}

/** How a node with the log `name`, applied up to `next`, stands to `place`. */
export function standingOf(name: LogName, next: number, place: Place): Standing {
  const left = leftAt(name, place.history);
  if (left >= 0) {
    if (place.offset > left) return "lost";
    return next >= place.offset ? "reached" : "ahead";
  }
  return isBelow(place, name) ? "lost" : "ahead";
}

function isBelow({ rank, history }: Place, name: LogName): boolean {
  if (rank === undefined) return false;
  const order = compareRanks(rank, name.rank);
  return order < 0 || (order === 0 && history < name.history);
}
