/**
 * A planned failover, at the replica that is to lead: D31 has the table.
 *
 *   PREPARE --the log is applied to E, durable where that was asked--> PREPARED
 *   TAKE    --the log is applied to E, and durable--> it leads
 *   RELEASE --> RELEASED: no TAKE of before counts
 *
 * What was said counts on its connection alone, and until something newer is said there. Elsewhere than at E
 * it leads only where the primary said so (forced).
 * Pure core. Owns: what it waits for. Does not own: the promotion (role-moves.ts), the primary's side
 * (failover.ts).
 */
import type { Journal } from "../primary/journal.ts";
import type { Id, Position, Prepare, Prepared, Release, Released, Take } from "../wire/messages.ts";
import type { Promoted } from "./api.ts";
import { CLOCK_OFF_MS } from "./clock-check.ts";
import { type Role, TORN } from "./roles.ts";

/** The role could not be kept: the disk may take it later. */
const AGAIN_MS = 1_000;

/** The node, as it is told to lead; core.ts. */
export interface TakingNode {
  readonly roles: { readonly now: Role; take(done: Promoted): string | null };
  readonly identity: { readonly history: Id };
  readonly backlog: {
    readonly next: number;
    readonly chain: number;
    /** Infinity when nothing is kept. */
    readonly store: { readonly durable: number };
    persist(): void;
    wantDurable(): void;
  };
  readonly session: {
    /** Of the present connection: another one has another. */
    readonly decoder: object | null;
    answerFailover(message: Prepared | Released): void;
  };
  readonly feeder: { readonly counters: { bump(name: string): void } };
  readonly turn: { until(holds: () => boolean, done: () => void): () => void };
}

export interface TakingDeps {
  readonly later: (ms: number, run: () => void) => void;
  readonly wallClock: () => number;
  readonly journal: Journal;
}

export class Taking {
  readonly #node: TakingNode;
  readonly #deps: TakingDeps;
  /** What is waited for; another one has taken its place, or its connection is over. */
  #newest: object | null = null;

  constructor(node: TakingNode, deps: TakingDeps) {
    this.#node = node;
    this.#deps = deps;
  }

  /** What the upstream says of it. */
  on(message: Prepare | Take | Release): void {
    this.#newest = null;
    switch (message.type) {
      case "prepare":
        this.#prepare(message);
        return;
      case "take":
        this.#take(message);
        return;
      case "release":
        this.#node.session.answerFailover({ type: "released", failoverId: message.failoverId });
    }
  }

  #prepare({ failoverId, position, clockMs, durable }: Prepare): void {
    const { session } = this.#node;
    const answer = (refusal: string): void =>
      session.answerFailover({ type: "prepared", failoverId, refusal });
    const refusal = this.#refusal(clockMs, durable);
    if (refusal !== null) {
      answer(refusal);
      return;
    }
    this.#when(
      () => this.#node.backlog.next >= position.offset,
      () => {
        const why = this.#elsewhere(position);
        if (why !== null) answer(why);
        else if (durable) this.#whenDurable(() => answer(""));
        else answer("");
      },
    );
  }

  #refusal(clockMs: number, durable: boolean): string | null {
    const { roles, backlog } = this.#node;
    if (roles.now.kind !== "following") return `it is ${roles.now.kind}`;
    if (roles.now.holds === "torn") return TORN;
    if (durable && backlog.store.durable === Number.POSITIVE_INFINITY)
      return "it keeps no log on a disk, and what the primary has answered is durable";
    const offMs = Math.abs(this.#deps.wallClock() - clockMs);
    if (offMs <= CLOCK_OFF_MS) return null;
    return `its clock is ${Math.round(offMs / 1000)} s off the primary's, and keys would expire by it`;
  }

  #take({ position, forced, term }: Take): void {
    this.#deps.journal("info", "failover_take", { offset: position.offset, term, forced });
    this.#when(
      () => forced || this.#node.backlog.next >= position.offset,
      () => {
        const why = forced ? null : this.#elsewhere(position);
        if (why !== null) this.#deps.journal("error", "failover_passed_over", { why });
        else this.#whenDurable(() => this.#lead());
      },
    );
  }

  #lead(): void {
    const { roles, feeder, session } = this.#node;
    const { decoder } = session;
    const newest = this.#newest;
    const refusal = roles.take((why) => {
      if (why === null) feeder.counters.bump("failovers_taken");
    });
    if (refusal === null) return;
    this.#deps.journal("error", "failover_passed_over", { why: refusal });
    this.#deps.later(AGAIN_MS, () => {
      if (newest === this.#newest && decoder === session.decoder) this.#lead();
    });
  }

  /** Why the log up to here is not that of the primary up to its end; null when it is. */
  #elsewhere({ history, offset, chain }: Position): string | null {
    const { identity, backlog } = this.#node;
    if (identity.history === history && backlog.next === offset && backlog.chain === chain)
      return null;
    return `its log is at ${backlog.next} of ${identity.history}, and the primary's ended at ${offset} of ${history}`;
  }

  #whenDurable(done: () => void): void {
    const { backlog } = this.#node;
    backlog.persist();
    backlog.wantDurable();
    const { next } = backlog;
    this.#when(() => backlog.store.durable >= next, done);
  }

  /** Unless something newer was said, or the connection is another. */
  #when(holds: () => boolean, done: () => void): void {
    const { session, turn } = this.#node;
    const { decoder } = session;
    const newest = {};
    this.#newest = newest;
    const isOver = (): boolean => this.#newest !== newest || session.decoder !== decoder;
    turn.until(
      () => isOver() || holds(),
      () => {
        if (!isOver()) done();
      },
    );
  }
}
