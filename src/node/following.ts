/**
 * How it stands with what a node follows, as its embedder asks: whether there is hope, and how far it is.
 *
 * Owns: both questions. Does not own: what a refusal means (replica/session-state.ts), the log.
 * Tested in: test/unit/embed/following.test.ts.
 */
import { NodeError } from "../errors.ts";
import { leftAt } from "../log/history.ts";
import type { Id } from "../wire/messages.ts";
import type { NodeCore } from "./core.ts";

/**
 * Why a replica will not get what its upstream has while both are as they are (Lasting, in
 * replica/session-state.ts); "" when it may, and on any other node.
 */
export function cannotFollow({ roles, session }: Pick<NodeCore, "roles" | "session">): string {
  if (roles.now.kind !== "following") return "";
  const { state, lastError, verdict } = session;
  return state.kind === "stopped" ? lastError || state.why : verdict;
}

/** @throws {NodeError} ERR_CANNOT_FOLLOW when there is none; else false */
export function needHope(core: Pick<NodeCore, "roles" | "session">): false {
  const why = cannotFollow(core);
  if (why !== "") throw new NodeError("ERR_CANNOT_FOLLOW", why);
  return false;
}

/** The log up to `at` is applied, or it is a part of what led to this node's log. */
export function hasReached(
  { identity, backlog }: Pick<NodeCore, "identity" | "backlog">,
  { history, offset }: { readonly history: Id; readonly offset: number },
): boolean {
  const isHere = history === identity.history;
  return (isHere ? backlog.next : leftAt(identity, history)) >= offset;
}
