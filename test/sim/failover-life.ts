/**
 * The lives of a few nodes that hand the primary over by plan (src/node/failover.ts, taking.ts), each with a
 * disk: writes, FAILOVER, and meanwhile links that are cut, processes and machines that die, ABORT, another
 * FAILOVER, writers that are held.
 *
 *   checked after every event                                    at the end of each round
 *   no two nodes lead; a term has one that appends               one leads, all are equal, and follow it
 *   who is paused or has resigned appends nothing                a writer that was held wrote once, or was
 *   who leads has all that was acknowledged, but what died       refused
 *   with every disk that had it, or what FORCE gave up           without deaths and loss: no full sync
 *
 * Owns: one life. Does not own: its nodes (reclaim-member.ts), clusters and all their faults (simulation.ts).
 */
import { Life, WORKLOAD } from "./life.ts";
import { HawserError } from "../../src/errors.ts";
import { expireKeys } from "../../src/node/housekeeping.ts";
import { SimError } from "./clock.ts";
import { Member, Remembered } from "./reclaim-member.ts";
import { drawRecord } from "./workload.ts";

const ROUNDS_MAX = 5;
const NODES = ["a", "b", "c"];
const RECLAIM_MS = 60_000;
/** Until somebody has to decide, ms: longer than a start asks. */
const PATIENCE_MS = 90_000;
const EXPIRE_MS = 50;

/** A place in the log that clients were answered for. */
interface Acked {
  readonly offset: number;
  readonly chain: number;
}

export class FailoverLife extends Life {
  readonly #kept = new Map<string, Remembered>();
  /** Ends of the log, oldest first, which whoever leads must have. */
  #acked: Acked[] = [];
  /** Who appended in a term. */
  readonly #terms = new Map<number, string>();
  /** Where the log of one ended that may not append. */
  readonly #still = new Map<Member, number>();
  /** Leads, as was seen last. */
  readonly #leading = new Set<Member>();
  #deaths = 0;
  /** The target of a primary that resigned for it by FORCE: it may lead with less. */
  #forced = "";
  /** Where the log of who resigned ended. */
  #forcedEnd = 0;
  #losses = 0;
  #held = 0;
  /** What strikes as soon as somebody is that. */
  #armed: { readonly kind: string; readonly strike: () => void } | null = null;

  constructor(seed: number) {
    super(seed, [0.1, 1, 20]);
  }

  run(): void {
    const { random, clock } = this;
    for (const name of NODES.slice(0, random.between(2, 4))) {
      this.#kept.set(name, new Remembered(random.bytes(16).toString("hex")));
      this.#start(name);
    }
    clock.run(clock.nowMs + 3_000);
    for (let round = random.between(1, ROUNDS_MAX + 1); round > 0; round--) {
      this.#write(random.between(2, 30));
      const syncs = this.#syncs;
      this.#deaths = 0;
      this.#forced = "";
      this.#losses = 0;
      this.#round();
      this.#converge();
      if (this.#deaths === 0 && this.#losses === 0 && this.#syncs !== syncs)
        throw new SimError(`${this.#syncs - syncs} full syncs, and nobody died`);
      // A state that came as a snapshot is on no disk here.
      if ([...this.#kept.values()].some(({ log }) => log.isReplaced)) return;
    }
  }

  // --- as the world of its members ---------------------------------------------------------------

  figures(): string {
    return [...this.members.values()]
      .map(({ name, core, dead, upstream }) => {
        const what = dead ? "dead" : `${core.roles.now.kind} of ${upstream}`;
        const { term, run } = core.identity.rank;
        return `${name} ${what} ${term}.${run} at ${core.backlog.next} ${core.session.lastError}`;
      })
      .join("; ");
  }

  get #alive(): Member[] {
    return [...this.members.values()].filter(({ dead }) => !dead);
  }

  get #leader(): Member | undefined {
    return this.#alive.find((each) => kindOf(each) === "leading");
  }

  get #syncs(): number {
    return this.#alive.reduce((sum, { core }) => sum + core.feeder.counters.get("sync_full"), 0);
  }

  // --- what happens ------------------------------------------------------------------------------

  #start(name: string, reclaimMs = RECLAIM_MS): void {
    const member = new Member(this, name, name === "a" ? "" : "a", this.#kept.get(name)!);
    this.members.set(name, member);
    member.open(reclaimMs);
    member.start();
    this.say(`${name} starts as ${kindOf(member)} at ${member.core.backlog.next}`);
    if (kindOf(member) === "resigned") this.mark("failover: started resigned");
    const expire = (): void => {
      member.keys.refresh(member.wallClock());
      if (expireKeys(member.keys, () => true)) {
        this.mark("failover: expiry");
        member.core.turn.want();
      }
      member.after(EXPIRE_MS, expire);
    };
    member.after(EXPIRE_MS, expire);
  }

