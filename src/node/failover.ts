/**
 * A planned failover, at the primary that hands over: D31 has the table of what is said and synced when.
 *
 *   start --end of the turn--> paused --nothing in flight--> sealed: PREPARE --PREPARED--> prepared --> resigned: TAKE
 *     |                          |                            |                          |
 *     +-- refused                +----------------------------+--------------------------+--> resumed
 *
 *   state      what waits unexecuted       goes on when                                 the time is over
 *   paused     writes                      nothing is in flight                         resumed
 *   sealed     writes                      PREPARED: the target has all                 resumed; with FORCE resigned,
 *                                                                                       and it leads with what it has
 *   prepared   writes, and reads that      nobody waits to hear that what was executed  resumed; with FORCE resigned,
 *              others have to confirm      is confirmed, or durable; after              and it has all
 *                                          --sync-timeout at the latest: by then all
 *                                          who waited have heard
 *
 * Before it has resigned any fault, and ABORT, end it as resumed: what waits unexecuted runs, and what was executed
 * waits on for its confirmation. Who waits for that when it resigns hears UNCONFIRMED, so nobody does but by FORCE.
 * Why reads wait at last: each is held for a round trip, and under load there would always be one.
 *
 *   resigned --the target leads--> followed        said again on every link of the target: TAKE
 *      |
 *      +--ABORT: RELEASE --RELEASED--> leads again, in a term above
 *
 * What outlives the process is the role alone (role-moves.ts): an attempt is of this process, and ends by
 * the words of FAILOVER or of whoever is told in `done`.
 * Pure core. Owns: one attempt, what is said to the target. Does not own: which replica (failover-target.ts),
 * asking it (resigned-run.ts), ABORT of one that has resigned (releasing.ts), the target's side (taking.ts).
 */
import { LIMITS } from "../limits.ts";
import { type Address, formatAddress } from "../net/address.ts";
import type { Journal } from "../primary/journal.ts";
import type { Control, Id, Position, Prepared, Rank, Released } from "../wire/messages.ts";
import { printable } from "../wire/text.ts";
import type { FailoverPlan, FailoverState, PlannedFailover, Promoted } from "./api.ts";
import { fenceText } from "./fence.ts";
import { addressOf, chooseTarget, type FailoverLink, NO_REPLICAS } from "./failover-target.ts";
import type { Resignation } from "./resignation.ts";
import { ResignedRun } from "./resigned-run.ts";
import { Releasing } from "./releasing.ts";
import {
  fenceOf,
  RECOVERING,
  type ResignedRounds,
  type Role,
  roleName,
  STOPPED,
  TORN,
} from "./roles.ts";
import type { AskSources } from "./seeding.ts";

const IN_PROGRESS = "FAILOVER already in progress.";
const IS_REPLICA = "FAILOVER is not valid when server is a replica.";
const NONE = "No failover in progress.";
const FORCE_NEEDS = "FAILOVER with force option requires both a timeout and target HOST and IP.";
const TARGET_LEFT = "the connection of the target ended";
const TIMED_OUT = "the target did not get to the end of the log in time";
const UNANSWERED = "what was executed was not confirmed in time";
const ABORTED = "FAILOVER ABORT";

/** The node, as a failover moves it; core.ts. */
export interface FailoverNode {
  readonly roles: {
    readonly now: Role;
    pause(): void;
    resume(): void;
    resign(resignation: Resignation, run: ResignedRounds): string | null;
    followTaken(upstream: Address): void;
    leadReleased(done: Promoted): string | null;
  };
  readonly identity: { readonly rank: Rank; heardOf(rank: Rank): void };
  readonly backlog: { seal(): boolean };
  /** Where the log ends that is sealed. */
  readonly position: Position;
  readonly feeder: {
    readonly replicas: readonly FailoverLink[];
    wantPump(): void;
    readonly counters: { bump(name: string): void };
  };
  readonly turn: {
    /** Replies wait until what they show is confirmed, or durable. */
    readonly holdsReplies: boolean;
    changed(): void;
    until(holds: () => boolean, done: () => void): () => void;
  };
  readonly synchronous: {
    /** Whoever embeds the node waits until what it wrote is confirmed. */
    readonly isAwaited: boolean;
    /** Nobody waits longer for that, ms. */
    readonly timeoutMs: number;
  };
  /** Nothing that could append is under way. */
  isQuiet: () => boolean;
}

export interface FailoverDeps {
  readonly ask: AskSources;
  readonly later: (ms: number, run: () => void) => void;
  readonly wallClock: () => number;
  readonly randomId: () => Id;
  readonly journal: Journal;
  /** Writes are answered when they are durable: the target has to have them so too. */
  readonly confirmsDurable: () => boolean;
}

