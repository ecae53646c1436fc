/**
 * Replicas that are ahead of this node, itself a replica: each is streamed to once the log has got to
 * where that replica is.
 *
 * The turn in which the log gets there tells them: its feed step compares one number with the end of
 * the log, and looks at links only when that is reached.
 * Owns: that number, and what becomes of a link then. Does not own: who has to wait (resume.ts), for how
 * long at most (clocks.ts).
 */
import type { Backlog } from "../log/backlog.ts";
import { Cursor } from "../log/cursor.ts";
import type { Id } from "../wire/messages.ts";
import type { Link } from "./link.ts";

/** What it needs of the feeder. */
export interface AheadOwner {
  readonly links: readonly Link[];
  readonly backlog: Backlog;
  readonly deps: { readonly node: { readonly history: Id } };
}

export class Ahead {
  /** The lowest offset that a link waits for; Infinity for none. Links that ended are not taken out. */
  #lowest = Number.POSITIVE_INFINITY;

  /** A link waits for the log to reach `offset`. */
  add(offset: number): void {
    this.#lowest = Math.min(this.#lowest, offset);
  }

  /** Somebody may have waited for a log that ends at `next`. */
  isReached(next: number): boolean {
    return next >= this.#lowest;
  }

  /** Every link that the log has reached is streamed to, or sent away when it is on another log. */
  wake(owner: AheadOwner, nowMs: number): void {
    let lowest = Number.POSITIVE_INFINITY;
    for (const link of [...owner.links]) {
      const { state } = link;
      if (state.kind !== "waiting") continue;
      if (state.offset > owner.backlog.next) lowest = Math.min(lowest, state.offset);
      else wakeOne(owner, link, state.offset, nowMs);
    }
    this.#lowest = lowest;
  }
}

function wakeOne(owner: AheadOwner, link: Link, offset: number, nowMs: number): void {
  const { backlog, deps } = owner;
  const position = link.hello?.position;
  // Why also in another history: only WELCOME continue tells the replica which one it is in now.
  const same = position?.history === deps.node.history;
  if (same && backlog.chainAt(offset) === position.chain) {
    link.stream(new Cursor(backlog, offset), offset, nowMs);
    return;
  }
  const why = same ? "the logs differ" : "this node is in another history now";
  link.bye("history_changed", why, "history_changed", nowMs);
}
