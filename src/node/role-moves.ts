/**
 * What happens when a node moves from one role to another.
 *
 *   move                 kept in --dir first   session              log and feeding side
 *   recovered                                  goes on from the       begins at what was recovered; on a
 *                                              recovered log          node that leads a new history,
 *                                                                     unless it reclaims first
 *   start                                      dials, on a replica
 *   take from a source                         stops, then dials
 *   lead with what it                          stops                  a new history, on the disk before
 *   has reclaimed                                                     it is opened
 *   follow               replica of X          stops, then dials    sealed; a primary's WAITs end
 *   sync from a source                         stops, then dials    sealed
 *   stay below a source  replica of X          as follow, unless    as follow
 *                                              it has that source
 *   promote              primary               stops, applies what
 *                                              it has received
 *   lead                                       begins at the log    the rest dropped, a new history,
 *                                                                   links told to come back
 *   fail                 replica of X
 *   pause, resume
 *   resign               resigned for X        at the log's end     sealed already; a primary's WAITs end
 *   the target leads     replica of X          dials
 *   take over            primary               as promote           as lead, but on the disk before it is
 *                                                                   opened; the log was durable before
 *   lead round           primary, before   stops                sealed, on one that led; links told to come back;
 *                        it leads                               WAITs end
 *   give the round up                      dials again, on a
 *                                          replica; one that
 *                                          seeds asks its sources
 *   fence                fenced by X, but                       sealed; WAITs end; links told to come
 *                        after it                               back, clients sent away
 *   stop                                       stops, keeps its
 *                                              part of a snapshot
 *
 * What is kept first is on disk before anybody is told: a restart must find it. When it cannot be
 * kept, nothing is changed. But a fenced node takes no more writes, whatever its disk does: only who is
 * told of that is told after it was kept.
 *
 * Owns: the effects of a move in their order. Does not own: the present role (present-role.ts), which moves there are,
 * what follows from a role (roles.ts), when a session moves (replica/), the file (role-file.ts).
 */
import type { LedLog } from "../primary/deps.ts";
import type { Consent, Rank } from "../wire/messages.ts";
import type { NodeRecord } from "../wire/node-record.ts";
import type { Promoted } from "./api.ts";
import { type Fence, fenceBy, fencedAgain, fenceFields, fenceText } from "./fence.ts";
import { keptOf } from "./kept-consent.ts";
import { type Address, formatAddress, isSameAddress } from "../net/address.ts";
import type { Resignation } from "./resignation.ts";
import * as roles from "./roles.ts";
import { PresentRole } from "./present-role.ts";

/** A promotion waits so long for a state that answers later. */
const STATE_SILENT_MS = 60_000;

export class RoleMoves extends PresentRole {
  /** With which rank the promotion under way leads; null for the next. */
  #ledRank: Rank | null = null;
  /** Whom it followed before its lead round. */
  #former: Address | null = null;

  // --- moves that somebody asks for --------------------------------------------------------------