interface Attempt {
  readonly id: Id;
  readonly link: FailoverLink;
  readonly target: Id;
  readonly isForced: boolean;
  readonly done: Promoted;
  /** Null before it is sealed. */
  end: Position | null;
  /** The target has all up to there. */
  isPrepared: boolean;
}

export class Failover implements PlannedFailover {
  readonly #node: FailoverNode;
  readonly #deps: FailoverDeps;
  /** Until the primary has resigned. */
  #attempt: Attempt | null = null;
  /** Whoever waits for the target to lead. */
  #done: Promoted | null = null;
  readonly #releasing: Releasing;

  constructor(node: FailoverNode, deps: FailoverDeps) {
    this.#node = node;
    this.#deps = deps;
    this.#releasing = new Releasing(node, deps);
  }

  get state(): FailoverState {
    if (this.#attempt !== null) return "waiting-for-sync";
    return this.#resigned === null ? "no-failover" : "failover-in-progress";
  }

  get holdsReads(): boolean {
    return this.#attempt !== null && this.#attempt.isPrepared;
  }

  get #resigned(): ResignedRounds | null {
    const { now } = this.#node.roles;
    return now.kind === "resigned" ? now.rounds : null;
  }

  /** The rounds of a node that has resigned. */
  runOf(resignation: Resignation): ResignedRun {
    const { ask, later } = this.#deps;
    return new ResignedRun(resignation, {
      ask,
      later,
      onLed: (upstream) => this.#followed(upstream),
      onStopped: () => this.#tell("somebody decided otherwise"),
    });
  }

  // --- until it has resigned ---------------------------------------------------------------------

  start({ to, force, timeoutMs }: FailoverPlan, done: Promoted): string | null {
    const refusal = this.#refusal(to, force, timeoutMs);
    if (refusal !== null) return refusal;
    const chosen = chooseTarget(this.#node.feeder.replicas, to);
    if (chosen.link === null) return chosen.refusal;
    const { link } = chosen;
    const { later, randomId } = this.#deps;
    const target = link.hello!.storeId;
    const attempt: Attempt = {
      id: randomId(),
      link,
      target,
      isForced: force,
      done,
      end: null,
      isPrepared: false,
    };
    this.#attempt = attempt;
    // Why not at once: who asks may have writes behind it in the same read.
    this.#node.turn.until(
      () => true,
      () => this.#pause(attempt),
    );
    if (timeoutMs > 0) later(timeoutMs, () => this.#isLate(attempt));
    return null;
  }

  #refusal(to: Address | null, force: boolean, timeoutMs: number): string | null {
    const { roles, feeder } = this.#node;
    if (this.state !== "no-failover") return IN_PROGRESS;
    if (roleName(roles.now) === "replica") return IS_REPLICA;
    const why = notLeading(roles.now);
    if (why !== null) return why;
    if (feeder.replicas.length === 0) return NO_REPLICAS;
    return force && (timeoutMs === 0 || to === null) ? FORCE_NEEDS : null;
  }

