/**
 * The lead rounds of synchronous mode: of a node that is to lead, of one that led and was started again, and of
 * one that leads and hears that a member has promised a higher rank (D29).
 *
 *   who                                    it asks for                       when too few promise
 *   a replica, one that seeds, or a        5 s                               it is what it was, and says what is missing
 *   fenced node, that is to lead
 *   a primary that was started again       as long as it takes, beyond       asks on; FORCE leads without them
 *                                          --reclaim
 *   a primary whose member has promised    as long as it takes               the same: it could confirm nothing
 *
 * A round is a ReclaimRun with a need: it asks, takes what is missing, and has it on the disk before it leads. Whom it
 * knows: those that followed it, whom it followed, whom that one said that follow it as well (PEERS), and the sources of
 * --seed-from.
 *
 * Owns: which round, whom it asks, its need. Does not own: the steps (reclaiming.ts), the need's rule (round-need.ts),
 * roles (role-moves.ts).
 */
import { type LogEnd, logEndOf } from "../log/history.ts";
import type { Address } from "../net/address.ts";
import type { StateAnswer } from "../wire/messages.ts";
import type { Completeness } from "./completeness.ts";
import type { Identity } from "./identity.ts";
import { rulesOf } from "./members.ts";
import type { Peer } from "./node-memory.ts";
import type { ReclaimPlan, RoundPlan } from "./reclaiming.ts";
import { roundNeed, type RoundVoice } from "./round-need.ts";
import { heldBy, type Role, upstreamOf } from "./roles.ts";

/** Somebody waits for the answer. */
const TOLD_MS = 5_000;

/** The node; core.ts. */
export interface RoundNode {
  readonly identity: Pick<
    Identity,
    "sync" | "storeId" | "isIntact" | "history" | "rank" | "lineage" | "followers" | "siblings"
  >;
  readonly completeness: Pick<Completeness, "has">;
  readonly backlog: { readonly next: number };
  readonly roles: { readonly now: Role };
  /** --seed-from. */
  readonly sources: readonly Address[];
}

/** What a round of this node needs, null outside synchronous mode, and where it alone is enough. */
export function roundOf(node: RoundNode, giveUp: RoundPlan["giveUp"] = null): RoundPlan | null {
  if (rulesOf(node.identity.sync).length === 0) return null;
  const needOf = (promised: readonly StateAnswer[]): string | null =>
    roundNeed(node.identity.sync, ownVoice(node), promised.map(voiceOf));
  return needOf([]) === null ? null : { needOf, giveUp };
}

/** The same with whom it asks: of a node that is to lead now. */
export function planRound(node: RoundNode, giveUp: RoundPlan["giveUp"]): ReclaimPlan | null {
  const round = roundOf(node, giveUp);
  if (round === null) return null;
  return { peers: askedBy(node), patienceMs: TOLD_MS, refusalOf: () => null, round };
}

/** Whom a start has to ask before the node leads again; null when it needs nobody. */
export function askedBefore(node: RoundNode): readonly Peer[] | null {
  return roundOf(node) === null ? null : askedBy(node);
}

/** Everybody whom a node knows, once each. */
export function askedBy({ identity, roles, sources }: RoundNode): Peer[] {
  const peers = new Map<string, Peer>();
  const add = ({ host, port }: Address, storeId: string): void => {
    const name = `${host}:${port}`;
    if (!peers.has(name)) peers.set(name, { storeId, host, port, awaited: false });
  };
  for (const peer of identity.followers) add(peer, peer.storeId);
  for (const peer of identity.siblings) add(peer, peer.storeId);
  const upstream = upstreamOf(roles.now);
  if (upstream !== null) add(upstream, "");
  for (const source of sources) add(source, "");
  return [...peers.values()];
}

function ownVoice({ identity, completeness, backlog, roles }: RoundNode): RoundVoice {
  const { storeId, isIntact: intact, history, rank, lineage } = identity;
  const log: LogEnd = { history, rank, lineage, offset: backlog.next };
  const isWhole = heldBy(roles.now) === "whole";
  return { storeId, complete: isWhole && completeness.has(backlog.next), intact, log };
}

function voiceOf(state: StateAnswer): RoundVoice {
  const { storeId, complete, intact } = state;
  return { storeId, complete, intact, log: logEndOf(state) };
}
