/**
 * The answer to ASK, and to ANNOUNCE: what this node has and whom it follows, for somebody who does not follow it (yet).
 *
 * The same checks of version and password as HELLO; one line in the debug log; the link ends. Whoever announces
 * that it leads is answered first: the answer is what this node was when it heard of that. Whoever asks for a promise
 * gets it first: the answer is what this node has then.
 * Owns: STATE. Does not own: whoever asks (replica/inquiry.ts), HELLO (hello-checks.ts, admission.ts).
 */
import { nextRun } from "../log/history.ts";
import { chainStart } from "../wire/frame.ts";
import type { Announce, Ask, PromiseAsked } from "../wire/messages.ts";
import { hmacProof } from "../wire/proof.ts";
import type { Backlog } from "../log/backlog.ts";
import type { FeederDeps, LedLog } from "./deps.ts";
import { checkPeer } from "./hello-checks.ts";
import type { Link } from "./link.ts";
import type { FeederOptions } from "./options.ts";
import type { StateSource } from "../store/state.ts";

/** What an answer needs of the owner. */
export interface AnsweringOwner {
  readonly deps: Pick<FeederDeps, "node" | "onAsked" | "onLeader" | "onPromise">;
  readonly options: FeederOptions;
  readonly backlog: Backlog;
  readonly source: StateSource;
}

/** Answers on the link and ends it. */
export function answerAsk(
  owner: AnsweringOwner,
  link: Link,
  ask: Ask | Announce | PromiseAsked,
  nowMs: number,
): void {
  const refusal = checkPeer(owner.options.replPassword, link, ask);
  if (refusal !== null) {
    link.refuse(refusal.code, refusal.message, nowMs);
    return;
  }
  const { node } = owner.deps;
  const isTaken = ask.type === "promise" && owner.deps.onPromise(ask, link.remote);
  const { replPassword: password } = owner.options;
  owner.backlog.seal();
  // Why offset 0: a torn state is at no position, so there is nothing here that could be followed.
  const { next: offset, chain } = node.torn
    ? { next: 0, chain: chainStart(node.history) }
    : owner.backlog;
  link.say(
    {
      type: "state",
      proof: password === "" ? "" : hmacProof(password, "feeder", link.nonce, ask.nonce),
      nodeId: node.nodeId,
      storeId: node.storeId,
      clusterId: node.clusterId,
      role: node.role,
      hasData: !node.torn && !owner.source.isEmpty(),
      rootLives: node.rootLives,
      upstream: node.upstream,
      path: node.path,
      position: { history: node.history, offset, chain },
      durable: node.torn ? 0 : owner.backlog.durable,
      complete: node.complete,
      intact: node.intact,
      // Why not what it promised: whoever asks would take that for a promise to itself.
      promised: isTaken ? nextRun(node.promised) : node.promised,
      rank: node.rank,
      lineage: node.lineage,
    },
    nowMs,
  );
  link.close("answered", `role ${node.role}, offset ${offset}`);
  if (ask.type === "ask") owner.deps.onAsked?.();
  if (ask.type === "announce") owner.deps.onLeader(ledBy(ask), link.remote);
}

/** The log of whoever announces that it leads, and where it can be followed. */
function ledBy({ clusterId, position, rank, lineage, address }: Announce): LedLog {
  const { host, replPort: port } = address;
  const leader = port === 0 ? null : { host, port };
  return { clusterId, history: position.history, rank, lineage, leader };
}
