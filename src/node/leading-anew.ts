/**
 * A node that leads and is shown that its log went back: a replica has more of the very history that this node
 * writes, or other bytes at the same place. Nobody but this node writes that history, and it only appends: so
 * something took it back to an earlier time (a machine that was restored with its memory), or one of the two logs
 * is damaged.
 *
 *   it is said           in the log, with both ranks and how much the replica has more; counted
 *   it leads anew        nothing is in flight: a new history at the end of its log, in the next run of its term,
 *                        so above what the replica has
 *   replicas come back   the one that had more is now diverged, by a log of a lower rank: it keeps a copy of what it
 *                        discards, and gets a snapshot. The others go on
 *
 * Why it does not stop: what it has is served, and who has more is refused until this is done. A node that is paused
 * for a planned failover, or feeds without leading, only refuses.
 *
 * The same, when replicas have promised to follow nobody of its rank and nobody has led by that for 2 s: it leads above
 * that, in synchronous mode by a lead round (lead-round.ts).
 *
 * Owns: that sequence. Does not own: the proof (primary/resume.ts), ranks (identity.ts).
 */
import { logEndOf } from "../log/history.ts";
import { ranksText } from "../log/discard.ts";
import type { Journal } from "../primary/journal.ts";
import type { Hello, Id, Rank } from "../wire/messages.ts";
import type { RoleParts } from "./role-parts.ts";
import type { RoleMoves } from "./role-moves.ts";

/** A replica that has promised comes back about once a second; so long nobody has led by that promise, ms. */
const PROMISED_MS = 2_000;

/** The node; core.ts. */
export interface AnewNode extends Pick<RoleParts, "identity" | "backlog" | "feeder" | "turn"> {
  readonly roles: Pick<RoleMoves, "now" | "announce" | "beginRound">;
  readonly now: () => number;
  /** Nothing that could append is under way. */
  isQuiet: () => boolean;
}

export class LeadingAnew {
  readonly #node: AnewNode;
  readonly #journal: Journal;
  /** Since when replicas say that they have promised a higher rank than that of this history. */
  #promised: { readonly history: Id; readonly sinceMs: number } | null = null;

  constructor(node: AnewNode, journal: Journal) {
    this.#node = node;
    this.#journal = journal;
  }

  /** A replica has `bytes` more of this node's own history, or, when that is 0, others. */
  rolledBack(hello: Hello, bytes: number): void {
    const { roles, identity, feeder } = this.#node;
    if (roles.now.kind !== "leading") return;
    const { history } = identity;
    feeder.counters.bump("rolled_back");
    this.#journal("error", "rolled_back", {
      why: `this node leads with ${ranksText(identity, logEndOf(hello))}`,
      replica: hello.storeId,
      replica_offset: hello.position.offset,
      bytes,
    });
    this.#soon(history);
  }

  /** A replica has promised to follow nobody below `rank`: this node leads above it, and gets it back. */
  promised(rank: Rank): void {
    const { roles, identity } = this.#node;
    const nowMs = this.#node.now();
    if (roles.now.kind !== "leading") return;
    identity.heardOf(rank);
    if (this.#promised?.history !== identity.history)
      this.#promised = { history: identity.history, sinceMs: nowMs };
    // Why not at once: whoever asked for that promise is about to lead, and fences this node then.
    else if (nowMs - this.#promised.sinceMs >= PROMISED_MS) this.#soon(identity.history);
  }

  /** At a moment at which nothing is in flight, once. */
  #soon(history: Id): void {
    const { roles, identity, turn } = this.#node;
    turn.until(
      () => this.#node.isQuiet(),
      () => {
        if (roles.now.kind !== "leading" || identity.history !== history) return;
        if (!roles.beginRound(null)) this.#begin();
      },
    );
  }

  #begin(): void {
    const { roles, identity, backlog, feeder, turn } = this.#node;
    backlog.seal();
    const begins = identity.reopen(backlog);
    backlog.rename();
    backlog.beginHistory(begins);
    this.#journal("warn", "leads_anew", {
      history: identity.history,
      term: identity.rank.term,
      run: identity.rank.run,
      offset: backlog.next,
    });
    feeder.dropAll("history_changed", "history_changed", "this node leads anew");
    roles.announce(null);
    turn.changed();
  }
}