  /** Clients of whoever leads. */
  #write(bursts: number): void {
    const { random, clock } = this;
    for (; bursts > 0; bursts--) {
      const leader = this.#leader;
      leader?.run(() => this.#writeNow(leader, random.between(1, 8)));
      clock.run(clock.nowMs + random.between(1, 120));
    }
  }

  #writeNow({ keys, core, wallClock }: Member, count: number): void {
    keys.refresh(wallClock());
    for (; count > 0; count--)
      try {
        drawRecord(this.random, WORKLOAD, wallClock()).change(keys);
      } catch (error) {
        if (!(error instanceof HawserError)) throw error;
      }
    core.turn.want();
  }

  /** One that wants to write, when FAILOVER is under way: as a client of node.ts. */
  #writeSoon(member: Member, afterMs: number): void {
    member.after(afterMs, () => {
      if (kindOf(member) !== "paused") {
        if (kindOf(member) === "leading") this.#writeNow(member, 2);
        return;
      }
      this.#held += 1;
      this.mark("failover: held");
      member.core.turn.until(
        () => kindOf(member) !== "paused",
        () => {
          this.#held -= 1;
          if (kindOf(member) !== "leading") return;
          this.mark("failover: wrote once it was resumed");
          this.#writeNow(member, 1);
        },
      );
    });
  }

  #round(): void {
    const { random, clock } = this;
    const leader = this.#leader;
    if (leader === undefined) throw new SimError(`nobody leads: ${this.figures()}`);
    const target = random.pick(this.#alive.filter((each) => each !== leader));
    if (random.fraction() < 0.3) this.#cut(leader, target, random.between(0, 30));
    if (random.fraction() < 0.8) this.#failover(leader, target, random.pick([0, 200, 5_000]));
    else this.#force(leader, target);
    for (let writes = random.between(0, 6); writes > 0; writes--)
      this.#writeSoon(leader, random.between(0, 100));
    // Early more often: most of it is over within a few round trips.
    const soonMs = (): number => random.fraction() * random.pick([3, 30, 300]);
    if (random.fraction() < 0.25) this.#cutLater(leader, target, soonMs());
    if (random.fraction() < 0.3) this.#dieLater(leader.name, soonMs());
    if (random.fraction() < 0.3) this.#dieLater(target.name, soonMs());
    if (random.fraction() < 0.25) this.#abortLater(leader.name, soonMs());
    if (random.fraction() < 0.2)
      clock.in(soonMs(), () =>
        leader.run(() => this.#failover(leader, random.pick(this.#alive), 0)),
      );
    this.#arm(leader, target);
    clock.run(clock.nowMs + random.pick([50, 1_000, 10_000]));
    this.#armed = null;
  }

  /** Something strikes at a step that chance alone would seldom meet. */
  #arm(leader: Member, target: Member): void {
    const { random } = this;
    if (this.#armed !== null || random.fraction() < 0.4) return;
    const kind = random.pick(["paused", "resigned", "resigned", "promoting"]);
    const strikes = [
      () => this.#dieLater(leader.name, 0),
      () => this.#dieLater(target.name, 0),
      () => this.#cut(leader, target, random.pick([10, 8_000])),
      () => {
        this.#dieLater(leader.name, 0);
        this.#cut(leader, target, 8_000);
      },
      () => this.#abortLater(leader.name, 0),
    ];
    const strike = random.pick(strikes);
    const afterMs = random.pick([0, 0, 2, 20]);
    this.#armed = { kind, strike: () => this.clock.in(afterMs, strike) };
  }

  #failover(leader: Member, target: Member, timeoutMs: number, force = false): void {
    const to = { host: target.name, port: 1 };
    const done = (why: string | null): void => {
      this.say(`FAILOVER of ${leader.name} is over: ${why ?? "OK"}`);
      this.mark(`failover: ${why === null ? "done" : "not done"}`);
    };
    const refusal = leader.core.failover.start({ to, force, timeoutMs }, done);
    const how = force ? ` by force in ${timeoutMs} ms` : "";
    this.say(`FAILOVER of ${leader.name} to ${target.name}${how}: ${refusal ?? "begins"}`);
    leader.core.turn.want();
  }

  /** Mostly its log does not arrive in time, and the connection ends: TAKE comes first on the next. */
  #force(leader: Member, target: Member): void {
    const { random, clock } = this;
    const stalls = random.fraction() < 0.7;
    if (stalls) {
      for (const { hosts, pipes } of this.net.standing)
        if (hosts[0] === target && hosts[1] === leader)
          pipes[1].stalledUntilMs = clock.nowMs + 5_000;
      leader.run(() => this.#writeNow(leader, random.between(1, 100)));
    }
    this.#failover(leader, target, random.pick([1, 5, 30, 200]), true);
    if (stalls)
      this.#armed = {
        kind: "resigned",
        strike: () => clock.in(0, () => this.#cut(leader, target, 10)),
      };
  }

  #abortLater(name: string, afterMs: number): void {
    this.clock.in(afterMs, () => {
      const member = this.members.get(name)!;
      member.run(() => {
        const wasResigned = kindOf(member) === "resigned";
        const refusal = member.core.failover.abort((why) => {
          this.say(`ABORT of ${name}: ${why ?? "OK"}`);
          if (why === null && wasResigned) this.mark("failover: released");
        });
        this.say(`ABORT of ${name}: ${refusal ?? "begins"}`);
        member.core.turn.want();
      });
    });
  }

  #cutLater(one: Member, other: Member, afterMs: number): void {
    this.clock.in(afterMs, () => this.#cut(one, other, this.random.pick([10, 500, 8_000])));
  }

  #cut(one: Member, other: Member, forMs: number): void {
    const ways = [`${one.name}>${other.name}`, `${other.name}>${one.name}`];
    for (const way of ways) this.net.blocked.add(way);
    for (const connection of this.net.standing) {
      const names = connection.hosts.map(({ name }) => name);
      if (names.includes(one.name) && names.includes(other.name)) connection.destroy(0, true);
    }
    this.say(`${one.name} and ${other.name} are apart for ${forMs} ms`);
    this.mark("failover: cut");
    this.clock.in(forMs, () => {
      for (const way of ways) this.net.blocked.delete(way);
    });
  }

  #dieLater(name: string, afterMs: number): void {
    const { clock, random } = this;
    clock.in(afterMs, () => {
      const member = this.members.get(name)!;
      if (member.dead) return;
      const kind = kindOf(member);
      const isMachine = random.fraction() < 0.4;
      member.kill();
      const lost = this.#kept.get(name)!.log.die(isMachine, random);
      this.say(
        `${name} dies as ${kind} (${isMachine ? "machine" : "process"}), ${lost} bytes lost`,
      );
      this.mark(`failover: died ${kind}`);
      this.#deaths += 1;
      this.#still.delete(member);
      this.#leading.delete(member);
      this.#excuse();
      // One that has resigned asks nobody for its log: a bound that passes soon changes nothing.
      const reclaimMs = kind === "resigned" ? 500 : RECLAIM_MS;
      clock.in(random.pick([1, 100, 3_000]), () => this.#start(name, reclaimMs));
    });
  }

  /** What no log has any more is lost with the disks that had it. */
  #excuse(): void {
    const isSomewhere = ({ offset }: Acked): boolean =>
      [...this.members.values()].some((each) => endOf(each, this.#kept.get(each.name)!) >= offset);
    const kept = this.#acked.filter(isSomewhere);
    if (kept.length < this.#acked.length) this.mark("failover: lost with every disk");
    this.#acked = kept;
  }

  // --- what must be so ---------------------------------------------------------------------------

  /** After every event. */
  protected look(): void {
    const armed = this.#armed;
    if (armed !== null && this.#alive.some((each) => kindOf(each) === armed.kind)) {
      this.#armed = null;
      this.mark(`failover: struck ${armed.kind}`);
      armed.strike();
    }
    const leaders = this.#alive.filter((each) => LEADS.has(kindOf(each)));
    if (leaders.length > 1) throw new SimError(`two lead: ${this.figures()}`);
    for (const member of this.#alive) {
      const kind = kindOf(member);
      const { now } = member.core.roles;
      if (now.kind === "resigned" && now.resignation.forced && this.#forced === "") {
        this.#forced = now.resignation.target;
        this.#forcedEnd = now.resignation.end.offset;
        this.mark("failover: forced");
      }
      if (kind === "leading") this.#lookAtLeader(member);
      else this.#leading.delete(member);
      this.#lookAtRest(member, kind);
    }
  }

  #lookAtLeader(member: Member): void {
    const { backlog, identity } = member.core;
    if (!this.#leading.has(member)) {
      this.#leading.add(member);
      this.#checkHasAll(member);
    }
    const newest = this.#acked.at(-1);
    const { next: offset, chain } = backlog;
    if (newest !== undefined && newest.offset >= offset) return;
    const { term } = identity.rank;
    const who = this.#terms.get(term) ?? member.name;
    if (who !== member.name) throw new SimError(`${who} and ${member.name} append in term ${term}`);
    this.#terms.set(term, who);
    this.#acked.push({ offset, chain });
  }

  #checkHasAll({ name, core }: Member): void {
    const isForced = core.identity.storeId === this.#forced;
    // What it has less may be what nobody was answered for: it is a loss to who asks for no full sync.
    if (isForced && core.backlog.next < this.#forcedEnd) this.#losses += 1;
    const newest = this.#acked.at(-1);
    if (newest === undefined) return;
    const { offset, chain } = newest;
    const has = this.#chainAt({ name, core }, offset);
    if (has !== chain && isForced) {
      // What was written last is given up, and nothing before it.
      const { next } = core.backlog;
      const before = this.#acked.filter((each) => each.offset <= next).at(-1);
      if (before === undefined || this.#chainAt({ name, core }, before.offset) === before.chain) {
        this.#acked = this.#acked.filter((each) => each.offset <= next);
        this.#losses += 1;
        this.mark("failover: forced, with less");
        return;
      }
    }
    if (has !== chain)
      throw new SimError(`${name} leads at ${core.backlog.next}, and ${offset} was acknowledged`);
    this.mark("failover: leads");
  }

  /** Of what it has, also where its memory begins later; -1 where it has none. */
  #chainAt({ name, core: { backlog } }: Pick<Member, "name" | "core">, offset: number): number {
    if (offset > backlog.next) return -1;
    const chain = backlog.chainAt(offset);
    return chain >= 0 ? chain : this.#kept.get(name)!.log.chainOf(offset);
  }

  /** Nothing is appended by who holds its writers, or has resigned. */
  #lookAtRest(member: Member, kind: string): void {
    if (kind !== "paused" && kind !== "resigned") {
      this.#still.delete(member);
      return;
    }
    const { tail } = member.core.backlog;
    const before = this.#still.get(member) ?? tail;
    if (tail !== before && kind === "paused")
      throw new SimError(`${member.name} is paused, and its log went from ${before} to ${tail}`);
    this.#still.set(member, tail);
  }

  /** All are up, and all links stand: one leads in the end, and all are as it is. */
  #converge(): void {
    const { clock, net } = this;
    clock.run(clock.nowMs + 4_000);
    net.blocked.clear();
    const isEqual = (): boolean => {
      const leader = this.#leader;
      if (leader === undefined || this.#alive.length < this.#kept.size) return false;
      const { next, chain, tail } = leader.core.backlog;
      // A key that has just expired is gone from its state, and not from the others'.
      if (tail !== next) return false;
      return this.#alive.every(
        (each) =>
          each === leader ||
          (each.core.backlog.next === next &&
            each.core.backlog.chain === chain &&
            each.core.session.state.kind === "streaming"),
      );
    };
    if (!clock.run(clock.nowMs + PATIENCE_MS, isEqual)) {
      this.#decide();
      if (!clock.run(clock.nowMs + PATIENCE_MS, isEqual))
        throw new SimError(`not equal: ${this.figures()}`);
    }
    const leader = this.#leader!;
    for (const each of this.#alive)
      if (each.digest() !== leader.digest()) throw new SimError(`${each.name} has another state`);
    if (this.#held > 0 && this.#deaths === 0)
      throw new SimError(`${this.#held} writers are held, and nobody hands over`);
    this.#held = 0;
  }

  /** Both of a failover lost the end of their logs: nobody but an operator can say who leads. */
  #decide(): void {
    const resigned = this.#alive.find((each) => kindOf(each) === "resigned");
    const { now } = resigned?.core.roles ?? {};
    if (resigned === undefined || now?.kind !== "resigned") return;
    const { offset } = now.resignation.end;
    const target = this.#alive.find(({ core }) => core.identity.storeId === now.resignation.target);
    if (this.#deaths < 2 || target === undefined || target.core.backlog.next >= offset) return;
    this.mark("failover: decided by hand");
    this.#acked = [];
    this.#terms.clear();
    resigned.run(() => void resigned.core.roles.promote(true, () => undefined));
  }
}

const LEADS: ReadonlySet<string> = new Set(["leading", "paused"]);

function kindOf({ core }: Member): string {
  return core.roles.now.kind;
}

function endOf({ dead, core }: Member, { log }: Remembered): number {
  return dead ? log.end : core.backlog.next;
}
