/**
 * What a node that starts with --seed-from does next, by what its sources answered (D29).
 *
 *   state of a source   it has data, or a log; a source without either is empty, and skipped
 *   it lives            it is a primary, or follows one over links that stand, and has answered just now
 *   it counts for more  by the rank of the history that the last byte was written in, by that history, by where the
 *                       log ends (log/history.ts): never by where it ends alone
 *   it is below us      it has dialled this node as its upstream, or its path leads through one that is below us
 *
 *   sources with a state       this node                      choice
 *   none; an empty one lives   any                            stay: follow it, as a replica
 *   none                       has no state                   ask_again
 *   none                       has all that it heard of       promote
 *   none lives, but one that   has a state, or     ask_again: a promotion would be a second primary
 *   has none yet follows a     another source has
 *   root that does
 *   two are unrelated, or of   any                            ask_again: ranks of strangers say nothing
 *   two clusters
 *   some live                  any                            stay with the highest rank that is led; of one rank
 *                                                             a primary before whoever follows it
 *   some live, and the rank    any                            ask_again: whoever leads was left, or the other one
 *   of another log is higher                                  leads where nobody hears of it
 *   none lives                 another counts for most        sync from it, then ask again
 *   none lives                 counts for most, but for one   ask_again
 *                              that is silent now
 *   none lives                 counts for most, and one is    ask_again: it is another node's replica, and that one
 *                              not below it                   may come back, or lead where nobody hears of it
 *   none lives                 the same, and may not lead     ask_again
 *   none lives                 counts for most, all are       promote, above every rank that was heard of
 *                              below it
 *
 * Equal logs: this node, then the order of the list. What a replica says of its primary is hearsay: it has to be said
 * for some time (seeding.ts). Who answered once and is silent now has what it had, and follows whom it followed, but
 * it does not live by that.
 *
 *   counter-example                                         so
 *   two old leaders of different terms, both alive          the higher one is followed, the lower one will be fenced
 *   the longer log is the one that was left                 the rank of its last byte is lower
 *   a replica has adopted a higher rank, and no byte of it  its log counts as before; against a leader that lives the
 *                                                           adopted rank does: somebody led with it
 *   an old leader lives, the newer one and its replica's    ask_again, not the old one: a moment later the link stands
 *   link are away for a moment
 *   two nodes seed from the same replicas                   these dial one of the two
 *   a replica of X answers, is seen to be X's, and dies     its word stays
 *   the best source dies while it is copied                 what it had stays in the way: people decide
 *   a source forgot its state                               it is empty; what it followed before tells nothing
 *   a replica was told to follow X after it had dialled us  only what came after its word on whom it follows counts
 *
 * Pure. Owns: the decision. Does not own: asking, who has dialled (seeding.ts), a lead round (lead-round.ts).
 */
import {
  compareLeaders,
  compareLogs,
  type LogEnd,
  latestCommon,
  rankText,
} from "../log/history.ts";
import type { Id, StateAnswer } from "../wire/messages.ts";
import { printable } from "../wire/text.ts";
import { formatAddress, type Address } from "../net/address.ts";

/** What came of asking one source: its state, or why there is none. */
export interface SeedAnswer {
  readonly source: Address;
  readonly state: StateAnswer | null;
  /** For people; "" with a state. */
  readonly error: string;
  /** The state is of an earlier round: it has not answered since. */
  readonly isStale?: boolean;
}

/** This node, as it compares itself with its sources. */
export interface SeedSelf extends LogEnd {
  readonly nodeId: Id;
  readonly clusterId: Id | null;
  /** It took a state from a source since it started, or recovered one. */
  readonly synced: boolean;
}

/** What is to be known beside the answers. */
export interface SeedRound {
  /** It has dialled this node since it said whom it follows. */
  readonly isFollower: (state: StateAnswer) => boolean;
  /** Why this node never leads by itself; "" when it may. */
  readonly mayNotLead: string;
}

export type SeedChoice =
  | { readonly kind: "promote"; readonly why: string }
  | { readonly kind: "sync"; readonly source: Address; readonly why: string }
  | {
      readonly kind: "stay";
      readonly source: Address;
      readonly why: string;
      /** Not the primary itself says so, but a replica of it, whose link may just have been cut. */
      readonly hearsay: boolean;
    }
  | { readonly kind: "ask_again"; readonly why: string };

