/**
 * The lives of nodes in synchronous mode (src/node/synchronous.ts), each with a disk: clients of whoever leads write and
 * read, and meanwhile links are cut, processes are stopped, processes and machines die, disks are lost, one or two are
 * promoted, the primary is handed over by plan, members come and go.
 *
 *   checked when a reply goes out that is not UNCONFIRMED       when a node begins to lead without force
 *   whoever leads with the highest rank has what it shows       it has all that was ever confirmed
 *   a read shows all that was confirmed before it was asked
 *
 *   a reply that is UNCONFIRMED waited for its whole time,    after every event: who is paused or has resigned
 *   or by FORCE, when its node has resigned                   appends nothing
 *
 *   in the end of a round: one leads, all are equal, and a write is confirmed when the members are there; without deaths,
 *   promotions and losses: no full sync
 *
 * Nothing is excused by what was lost: when too few are left, nobody leads, until somebody says FORCE. Only then what was
 * confirmed before counts no more.
 *
 * Owns: one life. Does not own: its nodes (reclaim-member.ts), what a leader promised (sync-promises.ts).
 */
import { HawserError } from "../../src/errors.ts";
import { expireKeys } from "../../src/node/housekeeping.ts";
import type { NodeCore } from "../../src/node/core.ts";
import { changeTo, rulesOf, withoutMember } from "../../src/node/members.ts";
import type { SynchronousOptions } from "../../src/node/synchronous.ts";
import { compareLeaders } from "../../src/log/history.ts";
import { SimError } from "./clock.ts";
import { LogArchive } from "./kept-log.ts";
import { Life, WORKLOAD } from "./life.ts";
import { Member, Remembered } from "./reclaim-member.ts";
import { SyncNeeds } from "./sync-needs.ts";
import { SyncPromises } from "./sync-promises.ts";
import { SyncClient } from "./sync-client.ts";
import { drawRecord } from "./workload.ts";

const ROUNDS_MAX = 6;
const RECLAIM_MS = 1_000;
/** Between two looks of the operator, and until FORCE is said, ms. */
const OPERATOR_MS = 6_000;
const FORCE_MS = 60_000;
const PATIENCE_MS = 240_000;
const EXPIRE_MS = 50;

export class SyncLife extends Life {
  readonly #kept = new Map<string, Remembered>();
  readonly #archive = new LogArchive();
  readonly #options: SynchronousOptions;
  readonly #promises: SyncPromises;
  readonly #needs: SyncNeeds;
  /** How often each was seen to begin to lead. */
  readonly #led = new Map<Member, number>();
  /** It leads by force, should it begin to. */
  #forced: Member | null = null;
  /** By FORCE each has resigned for the store, at the end of its log. */
  readonly #handedOver = new Map<string, number>();
  /** The newest FAILOVER of each is by FORCE. */
  readonly #isByForce = new WeakMap<NodeCore, boolean>();
  /** Where the log of one ended that may not append. */
  readonly #still = new Map<Member, number>();
  /** What has happened by which a full sync may follow. */
  #disturbances = 0;

