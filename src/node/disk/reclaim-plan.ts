/**
 * Whether a node that has recovered its log asks those that followed it before it leads, and how long.
 *
 *   it is to lead, has a log, and somebody followed it     asked, for --reclaim: 5 s when nobody said it,
 *                                                          60 s when the machine was started too
 *   the same in synchronous mode, and its lead round       all that it knows are asked, whoever they are, and as long
 *   needs others                                           as it takes
 *   else, and with --reclaim 0                             nobody is, and it takes no time
 *
 *   the sources of --seed-from                             are asked as well, and waited for
 *   one that no start waits for (followers.ts)             is asked, and not waited for
 *   the same, and something that was synced is gone        waited for: that one may have it
 *
 * Pure. Owns: that. Does not own: asking (node/reclaiming.ts), recovery (disk-recovery.ts).
 */
import { compareRanks, lastWritten } from "../../log/history.ts";
import { logFileName } from "../../log/disk/log-file-names.ts";
import type { Identity } from "../identity.ts";
import { type Address, isSameAddress } from "../../net/address.ts";
import type { Peer } from "../node-memory.ts";
import type { ReclaimPlan } from "../reclaiming.ts";
import type { Role } from "../roles.ts";
import type { Rank } from "../../wire/messages.ts";
import type { RecoveredNode } from "./disk-recovery.ts";
import { incompleteText } from "./recovery-text.ts";

/** A machine that was started has others to start as well. */
const RECLAIM_MS = 5_000;
const RECLAIM_REBOOTED_MS = 60_000;

/**
 * @param reclaimMs --reclaim; below 0 when nobody said it
 * @param sources --seed-from
 * @param known whom a lead round asks (lead-round.ts); null when none is needed
 * @returns null when it asks nobody
 */
export function planReclaim(
  { now }: { readonly now: Role },
  { followers, rebooted, ownRank }: Pick<Identity, "followers" | "rebooted" | "ownRank">,
  found: RecoveredNode,
  reclaimMs: number,
  known: readonly Peer[] | null = null,
  sources: readonly Address[] = [],
): ReclaimPlan | null {
  const leads = now.kind === "recovering" && now.then.kind === "leading";
  if (!leads || !found.hasState) return null;
  const remembered = known ?? withSources(followers, sources);
  if (known === null && (remembered.length === 0 || reclaimMs === 0)) return null;
  const unsaidMs = rebooted ? RECLAIM_REBOOTED_MS : RECLAIM_MS;
  return {
    peers: found.incompleteTo === null ? remembered : remembered.map(awaited),
    patienceMs: reclaimMs < 0 ? unsaidMs : reclaimMs,
    refusalOf: refusalOf(found, ownRank),
  };
}

/** Once each. Why awaited: they may know who leads by now. */
function withSources(followers: readonly Peer[], sources: readonly Address[]): readonly Peer[] {
  const others = sources.filter((source) => !followers.some((peer) => isSameAddress(peer, source)));
  return [
    ...followers,
    ...others.map(({ host, port }) => ({ storeId: "", host, port, awaited: true })),
  ];
}

function awaited(peer: Peer): Peer {
  return { ...peer, awaited: true };
}

/**
 * With a hole in it, it does not lead before its log counts for as much as what was lost, of which the rank is
 * not known: at most `led`, with which it led last. In that term all runs were its own, so where the log ends
 * tells. A log of a higher rank went on without what was lost, and one of a lower term went another way, or
 * nobody can tell that it did not.
 */
function refusalOf(
  { incompleteTo, lastLog, verdict }: RecoveredNode,
  led: Rank,
): ReclaimPlan["refusalOf"] {
  if (incompleteTo === null) return () => null;
  const missingTo = incompleteTo === "unknown" ? Number.POSITIVE_INFINITY : incompleteTo;
  const text = incompleteText(logFileName(Math.max(lastLog, 1)), verdict);
  return (log) => {
    const { rank } = lastWritten(log);
    if (compareRanks(rank, led) > 0) return null;
    return rank.term < led.term || log.offset < missingTo ? text : null;
  };
}
