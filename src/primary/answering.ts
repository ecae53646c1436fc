/**
 * The answer to ASK: what this node has and whom it follows, for somebody who does not follow it (yet).
 *
 * The same checks of version and password as HELLO; one line in the debug log; the link ends.
 * Owns: STATE. Does not own: whoever asks (replica/inquiry.ts), HELLO (admission.ts).
 */
import type { Ask } from "../wire/messages.ts";
import { hmacProof } from "../wire/proof.ts";
import { checkPeer } from "./admission.ts";
import type { Feeder } from "./feeder.ts";
import type { Link } from "./link.ts";

/** Answers on the link and ends it. */
export function answerAsk(feeder: Feeder, link: Link, ask: Ask, nowMs: number): void {
  const refusal = checkPeer(feeder, link, ask);
  if (refusal !== null) {
    link.refuse(refusal.code, refusal.message, nowMs);
    return;
  }
  const { node } = feeder.deps;
  const { password } = feeder.options;
  feeder.backlog.seal();
  const { next: offset, chain } = feeder.backlog;
  link.say(
    {
      type: "state",
      proof: password === "" ? "" : hmacProof(password, "feeder", link.nonce, ask.nonce),
      nodeId: node.nodeId,
      role: node.role,
      hasData: !feeder.source.isEmpty(),
      rootLives: node.rootLives,
      upstream: node.upstream,
      path: node.path,
      position: { history: node.history, offset, chain },
      lineage: node.lineage,
    },
    nowMs,
  );
  link.close("answered", `role ${node.role}, offset ${offset}`);
}