  constructor(seed: number) {
    super(seed, [0.1, 1, 20]);
    const { random } = this;
    this.#options = {
      sync: random.fraction() < 0.7 ? 1 : 2,
      syncLevel: random.pick(["applied", "durable"]),
      syncTimeoutMs: random.pick([500, 5_000]),
    };
    this.#needs = new SyncNeeds(this.members, () => this.clock.nowMs);
    this.#promises = new SyncPromises(this.#needs, (what) => this.mark(what));
  }

  run(): void {
    const { random, clock } = this;
    const { sync, syncLevel } = this.#options;
    const count = sync === 1 ? random.between(3, 5) : random.between(4, 6);
    this.say(`${count} nodes, sync ${sync} ${syncLevel}`);
    this.mark(`sync: ${sync} ${syncLevel}`);
    for (const name of ["a", "b", "c", "d", "e"].slice(0, count)) this.#start(name, "a");
    clock.run(clock.nowMs + 3_000);
    this.#converge();
    for (let round = random.between(1, ROUNDS_MAX + 1); round > 0; round--) {
      this.#clients(random.between(2, 15));
      const syncs = this.#syncs;
      const disturbances = this.#disturbances;
      this.#round();
      this.#converge();
      if (this.#disturbances !== disturbances) continue;
      this.mark("sync: undisturbed");
      if (this.#syncs !== syncs) throw new SimError(`${this.#syncs - syncs} full syncs`);
    }
  }

  // --- as the world of its members ---------------------------------------------------------------

  figures(): string {
    return [...this.members.values()]
      .map(({ name, core, dead, upstream }) => {
        const { term, run } = core.identity.rank;
        const what = dead ? "dead" : `${core.roles.now.kind} of ${upstream}`;
        return `${name} ${what} ${term}.${run} at ${core.backlog.next} ${core.session.lastError}`;
      })
      .join("; ");
  }

  get #alive(): Member[] {
    return [...this.members.values()].filter(({ dead }) => !dead);
  }

  get #syncs(): number {
    return this.#alive.reduce((sum, { core }) => sum + core.feeder.counters.get("sync_full"), 0);
  }

  get #leaders(): Member[] {
    return this.#alive
      .filter((each) => kindOf(each) === "leading")
      .sort((a, b) => compareLeaders(b.core.identity, a.core.identity));
  }

  // --- what happens ------------------------------------------------------------------------------

  #start(name: string, upstream: string): void {
    if (!this.#kept.has(name)) this.#newDisk(name);
    const above = name === upstream ? "" : upstream;
    const member = new Member(this, name, above, this.#kept.get(name)!, this.#options);
    this.members.set(name, member);
    if (this.#archive.origin === "") this.#archive.origin = member.core.identity.history;
    member.open(RECLAIM_MS);
    member.start();
    this.say(`${name} starts as ${kindOf(member)} at ${member.core.backlog.next}`);
    const expire = (): void => {
      member.keys.refresh(member.wallClock());
      if (expireKeys(member.keys, () => true)) member.core.turn.want();
      member.after(EXPIRE_MS, expire);
    };
    member.after(EXPIRE_MS, expire);
  }

  #newDisk(name: string): void {
    const storeId = this.random.bytes(16).toString("hex");
    this.#kept.set(name, new Remembered(storeId, this.#archive));
  }

  /** Clients of all who think that they lead. */
  #clients(bursts: number): void {
    const { random, clock } = this;
    for (; bursts > 0; bursts--) {
      for (const leader of this.#asked)
        for (let n = random.between(1, 4); n > 0; n--)
          leader.run(() => this.#ask(leader, random.fraction() < 0.4));
      clock.run(clock.nowMs + random.between(1, 120));
    }
  }

  /** Clients go on for a while, whatever happens. */
  #clientsLater(forMs: number, everyMs = 0): void {
    const { random, clock } = this;
    const untilMs = clock.nowMs + forMs;
    const next = (): void => {
      if (clock.nowMs > untilMs) return;
      for (const leader of this.#asked)
        leader.run(() => this.#ask(leader, random.fraction() < 0.5));
      clock.in(random.between(1, 1 + (everyMs || random.pick([20, 200]))), next);
    };
    clock.in(0, next);
  }

  /** Those that clients take for a primary. */
  get #asked(): Member[] {
    return this.#alive.filter((each) => LEADS.has(kindOf(each)));
  }

  /** As src/resp/client.ts: what is held is asked again when the node is not paused any more. */
  #ask(member: Member, reads: boolean): void {
    if (!LEADS.has(kindOf(member))) return;
    const { core, keys } = member;
    const { backlog } = core;
    if (kindOf(member) === "paused" && (!reads || core.failover.holdsReads)) {
      this.mark(`sync: ${reads ? "read" : "write"} held`);
      core.turn.until(
        () => kindOf(member) !== "paused",
        () => this.#ask(member, reads),
      );
      return;
    }
    if (!reads) {
      const before = backlog.tail;
      keys.refresh(member.wallClock());
      try {
        drawRecord(this.random, WORKLOAD, member.wallClock()).change(keys);
      } catch (error) {
        if (!(error instanceof HawserError)) throw error;
        this.mark("sync: write refused");
      }
      core.turn.appended();
      if (backlog.tail === before) return;
    }
    const confirmed = this.#promises.asked(core, member.name, reads);
    const sinceMs = this.clock.nowMs;
    const unconfirmed = (): void => this.#checkUnconfirmed(member, sinceMs);
    const on = { confirmed, unconfirmed };
    new SyncClient(core.turn, backlog.tail, reads, (what) => this.mark(what), on);
  }

  /** A planned failover waits for its clients. */
  #checkUnconfirmed({ name, core }: Member, sinceMs: number): void {
    if (core.roles.now.kind !== "resigned") return;
    const waitedMs = this.clock.nowMs - sinceMs;
    if (this.#isByForce.get(core) === true) this.mark("sync: unconfirmed by force");
    else if (waitedMs < this.#options.syncTimeoutMs)
      throw new SimError(`${name} resigns, and a client has waited for ${waitedMs} ms`);
  }

  #round(): void {
    const { random, clock } = this;
    const leader = this.#leaders[0];
    if (leader === undefined) throw new SimError(`nobody leads: ${this.figures()}`);
    const soonMs = (): number => random.fraction() * random.pick([3, 30, 300, 3_000]);
    if (random.fraction() < 0.3) {
      this.#planned(leader, soonMs);
      return;
    }
    this.#clientsLater(random.pick([500, 5_000]));
    for (let n = random.between(1, 4); n > 0; n--) {
      const strike = random.pick([
        () => this.#stopLater(leader, soonMs()),
        () => this.#stopLater(leader, soonMs()),
        () => this.#cutOff(leader),
        () => this.#cutOff(leader),
        () => this.#dieLater(leader.name, soonMs(), false),
        () => this.#dieLater(random.pick(this.#alive).name, soonMs(), false),
        () => this.#dieLater(random.pick(this.#alive).name, soonMs(), random.fraction() < 0.4),
        () => this.#changeLater(soonMs()),
        () => this.#failoverLater(leader, soonMs()),
        () => this.#failoverLater(leader, soonMs()),
        () => this.#moveLater(soonMs()),
        () => this.#corner(leader),
        () => this.#corner(leader),
        () => this.#corner(leader),
      ]);
      strike();
    }
    if (random.fraction() < 0.6)
      for (let n = random.between(0, 3); n > 0; n--) this.#promoteLater(soonMs());
    clock.run(clock.nowMs + random.pick([300, 3_000, 10_000]));
  }

  /** Nothing happens but what is planned, under load. */
  #planned(leader: Member, soonMs: () => number): void {
    const { random, clock } = this;
    this.#clientsLater(5_000, 5);
    const atMs = 200 + soonMs();
    // A change that is confirmed when nothing may be written any more.
    if (random.fraction() < 0.4) this.#changeLater(atMs - random.fraction() * random.pick([2, 20]));
    this.#failoverLater(leader, atMs);
    if (random.fraction() < 0.3) this.#failoverLater(leader, 200 + soonMs());
    clock.run(clock.nowMs + random.pick([3_000, 10_000]));
  }

  #stopLater(member: Member, afterMs: number): void {
    const { random, clock } = this;
    clock.in(afterMs, () => {
      if (member.dead || member.stopped) return;
      this.#disturbances += 1;
      this.say(`${member.name} is stopped`);
      this.mark(`sync: stopped ${kindOf(member)}`);
      member.stop();
      clock.in(random.pick([100, 2_000, 9_000]), () => {
        this.say(`${member.name} goes on`);
        member.cont();
      });
    });
  }

  /** From some of the others, or from all. */
  #cutOff(member: Member): void {
    const { random } = this;
    const forMs = random.pick([10, 1_000, 9_000]);
    const share = random.pick([0.5, 1]);
    const isOf = (other: Member): boolean => other !== member && random.fraction() <= share;
    this.#part(member, this.#alive.filter(isOf), forMs);
  }

  #part(member: Member, others: readonly Member[], forMs: number): void {
    const { random, net, clock } = this;
    const how = random.pick(["half_open", "reset"] as const);
    this.#disturbances += 1;
    for (const other of others) {
      const ways = [`${member.name}>${other.name}`, `${other.name}>${member.name}`];
      for (const way of ways) net.blocked.add(way);
      for (const connection of net.standing) {
        const names = connection.hosts.map(({ name }) => name);
        if (names.includes(member.name) && names.includes(other.name)) connection.sever(how);
      }
      this.say(`${member.name} and ${other.name} are apart for ${forMs} ms`);
      clock.in(forMs, () => {
        for (const way of ways) net.blocked.delete(way);
      });
    }
    this.mark("sync: cut");
  }

  /**
   * Some are apart from the leader for a while, and get nothing. Then the leader is gone, and some of those that had
   * what it wrote lose the last of it: one of the rest is to lead.
   */
  #corner(leader: Member): void {
    const { random, clock } = this;
    const others = this.#alive.filter((each) => each !== leader);
    if (others.length < 2) return;
    const isBehind = new Set(others.filter(() => random.fraction() < 0.5));
    if (isBehind.size === 0) isBehind.add(random.pick(others));
    if (isBehind.size === others.length) isBehind.delete(random.pick(others));
    const behind = [...isBehind];
    const near = others.filter((each) => !isBehind.has(each));
    this.mark("sync: a corner");
    this.#part(leader, behind, 9_000);
    const atMs = random.between(50, 1_500);
    for (const each of near)
      if (random.fraction() < 0.7)
        this.#dieLater(each.name, atMs + random.between(0, 50), false, 0.8);
    const goes = random.pick([
      () => this.#part(leader, near, 9_000),
      () => this.#stopLater(leader, 0),
      () => this.#dieLater(leader.name, 0, random.fraction() < 0.2),
    ]);
    clock.in(atMs + random.between(0, 50), goes);
    const next = random.pick(random.fraction() < 0.7 ? behind : near).name;
    for (const afterMs of [50, 1_000, 4_000])
      clock.in(atMs + afterMs * (0.5 + random.fraction()), () => {
        const member = this.members.get(next)!;
        if (!member.dead && kindOf(member) !== "leading") this.#promote(member, false);
      });
  }

  #dieLater(name: string, afterMs: number, losesDisk: boolean, machines = 0.4): void {
    const { clock, random } = this;
    clock.in(afterMs, () => {
      const member = this.members.get(name)!;
      if (member.dead) return;
      this.#disturbances += 1;
      const isMachine = random.fraction() < machines;
      const upstream = this.#leaders.find((each) => each !== member)?.name ?? member.upstream;
      member.kill();
      const kept = this.#kept.get(name)!;
      const bytes = kept.log.die(isMachine, random);
      const how = losesDisk ? "with its disk" : `${bytes} bytes lost`;
      this.say(`${name} dies as ${kindOf(member)}, ${how}`);
      this.mark(`sync: died ${kindOf(member)}${losesDisk ? " with its disk" : ""}`);
      if (losesDisk) this.#newDisk(name);
      const above = losesDisk ? upstream || this.#someOther(name) : upstream;
      clock.in(random.pick([1, 100, 3_000]), () => this.#start(name, above));
    });
  }

  #someOther(name: string): string {
    return this.random.pick([...this.members.keys()].filter((each) => each !== name));
  }

  #promoteLater(afterMs: number): void {
    const { clock, random } = this;
    clock.in(afterMs, () => {
      const others = this.#alive.filter((each) => kindOf(each) !== "leading");
      if (others.length > 0) this.#promote(random.pick(others), false);
    });
  }

  #promote(member: Member, isForced: boolean): void {
    this.#disturbances += 1;
    member.run(() => {
      const { name, core } = member;
      const refusal = core.roles.promote(isForced, (why) => {
        this.say(`REPLICAOF NO ONE of ${name} is over: ${why ?? "OK"}`);
        this.mark(`sync: ${why === null ? "promoted" : "not promoted"}`);
      });
      this.say(`REPLICAOF NO ONE of ${name}${isForced ? " by force" : ""}: ${refusal ?? "begins"}`);
    });
  }

  #moveLater(afterMs: number): void {
    this.clock.in(afterMs, () => {
      const { random } = this;
      const member = random.pick(this.#alive);
      if (kindOf(member) === "following") this.#follow(member, this.#someOther(member.name));
    });
  }

  #follow(member: Member, name: string): void {
    member.run(() => {
      const refusal = member.core.roles.follow("none", { host: name, port: 1 });
      this.say(`REPLICAOF ${name} of ${member.name}: ${refusal ?? "OK"}`);
    });
  }

  #failoverLater(leader: Member, afterMs: number): void {
    const { random, clock } = this;
    clock.in(afterMs, () =>
      leader.run(() => {
        const to = { host: this.#someOther(leader.name), port: 1 };
        const force = random.fraction() < 0.2;
        const timeoutMs = random.pick(force ? [1, 50, 200, 5_000] : [0, 5, 200, 5_000]);
        const { core, name } = leader;
        const refusal = core.failover.start({ to, force, timeoutMs }, (why) => {
          this.say(`FAILOVER of ${name} is over: ${why ?? "OK"}`);
          this.mark(`sync: failover ${why === null ? "done" : "not done"}`);
        });
        const how = force ? ` by force in ${timeoutMs} ms` : "";
        this.say(`FAILOVER of ${name} to ${to.host}${how}: ${refusal ?? "begins"}`);
        if (refusal !== null) return;
        this.mark("sync: failover");
        this.#isByForce.set(core, force);
        if (force) this.#disturbances += 1;
        core.turn.want();
        if (random.fraction() < 0.2)
          this.#abortLater(leader, random.fraction() * random.pick([3, 30, 300]));
      }),
    );
  }

  #abortLater(member: Member, afterMs: number): void {
    this.clock.in(afterMs, () =>
      member.run(() => {
        const refusal = member.core.failover.abort((why) =>
          this.say(`ABORT of ${member.name}: ${why ?? "OK"}`),
        );
        this.say(`ABORT of ${member.name}: ${refusal ?? "begins"}`);
        if (refusal === null) this.mark("sync: failover aborted");
        member.core.turn.want();
      }),
    );
  }

  /** CONFIG SET sync, and members that go. */
  #changeLater(afterMs: number): void {
    const { random, clock } = this;
    clock.in(afterMs, () => {
      const leader = this.#leaders[0];
      const { now } = leader?.core.synchronous.state ?? { now: null };
      if (leader === undefined || now === null) return;
      const { synchronous } = leader.core;
      const other = random.pick(now.members);
      const copies = now.copies === 1 && now.members.length > 3 ? 2 : 1;
      const level = random.pick(["applied", "durable"] as const);
      const isRemoval = random.fraction() < 0.6;
      const made = isRemoval
        ? withoutMember(synchronous.state, other)
        : changeTo(synchronous.state, { ...now, copies, level });
      leader.run(() => {
        const why = synchronous.change(made, isRemoval ? "member_removed" : "sync_changed");
        this.say(`${leader.name} changes the rule: ${why ?? "OK"}`);
        if (why === null) this.mark("sync: rule changed");
      });
    });
  }

  // --- what must be so ---------------------------------------------------------------------------

  /** After every event. */
  protected look(): void {
    for (const member of this.members.values()) {
      this.#lookAtRest(member);
      if (!member.dead) this.#needs.look(member.core, member.name);
      const { leadership } = member.core.synchronous;
      if ((this.#led.get(member) ?? 0) === leadership) continue;
      this.#led.set(member, leadership);
      const isForced = this.#forced === member || this.#takesLess(member);
      if (this.#forced === member) this.#forced = null;
      this.say(`${member.name} leads${isForced ? " by force" : ""}: ${this.figures()}`);
      this.#promises.leads(member.core, member.name, isForced);
    }
  }

  /** Nothing is appended by who holds its writers, or has resigned. */
  #lookAtRest(member: Member): void {
    const { now } = member.core.roles;
    if (member.dead || (now.kind !== "paused" && now.kind !== "resigned")) {
      this.#still.delete(member);
      return;
    }
    if (now.kind === "resigned" && now.resignation.forced)
      this.#handedOver.set(now.resignation.target, now.resignation.end.offset);
    const { tail } = member.core.backlog;
    const before = this.#still.get(member) ?? tail;
    if (tail !== before)
      throw new SimError(
        `${member.name} is ${now.kind}, and its log went from ${before} to ${tail}`,
      );
    this.#still.set(member, tail);
  }

  /** By FORCE it was handed the primary with less than that one had. */
  #takesLess({ core }: Member): boolean {
    const end = this.#handedOver.get(core.identity.storeId) ?? 0;
    this.#handedOver.delete(core.identity.storeId);
    if (core.backlog.next >= end) return false;
    this.mark("sync: taken with less, by force");
    return true;
  }

  /** All are up, and all links stand: one leads in the end, all are as it is, and it confirms. */
  #converge(): void {
    const { clock, net } = this;
    clock.run(clock.nowMs + 10_000);
    net.blocked.clear();
    const sinceMs = clock.nowMs;
    while (!this.#isEqual) {
      if (clock.nowMs - sinceMs > PATIENCE_MS) throw new SimError(`not equal: ${this.figures()}`);
      this.#operate(clock.nowMs - sinceMs);
      clock.run(clock.nowMs + OPERATOR_MS, () => this.#isEqual);
    }
    const leader = this.#leaders[0]!;
    for (const each of this.#alive)
      if (each.digest() !== leader.digest()) throw new SimError(`${each.name} has another state`);
    this.#checkConfirms(leader);
  }

  get #isEqual(): boolean {
    const { members } = this;
    const [leader, second] = this.#leaders;
    if (leader === undefined || second !== undefined || this.#alive.length < members.size)
      return false;
    const { next, chain, tail } = leader.core.backlog;
    // A key that has just expired is gone from its state, and not from the others'.
    if (tail !== next) return false;
    return this.#alive.every(
      ({ core, stopped }) =>
        !stopped &&
        (core === leader.core ||
          (core.backlog.next === next &&
            core.backlog.chain === chain &&
            core.session.state.kind === "streaming")),
    );
  }

  /** Who looks after the cluster: somebody is to lead, the others are to follow. */
  #operate(sinceMs: number): void {
    const [leader] = this.#leaders;
    if (leader === undefined) {
      const furthest = this.#alive.filter((each) => kindOf(each) !== "resigned");
      furthest.sort((a, b) => b.core.backlog.next - a.core.backlog.next);
      const best = furthest[0] ?? this.#alive[0];
      if (best === undefined) return;
      const isForced = sinceMs > FORCE_MS;
      if (isForced) {
        this.#forced = best;
        this.mark("sync: forced");
      }
      this.#promote(isForced ? best : this.random.pick(this.#alive), isForced);
      return;
    }
    for (const each of this.#alive)
      if (each !== leader && each.core.session.state.kind !== "streaming")
        this.#follow(each, leader.name);
  }

  /** A write is confirmed, when enough members are there. */
  #checkConfirms(leader: Member): void {
    const { clock } = this;
    const { core } = leader;
    // Those below others confirm nothing.
    for (const each of this.#alive)
      if (each !== leader && each.upstream !== leader.name) this.#follow(each, leader.name);
    const there = new Set(this.#alive.map((each) => each.core.identity.storeId));
    const gone = rulesOf(core.synchronous.state).some(({ members }) =>
      members.some((id) => !there.has(id)),
    );
    clock.run(clock.nowMs + 1_000);
    const before = this.#promises.confirmations;
    for (let tries = 0; tries < 40 && this.#promises.confirmations === before; tries++) {
      leader.run(() => this.#ask(leader, false));
      clock.run(clock.nowMs + 500);
    }
    if (this.#promises.confirmations > before) return;
    this.mark("sync: cannot confirm");
    // One that lost its disk is a new store under a member's id: it counts for nothing until somebody says so.
    const isReplaced = core.feeder.links.some(({ store }) => store?.isReplaced === true);
    if (!gone && !isReplaced && kindOf(leader) === "leading")
      throw new SimError(`all members are there, and nothing is confirmed: ${this.figures()}`);
  }
}

const LEADS: ReadonlySet<string> = new Set(["leading", "paused"]);

function kindOf({ core }: Member): string {
  return core.roles.now.kind;
}
