/**
 * A node that starts with --seed-from: asks all sources at once, does what seed-choice.ts decides, and
 * asks again until it is a primary or has found one to follow. In synchronous mode it leads by a lead round
 * (lead-round.ts); when too few promise it asks its sources again.
 *
 *             +------------------- ask_again: after a second -------------------+
 *             v                                                                 |
 *   start -> ask all -> choose -> sync: follow a source until it is caught up --+-- at once
 *                          |
 *                          +----> promote | stay: over; what is hearsay has to hold for a while first
 *
 * Why it asks again before it promotes: a sync takes its time, and meanwhile somebody else may have.
 *
 * Whose replica a source is: the address that it was told may be one of a proxy, or a name. So what counts is that it
 * has dialled this node, after it said whom it follows and before it says something else; one that is asked dials its
 * upstream at once when that was away (Session.hasten()).
 * Pure core: time and connections are its owner's. Owns: the rounds, what was said before. Does not own: the decision
 * (seed-choice.ts), roles (role-moves.ts), the questions (replica/inquiry.ts).
 */
import type { Journal } from "../primary/journal.ts";
import type { Said } from "../replica/inquiry.ts";
import { formatAddress, type Address } from "../net/address.ts";
import type { Id, Rank, StateAnswer } from "../wire/messages.ts";
import { chooseSeed, type SeedAnswer, type SeedChoice, type SeedSelf } from "./seed-choice.ts";

/** Between two rounds when there was nothing to choose, or the chosen source is gone. */
const ASK_AGAIN_MS = 1_000;
/** A replica notices within 5 s that its upstream is silent: what it says after this time is true. */
const HEARSAY_MS = 8_000;

/** A source that has not answered by then counts as unreachable in this round. */
const ANSWER_MS = 5_000;

/**
 * Asks every source once, or tells it that this node leads; `done` is called once, with an answer for each, in a
 * later turn within `withinMs`.
 */
export type AskSources = (
  sources: readonly Address[],
  withinMs: number,
  done: (answers: readonly SeedAnswer[]) => void,
  announcement?: Said,
) => void;

export interface SeedingDeps {
  readonly sources: readonly Address[];
  /** Why this node never leads by itself; "" when it may. */
  readonly mayNotLead: string;
  readonly ask: AskSources;
  readonly later: (ms: number, run: () => void) => void;
  /** Calls `done` once, in a later turn, when `holds()`. @returns a cancel */
  readonly until: (holds: () => boolean, done: () => void) => () => void;
  readonly now: () => number;
  readonly journal: Journal;
}

/** The node, as its seeding moves it. */
export interface SeedingNode {
  seedSelf(): SeedSelf;
  /** When that node dialled this one last, on the clock of `now`; -1 for never. */
  dialledMs(nodeId: Id): number;
  /** Should it lead, by whatever decision, then above this rank. */
  heardOf(rank: Rank): void;
  /** Follows `source` to get its state; nothing is remembered yet. */
  syncFrom(source: Address): void;
  /** It has all that its source said it has. */
  readonly caughtUp: boolean;
  /** Its connection to the source stands. */
  readonly connected: boolean;
  /**
   * It is a primary from here on, or asks others for their promises first: start() is called again when too few give
   * one. @returns why it cannot be yet; else null
   */
  leadFromSeed(): string | null;
  /** Seeding is over: it is a replica of `source`. */
  stayBelow(source: Address): void;
}

export class SeedRun {
  /** What it waits for, for people. */
  why = "asking its sources";
  private readonly node: SeedingNode;
  private readonly deps: SeedingDeps;
  private source: Address | null = null;
  private over = false;
  /** Counts starts: what an earlier one waits for is over. */
  private life = 0;
  /** What each source said last. */
  private readonly newest = new Map<string, SeedAnswer>();
  /** Whom each node follows, as it says it, and since when it says so. */
  private readonly followed = new Map<Id, { readonly whom: string; readonly sinceMs: number }>();
  /** Ends the wait for the source; null while there is none. */
  private cancelWait: (() => void) | null = null;
  private told = "";
  /** Since when every round ended with hearsay of a living primary, -1 when the last did not. */
  private hearsaySinceMs = -1;

  constructor(node: SeedingNode, deps: SeedingDeps) {
    this.node = node;
    this.deps = deps;
  }

  start(): void {
    this.life += 1;
    this.over = false;
    this.source = null;
    this.hearsaySinceMs = -1;
    this.round();
  }

