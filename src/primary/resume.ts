/**
 * How a replica's position and a feeder's log fit together: continue, wait, ship or refuse.
 *
 *   h    = the latest history that both have lived in
 *   fork = the smaller of the offsets at which they left it (not left: infinity)
 *
 *   case               condition                                            answer
 *   continue           offset <= fork, first <= offset <= next, chain equal  continue
 *   too_old            offset <= fork, offset < first                        ship
 *   ahead_of_replica   offset <= fork, offset > next, feeder is a replica    wait
 *   ahead_of_primary   offset <= fork, offset > next, feeder is a primary    ship, loudly
 *   chain_differs      offset <= fork, in range, other chain                 ship, loudly
 *   diverged           offset > fork: went offset - fork bytes its own way   ship, loudly
 *   new                no common history, replica without data              ship
 *   reset              no common history, data, consent given                ship
 *   unrelated          no common history, data, no consent                   reject
 *   unrelated_empty    no common history, data, REPLICAOF, feeder empty      reject
 *   asked              continue, but the replica asks for a snapshot;        ship, loudly
 *                      with a torn state also ahead_of_replica
 *   outranked          ahead_of_primary, chain_differs or diverged, and the  reject
 *                      replica's last byte has a rank above the feeder's
 *   rolled_back        the same, of the feeder's own history: it has lost    reject
 *                      what it wrote in it, or one of the two is damaged
 *
 * Offsets of different histories are never compared. What a ship discards has a lower rank than the feeder's
 * (log/discard.ts). Pure: decides, does nothing.
 */
import type { Consent, Decision, RejectCode, ShipWanted } from "../wire/messages.ts";
import { standsAbove } from "../log/discard.ts";
import { latestCommon, logEndOf, type LogName, type NamedLog } from "../log/history.ts";

/** What a replica says of itself in HELLO. */
export interface ReplicaClaim extends NamedLog {
  readonly hasData: boolean;
  readonly consent: Consent;
  readonly shipWanted: ShipWanted;
}

/** What a feeder knows of itself. */
export interface FeederSelf extends LogName {
  readonly role: "primary" | "replica";
  readonly first: number;
  readonly next: number;
  /** The state holds no data. */
  readonly empty: boolean;
  /** Chain at a batch boundary in [first, next], else -1. */
  chainAt(offset: number): number;
}

export type ResumeCase =
  | "continue"
  | "too_old"
  | "ahead_of_replica"
  | "ahead_of_primary"
  | "chain_differs"
  | "diverged"
  | "new"
  | "reset"
  | "unrelated"
  | "unrelated_empty"
  | "asked"
  | "outranked"
  | "rolled_back";

export interface ResumeDecision {
  readonly case: ResumeCase;
  /** Common history and where it forked, for the log line; "" and -1 when there is none. */
  readonly common: string;
  readonly fork: number;
  /** Bytes of the replica's own that a ship would discard. */
  readonly discardBytes: number;
}

/** What each case becomes on the wire. */
export const ANSWER: Readonly<
  Record<ResumeCase, { readonly welcome: Decision } | { readonly reject: RejectCode }>
> = {
  continue: { welcome: "continue" },
  too_old: { welcome: "ship_too_old" },
  ahead_of_replica: { welcome: "wait" },
  ahead_of_primary: { welcome: "ship_ahead" },
  chain_differs: { welcome: "ship_chain" },
  diverged: { welcome: "ship_diverged" },
  new: { welcome: "ship_new" },
  reset: { welcome: "ship_reset" },
  unrelated: { reject: "unrelated" },
  unrelated_empty: { reject: "unrelated_empty" },
  asked: { welcome: "ship_asked" },
  outranked: { reject: "rank" },
  rolled_back: { reject: "rank" },
};

const DISCARDS: ReadonlySet<ResumeCase> = new Set<ResumeCase>([
  "ahead_of_primary",
  "chain_differs",
  "diverged",
]);

/** Decides; see the table above. Total: every input has exactly one answer. */
export function decideResume(feeder: FeederSelf, replica: ReplicaClaim): ResumeDecision {
  const decision = boundToRank(feeder, replica, decideByPosition(feeder, replica));
  const { shipWanted } = replica;
  const asked =
    (decision.case === "continue" && shipWanted !== "no") ||
    (decision.case === "ahead_of_replica" && shipWanted === "torn");
  // Why not always: without a common history its data, torn or not, may go by consent only.
  return asked ? { ...decision, case: "asked" } : decision;
}

/** What the replica would lose may be lost only for a leader that was chosen after it was written. */
function boundToRank(
  feeder: FeederSelf,
  replica: ReplicaClaim,
  decision: ResumeDecision,
): ResumeDecision {
  if (!DISCARDS.has(decision.case)) return decision;
  const order = standsAbove(feeder, logEndOf(replica));
  if (order > 0) return decision;
  return { ...decision, case: order < 0 ? "outranked" : "rolled_back" };
}

function decideByPosition(feeder: FeederSelf, replica: ReplicaClaim): ResumeDecision {
  const { history, offset, chain } = replica.position;
  const common = latestCommon(feeder, { history, lineage: replica.lineage });
  if (common === null) return answer(unrelatedCase(feeder, replica), "", -1, 0);
  const { fork } = common;
  if (offset > fork) return answer("diverged", common.history, fork, offset - fork);
  if (offset > feeder.next) {
    const ahead = feeder.role === "replica" ? "ahead_of_replica" : "ahead_of_primary";
    const discard = feeder.role === "replica" ? 0 : offset - feeder.next;
    return answer(ahead, common.history, fork, discard);
  }
  if (offset < feeder.first) return answer("too_old", common.history, fork, 0);
  const same = feeder.chainAt(offset) === chain;
  return answer(same ? "continue" : "chain_differs", common.history, fork, 0);
}

function answer(
  name: ResumeCase,
  common: string,
  fork: number,
  discardBytes: number,
): ResumeDecision {
  return { case: name, common, fork, discardBytes };
}

function unrelatedCase(feeder: FeederSelf, replica: ReplicaClaim): ResumeCase {
  if (!replica.hasData) return "new";
  if (replica.consent === "reset") return "reset";
  if (replica.consent === "none") return "unrelated";
  return feeder.empty ? "unrelated_empty" : "reset";
}
