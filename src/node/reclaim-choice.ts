/**
 * What a node that led does at a restart, before it opens for writes, by what the nodes that followed it
 * answer: its disk may have lost the end of its log, and they may have it; or another leads by now.
 *
 *   what one answers                                       it is            and then
 *   nothing, an error                                      silent           asked again, until the bound
 *   this very node's id                                    self             nothing
 *   another cluster's id, or no history in common          stranger         nothing
 *   a rank above ours, and it leads, or follows one that   rules            followed, at once
 *   does over links that stand
 *   a term above ours, and whoever led is not heard of     orphan           asked again, until the bound: the
 *                                                                           leader may show up; then followed
 *   it leads, with a rank that is not above                rival            nothing: a quarrel for people
 *   its log has all of ours, and more                      ahead            feeds the rest
 *   its log ends where ours does, or before                level            nothing
 *   its log left ours before our end                       another_way      nothing: it will follow, and be told
 *
 *   all of them                                            choice
 *   some rule                                              follow: the highest rank, whoever leads itself, then
 *                                                          the log that counts for most
 *   an orphan, before the bound                            ask_again
 *   an orphan, at the bound                                follow, as above
 *   some are ahead                                         take: the log that counts for most (log/history.ts)
 *   one that is awaited is silent, before the bound        ask_again
 *   else                                                   open
 *
 * Who is not awaited (followers.ts) has nothing of this log that this disk lacks, so its silence delays
 * nobody; what it answers counts as of any other: it may know who leads.
 *
 * Why an orphan is followed, though nobody leads then: somebody was promoted in this node's place, and may be
 * alive where it is not heard of. To lead against that is for people to decide.
 *
 * Ranks compare by term, run and, for two that lead, history. Ours is the highest that this node led
 * with or promised; a later run of its own term is its own, from a life that its disk has lost. That a log
 * is the same is only said here, by histories; what feeds has to prove it by its chain (handshake.ts).
 *
 * Pure. Owns: the decision. Does not own: asking, taking, bounds (reclaiming.ts).
 */
import {
  compareLeaders,
  compareLogs,
  compareRanks,
  latestCommon,
  logEndOf,
  rankText,
} from "../log/history.ts";
import { formatAddress, type Address } from "../net/address.ts";
import type { Id, Lineage, Rank, StateAnswer } from "../wire/messages.ts";
import type { SeedAnswer } from "./seed-choice.ts";

/** This node, as it compares itself with who followed it. */
export interface ReclaimSelf {
  readonly nodeId: Id;
  readonly clusterId: Id | null;
  readonly history: Id;
  readonly lineage: Lineage;
  /** Where its log ends. */
  readonly offset: number;
  /** The highest rank that it led with, or heard of. */
  readonly rank: Rank;
}

export type ReclaimChoice =
  | { readonly kind: "open"; readonly why: string }
  | {
      readonly kind: "take";
      readonly source: Address;
      /** Where the log of the source ends. */
      readonly to: number;
      readonly why: string;
    }
  | { readonly kind: "follow"; readonly source: Address; readonly why: string }
  | { readonly kind: "ask_again"; readonly why: string };

export type ReclaimVerdict =
  "silent" | "self" | "stranger" | "rules" | "orphan" | "rival" | "ahead" | "level" | "another_way";

/** What is to be known beside the answers. */
export interface ReclaimRound {
  /** The bound has passed. */
  readonly isOverdue: boolean;
  /** Whoever has given what it said it had, or could not. */
  readonly isOver: (source: Address) => boolean;
  /** Its silence is waited for. */
  readonly isAwaited: (source: Address) => boolean;
}

interface Heard {
  readonly source: Address;
  readonly state: StateAnswer;
  readonly verdict: ReclaimVerdict;
}

/** Decides; see the tables above. Total: every input has exactly one choice. */
export function chooseReclaim(
  own: ReclaimSelf,
  answers: readonly SeedAnswer[],
  { isOverdue, isOver, isAwaited }: ReclaimRound,
): ReclaimChoice {
  const heard: Heard[] = [];
  const silent: SeedAnswer[] = [];
  for (const answer of answers)
    if (answer.state === null) silent.push(answer);
    else heard.push({ ...answer, state: answer.state, verdict: verdictOf(own, answer.state) });
  const ruler = first(
    heard.filter(({ verdict }) => verdict === "rules"),
    byLeading,
  );
  if (ruler !== null) return follow(ruler);
  const orphan = first(
    heard.filter(({ verdict }) => verdict === "orphan"),
    byLeading,
  );
  if (orphan !== null && isOverdue) return follow(orphan);
  if (orphan !== null)
    return { kind: "ask_again", why: `${nameOf(orphan)} had a newer primary, not heard of now` };
  const ahead = first(
    heard.filter(({ source, verdict }) => !isOver(source) && verdict === "ahead"),
    byLog,
  );
  if (ahead !== null) return take(own, ahead);
  const waits = silent.filter(({ source }) => isAwaited(source) && !isOver(source));
  if (waits.length > 0 && !isOverdue)
    return { kind: "ask_again", why: waits.map(errorOf).join("; ") };
  if (silent.length === 0) return { kind: "open", why: "nobody who followed it has more" };
  const names = silent.map(({ source }) => formatAddress(source)).join(", ");
  return { kind: "open", why: `nobody who answers has more; not heard of: ${names}` };
}

