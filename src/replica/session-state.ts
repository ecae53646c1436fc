/**
 * The states of a session, as the replica sees them.
 *
 *   start       dial ok, GREETING      WELCOME continue | wait
 *   ------> connecting -----> handshake --------------------------> streaming
 *              ^  |               |  | WELCOME ship                    ^   |  SNAPSHOT
 *              |  |               |  +----------> restoring -----------+   |  (fell behind)
 *     delay    |  | fails         | REJECT           |  ^   END: swapped   |
 *     is over  |  v               v                  |  +------------------+
 *            retrying <----- connection ends --------+
 *              |
 *              +----> stopped <---- stop() from every state, or an error that trying cannot mend
 *
 * With a state that answers later END leads to swapping, and its last answer from there to streaming. A
 * swap that began before a stop goes on; a start meanwhile is retrying until it is over.
 *
 * How long what ended a connection lasts (Lasting):
 *
 *   passing    retrying: a cut, an upstream that is away, has no place, or no state yet
 *   standing   retrying all the same, as either end may be restarted with other settings: the password,
 *              versions and formats, data of another history, an address of something else
 *   for_good   stopped: a record that this state cannot apply, a log that may not go the upstream's way
 *
 * Owns: the union and its legal moves. Does not own: what is done in them (session.ts).
 * Tested in: test/unit/docs/tables.test.ts, test/unit/replica/session.test.ts.
 */
import assert from "node:assert/strict";
import type { Id, SnapshotBegin } from "../wire/messages.ts";

export type SessionState =
  | { readonly kind: "connecting"; readonly sinceMs: number }
  /** The socket stands: waiting for GREETING, or for the answer to our HELLO. */
  | { readonly kind: "handshake"; readonly sinceMs: number; readonly nonce: Id }
  /** A ship was announced; `begin` is there once SNAPSHOT came. */
  | { readonly kind: "restoring"; readonly begin: SnapshotBegin | null }
  /** END is in: what of the snapshot waits is loaded, then it takes the state's place. */
  | { readonly kind: "swapping" }
  | { readonly kind: "streaming" }
  | { readonly kind: "retrying"; readonly atMs: number }
  | { readonly kind: "stopped"; readonly why: string };

/** How long what ended a connection lasts: by itself, while both ends are as they are, for good. */
export type Lasting = "passing" | "standing" | "for_good";

export const SESSION_MOVES: Readonly<
  Record<SessionState["kind"], readonly SessionState["kind"][]>
> = {
  stopped: ["connecting", "retrying"],
  connecting: ["handshake", "retrying", "stopped"],
  handshake: ["restoring", "streaming", "retrying", "stopped"],
  restoring: ["restoring", "swapping", "streaming", "retrying", "stopped"],
  swapping: ["streaming", "retrying", "stopped"],
  streaming: ["restoring", "retrying", "stopped"],
  retrying: ["connecting", "stopped"],
};

export function assertSessionMove(from: SessionState["kind"], to: SessionState["kind"]): void {
  assert(SESSION_MOVES[from].includes(to), `session moved ${from} -> ${to}`);
}