interface Heard extends LogEnd {
  readonly source: Address;
  readonly state: StateAnswer;
  readonly clusterId: Id | null;
  readonly isStale: boolean;
}

type Log = Heard | SeedSelf;

/** Decides; see the table above. */
export function chooseSeed(
  own: SeedSelf,
  answers: readonly SeedAnswer[],
  round: SeedRound,
): SeedChoice {
  const heard = others(own, answers);
  const candidates = heard.filter(({ state }) => hasState(state));
  const living = candidates.filter((each) => lives(each, own));
  const told = own.synced || candidates.length > 0 ? belowUnknownRoot(own, heard) : undefined;
  if (told !== undefined && living.length === 0)
    return again(`${nameOf(told)} has no state yet, and its primary is alive`);
  if (candidates.length === 0 && !own.synced) return withoutState(own, heard, answers);
  const logs: readonly Log[] = own.synced ? [own, ...candidates] : candidates;
  const strangers = firstPair(logs, areStrangers);
  if (strangers !== null) return refuse(strangers);
  if (living.length > 0) return below(living, logs);
  const best = first(logs.filter(isHeardNow), compareLogs);
  if (best === null) return again(errorsOf(answers));
  if (isOther(best)) {
    const why = `${nameOf(best)} has most, and none lives`;
    return { kind: "sync", source: best.source, why };
  }
  return lead(own, candidates, round);
}

/** Every other node that answered, once: what it said last. */
function others(own: SeedSelf, answers: readonly SeedAnswer[]): Heard[] {
  const seen = new Set<Id>([own.nodeId]);
  const heard: Heard[] = [];
  for (const isStale of [false, true])
    for (const { source, state, isStale: wasStale = false } of answers) {
      if (state === null || wasStale !== isStale || seen.has(state.nodeId)) continue;
      seen.add(state.nodeId);
      const { lineage, position, rank, clusterId } = state;
      const { history, offset } = position;
      heard.push({ source, state, clusterId, isStale, history, rank, lineage, offset });
    }
  return heard;
}

function withoutState(
  own: SeedSelf,
  heard: readonly Heard[],
  answers: readonly SeedAnswer[],
): SeedChoice {
  const living = heard.filter((each) => lives(each, own));
  const root = living.find(({ state }) => state.role === "primary") ?? living[0];
  if (root !== undefined) return stay(root);
  return again(heard.length > 0 ? "no source has a state yet" : errorsOf(answers));
}

/** Nobody leads, as far as anybody says, and nobody who answers has log that counts for more. */
function lead(own: SeedSelf, candidates: readonly Heard[], round: SeedRound): SeedChoice {
  const more = candidates.find((each) => each.isStale && compareLogs(each, own) > 0);
  if (more !== undefined)
    return again(`${nameOf(more)} has log that counts for more, and does not answer${BY_HAND}`);
  if (round.mayNotLead !== "") return again(round.mayNotLead + BY_HAND);
  const [apart] = notBelow(own, candidates, round.isFollower);
  if (apart !== undefined)
    return again(`${nameOf(apart)} ${upstreamText(apart)}, not this node${BY_HAND}`);
  const why = candidates.length > 0 ? "no source lives, and none has more" : NO_OTHER;
  return { kind: "promote", why };
}

const NO_OTHER = "no other source has a state";
const BY_HAND = ": REPLICAOF NO ONE leads all the same";

/** Those that are not known to follow this node, over others or by themselves. */
function notBelow(
  own: SeedSelf,
  candidates: readonly Heard[],
  isFollower: SeedRound["isFollower"],
): readonly Heard[] {
  const below = new Set<Id>([own.nodeId]);
  const isBelow = ({ state }: Heard): boolean =>
    isFollower(state) || state.path.some((id) => id !== state.nodeId && below.has(id));
  let rest = candidates;
  for (;;) {
    const found = rest.filter(isBelow);
    if (found.length === 0) return rest;
    for (const { state } of found) below.add(state.nodeId);
    rest = rest.filter((each) => !found.includes(each));
  }
}

