/**
 * What a lead round still needs before the node leads:
 *
 *   synchronous mode is off          nothing that is not chosen by what peers answer (reclaim-choice.ts)
 *   on                               promises of |S| - N of its members, the own among them, under each rule that
 *                                    counts (members.ts)
 *   one that promised has a log that counts for more and is not a part of this one    that one has to lead
 *
 *   level      a member counts when it says
 *   applied    that it is complete: it has all that it ever acknowledged
 *   durable    the same, or that its last start found all that was ever durable: that is what it has confirmed
 *
 * Why logs of promises are compared and not of answers before: who has promised acknowledges no more to a lower leader,
 * so what was confirmed is in one of these logs, as it was told.
 *
 * Pure. Owns: that. Does not own: asking (reclaiming.ts), whose log is taken (reclaim-choice.ts).
 */
import { compareLogs, type LogEnd } from "../log/history.ts";
import { goesFrom } from "../log/discard.ts";
import type { Id, SyncLevel, SyncState } from "../wire/messages.ts";
import { roundLacks, rulesOf } from "./members.ts";

/** A store that has promised, or this node's own. */
export interface RoundVoice {
  readonly storeId: Id;
  readonly complete: boolean;
  readonly intact: boolean;
  readonly log: LogEnd;
}

/** Why the node does not lead yet, for people; null when it may. */
export function roundNeed(
  sync: SyncState,
  own: RoundVoice,
  promised: readonly RoundVoice[],
): string | null {
  for (const rule of rulesOf(sync)) {
    const there = [own, ...promised].filter((voice) => counts(voice, rule.level));
    const ids = new Set(there.map(({ storeId }) => storeId));
    const lacks = roundLacks({ now: rule, was: null }, ids);
    if (lacks !== null) return lacks;
  }
  const higher = promised.find(({ log }) => countsForMore(log, own.log));
  if (higher === undefined) return null;
  return `${higher.storeId} has log that this node has not, and that counts for more: promote that one`;
}

function counts({ complete, intact }: RoundVoice, level: SyncLevel): boolean {
  return complete || (level === "durable" && intact);
}

function countsForMore(log: LogEnd, own: LogEnd): boolean {
  return compareLogs(log, own) > 0 && goesFrom(log, own) !== null;
}