  #pause(attempt: Attempt): void {
    if (attempt !== this.#attempt) return;
    const node = this.#node;
    const why = notLeading(node.roles.now);
    if (why !== null) {
      this.#resume(why);
      return;
    }
    node.roles.pause();
    this.#deps.journal("info", "failover_begins", {
      target: attempt.target,
      remote: attempt.link.remote,
    });
    node.turn.until(
      () => attempt !== this.#attempt || node.isQuiet(),
      () => this.#prepare(attempt),
    );
  }

  #prepare(attempt: Attempt): void {
    if (attempt !== this.#attempt) return;
    const { backlog, feeder } = this.#node;
    backlog.seal();
    const { position } = this.#node;
    attempt.end = position;
    attempt.link.sayBetween({
      type: "prepare",
      failoverId: attempt.id,
      position,
      clockMs: Math.max(0, this.#deps.wallClock()),
      durable: this.#deps.confirmsDurable(),
    });
    feeder.wantPump();
  }

  #isLate(attempt: Attempt): void {
    if (attempt !== this.#attempt) return;
    const { isForced, end, isPrepared } = attempt;
    if (isForced && end !== null) this.#resign(attempt, end, !isPrepared);
    else this.#resume(isPrepared ? UNANSWERED : TIMED_OUT);
  }

  /** Nothing is different from before. */
  #resume(why: string): void {
    const attempt = this.#attempt;
    if (attempt === null) return;
    this.#attempt = null;
    const { roles, feeder, turn } = this.#node;
    if (roles.now.kind === "paused") roles.resume();
    feeder.counters.bump("failovers_resumed");
    this.#deps.journal("warn", "failover_resumed", { target: attempt.target, why });
    turn.changed();
    attempt.done(why);
  }

  #resign(attempt: Attempt, end: Position, forced: boolean): void {
    const { roles, identity, turn, feeder } = this.#node;
    const resignation: Resignation = {
      failoverId: attempt.id,
      target: attempt.target,
      upstream: addressOf(attempt.link),
      end,
      term: Math.min(identity.rank.term + 1, LIMITS.termMax),
      forced,
    };
    if (roles.now.kind !== "paused" || roles.now.from.holds === "torn") {
      this.#resume(TORN);
      return;
    }
    const refusal = roles.resign(resignation, this.runOf(resignation));
    if (refusal !== null) {
      this.#resume(refusal);
      return;
    }
    this.#attempt = null;
    this.#done = attempt.done;
    attempt.link.sayBetween(takeOf(resignation));
    feeder.wantPump();
    turn.changed();
  }

  // --- what the target says ----------------------------------------------------------------------

  answered(link: FailoverLink, message: Prepared | Released): void {
    if (message.type === "prepared") this.#prepared(link, message);
    else this.#releasing.answered(link, message);
  }

  #prepared(link: FailoverLink, { failoverId, refusal }: Prepared): void {
    const attempt = this.#attempt;
    if (attempt === null || attempt.id !== failoverId || attempt.link !== link) return;
    if (attempt.end === null) return;
    if (refusal !== "") this.#resume(`the target cannot lead: ${printable(refusal)}`);
    else if (!attempt.isPrepared) this.#answerFirst(attempt, attempt.end);
  }

  /** Whoever waits is told before this node resigns. */
  #answerFirst(attempt: Attempt, end: Position): void {
    const { turn, synchronous } = this.#node;
    attempt.isPrepared = true;
    const isAnswered = (): boolean => !turn.holdsReplies && !synchronous.isAwaited;
    if (isAnswered()) {
      this.#resign(attempt, end, false);
      return;
    }
    let isLate = false;
    this.#deps.later(synchronous.timeoutMs, () => {
      isLate = true;
      turn.changed();
    });
    turn.until(
      () => attempt !== this.#attempt || isLate || isAnswered(),
      () => {
        if (attempt === this.#attempt) this.#resign(attempt, end, false);
      },
    );
  }

  /** A replica was welcomed: the target hears again that it is to lead. */
  linked(link: FailoverLink): void {
    const run = this.#resigned;
    if (run === null || link.hello?.storeId !== run.resignation.target) return;
    if (link.hello.address.replPort !== 0) run.upstream = addressOf(link);
    link.sayBetween(takeOf(run.resignation));
  }

  linkEnded(link: FailoverLink): void {
    if (this.#attempt?.link === link) this.#resume(this.#fencedBy ?? TARGET_LEFT);
    this.#releasing.linkEnded(link);
    const run = this.#resigned;
    if (run !== null && link.hello?.storeId === run.resignation.target) run.hasten();
  }

  /** Who leads instead ends all links, that of the target too. */
  get #fencedBy(): string | null {
    const fence = fenceOf(this.#node.roles.now);
    return fence === null ? null : `this node was fenced: ${fenceText(fence)}`;
  }

  #followed(upstream: Address): void {
    const done = this.#done;
    this.#done = null;
    this.#node.feeder.counters.bump("failovers_done");
    this.#deps.journal("info", "failover_done", { upstream: formatAddress(upstream) });
    this.#node.roles.followTaken(upstream);
    done?.(null);
  }

  #tell(why: string): void {
    const done = this.#done;
    this.#done = null;
    this.#releasing.end(why);
    done?.(why);
  }

  // --- ABORT -------------------------------------------------------------------------------------

  abort(done: Promoted): string | null {
    if (this.#attempt !== null) {
      this.#resume(ABORTED);
      done(null);
      return null;
    }
    const run = this.#resigned;
    return run === null ? NONE : this.#releasing.begin(run.resignation, done);
  }

  /** The process ends: who waits is told; a node that is paused is what it was. */
  stopped(): void {
    this.#resume(STOPPED);
  }
}

function notLeading(role: Role): string | null {
  if (role.kind === "leading") return role.holds === "torn" ? TORN : null;
  if (roleName(role) === "replica") return "this node was told to follow another";
  return role.kind === "stopped" ? STOPPED : RECOVERING;
}

function takeOf({ failoverId, end: position, term, forced }: Resignation): Control {
  return { type: "take", failoverId, position, term, forced };
}