  /**
   * The log is the recovered one, under the history that the identity has. A node that leads begins a new
   * history at its end, in the term that it led in, and who follows it comes back by lineage. It still
   * recovers: its log is to begin on the disk first.
   */
  recovered(): void {
    const { session, identity, backlog } = this.parts;
    session.resetToLog();
    if (this.#recovering().then.kind === "leading") backlog.beginHistory(identity.reopen(backlog));
  }

  /** It led, and asks first whether others have more of its log. Comes before recovered(). */
  reclaims(rounds: roles.ReclaimRounds): void {
    const { then } = this.#recovering();
    if (then.kind !== "leading") throw new Error(`a node that is ${then.kind} reclaims nothing`);
    this.role = roles.startRecovering(roles.startReclaiming(then, rounds));
  }

  /** There was nothing: a node that leads has a cluster of its own, from here on; with sources it seeds. */
  recoveredNothing(): void {
    const { identity, backlog } = this.parts;
    if (this.#recovering().then.kind !== "leading") return;
    const seeding = this.parts.makeSeeding();
    if (seeding === null) backlog.beginHistory(identity.found());
    else this.role = roles.startRecovering(roles.startSeeding(seeding));
  }

  /** The state is there, or there was none, and what comes is kept. */
  opened(holds: "nothing" | "whole"): void {
    const recovering = this.#recovering();
    this.become(roles.toRecovered(recovering, holds));
    if (recovering.then.kind === "leading") this.parts.completeness.leads();
    this.parts.turn.changed();
  }

  #recovering(): roles.Recovering {
    const role = this.role;
    if (role.kind !== "recovering") throw new Error(`a node that is ${role.kind} recovers nothing`);
    return role;
  }

  /** A replica dials, a node that seeds asks its sources, one that reclaims those that followed it. */
  start(): void {
    const role = this.role;
    if ("rounds" in role) role.rounds.start();
    else if (role.kind === "following") this.parts.session.start(this.deps.now());
    else if (role.kind === "fenced") this.#followLeader();
    else if (role.kind === "leading") this.announce(null);
    if (role.kind === "leading") this.parts.synchronous.leads();
  }

  /** To those that it remembers, to its sources, and to `former`, whom it followed: that it leads. */
  announce(former: Address | null): void {
    const { identity, announcer, sources } = this.parts;
    const known = [...identity.followers, ...identity.siblings, ...sources];
    const peers = known.map(({ host, port }) => ({ host, port }));
    if (former !== null) peers.push(former);
    if (peers.length > 0) announcer.leads(peers);
  }

  /** The process ends; what was received of a snapshot is kept. */
  stop(): void {
    if (this.role.kind === "paused") this.resume();
    const before = this.role;
    if (before.kind === "stopped" || before.kind === "paused") return;
    this.become(roles.toStopped(before));
    this.parts.session.stop("shutting down", this.deps.now(), true);
    if (before.kind === "promoting") tell(before.waiting, roles.STOPPED);
    this.parts.turn.changed();
  }

  /** Follows `upstream`, remembered first. @returns why it does not, with nothing changed; else null */
  follow(consent: Consent, upstream: Address): string | null {
    const role = this.role;
    if (role.kind === "stopped") return roles.STOPPED;
    if (role.kind === "recovering") return roles.RECOVERING;
    if (role.kind === "paused") return roles.FAILING_OVER;
    const next = roles.toFollowing(role, upstream, consent);
    const kept = keptOf(next.consent, upstream);
    const refusal = this.remember({ role: "replica", upstream }, kept);
    if (refusal !== null) return refusal;
    this.#dial(next, upstream);
    return null;
  }

  /**
   * Becomes a primary at the next batch boundary, remembered first; `done` is called then, or when
   * follow() came first, or with why it could not. `force` makes one of a node that never had a state:
   * an empty one.
   * @returns why it is refused, with nothing changed and `done` never called; else null
   */
  promote(force: boolean, done: Promoted): string | null {
    const role = this.role;
    switch (role.kind) {
      case "recovering":
        return roles.RECOVERING;
      case "leading":
        if (role.holds === "torn") return roles.TORN;
        done(null);
        return null;
      case "promoting":
        this.role = roles.withWaiting(role, done);
        return null;
      case "paused":
        return roles.FAILING_OVER;
      case "resigned":
        if (!force) return roles.RESIGNED;
        // Why above: whoever it has resigned for may lead in that term.
        this.parts.identity.yieldTo({ term: role.resignation.term, run: 0 });
        return this.#promote(role, force, done, true);
      case "stopped":
        return roles.STOPPED;
      case "following":
      case "seeding":
      case "fenced":
        if (!force && role.holds === "whole" && this.beginRound(done)) return null;
        return this.#promote(role, force, done);
      case "reclaiming":
        return this.#promote(role, force, done);
    }
  }

  #promote(role: roles.Follower, force: boolean, done: Promoted, isSynced = false): string | null {
    const refusal =
      roles.promotionRefusal(role, force) ?? this.remember({ role: "primary", upstream: null });
    if (refusal !== null) return refusal;
    this.become(roles.toPromoting(role, [done], isSynced));
    this.parts.session.stop("promoted", this.deps.now());
    this.#drain();
    return null;
  }

