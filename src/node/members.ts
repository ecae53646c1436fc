/**
 * The rule of synchronous mode: which stores confirm a write, how many of them, and at which level; and
 * what follows from it. The states of a rule, and why each is as it is: docs/decisions/D30.
 *
 *   now    was    the rule is
 *   null   null   off
 *   R      null   on: R counts
 *   R, null  Q    changing from Q: both count, until the node batch that says so is confirmed under both
 *
 * N + 1 of S have what is confirmed, and any |S| - N of S have one of those among them: so many complete
 * members a lead round needs.
 *
 * Pure. Owns: that arithmetic, which changes there are. Does not own: the node batch (wire/node-record.ts),
 * who acknowledged what (primary/), when a change is confirmed (synchronous.ts).
 */
import { LIMITS } from "../limits.ts";
import { type Id, NO_SYNC, type SyncRule, type SyncState } from "../wire/messages.ts";

/** What a store has of the log of the node that leads, as it said on a direct link of this history. */
export interface Holder {
  readonly storeId: Id;
  readonly applied: number;
  readonly durable: number;
}

/** Complete members that a lead round needs, the one that leads it included. */
export function roundNeed({ members, copies }: SyncRule): number {
  return Math.max(0, members.length - copies);
}

/** The rules that count, none when it is off. */
export function rulesOf({ now, was }: SyncState): readonly SyncRule[] {
  return [now, was].filter((rule) => rule !== null);
}

/** Something can be confirmed under it at all. */
function canConfirm({ members, copies }: SyncRule): boolean {
  return members.length > copies;
}

/**
 * What a lead round lacks that `complete` stores have promised, the own among them; null when they are enough.
 * With a change in between under both rules.
 */
export function roundLacks(sync: SyncState, complete: ReadonlySet<Id>): string | null {
  for (const rule of rulesOf(sync)) {
    const there = rule.members.filter((id) => complete.has(id));
    const need = roundNeed(rule);
    if (there.length >= need) continue;
    const missing = rule.members.filter((id) => !complete.has(id)).join(", ");
    return `${there.length} of the ${need} complete members that are needed have answered; not: ${missing}`;
  }
  return null;
}

/** How many besides the leader have to have it. One that is no member counts for none. */
function othersNeeded({ members, copies }: SyncRule, own: Id, atLeast: number): number {
  return Math.max(copies + (members.includes(own) ? 0 : 1), atLeast);
}

/**
 * Up to where the log of the leader `own` is confirmed by `others`, complete stores on direct links; -1 for
 * nowhere. `atLeast`: somebody asks for so many copies; without a rule of any replicas, at level applied.
 */
export function confirmedTo(
  sync: SyncState,
  own: Holder,
  others: readonly Holder[],
  atLeast = 0,
): number {
  const rules = rulesOf(sync);
  if (rules.length === 0) return Math.min(own.applied, nthBest(others, "applied", atLeast));
  let to = own.applied;
  for (const rule of rules) {
    const members = others.filter(({ storeId }) => rule.members.includes(storeId));
    const { level } = rule;
    if (level === "durable") to = Math.min(to, own.durable);
    to = Math.min(to, nthBest(members, level, othersNeeded(rule, own.storeId, atLeast)));
  }
  return to;
}

/** Up to where `n` of them have it: Infinity for 0, -1 when there are fewer. */
function nthBest(holders: readonly Holder[], level: "applied" | "durable", n: number): number {
  if (n === 0) return Number.POSITIVE_INFINITY;
  if (holders.length < n) return -1;
  const ends = holders.map((holder) => holder[level]).sort((a, b) => b - a);
  return ends[n - 1]!;
}

/** Of members that are good, and of those that a write needs. */
export interface Shortage {
  readonly good: number;
  readonly needed: number;
}

/** What is short for a write to be confirmed, when `good` stores are there besides the leader; null when nothing is. */
export function shortageOf(sync: SyncState, own: Id, good: ReadonlySet<Id>): Shortage | null {
  for (const rule of rulesOf(sync)) {
    const needed = othersNeeded(rule, own, 0);
    const there = rule.members.filter((id) => id !== own && good.has(id)).length;
    if (there < needed) return { good: there, needed };
  }
  return null;
}

/** The state of one who changes to `next`, or why it may not. */
export function changeTo(sync: SyncState, next: SyncRule | null): SyncState | string {
  if (sync.was !== null) return "a change of the members is under way, and not confirmed yet";
  if (next !== null) {
    if (next.members.length > LIMITS.nodeBatchMembersMax)
      return `${next.members.length} members, at most ${LIMITS.nodeBatchMembersMax} are allowed`;
    if (next.copies < 1) return "a rule of no copies";
  }
  const { now } = sync;
  // Nothing was confirmed under one that cannot: nobody has to be asked by it.
  return { now: next, was: now !== null && canConfirm(now) ? now : null };
}

/** The change is confirmed under both, or somebody says that the old rule counts no more. */
export function changed({ now }: SyncState): SyncState {
  return now === null ? NO_SYNC : { now, was: null };
}

/** With `id` among the members; why not, in words. */
export function withMember(sync: SyncState, id: Id): SyncState | string {
  const { now } = sync;
  if (now === null) return OFF;
  if (now.members.includes(id)) return `${id} is a member already`;
  return changeTo(sync, { ...now, members: [...now.members, id] });
}

/** Without `id` among the members; why not, in words. */
export function withoutMember(sync: SyncState, id: Id): SyncState | string {
  const { now } = sync;
  if (now === null) return OFF;
  if (!now.members.includes(id)) return `${id} is no member`;
  const members = now.members.filter((member) => member !== id);
  if (members.length <= now.copies)
    return `${members.length} members would be left, and ${now.copies} beside the leader have to confirm: add one first, or lower sync`;
  return changeTo(sync, { ...now, members });
}

const OFF = "synchronous mode is off";

/** So many members a leader takes by itself: any N of them may be lost, and a majority is left. */
export function fillsUpTo({ copies }: SyncRule): number {
  return Math.min(2 * copies + 1, LIMITS.nodeBatchMembersMax);
}
