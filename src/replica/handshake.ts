/**
 * What a replica says in HELLO, and how it judges the WELCOME: the second lock of the wipe
 * protection, should a feeder ever offer what it must not.
 *
 * Pure. Owns: HELLO's content, the judgement. Does not own: what follows (session.ts).
 */
import { PROTOCOL, type Hello, type Welcome } from "../wire/messages.ts";
import { hmacProof, proofMatches } from "../wire/proof.ts";
import type { ReplicaNode } from "./deps.ts";
import type { SessionOptions } from "./options.ts";
import type { Restore } from "./restore.ts";

/** Where the replica's log ends. */
export interface Claim {
  /** End and chain of the last completely received batch. */
  readonly offset: number;
  readonly chain: number;
  readonly partialBytes: number;
  readonly partialCrc: number;
  readonly restore: Restore | null;
}

export function helloOf(node: ReplicaNode, nonce: string, proof: string, claim: Claim): Hello {
  const { offset, chain, partialBytes, partialCrc, restore } = claim;
  return {
    type: "hello",
    version: PROTOCOL.max,
    nonce,
    proof,
    format: node.format,
    replicaId: node.replicaId,
    instanceId: node.instanceId,
    nodeId: node.nodeId,
    address: node.address(),
    position: { history: node.history, offset, chain },
    lineage: node.lineage,
    hasData: node.hasData(),
    consent: node.consent(),
    partialBytes,
    partialCrc,
    resume:
      restore === null
        ? null
        : { snapshotId: restore.begin.snapshotId, nextChunk: restore.nextChunk },
  };
}

/** The two have a history in common. */
export function relatedTo(node: ReplicaNode, welcome: Welcome): boolean {
  const theirs = new Set([welcome.position.history, ...welcome.lineage.map((e) => e.history)]);
  return theirs.has(node.history) || node.lineage.some((entry) => theirs.has(entry.history));
}

/** Why this welcome is not acceptable, or null. `forGood`: trying again cannot help. */
export function judgeWelcome(
  node: ReplicaNode,
  options: SessionOptions,
  welcome: Welcome,
  feederNonce: string,
  ownNonce: string,
): { readonly why: string; readonly forGood: boolean } | null {
  if (options.password !== "") {
    const proof = hmacProof(options.password, "feeder", feederNonce, ownNonce);
    if (!proofMatches(proof, welcome.proof))
      return { why: "the upstream did not prove that it knows the password", forGood: false };
  }
  if (welcome.path.includes(node.nodeId))
    return { why: "the upstream follows this node: a cycle", forGood: false };
  const streams = welcome.decision === "continue" || welcome.decision === "wait";
  if (streams) return null;
  if (node.hasData() && node.consent() === "none" && !relatedTo(node, welcome))
    return {
      why: "the upstream offers an unrelated state and we hold data; --allow-reset or REPLICAOF would discard it",
      forGood: false,
    };
  if (options.onDivergence === "refuse" && OWN_WAY.has(welcome.decision))
    return {
      why: `our log went ${welcome.discardBytes} bytes another way (${welcome.decision}); --on-divergence refuse`,
      forGood: true,
    };
  return null;
}

const OWN_WAY: ReadonlySet<string> = new Set(["ship_diverged", "ship_ahead", "ship_chain"]);
