/**
 * What a replica says in HELLO, and how it judges the WELCOME: the second lock of the wipe
 * protection, should a feeder ever offer what it must not.
 *
 * Pure. Owns: HELLO's content, the judgement. Does not own: what follows (session.ts).
 * Tested in: test/unit/replica/session.test.ts.
 */
import { LIMITS } from "../limits.ts";
import {
  PROTOCOL,
  type Greeting,
  type Hello,
  type Reject,
  type RejectCode,
  type ShipWanted,
  type SnapshotEnd,
  type Welcome,
} from "../wire/messages.ts";
import { hmacProof, proofMatches } from "../wire/proof.ts";
import { goesFrom, ranksText, standsAbove } from "../log/discard.ts";
import {
  compareRanks,
  leftAt,
  type LogEnd,
  logEndOf,
  type NamedLog,
  rankText,
} from "../log/history.ts";
import type { ReceivingLog, ReplicaNode, WelcomedEnd } from "./deps.ts";
import type { SessionOptions } from "./options.ts";
import type { Restore } from "./restore.ts";
import type { Lasting } from "./session-state.ts";

/** What the replica holds. */
export interface Claim {
  readonly log: ReceivingLog;
  /** Chain at the end of the last completely received batch. */
  readonly receivedChain: number;
  readonly restore: Restore | null;
  readonly shipWanted: ShipWanted;
  /** Of the format of records that it asks for. */
  readonly version: number;
}

/**
 * Why this greeting is not acceptable, or null. A password that we lack is no reason: the feeder
 * refuses a HELLO without proof, and both ends have the reason in their logs.
 */
export function judgeGreeting(password: string, greeting: Greeting): string | null {
  const { versionMin, versionMax, authRequired } = greeting;
  if (versionMin > PROTOCOL.max || versionMax < PROTOCOL.min)
    return (
      `the upstream speaks versions ${versionMin} to ${versionMax} of the protocol, ` +
      `this node ${PROTOCOL.min} to ${PROTOCOL.max}`
    );
  if (password !== "" && !authRequired)
    return "the upstream asks for no password and this node has one: give both the same --repl-password";
  return null;
}

/** How long a REJECT may keep this replica away, ms: less where it is known that nobody proved it. */
export function longestRetryMs(options: SessionOptions): number {
  const { replPassword: password, backoffMaxMs } = options;
  return password === "" ? LIMITS.retryAfterMsMax : Math.min(LIMITS.retryAfterMsMax, backoffMaxMs);
}

/** The HELLO that answers an acceptable greeting; without a password it has no proof. */
export function answerGreeting(
  node: ReplicaNode,
  options: SessionOptions,
  greeting: Greeting,
  nonce: string,
  claim: Claim,
): Hello {
  const { replPassword: password } = options;
  const { log, receivedChain: chain, restore } = claim;
  const { name } = node.format;
  return {
    type: "hello",
    version: PROTOCOL.max,
    nonce,
    proof: password === "" ? "" : hmacProof(password, "replica", greeting.nonce, nonce),
    format: { name, version: claim.version },
    storeId: node.storeId,
    instanceId: node.instanceId,
    nodeId: node.nodeId,
    clusterId: node.clusterId,
    incarnation: node.incarnation,
    purpose: "follow",
    complete: node.complete,
    address: node.address(),
    position: { history: node.history, offset: log.tail - log.partialBytes, chain },
    rank: node.rank,
    lineage: node.lineage,
    promised: node.promised,
    hasData: node.hasData(),
    consent: node.consent(),
    partialBytes: log.partialBytes,
    partialCrc: log.partialHeadCrc,
    resume:
      restore === null
        ? null
        : { snapshotId: restore.begin.snapshotId, nextChunk: restore.resumeChunk },
    shipWanted: claim.shipWanted,
  };
}

/** The two have a history in common. */
function relatedTo(node: ReplicaNode, welcome: Welcome): boolean {
  const theirs = new Set([welcome.position.history, ...welcome.lineage.map((e) => e.history)]);
  return theirs.has(node.history) || node.lineage.some((entry) => theirs.has(entry.history));
}