/** What one answer means. */
export function verdictOf(own: ReclaimSelf, state: StateAnswer | null): ReclaimVerdict {
  if (state === null) return "silent";
  if (state.nodeId === own.nodeId) return "self";
  const isForeign =
    own.clusterId !== null && state.clusterId !== null && own.clusterId !== state.clusterId;
  const relation = relationOf(own, state);
  if (isForeign || relation === null) return "stranger";
  if (isAbove(own, state)) return isLed(state) ? "rules" : "orphan";
  if (state.role === "primary") return "rival";
  return relation;
}

/** The highest rank that anybody of this cluster named. */
export function highestRank(own: ReclaimSelf, answers: readonly SeedAnswer[]): Rank {
  let highest = own.rank;
  for (const { state } of answers) {
    if (state === null || verdictOf(own, state) === "stranger") continue;
    if (compareRanks(state.rank, highest) > 0) highest = state.rank;
  }
  return highest;
}

/** For people: what each that was asked has answered. */
export function answersText(own: ReclaimSelf, answers: readonly SeedAnswer[]): string {
  const texts = answers.map((answer) => {
    const { state } = answer;
    if (state === null) return errorOf(answer);
    const verdict = verdictOf(own, state).replace("_", " ");
    return `${formatAddress(answer.source)}: ${verdict}, its log ends at ${state.position.offset}`;
  });
  return texts.length === 0 ? "nobody is remembered" : texts.join("; ");
}

/** How its log stands to ours; null for logs of which nobody can say. */
function relationOf(
  own: ReclaimSelf,
  state: StateAnswer,
): "ahead" | "level" | "another_way" | null {
  const { lineage, position } = state;
  const common = latestCommon({ history: position.history, lineage }, own);
  if (common === null) return null;
  if (own.offset > common.fork) return "another_way";
  return position.offset > own.offset ? "ahead" : "level";
}

/** Its log is led by somebody who was to lead after this node. */
function isAbove(own: ReclaimSelf, { rank, role, position }: StateAnswer): boolean {
  if (role !== "primary") return rank.term > own.rank.term;
  return compareLeaders({ rank, history: position.history }, own) > 0;
}

function isLed(state: StateAnswer): boolean {
  return state.role === "primary" || state.rootLives;
}

function take(own: ReclaimSelf, { source, state }: Heard): ReclaimChoice {
  const to = state.position.offset;
  const why = `${formatAddress(source)} has ${to - own.offset} bytes of log that this disk has not`;
  return { kind: "take", source, to, why };
}

function follow(heard: Heard): ReclaimChoice {
  const { source, state } = heard;
  const follows = state.rootLives ? "follows a primary" : "followed a primary, not heard of now,";
  const leads = state.role === "primary" ? "is a primary" : follows;
  const why = `${nameOf(heard)} ${leads} of rank ${rankText(state.rank)}, above this node's`;
  return { kind: "follow", source, why };
}

/** The first in an order; among equals the first of the list. */
function first(list: readonly Heard[], order: (a: Heard, b: Heard) => number): Heard | null {
  return list.reduce<Heard | null>(
    (best, each) => (best === null || order(each, best) > 0 ? each : best),
    null,
  );
}

function byLog(a: Heard, b: Heard): number {
  return compareLogs(logEndOf(a.state), logEndOf(b.state));
}

/** Whoever leads itself comes before those that follow it. */
function byLeading(a: Heard, b: Heard): number {
  const ranks = compareRanks(a.state.rank, b.state.rank);
  if (ranks !== 0) return ranks;
  const leads = Number(a.state.role === "primary") - Number(b.state.role === "primary");
  if (leads !== 0) return leads;
  const [log, other] = [logEndOf(a.state), logEndOf(b.state)];
  const order = a.state.role === "primary" ? compareLeaders(log, other) : 0;
  return order || compareLogs(log, other);
}

function nameOf({ source }: Pick<Heard, "source">): string {
  return formatAddress(source);
}

function errorOf({ source, error }: SeedAnswer): string {
  return `${formatAddress(source)}: ${error}`;
}