  /**
   * In synchronous mode: others are asked first, and `done` is told how it ended. One that leads does so when it has
   * heard of a higher promise. @returns whether there is anybody to ask
   */
  beginRound(done: Promoted | null): boolean {
    const role = this.role;
    if (!roles.maySeekPromises(role))
      throw new Error(`a node that is ${role.kind} begins no lead round`);
    const { session, feeder, backlog, identity } = this.parts;
    const rounds = this.parts.planRound(done);
    if (rounds === null) return false;
    const hasLed = role.kind === "leading";
    backlog.seal();
    this.round = { from: hasLed ? null : role, done };
    this.become(roles.toRound(role, rounds));
    if (hasLed) {
      feeder.cutWaiters();
      session.resetToLog();
    } else session.stop("it is to lead", this.deps.now());
    identity.setPath([identity.nodeId], null);
    this.dropLinks("this node asks who is to lead");
    rounds.start();
    return true;
  }

  /** Too few have promised: it is what it was. */
  giveUpRound(why: string): void {
    const round = this.round;
    if (this.role.kind !== "reclaiming" || round === null || round.from === null) return;
    this.round = null;
    const from = roles.afterRound(round.from);
    this.become(from);
    if (from.kind === "following") this.parts.session.start(this.deps.now(), true);
    if (from.kind === "seeding") from.rounds.start();
    round.done?.(why);
    this.parts.turn.changed();
  }

  // --- moves of a planned failover (failover.ts, taking.ts) ----------------------------------------

  /** Nobody appends from here on; the batch that is open is sealed when nothing is in flight. */
  pause(): void {
    const role = this.role;
    if (role.kind !== "leading") throw new Error(`a node that is ${role.kind} is not paused`);
    this.become(roles.toPaused(role));
  }

  /** As before pause(). */
  resume(): void {
    const role = this.role;
    if (role.kind !== "paused") throw new Error(`a node that is ${role.kind} is not resumed`);
    this.become(roles.toResumed(role));
    this.parts.turn.changed();
  }

  /** It never appends again in its term, remembered first. @returns why it goes on; else null */
  resign(resignation: Resignation, rounds: roles.ResignedRounds): string | null {
    const role = this.role;
    if (role.kind !== "paused") throw new Error(`a node that is ${role.kind} does not resign`);
    const refusal = this.remember({ role: "resigned", ...resignation });
    if (refusal !== null) return refusal;
    this.become(roles.toResigned(role, resignation, rounds));
    this.parts.feeder.cutWaiters();
    this.parts.session.resetToLog();
    const { target, upstream, end, term } = resignation;
    this.deps.journal("warn", "resigned", {
      target,
      upstream: formatAddress(upstream),
      offset: end.offset,
      term,
    });
    rounds.start();
    return null;
  }

  /** The target leads. */
  followTaken(upstream: Address): void {
    const role = this.role;
    if (role.kind !== "resigned") throw new Error(`a node that is ${role.kind} handed nothing on`);
    // Why it goes on when that fails: a start asks the target again.
    this.remember({ role: "replica", upstream });
    this.#dial(roles.toFollowing(role, upstream, "none"), upstream);
  }

  /** The target does not lead, and never will by this resignation. @returns as promote() */
  leadReleased(done: Promoted): string | null {
    const role = this.role;
    if (role.kind !== "resigned") throw new Error(`a node that is ${role.kind} was not released`);
    return this.#promote(role, false, done, true);
  }

  /** The primary has resigned for this node, whose log is durable up to where it leads from. @returns as promote() */
  take(done: Promoted): string | null {
    const role = this.role;
    if (role.kind !== "following") return `this node is ${role.kind}`;
    return this.#promote(role, false, done, true);
  }

  /** It has promised a higher rank: whoever leads with a lower one feeds it no more, and is asked again. */
  leaveLower(why: string): void {
    const role = this.role;
    const { session, identity } = this.parts;
    const nowMs = this.deps.now();
    session.stop(why, nowMs);
    identity.setPath([identity.nodeId], null);
    if (role.kind === "following") session.start(nowMs, true);
  }

  // --- a higher rank leads -----------------------------------------------------------------------

  /** Somebody leads `led`, as `remote` says. A node that leads with a lower rank stops at once. */
  heardLeader(led: LedLog, remote: string): void {
    const { identity, backlog } = this.parts;
    const role = this.role;
    if (role.kind === "fenced") {
      const fence = fencedAgain(role.fence, identity, backlog.next, led);
      if (fence === role.fence) return;
      this.role = { ...role, fence };
      this.remember({ role: "fenced", upstream: null, fence });
      identity.yieldTo(fence.rank);
      this.#followLeader();
    } else if (role.kind === "leading" || role.kind === "paused") {
      const fence = fenceBy(identity, backlog.next, led);
      // A planned failover is over by that: failover.ts.
      if (fence !== null && role.kind === "paused") this.resume();
      if (fence !== null) this.#fence(role.kind === "paused" ? role.from : role, fence, remote);
    }
  }