/** Why this welcome is not acceptable, and how long that lasts; or null. */
export function judgeWelcome(
  node: ReplicaNode,
  options: SessionOptions,
  welcome: Welcome,
  feederNonce: string,
  ownNonce: string,
  torn: boolean,
  log: ReceivingLog,
): { readonly why: string; readonly lasting: Lasting } | null {
  if (options.replPassword !== "") {
    const proof = hmacProof(options.replPassword, "feeder", feederNonce, ownNonce);
    if (!proofMatches(proof, welcome.proof))
      return { why: "the upstream did not prove that it knows the password", lasting: "standing" };
  }
  if (welcome.path.includes(node.nodeId))
    return { why: "the upstream follows this node: a cycle", lasting: "passing" };
  if (welcome.clusterId === node.clusterId && compareRanks(welcome.rank, node.promised) < 0)
    return {
      why: `the upstream's log is of rank ${rankText(welcome.rank)}, and this node has promised to follow nobody below ${rankText(node.promised)}`,
      lasting: "passing",
    };
  const { decision, position } = welcome;
  if (node.continuesOnly && decision !== "continue")
    return {
      why: `the upstream at ${position.offset} would not go on where this log ends (${decision}), and nothing else of it is taken`,
      lasting: "for_good",
    };
  const streams = isStream(welcome);
  if (streams && torn)
    return {
      why: "the upstream would go on from a state that is inside a batch",
      lasting: "passing",
    };
  if (streams) return null;
  if (node.hasData() && node.consent(welcome.nodeId) === "none" && !relatedTo(node, welcome))
    return {
      why: "the upstream offers an unrelated state and we hold data; --allow-reset or REPLICAOF would discard it",
      lasting: "standing",
    };
  const lower = judgeRank(ownLog(node, log), logEndOf(welcome), welcome, torn);
  if (lower !== null) return { why: lower, lasting: "passing" };
  if (options.onDivergence === "refuse" && OWN_WAY.has(welcome.decision))
    return {
      why: `our log went ${welcome.discardBytes} bytes another way (${welcome.decision}); --on-divergence refuse`,
      lasting: "for_good",
    };
  return null;
}

/** What this node has received of its log, whole batches. */
export function ownLog({ history, rank, lineage }: ReplicaNode, log: ReceivingLog): LogEnd {
  return { history, rank, lineage, offset: log.tail - log.partialBytes };
}

/**
 * Why `theirs` is not taken for `own`, which has log that is not in it: whoever leads it was not chosen after that was
 * written. The feeder has judged so too. `torn`: where our log ends is no position of our state, which takes any
 * snapshot of the same log.
 */
function judgeRank(
  own: LogEnd,
  theirs: LogEnd,
  { decision }: Pick<Welcome, "decision">,
  torn: boolean,
): string | null {
  const end = torn ? { ...theirs, offset: own.offset } : theirs;
  if (goesFrom(own, end) === null && decision !== "ship_chain") return null;
  if (standsAbove(theirs, own) > 0) return null;
  return `the upstream would discard log of this node that it has not: it is led with ${ranksText(theirs, own)}`;
}

/** The same of a snapshot, which may be of an earlier place than the end that WELCOME named; null to take it. */
export function judgeSnapshot(own: LogEnd, begin: NamedLog, torn: boolean): string | null {
  return judgeRank(own, logEndOf(begin), { decision: "ship_new" }, torn);
}

/** REPLICAOF consents to another state, not to none: why an empty snapshot is not acceptable, or null. */
export function judgeEmpty(node: ReplicaNode, welcome: Welcome, end: SnapshotEnd): string | null {
  if (end.records > 0 || !node.hasData() || relatedTo(node, welcome)) return null;
  if (node.consent(welcome.nodeId) === "reset") return null;
  return "the upstream is empty and unrelated: only --allow-reset discards our data";
}

const OWN_WAY: ReadonlySet<string> = new Set(["ship_diverged", "ship_ahead", "ship_chain"]);

/** Refusals that say what the two ends are. Others pass by themselves. */
const VERDICTS: ReadonlySet<string> = new Set<RejectCode>([
  "version",
  "format",
  "auth",
  "unrelated",
  "unrelated_empty",
  "self",
]);

/** Trying again cannot help as long as both ends are as they are. */
export function isVerdict(reject: Reject): boolean {
  return VERDICTS.has(reject.code);
}

/** What a welcome says of the upstream's log. */
export function endOf(node: ReplicaNode, welcome: Welcome): WelcomedEnd {
  const { nodeId, rootId, position, lineage } = welcome;
  return {
    byRoot: rootId === nodeId,
    isOurs: leftAt({ history: position.history, lineage }, node.history) >= 0,
    offset: position.offset,
    isShip: !isStream(welcome),
  };
}

/** It goes on with the log, or waits for it: no snapshot comes first. */
export function isStream({ decision }: Welcome): boolean {
  return decision === "continue" || decision === "wait";
}
