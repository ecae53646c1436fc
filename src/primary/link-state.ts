/**
 * The states of a link, as the feeder sees them.
 *
 *   accept            first bytes           HELLO: continue
 *   -----> greeting --------------> handshake ------------> streaming <-----------+
 *              |                     |     |  HELLO: wait       |  too old        | END written
 *              |                     |     +--------> waiting   +--------> shipping
 *              |                     |  HELLO: ship      |  caught up: streaming  ^
 *              |                     +-------------------+------------------------+
 *              +----> closed <---- from every state, with a reason
 *
 * A link whose purpose is copy goes from shipping to closed: END is the last that it is sent.
 * A state has what there is only in it; what outlives it is the link's (link.ts).
 * Owns: the union and its legal moves. Does not own: what is sent (link.ts), decisions (resume.ts).
 * Tested in: test/unit/docs/tables.test.ts, test/unit/primary/feeder.test.ts.
 */
import assert from "node:assert/strict";
import type { Cursor } from "../log/cursor.ts";
import type { Ship } from "./ship.ts";

export type LinkState =
  /** GREETING is out, nothing has come back. */
  | { readonly kind: "greeting" }
  /** Part of HELLO has arrived. */
  | { readonly kind: "handshake" }
  /** Welcomed; the replica is ahead of us, who are a replica: stream once we get to `offset`. */
  | { readonly kind: "waiting"; readonly offset: number; readonly sinceMs: number }
  /** Fed from the backlog. `finishing` is the ship before it, until the replica says that it has swapped. */
  | { readonly kind: "streaming"; readonly cursor: Cursor; readonly finishing: Ship | null }
  /** A snapshot is queued for it, or on its way. */
  | { readonly kind: "shipping"; readonly ship: Ship }
  | { readonly kind: "closed"; readonly reason: CloseReason };

/** Why a link ended: the suffix of `link_drops_<reason>` and the word in the log line. */
export type CloseReason =
  | "peer_closed"
  | "socket_error"
  | "bye_received"
  | "replica_refused"
  | "rejected"
  | "answered"
  | "copied"
  | "protocol"
  | "handshake_timeout"
  | "silence"
  | "stall_socket"
  | "stall_apply"
  | "wait_timeout"
  | "superseded"
  | "history_changed"
  | "upstream_resync"
  | "ship_failed"
  | "sync_given_up"
  | "torn"
  | "shutdown";

export const LINK_MOVES: Readonly<Record<LinkState["kind"], readonly LinkState["kind"][]>> = {
  greeting: ["handshake", "closed"],
  handshake: ["waiting", "streaming", "shipping", "closed"],
  waiting: ["streaming", "shipping", "closed"],
  streaming: ["shipping", "closed"],
  shipping: ["streaming", "closed"],
  closed: [],
};

export function assertLinkMove(from: LinkState["kind"], to: LinkState["kind"]): void {
  assert(LINK_MOVES[from].includes(to), `link moved ${from} -> ${to}`);
}
