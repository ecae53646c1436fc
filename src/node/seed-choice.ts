/**
 * What a node that starts with --seed-from does next, by what its sources answered.
 *
 *   state of a source   it has data, or a log; a source without either is empty, and skipped
 *   it lives            it is a primary, or follows one over links that stand
 *   A within B          all of A's log is in B's, by lineage (never by offsets of unrelated histories)
 *
 *   sources with a state       this node                      choice
 *   none; an empty one lives   any                            stay: follow it, as a replica
 *   none                       has no state                   ask_again
 *   none                       has all that it heard of       promote
 *   none lives, but one that   has a state, or     ask_again: a promotion would be a second primary
 *   has none yet follows a     another source has
 *   root that does
 *   two are unrelated          any                            ask_again: nobody can tell which is right
 *   some live                  any                            stay with the furthest that lives
 *   some live                  these went different ways      ask_again
 *   none lives                 is the furthest                promote
 *   none lives                 another is the furthest        sync from it, then ask again
 *   none lives                 these went different ways      ask_again
 *
 * The furthest is the one that all others are within. Among equals a primary comes first, then the
 * order of the list. A replica below a primary that also answered gives way to that primary.
 * What a replica says of its primary is hearsay: it has to be said for some time (seeding.ts).
 *
 * Pure. Owns: the decision. Does not own: asking (seeding.ts), ranks of leaders (there are none yet).
 */
import { type HistoryState, latestCommon } from "../log/history.ts";
import type { Id, StateAnswer } from "../wire/messages.ts";
import { printable } from "../wire/text.ts";
import { formatAddress, type Address } from "../net/address.ts";

/** What came of asking one source: its state, or why there is none. */
export interface SeedAnswer {
  readonly source: Address;
  readonly state: StateAnswer | null;
  /** For people; "" with a state. */
  readonly error: string;
}

/** A log: which one, and how much of it. */
interface Log extends HistoryState {
  readonly offset: number;
}

/** This node, as it compares itself with its sources. */
export interface SeedSelf extends Log {
  readonly nodeId: Id;
  /** It took a state from a source since it started. */
  readonly synced: boolean;
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

interface Heard extends Log {
  readonly source: Address;
  readonly state: StateAnswer;
}

/** Decides; see the table above. */
export function chooseSeed(own: SeedSelf, answers: readonly SeedAnswer[]): SeedChoice {
  const heard = others(own, answers);
  const candidates = heard.filter(({ state }) => hasState(state));
  const told = own.synced || candidates.length > 0 ? belowUnknownRoot(own, heard) : undefined;
  if (told !== undefined && !candidates.some(({ state }) => lives(state, own)))
    return {
      kind: "ask_again",
      why: `${nameOf(told)} has no state yet, and its primary is alive`,
    };
  if (candidates.length === 0) return withoutState(own, heard, answers);
  const logs: readonly (Heard | SeedSelf)[] = own.synced ? [...candidates, own] : candidates;
  const strangers = firstPair(logs, (a, b) => latestCommon(a, b) === null);
  if (strangers !== null) return refuse(strangers, "hold unrelated histories");
  const living = candidates.filter(({ state }) => lives(state, own));
  const pool = living.length > 0 ? living : logs;
  const best = furthest(pool);
  if (best === null)
    return refuse(
      firstPair(pool, (a, b) => !within(a, b) && !within(b, a))!,
      "went different ways",
    );
  if (!("source" in best)) return { kind: "promote", why: "no source lives, and none has more" };
  if (living.length === 0)
    return { kind: "sync", source: best.source, why: `${nameOf(best)} has most, and none lives` };
  return stay(aboveOf(best, living));
}

/** Every other node that answered, once. */
function others(own: SeedSelf, answers: readonly SeedAnswer[]): Heard[] {
  const seen = new Set<Id>([own.nodeId]);
  const heard: Heard[] = [];
  for (const { source, state } of answers) {
    if (state === null || seen.has(state.nodeId)) continue;
    seen.add(state.nodeId);
    const { lineage, position } = state;
    heard.push({ source, state, lineage, history: position.history, offset: position.offset });
  }
  return heard;
}

function withoutState(
  own: SeedSelf,
  heard: readonly Heard[],
  answers: readonly SeedAnswer[],
): SeedChoice {
  const living = heard.filter(({ state }) => lives(state, own));
  const root = living.find(({ state }) => state.role === "primary") ?? living[0];
  if (!own.synced && root !== undefined) return stay(root);
  if (own.synced) return { kind: "promote", why: "no other source has a state" };
  const why = heard.length > 0 ? "no source has a state yet" : errorsOf(answers);
  return { kind: "ask_again", why };
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
    ({ state }) =>
      state.role === "replica" &&
      !hasState(state) &&
      lives(state, own) &&
      !heard.some((other) => other.state.nodeId === state.path[0]),
  );
}

/** What is below this node knows of a root only what this node tells it. */
function lives(state: StateAnswer, own: SeedSelf): boolean {
  return state.role === "primary" || (state.rootLives && !state.path.includes(own.nodeId));
}

/** All of a's log is in b's. */
function within(a: Log, b: Log): boolean {
  const common = latestCommon(b, a);
  return common !== null && a.offset <= common.fork && a.offset <= b.offset;
}

function furthest<L extends Log>(pool: readonly L[]): L | null {
  const best = pool.filter((log) => pool.every((other) => within(other, log)));
  const isPrimary = (log: L): boolean => (log as Partial<Heard>).state?.role === "primary";
  // Why self first: with equal logs there is nothing to fetch.
  return (
    best.find((log) => !("source" in log)) ?? best.find((log) => isPrimary(log)) ?? best[0] ?? null
  );
}

/** The primary that `best` is below, when it answered too. */
function aboveOf(best: Heard, living: readonly Heard[]): Heard {
  const { path } = best.state;
  const above = living.find(({ state }) => state.role === "primary" && path.includes(state.nodeId));
  return above ?? best;
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

function refuse([a, b]: readonly [Log, Log], how: string): SeedChoice {
  return { kind: "ask_again", why: `${nameOf(a)} and ${nameOf(b)} ${how}: choose by hand` };
}

function firstPair(
  logs: readonly Log[],
  fits: (a: Log, b: Log) => boolean,
): readonly [Log, Log] | null {
  for (const [n, a] of logs.entries())
    for (const b of logs.slice(n + 1)) if (fits(a, b)) return [a, b];
  return null;
}

function nameOf(log: Log): string {
  return "source" in log ? formatAddress((log as Heard).source) : "this node";
}