  #fence(before: roles.Leading, fence: Fence, remote: string): void {
    const { identity, feeder, session, backlog, turn } = this.parts;
    this.become(roles.toFenced(before, fence));
    backlog.seal();
    feeder.cutWaiters();
    session.resetToLog();
    if (before.holds === "torn") session.tear();
    // Why it goes on when that fails: to lead on would be worse; the log tells of it.
    this.remember({ role: "fenced", upstream: null, fence });
    identity.yieldTo(fence.rank);
    feeder.counters.bump("fenced");
    this.deps.journal("warn", "fenced", fenceFields(fence, remote, backlog.next));
    this.dropLinks(`this node is fenced: ${fenceText(fence)}`);
    this.deps.onFenced();
    turn.changed();
    this.deps.nextTurn(this.#followLeader);
  }

  /** By itself only when it has nothing that would be discarded. */
  readonly #followLeader = (): void => {
    const role = this.role;
    if (role.kind !== "fenced" || role.fence.leader === null || role.holds !== "whole") return;
    if (this.parts.backlog.next <= role.fence.fork) this.follow("none", role.fence.leader);
  };

  // --- moves of a node that seeds or reclaims ----------------------------------------------------

  /** Follows `source` to get its state, or its log; nothing is remembered yet. */
  syncFrom(source: Address): void {
    this.#dial(roles.toSyncing(this.#asking(), source), source);
  }

  /** Of `source` nothing more is taken. */
  hangUp(): void {
    this.parts.session.stop("all is taken that was there", this.deps.now());
    this.become(roles.toSyncing(this.#asking(), null));
  }

  /** It does not lead: it is a replica of `source`. */
  stayBelow(source: Address): void {
    const role = this.#asking();
    this.round?.done?.("another node leads, or is to lead, with a higher rank");
    this.round = null;
    // Why it goes on when that fails: others lead, whatever this disk says; the log tells of it.
    this.remember({ role: "replica", upstream: source });
    const next = roles.toStaying(role, source);
    const stays = isSameAddress(role.source, source);
    if (stays && role.kind === "seeding") this.become(next);
    else this.#dial(next, source);
  }

  /** It leads, as it did before it was started again. */
  leadReclaimed(rank: Rank | null = null): void {
    const role = this.#asking();
    if (role.kind !== "reclaiming") throw new Error("a node that seeds leads by promote()");
    const round = this.round;
    const refusal = round?.from == null ? null : this.remember({ role: "primary", upstream: null });
    if (refusal !== null) {
      this.giveUpRound(refusal);
      return;
    }
    this.round = null;
    this.#former = round?.from == null ? null : roles.upstreamOf(round.from);
    this.#ledRank = rank;
    this.become(roles.toPromoting(role, round?.done == null ? [] : [round.done]));
    this.parts.session.stop("it leads again", this.deps.now());
    this.#drain();
  }

  #asking(): roles.Seeding | roles.Reclaiming {
    const role = this.role;
    if (role.kind !== "seeding" && role.kind !== "reclaiming")
      throw new Error(`a node that is ${role.kind} asks nobody any more`);
    return role;
  }

  // --- how moves are done ------------------------------------------------------------------------

  /** Gives up the log and the connection of the role before, and dials `upstream`. */
  #dial(next: roles.Following | roles.Seeding | roles.Reclaiming, upstream: Address): void {
    const { backlog, feeder, session } = this.parts;
    const before = this.role;
    const nowMs = this.deps.now();
    const hasLed = before.kind === "leading";
    backlog.seal();
    if (hasLed) feeder.cutWaiters();
    session.stop("following another node", nowMs);
    this.become(next);
    const former = roles.upstreamOf(before);
    const isSame = isSameAddress(former, upstream);
    const { identity } = this.parts;
    // Why not the path to a former one: whoever asks would take this node for a replica of it.
    if (isSame) identity.rootId = null;
    else identity.setPath([identity.nodeId], null);
    // One that reclaims is a primary to all who ask.
    if (next.kind !== "reclaiming")
      this.deps.journal("info", "role_changed", {
        role: "replica",
        upstream: formatAddress(upstream),
      });
    if (hasLed) session.resetToLog();
    // Why behind that: it takes what a log ends with for what the state has.
    if (roles.heldBy(next) === "torn") session.tear();
    session.start(nowMs, isSame);
    // Why not as refused: the promotion was, and then something else was asked for.
    if (before.kind === "promoting") tell(before.waiting, null);
  }

  /** What was received completely is applied first, slice by slice. */
  readonly #drain = (): void => {
    if (this.role.kind !== "promoting") return;
    const { session } = this.parts;
    if (session.step(this.deps.now())) this.deps.nextTurn(this.#drain);
    // What it was given, it will have: a run of batches, or a snapshot that is being swapped in.
    else if (session.isBusy) this.#awaitState();
    // Why asked again: applying the rest may have failed inside a batch, which changes the role.
    else if (roles.heldBy(this.role) === "torn") this.#endTorn(this.role);
    else this.#lead(this.role);
  };

  /** Until the state has answered; one that does not keeps nobody waiting for ever. */
  #awaitState(): void {
    const { session, turn } = this.parts;
    let isOver = false;
    const cancel = turn.until(
      () => !session.isBusy,
      () => {
        isOver = true;
        this.#drain();
      },
    );
    this.deps.later(STATE_SILENT_MS, () => {
      if (isOver) return;
      isOver = true;
      cancel();
      this.#giveUp();
    });
  }

  /** One that reclaims waits on: it has nobody to go back to. */
  #giveUp(): void {
    const role = this.role;
    if (role.kind !== "promoting") return;
    if (role.from.kind === "reclaiming" || role.from.kind === "fenced") this.#awaitState();
    else {
      this.#fail(role, roles.SILENT);
      this.parts.session.start(this.deps.now(), true);
    }
  }

  #lead({ from, isSynced }: roles.Promoting): void {
    const { identity, backlog, session } = this.parts;
    backlog.dropReceived();
    session.resetToLog();
    const isRestart = from.kind === "reclaiming";
    const rank = this.#ledRank;
    this.#ledRank = null;
    const begins =
      rank !== null
        ? identity.leadWith(backlog, rank)
        : isRestart
          ? identity.reopen(backlog)
          : identity.promote(backlog);
    // Why not always: an operator who promotes has decided, whatever the disk does.
    if (isSynced || isRestart) backlog.rename(() => this.#open(from, begins));
    else {
      backlog.rename();
      this.#open(from, begins);
    }
  }

  /** The history that it leads has begun, unless it became something else meanwhile. */
  #open(from: roles.Promoting["from"], begins: NodeRecord): void {
    const { identity, completeness, backlog, session, turn } = this.parts;
    const before = this.role;
    if (before.kind !== "promoting" || before.from !== from) return;
    session.forgetKept();
    backlog.beginHistory(begins);
    this.become(roles.toLeading(before));
    completeness.leads();
    this.parts.synchronous.leads();
    // One that only asked who followed it has been a primary to all meanwhile.
    if (from.kind !== "reclaiming" || before.waiting.length > 0)
      this.deps.journal("info", "role_changed", {
        role: "primary",
        history: identity.history,
        offset: backlog.next,
      });
    this.dropLinks("this node was promoted");
    tell(before.waiting, null);
    if (from.kind === "reclaiming") from.rounds.led();
    this.announce(this.#former ?? roles.upstreamOf(from));
    this.#former = null;
    turn.changed();
  }

  #endTorn(before: roles.Promoting): void {
    const { from, waiting } = before;
    if (from.kind !== "reclaiming") this.#fail(before, roles.TORN);
    else {
      tell(waiting, roles.TORN);
      from.rounds.torn();
    }
  }

  #fail(before: roles.Promoting, why: string): void {
    const next = roles.toFailed(before);
    this.remember({ role: "replica", upstream: next.upstream });
    this.become(next);
    tell(before.waiting, why);
  }
}

function tell(waiting: readonly Promoted[], refusal: string | null): void {
  for (const done of waiting) done(refusal);
}
