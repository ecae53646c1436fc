/**
 * How it stands with what a node follows, as its embedder asks: whether there is hope, and how far it is.
 *
 * Owns: both questions. Does not own: what a refusal means (replica/session-state.ts), the log.
 * Tested in: test/unit/embed/following.test.ts.
 */
import { NodeError } from "../errors.ts";
import { leftAt, rankIn } from "../log/history.ts";
import { type Place, standingOf, tokenText } from "../log/token.ts";
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

/**
 * @param spell says the reason as whoever asks knows options
 * @throws {NodeError} ERR_CANNOT_FOLLOW when there is none; else false
 */
export function needHope(
  core: Pick<NodeCore, "roles" | "session">,
  spell: (why: string) => string,
): false {
  const why = cannotFollow(core);
  if (why !== "") throw new NodeError("ERR_CANNOT_FOLLOW", spell(why));
  return false;
}

/** The log up to `at` is applied, here or in what led to this node's log. */
export function hasReached(
  { identity, backlog }: Pick<NodeCore, "identity" | "backlog">,
  at: Place,
): boolean {
  return standingOf(identity, backlog.next, at) === "reached";
}

/**
 * @param what for messages: "reached()"
 * @throws {NodeError} ERR_POSITION_GONE when this node's log went on from before `at`; else false
 */
export function needThere(
  what: string,
  { identity, backlog }: Pick<NodeCore, "identity" | "backlog">,
  at: Place,
): false {
  if (standingOf(identity, backlog.next, at) !== "lost") return false;
  const { history, offset } = at;
  const left = leftAt(identity, history);
  const why =
    left < 0 ? "of which this node's log does not come" : `which this node left at ${left}`;
  throw new NodeError(
    "ERR_POSITION_GONE",
    `${what}: offset ${offset} of history ${history}, ${why}`,
  );
}

/**
 * A position of this node as a text, which any node can be asked for.
 * @throws {NodeError} ERR_POSITION_GONE when this node's log does not have it
 */
export function tokenFor(
  what: string,
  { identity }: Pick<NodeCore, "identity">,
  at: Place,
): string {
  const { history, offset } = at;
  const rank = rankIn(identity, history);
  if (rank === null || leftAt(identity, history) < offset)
    throw new NodeError(
      "ERR_POSITION_GONE",
      `${what}: offset ${offset} of history ${history}, which this node's log does not have`,
    );
  return tokenText({ history, offset, rank });
}
