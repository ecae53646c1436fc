/**
 * Waiting until what a node has is durable.
 *
 * Owns: what that means when the state is replaced, the disk fails, or the node stops meanwhile. Does not
 * own: what is durable (log/log-store.ts), the turn that tells (turn.ts).
 * Tested in: test/unit/embed/durable.test.ts.
 */
import { DiskError, NodeError } from "../errors.ts";
import type { DiskTrouble } from "../log/disk/disk-log-messages.ts";
import type { Backlog } from "../log/backlog.ts";

export interface DurableNode {
  readonly role: "primary" | "replica";
  readonly backlog: Pick<Backlog, "next" | "durable" | "seal" | "persist" | "wantDurable">;
  /** Counts swaps of the state. */
  readonly stateGeneration: number;
  readonly diskTrouble: DiskTrouble | null;
  readonly isStopped: boolean;
}

/**
 * All that was written or applied so far is durable then; `until` waits for the end of a turn at which
 * something holds. On a replica a full sync may come meanwhile: then
 * it is that state, a later one of the upstream's.
 * @throws {DiskError} when the disk failed, or takes nothing now
 * @throws {NodeError} ERR_CLOSED when the node stops first, or another state took the place of a primary's
 */
export async function awaitDurable(
  node: DurableNode,
  until: (holds: () => boolean) => Promise<unknown>,
): Promise<void> {
  const { backlog, role } = node;
  backlog.seal();
  backlog.persist();
  const { next } = backlog;
  const swaps = node.stateGeneration;
  backlog.wantDurable();
  const isSwapped = (): boolean => node.stateGeneration !== swaps;
  const isDone = (): boolean => !isSwapped() && backlog.durable >= next;
  const isOver = (): boolean =>
    isDone() || isSwapped() || node.diskTrouble !== null || node.isStopped;
  await until(isOver);
  const trouble = node.diskTrouble;
  if (trouble !== null) throw DiskError.of(trouble);
  if (isDone()) return;
  if (node.isStopped || role === "primary")
    throw new NodeError("ERR_CLOSED", "closed, or another state came, before it was durable");
  await awaitDurable(node, until);
}
