/**
 * Who may come: what is checked of a HELLO before its position is looked at.
 *
 * Owns: version, password, format, self and cycle, places, duplicates of a replica. Does not own:
 * their order, the answer (admission.ts, answering.ts).
 * Tested in: test/unit/primary/feeder.test.ts.
 */
import { LIMITS } from "../limits.ts";
import { PROTOCOL, type Hello, type RejectCode } from "../wire/messages.ts";
import { hmacProof, proofMatches } from "../wire/proof.ts";
import type { FeederDeps } from "./deps.ts";
import type { Link } from "./link.ts";
import type { FeederOptions } from "./options.ts";

/** What the checks need of the owner. */
export interface ChecksOwner {
  readonly deps: Pick<FeederDeps, "node">;
  readonly options: FeederOptions;
  readonly links: readonly Link[];
}

export interface Refusal {
  readonly code: RejectCode;
  readonly message: string;
  readonly retryAfterMs?: number;
}

/** Version and password, of HELLO and ASK alike. */
export function checkPeer(
  password: string,
  link: Link,
  peer: Pick<Hello, "version" | "nonce" | "proof">,
): Refusal | null {
  const { version } = peer;
  if (version < PROTOCOL.min || version > PROTOCOL.max)
    return refusal("version", `protocol ${version}; ${PROTOCOL.min} to ${PROTOCOL.max} are spoken`);
  if (password !== "") {
    const proof = hmacProof(password, "replica", link.nonce, peer.nonce);
    if (!proofMatches(proof, peer.proof))
      return refusal(
        "auth",
        `${peer.proof === "" ? "a password is required" : "wrong password"}; ` +
          "both ends need the same --repl-password",
      );
  }
  return null;
}

export function checkFormat(owner: ChecksOwner, { format }: Hello): Refusal | null {
  const own = owner.deps.node.format;
  if (format.name !== own.name || format.version !== own.version)
    return refusal(
      "format",
      `format ${format.name}/${format.version}; this node has ${own.name}/${own.version}`,
    );
  return null;
}

export function checkPlace(owner: ChecksOwner, hello: Hello): Refusal | null {
  const { node } = owner.deps;
  if (hello.nodeId === node.nodeId) return refusal("self", "a node cannot follow itself");
  if (node.path.includes(hello.nodeId))
    return refusal("cycle", `this node follows ${hello.nodeId} already`, 1_000);
  if (node.path.length >= LIMITS.pathNodesMax)
    return refusal("cycle", `more than ${LIMITS.pathNodesMax} nodes in a row`);
  if (node.fenced !== "") return refusal("not_ready", `this node is fenced: ${node.fenced}`, 5_000);
  if (node.torn) return refusal("not_ready", "this node's state is inside a batch", 5_000);
  if (!node.ready) return refusal("not_ready", "this node has no state to offer yet", 500);
  return checkFreePlace(owner, hello.purpose === "copy");
}

/** Copies have places of their own. */
function checkFreePlace({ links }: ChecksOwner, isCopy: boolean): Refusal | null {
  const most = isCopy ? LIMITS.copiesMax : LIMITS.linksMax;
  const there = links.filter((other) => other.welcomed && other.isCopy === isCopy).length;
  if (there < most) return null;
  const who = isCopy ? "copies are being taken" : "replicas are connected";
  return refusal("too_many_replicas", `${most} ${who}`, 5_000);
}

/** The same process comes back: its old link ends. Another process with the same id: only after silence. */
export function checkDuplicate(
  owner: ChecksOwner,
  link: Link,
  hello: Hello,
  nowMs: number,
): Refusal | null {
  const older = owner.links.find(
    (other) =>
      other !== link && other.welcomed && !other.isCopy && other.hello?.storeId === hello.storeId,
  );
  if (older === undefined) return null;
  const silentMs = nowMs - older.movement.receivedMs;
  const sameProcess = older.hello?.instanceId === hello.instanceId;
  if (!sameProcess && silentMs < owner.options.duplicateSilenceMs)
    return refusal(
      "duplicate_id",
      `replica ${hello.storeId} is connected from ${older.remote}`,
      owner.options.duplicateSilenceMs,
    );
  older.close("superseded", `by ${link.remote}`);
  return null;
}

function refusal(code: RejectCode, message: string, retryAfterMs = 0): Refusal {
  return { code, message, retryAfterMs };
}
