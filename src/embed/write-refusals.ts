/**
 * The error of a write that is refused, by the reason for which a node refuses it.
 *
 * Owns: codes and texts, for Primary and ReplicatedNode. Does not own: the reasons (node/core.ts), who waits
 * instead (node-writes.ts).
 * Tested in: test/unit/embed/ready.test.ts, test/unit/embed/replicated-node.test.ts.
 */
import { DiskError, type HawserError, NodeError } from "../errors.ts";
import type { DiskTrouble } from "../log/disk/disk-log-messages.ts";
import { formatAddress } from "../net/address.ts";
import type { WriteRefusal } from "../node/api.ts";
import { type Role, upstreamOf } from "../node/roles.ts";
import { shortageText, type Synchronous } from "../node/synchronous.ts";

const NOT_LEADING = "this node does not lead yet";

/** What the texts are made of. */
export interface RefusingNode {
  readonly diskTrouble: DiskTrouble | null;
  /** Why a node that led takes no writes; "" on one that is not fenced. */
  readonly fenced: string;
  readonly synchronous: Pick<Synchronous, "lacks">;
  readonly core: { readonly roles: { readonly now: Role } };
}

type Refusal = Exclude<WriteRefusal, null>;

const ERRORS: Readonly<Record<Refusal, (node: RefusingNode) => HawserError>> = {
  disk: ({ diskTrouble }) => DiskError.of(diskTrouble!),
  fenced: ({ fenced }) => readonly(`this node is fenced: ${fenced}`),
  loading: () => readonly(NOT_LEADING),
  nomembers: ({ synchronous }) => lacking(shortageText(synchronous.lacks ?? NONE)),
  noreplicas: () =>
    lacking(
      "fewer replicas than minReplicasToWrite have acknowledged within minReplicasMaxLag seconds",
    ),
  paused: () => readonly("this node hands over: ready() tells when it is known who leads"),
  readonly: ({ core }) => readonly(`this node follows ${upstreamText(core)}: write to its primary`),
  seeding: () => readonly(NOT_LEADING),
};

/** They came back meanwhile. */
const NONE = { good: 0, needed: 0 };

export function refusedBecause(node: RefusingNode, refusal: Refusal): HawserError {
  return ERRORS[refusal](node);
}

function readonly(why: string): NodeError {
  return new NodeError("ERR_READONLY", why);
}

function lacking(why: string): NodeError {
  return new NodeError("ERR_NO_REPLICAS", why);
}

function upstreamText({ roles }: RefusingNode["core"]): string {
  const upstream = upstreamOf(roles.now);
  return upstream === null ? "another node" : formatAddress(upstream);
}