  /** Somebody else decided. */
  stop(): void {
    this.over = true;
    this.cancelWait?.();
    this.cancelWait = null;
  }

  private round(): void {
    if (this.over) return;
    const { life } = this;
    this.deps.ask(this.deps.sources, ANSWER_MS, (answers) => {
      if (this.over || life !== this.life) return;
      const heard = answers.map((answer) => this.hear(answer));
      const isFollower = (state: StateAnswer): boolean => this.follows(state);
      const { mayNotLead } = this.deps;
      this.act(chooseSeed(this.node.seedSelf(), heard, { isFollower, mayNotLead }), heard);
    });
  }

  /** Its answer; of one that is silent what it said last. */
  private hear(answer: SeedAnswer): SeedAnswer {
    const name = formatAddress(answer.source);
    const { state, error } = answer;
    if (state === null) {
      const before = this.newest.get(name);
      return before === undefined ? answer : { ...before, error, isStale: true };
    }
    this.newest.set(name, answer);
    const whom = state.role === "primary" ? "" : formatAddress(state.upstream);
    if (this.followed.get(state.nodeId)?.whom !== whom)
      this.followed.set(state.nodeId, { whom, sinceMs: this.deps.now() });
    return answer;
  }

  /** Its upstream is this node, as it has shown since it said whom it follows. */
  private follows({ role, nodeId }: StateAnswer): boolean {
    const since = this.followed.get(nodeId);
    return (
      role === "replica" && since !== undefined && this.node.dialledMs(nodeId) >= since.sinceMs
    );
  }

  private act(choice: SeedChoice, answers: readonly SeedAnswer[]): void {
    const believed = choice.kind !== "stay" || this.believes(choice.hearsay);
    this.tell(choice, answers, believed ? choice.kind : "wait");
    if (choice.kind !== "stay") this.hearsaySinceMs = -1;
    if (!believed) {
      this.again(ASK_AGAIN_MS);
      return;
    }
    switch (choice.kind) {
      case "ask_again":
        this.again(ASK_AGAIN_MS);
        return;
      case "promote": {
        this.heardOf(answers);
        const refusal = this.node.leadFromSeed();
        if (refusal !== null) this.again(ASK_AGAIN_MS);
        return;
      }
      case "stay":
        this.over = true;
        this.node.stayBelow(choice.source);
        return;
      case "sync":
        if (this.source !== choice.source) this.node.syncFrom(choice.source);
        this.source = choice.source;
        this.await();
    }
  }

  /** Ranks of one cluster alone compare. */
  private heardOf(answers: readonly SeedAnswer[]): void {
    const { clusterId } = this.node.seedSelf();
    for (const { state } of answers)
      if (state !== null && state.clusterId === clusterId) this.node.heardOf(state.rank);
  }

  private believes(hearsay: boolean): boolean {
    const nowMs = this.deps.now();
    if (this.hearsaySinceMs < 0) this.hearsaySinceMs = nowMs;
    return !hearsay || nowMs - this.hearsaySinceMs >= HEARSAY_MS;
  }

  /** Until it has caught up, or the source has been away for a while. */
  private await(): void {
    const { node, deps } = this;
    const { connected } = node;
    const cancel = deps.until(
      () => node.caughtUp || node.connected !== connected,
      () => this.endWait(cancel, node.caughtUp ? "round" : "await"),
    );
    this.cancelWait = cancel;
    if (!connected) deps.later(ASK_AGAIN_MS, () => this.endWait(cancel, "round"));
  }

  /** What `cancel` belongs to is over, unless it was before. */
  private endWait(cancel: () => void, next: "round" | "await"): void {
    if (this.cancelWait !== cancel) return;
    this.cancelWait = null;
    cancel();
    this[next]();
  }

  private again(ms: number): void {
    const { life } = this;
    this.deps.later(ms, () => {
      if (life === this.life) this.round();
    });
  }

  /** One line when something changed, not one each round. */
  private tell(choice: SeedChoice, answers: readonly SeedAnswer[], kind: string): void {
    this.why = choice.why;
    const source = "source" in choice ? formatAddress(choice.source) : "";
    const answered = answers.filter((each) => each.state !== null && each.isStale !== true).length;
    const line = `${kind} ${source} ${answered} ${choice.why}`;
    if (line === this.told) return;
    this.told = line;
    const waits = choice.kind === "ask_again";
    this.deps.journal(waits ? "warn" : "info", "seed_choice", {
      choice: kind,
      source,
      why: choice.why,
      asked: answers.length,
      answered,
    });
  }
}
