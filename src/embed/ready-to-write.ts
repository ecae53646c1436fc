/**
 * Waiting until writing is welcome: at once, but while a syncing replica needs writers to slow down, or the
 * disk of `dir` is behind.
 *
 * Owns: that wait, for Primary and ReplicatedNode. Does not own: the pace (primary/pacing.ts), signals and
 * time limits (waits.ts).
 * Tested in: test/unit/embed/ready.test.ts, test/unit/embed/replicated-node.test.ts.
 */
import { NodeError } from "../errors.ts";
import type { DaemonNode } from "../node/node.ts";
import { formatAddress } from "../net/address.ts";
import { type Role, upstreamOf } from "../node/roles.ts";
import { shortageText } from "../node/synchronous.ts";
import { newWriterTurn } from "../primary/pace.ts";
import type { Until } from "./waits.ts";

type PacedNode = Pick<DaemonNode, "mayWrite" | "onWritersResumed" | "turn">;

/** @param refuse throws when no write would be taken; asked at first and at the end of each turn */
export async function untilWelcome(
  node: PacedNode,
  until: Until,
  refuse: () => void = () => undefined,
): Promise<void> {
  const turn = newWriterTurn();
  refuse();
  while (!node.mayWrite(turn, 0)) {
    const told = { is: false };
    const cancel = node.onWritersResumed(turn, () => {
      told.is = true;
      node.turn.changed();
    });
    try {
      await until(() => {
        refuse();
        return told.is;
      });
    } finally {
      cancel();
    }
  }
}

/** Why a write is refused on a node that led, and hears that another leads: both ranks, and where that is. */
export function fencedBecause(fenced: string): NodeError {
  return new NodeError("ERR_READONLY", `this node is fenced: ${fenced}`);
}

/** Why a write is refused on a replica, and of whom. */
export function followsAnother(role: Role): NodeError {
  const upstream = upstreamOf(role);
  const whom = upstream === null ? "another node" : formatAddress(upstream);
  return new NodeError("ERR_READONLY", `this node follows ${whom}: write to its primary`);
}

/** Why a write is refused while too few members are good. */
export function lacksMembers({ synchronous }: Pick<DaemonNode, "synchronous">): NodeError {
  return new NodeError("ERR_NO_REPLICAS", shortageText(synchronous.lacks ?? NONE));
}

const NONE = { good: 0, needed: 0 };

/** Why a write is refused while too few replicas are near. */
export function lacksReplicas(): NodeError {
  return new NodeError(
    "ERR_NO_REPLICAS",
    "fewer replicas than minReplicasToWrite have acknowledged within minReplicasMaxLag seconds",
  );
}
