/**
 * Figures of synchronous mode: the rule that counts, a change under way, and for each member where it is, whether it
 * counts, and how far it has confirmed.
 *
 * Pure. Owns: the shapes, the mapping. Does not own: the figures (synchronous.ts, primary/feeder.ts), who shows them.
 * Tested in: test/unit/node/synchronous.test.ts.
 */
import type { Id, SyncLevel, SyncRule, SyncState } from "../wire/messages.ts";
import type { LinkedHolder } from "../primary/feeder.ts";
import { isSamePlace, type MemberPlace } from "./member-places.ts";
import { rulesOf } from "./members.ts";

/** The connection of a replica; api.ts has all of it. */
export interface MemberLink {
  readonly replicaId: Id;
  readonly host: string;
  readonly clientPort: number;
  readonly replPort: number;
  readonly state: string;
  readonly complete: boolean;
}

/** By whom writes are confirmed. */
export interface RuleStatus {
  /** Besides the leader. */
  readonly copies: number;
  readonly level: SyncLevel;
  readonly members: readonly Id[];
}

/** One that confirms; of the node that leads by its own log, of others by their links to it. */
export interface MemberStatus {
  readonly storeId: Id;
  /** Where it is linked from, or was last; "" and 0 unknown. */
  readonly host: string;
  readonly clientPort: number;
  readonly replPort: number;
  /** It is not linked, and another store is linked from where it was: that one; "" for none. */
  readonly replacedBy: Id;
  /** It streams from this node. */
  readonly linked: boolean;
  /** It has all that it ever acknowledged. */
  readonly complete: boolean;
  /** It counts: linked, complete, and heard of within --sync-timeout. */
  readonly good: boolean;
  /** End of the log that it has, at the level of the rule; -1 unknown. */
  readonly confirmed: number;
  /** From there to the end of this node's log, bytes; -1 unknown. */
  readonly lagBytes: number;
}

/** Synchronous mode. */
export interface SyncStatus {
  /** So many members besides the leader confirm; 0 while the mode is being turned off. */
  readonly copies: number;
  readonly level: SyncLevel;
  /** This node leads: only then it knows of others. */
  readonly leads: boolean;
  /** End of the log that is confirmed; -1 nothing yet, or this node does not lead. */
  readonly confirmed: number;
  /** Besides this node. */
  readonly goodMembers: number;
  /** Of the rule, and, during a change, of the one before. */
  readonly members: readonly MemberStatus[];
  /** Replies to clients that wait until what they show is confirmed. */
  readonly heldReplies: number;
  /** Not confirmed yet: both rules count. `to` is null when the mode is being turned off. */
  readonly change: { readonly from: RuleStatus | null; readonly to: RuleStatus | null } | null;
}

/** What of the node that is asked they are made of. */
export interface SyncFigures {
  readonly sync: SyncState;
  readonly isLeading: boolean;
  readonly confirmed: number;
  /** Monotonic; who was not heard of since is not good. */
  readonly heardSinceMs: number;
  readonly heldReplies: number;
  readonly own: Pick<MemberStatus, "storeId" | "host" | "clientPort" | "replPort"> & {
    readonly applied: number;
    readonly durable: number;
    readonly complete: boolean;
  };
  readonly holders: readonly LinkedHolder[];
  readonly links: readonly MemberLink[];
  /** Where a store was last. */
  readonly placeOf: (storeId: Id) => MemberPlace;
}

/** Null when the mode is off. */
export function syncStatusOf(figures: SyncFigures): SyncStatus | null {
  const { sync, isLeading, confirmed, own } = figures;
  const [rule] = rulesOf(sync);
  if (rule === undefined) return null;
  // With a change in between those of before are asked, too.
  const ids = new Set(rulesOf(sync).flatMap(({ members }) => members));
  const members = [...ids].map((id) => memberStatus(figures, id, rule.level));
  const isGood = ({ storeId, good }: MemberStatus): boolean => good && storeId !== own.storeId;
  return {
    copies: sync.now?.copies ?? 0,
    level: rule.level,
    leads: isLeading,
    confirmed: isLeading ? confirmed : -1,
    goodMembers: members.filter(isGood).length,
    members,
    heldReplies: figures.heldReplies,
    change: sync.was === null ? null : { from: ruleStatus(sync.was), to: ruleStatus(sync.now) },
  };
}

function ruleStatus(rule: SyncRule | null): RuleStatus | null {
  if (rule === null) return null;
  const { copies, level, members } = rule;
  return { copies, level, members };
}

function thereNow(links: readonly MemberLink[], place: MemberPlace): Id {
  return links.find((link) => isSamePlace(link, place))?.replicaId ?? "";
}

function memberStatus(figures: SyncFigures, storeId: Id, level: SyncLevel): MemberStatus {
  const { own, holders, links, isLeading, heardSinceMs, placeOf } = figures;
  if (storeId === own.storeId) {
    const { host, clientPort, replPort, complete } = own;
    const confirmed = own[level];
    const lagBytes = own.applied - confirmed;
    const isHere = { linked: true, good: true, replacedBy: "" } as const;
    return { storeId, host, clientPort, replPort, ...isHere, complete, confirmed, lagBytes };
  }
  // Of a node that does not lead the links say nothing of members: nobody confirms for it.
  const link = isLeading ? links.find(({ replicaId }) => replicaId === storeId) : undefined;
  const holder = isLeading ? holders.find((each) => each.storeId === storeId) : undefined;
  const confirmed = holder?.[level] ?? -1;
  const place = link ?? placeOf(storeId);
  const { host, clientPort, replPort } = place;
  return {
    storeId,
    host,
    clientPort,
    replPort,
    replacedBy: link === undefined && isLeading ? thereNow(links, place) : "",
    linked: link?.state === "streaming",
    complete: link?.complete ?? false,
    good: holder !== undefined && holder.ackMs >= heardSinceMs,
    confirmed,
    lagBytes: confirmed < 0 ? -1 : Math.max(0, own.applied - confirmed),
  };
}
