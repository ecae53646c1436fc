/**
 * The lives of a leader whose disk loses what was not synced, and of those that follow it: writes, links
 * that are cut, a death, things that happen meanwhile, and a start that asks (src/node/reclaiming.ts).
 *
 *   checked when it leads again                                  when it follows
 *   all that it has is durable                                   somebody was promoted meanwhile
 *   before the bound: everybody that it waits for has answered   it is remembered
 *   whom it does not wait for has no more of its log, reachable
 *   or not
 *   nobody that it could reach has more of its log
 *   it took no snapshot; nobody of a higher term was in reach
 *
 *   in the end: all that follow it have its log, and its state
 *
 * Owns: one life. Does not own: files (disk-life.ts), clusters and all their faults (simulation.ts).
 */
import { Life, WORKLOAD } from "./life.ts";
import { HawserError } from "../../src/errors.ts";
import { decideResume } from "../../src/primary/resume.ts";
import type { Peer } from "../../src/node/node-memory.ts";
import { SimError } from "./clock.ts";
import { Member, Remembered } from "./reclaim-member.ts";
import { drawRecord } from "./workload.ts";

const ROUNDS_MAX = 4;
/** A round of questions, three tries of one that feeds, a sync: longer than the bound, ms. */
const BEYOND_BOUND_MS = 30_000;
const EQUAL_MS = 120_000;

/** A start of the leader. */
interface Start {
  readonly atMs: number;
  readonly reclaimMs: number;
  /** Who followed it. */
  readonly followers: readonly Peer[];
  /** Somebody said REPLICAOF NO ONE. */
  isForced: boolean;
  isOver: boolean;
}

export class ReclaimLife extends Life {
  readonly #kept = new Remembered();
  /** Cut off from the leader at any time since it was started. */
  readonly #cut = new Set<string>();
  #promoted: Member | null = null;
  #start: Start | null = null;

  constructor(seed: number) {
    super(seed, [0.1, 1, 20, 100]);
  }

  run(): void {
    const { random } = this;
    this.#startLeader();
    const count = random.between(1, 5);
    for (let n = 1; n <= count; n++) {
      const above = n > 1 && random.fraction() < 0.2 ? `r${random.between(1, n)}` : "a";
      const member = new Member(this, `r${n}`, above, null);
      this.members.set(member.name, member);
      member.start();
    }
    this.clock.run(this.clock.nowMs + 2_000);
    for (let round = random.between(1, ROUNDS_MAX + 1); round > 0; round--) {
      this.#write(this.#leader, random.between(5, 60));
      this.#die();
      if (random.fraction() < 0.4) this.#slowTwice();
      else {
        this.#meanwhile();
        this.#startAgain();
      }
      while (this.#leads && random.fraction() < 0.3) this.#dieAgain();
      this.#converge();
      if (this.#promoted !== null || this.#kept.log.isReplaced) return;
    }
  }

  // --- as the world of its members ---------------------------------------------------------------

  figures(): string {
    return [...this.members.values()]
      .map(({ name, core, dead }) => {
        const what = dead ? "dead" : core.roles.now.kind;
        return `${name} ${what} ${core.identity.rank.term}.${core.identity.rank.run} at ${core.backlog.next}`;
      })
      .join("; ");
  }

  get #leader(): Member {
    return this.members.get("a")!;
  }

  get #others(): Member[] {
    return [...this.members.values()].filter(({ name, dead }) => name !== "a" && !dead);
  }