function upstreamText({ state }: Heard): string {
  if (state.role === "primary") return "was a primary";
  const { host, port } = state.upstream;
  return host === "" ? "follows nobody" : `follows ${printable(formatAddress({ host, port }))}`;
}

function errorsOf(answers: readonly SeedAnswer[]): string {
  const errors = answers.filter(({ error }) => error !== "");
  if (errors.length === 0) return "no source is another node";
  const told = errors.map(({ source, error }) => `${formatAddress(source)}: ${error}`);
  return `no source answers: ${told.join("; ")}`;
}

function hasState(state: StateAnswer): boolean {
  return state.hasData || state.position.offset > 0;
}

/** One without a state that follows a living root, and that root is not known to be empty itself. */
function belowUnknownRoot(own: SeedSelf, heard: readonly Heard[]): Heard | undefined {
  return heard.find(
    (each) =>
      each.state.role === "replica" &&
      !hasState(each.state) &&
      lives(each, own) &&
      !heard.some((other) => other.state.nodeId === each.state.path[0]),
  );
}

/** What is below this node knows of a root only what this node tells it. */
function lives({ state, isStale }: Heard, own: SeedSelf): boolean {
  if (isStale) return false;
  return state.role === "primary" || (state.rootLives && !state.path.includes(own.nodeId));
}

/** Whoever leads with the highest rank, unless somebody has followed a higher one. */
function below(living: readonly Heard[], logs: readonly Log[]): SeedChoice {
  const best = first(living, byLeading)!;
  const above = logs.find((log) => compareLeaders(log, best) > 0);
  if (above === undefined) return stay(best);
  const leads = best.state.role === "primary" ? "is a primary" : "follows one that is alive,";
  return again(
    `${nameOf(best)} ${leads} of rank ${rankText(best.rank)}, and ${nameOf(above)} followed one of rank ${rankText(above.rank)}, not heard of now: choose by hand`,
  );
}

/** Whoever leads itself comes before those that follow it. */
function byLeading(a: Heard, b: Heard): number {
  const leads = Number(a.state.role === "primary") - Number(b.state.role === "primary");
  return compareLeaders(a, b) || leads || compareLogs(a, b);
}

function stay(above: Heard): SeedChoice {
  const { source, state } = above;
  const name = nameOf(above);
  if (state.role === "primary")
    return { kind: "stay", source, hearsay: false, why: `${name} is a primary` };
  const { host, port } = state.upstream;
  const upstream = host === "" ? "another node" : printable(formatAddress({ host, port }));
  const why = `${name} follows ${upstream}, whose primary is alive`;
  return { kind: "stay", source, hearsay: true, why };
}

function again(why: string): SeedChoice {
  return { kind: "ask_again", why };
}

function areStrangers(a: Log, b: Log): boolean {
  const isForeign = a.clusterId !== null && b.clusterId !== null && a.clusterId !== b.clusterId;
  return isForeign || latestCommon(a, b) === null;
}

function refuse([a, b]: readonly [Log, Log]): SeedChoice {
  const what = latestCommon(a, b) === null ? "hold unrelated histories" : "are of two clusters";
  return again(`${nameOf(a)} and ${nameOf(b)} ${what}: choose by hand`);
}

/** The first in an order; among equals the first of the list. */
function first<L>(list: readonly L[], order: (a: L, b: L) => number): L | null {
  return list.reduce<L | null>(
    (best, each) => (best === null || order(each, best) > 0 ? each : best),
    null,
  );
}

function firstPair(
  logs: readonly Log[],
  fits: (a: Log, b: Log) => boolean,
): readonly [Log, Log] | null {
  for (const [n, a] of logs.entries())
    for (const b of logs.slice(n + 1)) if (fits(a, b)) return [a, b];
  return null;
}

function isOther(log: Log): log is Heard {
  return "source" in log;
}

function isHeardNow(log: Log): boolean {
  return !isOther(log) || !log.isStale;
}

function nameOf(log: Log): string {
  return isOther(log) ? formatAddress(log.source) : "this node";
}
