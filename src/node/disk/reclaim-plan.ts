/**
 * Whether a node that has recovered its log asks those that followed it before it leads, and how long.
 *
 *   it is to lead, has a log, and somebody followed it     asked, for --reclaim: 5 s when nobody said it,
 *                                                          60 s when the machine was started too
 *   else, and with --reclaim 0                             nobody is, and it takes no time
 *
 *   one that no start waits for (followers.ts)             is asked, and not waited for
 *   the same, and something that was synced is gone        waited for: that one may have it
 *
 * Pure. Owns: that. Does not own: asking (node/reclaiming.ts), recovery (disk-recovery.ts).
 * Tested in: test/e2e/reclaim.test.ts.
 */
import { logFileName } from "../../log/disk/log-file-names.ts";
import type { Identity } from "../identity.ts";
import type { Peer } from "../node-memory.ts";
import type { ReclaimPlan } from "../reclaiming.ts";
import type { Role } from "../roles.ts";
import type { RecoveredNode } from "./disk-recovery.ts";
import { incompleteText } from "./recovery-text.ts";

/** A machine that was started has others to start as well. */
const RECLAIM_MS = 5_000;
const RECLAIM_REBOOTED_MS = 60_000;

/**
 * @param reclaimMs --reclaim; below 0 when nobody said it
 * @returns null when it asks nobody
 */
export function planReclaim(
  { now }: { readonly now: Role },
  { followers, rebooted }: Pick<Identity, "followers" | "rebooted">,
  found: RecoveredNode,
  reclaimMs: number,
): ReclaimPlan | null {
  const leads = now.kind === "recovering" && now.then.kind === "leading";
  if (!leads || !found.hasState || followers.length === 0 || reclaimMs === 0) return null;
  const unsaidMs = rebooted ? RECLAIM_REBOOTED_MS : RECLAIM_MS;
  return {
    peers: found.incompleteTo === null ? followers : followers.map(awaited),
    patienceMs: reclaimMs < 0 ? unsaidMs : reclaimMs,
    refusalAt: refusalAt(found),
  };
}

function awaited(peer: Peer): Peer {
  return { ...peer, awaited: true };
}

/** With a hole in it, it does not lead before it is past that. */
function refusalAt({ incompleteTo, lastLog, verdict }: RecoveredNode): ReclaimPlan["refusalAt"] {
  if (incompleteTo === null) return () => null;
  const missingTo = incompleteTo === "unknown" ? Number.POSITIVE_INFINITY : incompleteTo;
  const text = incompleteText(logFileName(Math.max(lastLog, 1)), verdict);
  return (end) => (end < missingTo ? text : null);
}