  get #someOther(): Member | null {
    const others = this.#others;
    return others.length === 0 ? null : this.random.pick(others);
  }

  /** Of those that follow, who has most. */
  get #furthest(): Member | null {
    return this.#others.reduce<Member | null>(
      (most, other) =>
        most !== null && most.core.backlog.next >= other.core.backlog.next ? most : other,
      null,
    );
  }

  // --- what happens ------------------------------------------------------------------------------

  #startLeader(reclaimMs = 0): void {
    const leader = new Member(this, "a", "", this.#kept);
    this.members.set("a", leader);
    const followers = this.#kept.memory.peers;
    const names = followers.map(({ host, awaited }) => (awaited ? host : `(${host})`));
    this.say(`a starts at ${this.#kept.log.end}, asks ${names.join()} for ${reclaimMs} ms`);
    leader.open(reclaimMs);
    this.#start = {
      atMs: this.clock.nowMs,
      reclaimMs,
      followers,
      isForced: reclaimMs === 0,
      isOver: leader.core.reclaiming === null,
    };
    leader.start();
  }

  /** Clients write, links are cut and come back. */
  #write(node: Member, bursts: number): void {
    const { random } = this;
    const everyMs = random.pick([120, 120, 1_500]);
    for (; bursts > 0 && !node.dead; bursts--) {
      node.run(() => {
        for (let n = random.between(1, 8); n > 0; n--) {
          try {
            drawRecord(random, WORKLOAD, node.wallClock()).change(node.keys);
          } catch (error) {
            if (!(error instanceof HawserError)) throw error;
          }
        }
        node.core.turn.want();
      });
      if (random.fraction() < 0.1) this.#cutOff(random.between(50, 3_000));
      this.clock.run(this.clock.nowMs + random.between(1, everyMs));
    }
    if (random.fraction() < 0.2) this.#partForLong();
  }

  /** Somebody is away until all that it has is on the leader's disk. */
  #partForLong(): void {
    this.#cutOff(this.random.pick([8_000, 90_000]));
    this.clock.run(this.clock.nowMs + this.random.between(1_000, 10_000));
  }

  /** Somebody and the leader do not reach each other for a while. */
  #cutOff(forMs: number, other = this.#someOther): void {
    if (other === null) return;
    const ways = [`a>${other.name}`, `${other.name}>a`];
    for (const way of ways) this.net.blocked.add(way);
    this.#cut.add(other.name);
    for (const connection of this.net.standing) {
      const names = connection.hosts.map(({ name }) => name);
      if (names.includes("a") && names.includes(other.name)) connection.destroy(0, true);
    }
    this.say(`a and ${other.name} are apart for ${forMs} ms`);
    this.mark("reclaim: cut off");
    this.clock.in(forMs, () => {
      for (const way of ways) this.net.blocked.delete(way);
      if (!ways.some((way) => this.net.blocked.has(way))) this.say(`a and ${other.name} meet`);
    });
  }

  #die(): void {
    const { random } = this;
    const isMachine = random.fraction() < 0.8;
    this.#leader.kill();
    const lost = this.#kept.log.die(isMachine, random);
    this.say(`a dies (${isMachine ? "machine" : "process"}), ${lost} bytes of its log are lost`);
    if (lost > 0) this.mark("reclaim: log lost");
    this.clock.run(this.clock.nowMs + random.between(0, 3_000));
  }

  #meanwhile(): void {
    const { random } = this;
    if (this.#others.length > 1 && random.fraction() < 0.2) {
      const gone = random.pick(this.#others);
      this.say(`${gone.name} is gone for good`);
      gone.kill();
    }
    if (this.#others.length > 0 && random.fraction() < 0.2)
      this.#promote(random.pick(this.#others));
    this.#cut.clear();
    for (const way of this.net.blocked) this.#cut.add(way.replace(/^a>|>a$/g, ""));
    while (random.fraction() < 0.3) this.#cutOff(random.pick([100, 2_000, 90_000]));
    if (random.fraction() < 0.3) this.#cutOff(random.pick([3_000, 90_000]), this.#furthest);
  }

  get #leads(): boolean {
    return this.#leader.core.roles.now.kind === "leading";
  }

  /** Soon after it led again: some that were silent then still are, or are just back. */
  #dieAgain(): void {
    const { random } = this;
    this.#write(this.#leader, random.pick([0, 0, 2, 20]));
    this.mark("reclaim: died again");
    this.#die();
    this.#cut.clear();
    for (const way of this.net.blocked) this.#cut.add(way.replace(/^a>|>a$/g, ""));
    this.#startAgain();
  }

  #promote(heir: Member): void {
    if (heir.core.roles.promote(false, () => undefined) !== null) return;
    this.#promoted = heir;
    this.say(`${heir.name} is promoted`);
    this.clock.run(this.clock.nowMs + 500);
    this.#write(heir, this.random.between(0, 10));
    for (const other of this.#others)
      if (other !== heir && this.random.fraction() < 0.7)
        other.run(() => void other.core.roles.follow("replicaof", { host: heir.name, port: 1 }));
    this.clock.run(this.clock.nowMs + this.random.between(0, 3_000));
  }

  /** Who has most is away, and away again when it leads and dies before it has written much. */
  #slowTwice(): void {
    const { random } = this;
    const slow = this.#furthest;
    if (slow === null) {
      this.#startAgain();
      return;
    }
    this.#cut.clear();
    this.#cutOff(random.pick([3_000, 90_000]), slow);
    this.mark("reclaim: slow twice");
    this.#startAgain(300);
    if (!this.#leads || slow.dead) return;
    if (random.fraction() < 0.3) this.#write(this.#leader, 1);
    else this.clock.run(this.clock.nowMs + random.between(1, 500));
    this.#die();
    this.#startAgain(5_000);
  }

  #startAgain(reclaimMs = this.random.pick([300, 5_000, 60_000])): void {
    const { random, clock } = this;
    this.#startLeader(reclaimMs);
    for (let deaths = 0; deaths < 3 && random.fraction() < 0.3; deaths++) {
      if (random.fraction() < 0.5) clock.run(clock.nowMs + random.between(0, 600));
      else this.#runUntilItDecides(reclaimMs);
      if (this.#start!.isOver) break;
      this.mark("reclaim: died in it");
      this.#die();
      this.#startLeader(reclaimMs);
    }
    if (random.fraction() < 0.1) {
      clock.run(clock.nowMs + random.between(0, reclaimMs));
      if (!this.#start!.isOver) {
        this.#start!.isForced = true;
        this.mark("reclaim: forced");
        this.#leader.run(() => void this.#leader.core.roles.promote(false, () => undefined));
      }
    }
    const isOver = (): boolean => this.#start!.isOver;
    if (isOver() || clock.run(this.#start!.atMs + reclaimMs + BEYOND_BOUND_MS, isOver)) return;
    throw new SimError(`it still waits: ${this.#leader.core.reclaiming?.why ?? ""}`);
  }

  /** It has asked for long enough, and its history is not on the disk yet. */
  #runUntilItDecides(reclaimMs: number): void {
    const hasDecided = (): boolean => this.#leader.core.roles.now.kind === "promoting";
    const isDecided = this.clock.run(this.clock.nowMs + 2 * reclaimMs, hasDecided);
    if (isDecided) this.mark("reclaim: died as it decided");
  }

  // --- what must be so ---------------------------------------------------------------------------

  /** After every event. */
  protected look(): void {
    const start = this.#start;
    if (start === null || start.isOver) return;
    const { core } = this.#leader;
    const { kind } = core.roles.now;
    if (core.roles.swaps > 0) throw new SimError("it took a snapshot");
    if (kind === "leading") this.#checkLeading(start);
    else if (kind === "following") this.#checkFollowing();
    else return;
    start.isOver = true;
    const taken = core.feeder.counters.get("reclaimed_bytes");
    if (taken > 0) this.mark("reclaim: log came back");
    this.say(`a is ${kind}, ${taken} bytes came back`);
  }

  #checkLeading({ atMs, reclaimMs, followers, isForced }: Start): void {
    const { core, heard } = this.#leader;
    this.mark("reclaim: leads");
    if (isForced) return;
    const { durable } = this.#kept.log;
    if (durable < core.backlog.next)
      throw new SimError(`it leads at ${core.backlog.next}, and ${durable} is durable`);
    const isEarly = this.clock.nowMs < atMs + reclaimMs;
    if (!isEarly) this.mark("reclaim: bound passed");
    for (const { host: name, awaited } of followers) {
      if (!awaited) this.mark("reclaim: not awaited");
      if (isEarly && awaited && !heard.has(name)) throw new SimError(`${name} had not answered`);
      const other = this.members.get(name);
      if (other === undefined || other.dead) continue;
      if (!awaited && this.#isOfOurLog(other)) this.#checkNotAhead(other);
      if (this.#cut.has(name) || reclaimMs < 5_000) continue;
      this.#checkNotAhead(other);
      if (other.core.identity.rank.term > core.identity.rank.term)
        throw new SimError(`${name} is in a higher term`);
    }
  }

  /** Not so one that was promoted, or is below that one, where nobody heard of it. */
  #isOfOurLog({ core }: Member): boolean {
    const { history, lineage } = this.#leader.core.identity;
    const { history: theirs } = core.identity;
    return theirs === history || lineage.some((each) => each.history === theirs);
  }

  /** What it has is on the leader too, unless it could not be fed from. */
  #checkNotAhead(other: Member): void {
    const { core } = this.#leader;
    const { backlog, identity } = other.core;
    const { role, history, rank, lineage } = core.view;
    const { next, chain } = backlog;
    const chainAt = (offset: number): number => core.backlog.chainAt(offset);
    const first = core.backlog.oldest;
    const decision = decideResume(
      { role, history, rank, lineage, first, next: core.backlog.next, empty: false, chainAt },
      {
        position: { history: identity.history, offset: next, chain },
        rank: identity.rank,
        lineage: identity.lineage,
        hasData: true,
        consent: "none",
        shipWanted: "no",
      },
    );
    if (decision.case !== "diverged" && decision.case !== "outranked") return;
    // It had gone another way before, or its memory did not reach back to our end.
    if (decision.fork < core.backlog.next || backlog.oldest > decision.fork) return;
    throw new SimError(
      `${other.name} has ${decision.discardBytes} bytes that the leader left there`,
    );
  }

  #checkFollowing(): void {
    this.mark("reclaim: follows");
    if (this.#promoted === null) throw new SimError("it follows, and nobody was promoted");
    if (this.#kept.memory.role?.role !== "replica") throw new SimError("it is not remembered");
  }

  /** All links stand again: those below the leader become as it is. */
  #converge(): void {
    this.net.blocked.clear();
    const leader = this.#leader;
    if (leader.core.roles.now.kind !== "leading") return;
    const below = this.#others.filter((other) => this.#rootOf(other) === leader);
    const isEqual = (other: Member): boolean =>
      other.core.backlog.next === leader.core.backlog.next &&
      other.core.backlog.chain === leader.core.backlog.chain &&
      other.core.session.state.kind === "streaming";
    // Who was promoted meanwhile may be heard of only now.
    const isFenced = (): boolean => leader.core.roles.now.kind === "fenced";
    const areEqual = (): boolean => isFenced() || below.every(isEqual);
    if (!areEqual() && !this.clock.run(this.clock.nowMs + EQUAL_MS, areEqual))
      throw new SimError(`not equal: ${this.figures()}`);
    if (isFenced()) {
      if (this.#promoted === null) throw new SimError("it is fenced, and nobody was promoted");
      return;
    }
    for (const other of below)
      if (other.digest() !== leader.digest()) throw new SimError(`${other.name} has another state`);
  }

  #rootOf(member: Member): Member | null {
    let at: Member | undefined = member;
    for (let depth = 0; depth < 10 && at !== undefined; depth++) {
      if (at.dead) return null;
      if (at.upstream === "") return at;
      at = this.members.get(at.upstream);
    }
    return null;
  }
}
