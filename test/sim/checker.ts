/**
 * What must be true after every event, and at the end. Compares every node with what was really
 * written (truth.ts); knows nothing of how the cores do it.
 */
import assert from "node:assert/strict";
import { type GivenConsent, NO_CONSENT } from "../../src/node/consent.ts";
import type { RoleMemory } from "../../src/node/role-memory.ts";
import { consentOf } from "../../src/node/roles.ts";
import type { Fields } from "../../src/primary/journal.ts";
import type { Hold } from "../../src/primary/holds.ts";
import type { Link } from "../../src/primary/link.ts";
import type { Consent, DigestAnswer, Id, Position, Rank, Verify } from "../../src/wire/messages.ts";
import {
  compareRanks,
  lastWritten,
  latestCommon,
  leftAt,
  type LogName,
  rankText,
} from "../../src/log/history.ts";
import { readToken, standingOf, tokenAt, tokenText } from "../../src/log/token.ts";
import { WriteMark } from "../../src/log/write-mark.ts";
import { batchHeadCrc, batchLength } from "../../src/wire/frame.ts";
import { SimError } from "./clock.ts";
import type { RecoveredNode } from "../../src/node/disk/disk-recovery.ts";
import type { Disk } from "./disk.ts";
import { Figures } from "./figures.ts";
import { linkOf } from "./phases.ts";
import { resignedFor, Resignations } from "./resignations.ts";
import { insides, type SimNode } from "./sim-node.ts";
import { SimReplies } from "./sim-replies.ts";
import type { Simulation } from "./simulation.ts";
import { digestOf, isPrefix, Truth, Writer, type Boundary } from "./truth.ts";

/** Connections of clients to each primary, which outlive its roles. */
const CONNECTIONS = 6;

/** A client's connection: what the daemon keeps of it, and what it really wrote last. */
export interface SimConnection {
  readonly mark: WriteMark;
  readonly replies: SimReplies;
  writer: Writer | null;
  tail: number;
}

/** A token, where its giver was in truth, and which log that gave it. */
interface GivenToken {
  readonly text: string;
  readonly at: Boundary;
  readonly log: LogName;
}

/** What was last seen of a node. */
interface Seen {
  at: Boundary;
  applied: number;
  resyncs: number;
  hasData: boolean;
  consent: Consent;
  /** Whose consent it is, once that node said who it is. */
  consentNode: Id;
  /** The upstream, as it last said. */
  upstreamId: Id;
  /** What a swap under way, of a state that answers later, began with; null without one. */
  swapping: Pick<Seen, "consent" | "consentNode" | "upstreamId"> | null;
  /** It has, or had, a state of its own or of an upstream. */
  synced: boolean;
  writer: Writer | null;
  readonly connections: readonly SimConnection[];
  /** Digest of its state while that is torn, else "". */
  torn: string;
  /** Where the batch starts that arrived damaged last, and how often it did since the last swap. */
  damagedAt: number;
  damages: number;
  /** A record could not be applied: its state is to be looked at. */
  failed: boolean;
  /** Ticks in a row after which snapshots pinned more than is allowed. */
  overCapTicks: number;
  /** Since when its client's next write has room, if it waits, ms. */
  roomSinceMs: number;
  hadRoom: boolean;
  /** Where its log ended when it was fenced; -1 while it is not. */
  fencedTail: number;
  /** Who wrote the last byte before `at`; null before it was looked at. */
  by: Pick<LogName, "history" | "rank"> | null;
  lookedAtMs: number;
  /** Where it was before each resync: what it once held. */
  readonly past: Boundary[];
}

export class Checker {
  readonly truth: Truth = new Truth();
  /** Whether a hold asked for a pace when its link was last seen. */
  readonly #paced = new WeakMap<Hold, boolean>();
  private readonly sim: Simulation;
  private readonly seen = new Map<SimNode, Seen>();
  /** What a DIGEST must say, by verify id. */
  private readonly expected = new Map<Id, { readonly node: SimNode; readonly digest: string }>();
  /** Ships that a snapshot was frozen for and that have not begun. */
  private readonly joiners = new Map<string, string | number | boolean | undefined>();
  private readonly sentBytes = new Map<SimNode, number>();
  private readonly told = new Map<SimNode, Map<string, number>>();
  /** The newest process on a disk, and disks that had two. */
  private readonly started = new Map<Disk, SimNode>();
  private readonly shared = new Set<Disk>();
  /** The role that a node on this disk was last told, as REPLICAOF answered OK to it. */
  private readonly roles = new Map<Disk, string>();

  /** Consent by which the state on a disk was swapped for one that does not count yet. */
  private readonly tokens: GivenToken[] = [];
  private tokensGiven = 0;
  private readonly swappedBy = new Map<Disk, GivenConsent>();

  /** Every history that was ever led, and with which rank; the newest of a process, or of a disk. */
  private readonly led = new Map<Id, Pick<LogName, "history" | "rank">>();
  private readonly fencedBy = new Map<SimNode, Pick<LogName, "history" | "rank">>();
  private readonly ledBy = new Map<SimNode | Disk, Pick<LogName, "history" | "rank">>();
  /** What each store has promised. */
  private readonly promisedBy = new Map<SimNode | Disk, Rank>();

  /** What replicas on a disk had applied while a primary fed them, one for each way that the log went. */
  private readonly acknowledged = new Map<Disk, readonly Boundary[]>();

  /** They came back with a state, and have not been welcomed since. */
  private readonly returning = new Set<SimNode>();
  private readonly figures: Figures;
  private readonly resignations: Resignations;

  constructor(sim: Simulation) {
    this.sim = sim;
    this.figures = new Figures(sim);
    this.resignations = new Resignations({
      truth: this.truth,
      mark: (what) => sim.mark(what),
      fail: (node, what) => this.fail(node, what),
    });
  }

  /** What the state is at a place of the log; undefined where nobody was seen yet. */
  digestAt(offset: number, chain: number): string | undefined {
    return this.truth.find(offset, chain)?.digest;
  }

  private fail(node: SimNode, what: string): never {
    throw new SimError(`${node.name}: ${what}`);
  }

  onStart(node: SimNode): void {
    this.told.set(node, new Map());
    this.checkRemembered(node);
    const { next, chain } = node.backlog;
    const at = this.truth.root(next, chain, digestOf(node));
    const kept = consentOf(node.core.roles.now);
    // One with a disk has its role once that is read.
    if (node.onDisk === null) this.checkKept(node, kept);
    this.seen.set(node, {
      at,
      applied: 0,
      resyncs: 0,
      hasData: false,
      consent: kept.kind,
      consentNode: kept.nodeId,
      upstreamId: "",
      swapping: null,
      connections: Array.from({ length: CONNECTIONS }, () => ({
        mark: new WriteMark(),
        replies: new SimReplies((what) => this.sim.mark(what)),
        writer: null,
        tail: 0,
      })),
      synced: node.role === "primary",
      writer: node.role === "primary" ? new Writer(at, node.identity.history) : null,
      torn: "",
      damagedAt: -1,
      damages: 0,
      failed: false,
      overCapTicks: 0,
      roomSinceMs: 0,
      hadRoom: false,
      fencedTail: -1,
      by: null,
      lookedAtMs: 0,
      past: [],
    });
  }

  /** It has what was on its disk, which must be all that it promised. */
  onOpened(node: SimNode, found: RecoveredNode | null): void {
    const { next, chain } = node.backlog;
    const log = node.disk.log!;
    const digest = digestOf(node);
    const at = found === null ? this.truth.root(next, chain, digest) : this.truth.find(next, chain);
    if (at === undefined) this.fail(node, `came back at ${next}, which nobody ever wrote`);
    if (at.digest !== digest)
      this.fail(node, `came back at ${next} as ${digest}, it was ${at.digest}`);
    const wrong = found === null ? log.cameBackEmpty(at) : log.cameBack(at);
    if (wrong !== "") this.fail(node, wrong);
    if (found !== null) {
      this.sim.mark("disk: recovered");
      this.returning.add(node);
    }
    const seen = this.seen.get(node)!;
    seen.at = at;
    seen.by = this.writerOf(node);
    seen.hasData = node.core.hasData();
    seen.synced = found !== null || node.role === "primary";
    seen.writer = node.role === "primary" ? new Writer(at, node.identity.history) : null;
    seen.resyncs = node.resyncs;
    const kept = consentOf(node.core.roles.now);
    // It is used with a swap, and kept until a restart would find the new log.
    if (log.wasReplaced) this.started.set(node.disk, node);
    else this.checkKept(node, kept);
    if (log.isOfBefore) this.checkGivenBack(node, kept);
    this.swappedBy.delete(node.disk);
    seen.consent = kept.kind;
    seen.consentNode = kept.nodeId;
  }

  /** A copy of it is whole: the state as it was at the copy's position. */
  onCopy(node: SimNode, { offset, chain }: Position, digest: string): void {
    const at = this.truth.find(offset, chain);
    if (at?.digest !== digest)
      this.fail(node, `a copy at ${offset} has ${digest}, it was ${at?.digest ?? "never written"}`);
  }

  /** It was told to stop, and everything is on its disk. */
  onEnded(node: SimNode): void {
    node.disk.log!.stopped(this.seen.get(node)!.at);
  }

  /** What its log says of the disk now: a promise. */
  private notePromises(node: SimNode): void {
    const { onDisk } = node;
    if (onDisk === null) return;
    const { proven, written } = onDisk.store;
    const log = node.disk.log!;
    const { at } = this.seen.get(node)!;
    log.note({ durable: proven, written, restarts: onDisk.restarts }, at);
    if (!log.isReplaced) this.swappedBy.delete(node.disk);
  }

  /** A write was made at the end of its log, and its client is to be answered. */
  private expectReply(node: SimNode, { replies }: SimConnection, writer: Writer): void {
    const { tail } = node.backlog;
    node.reply(replies, () => {
      if (writer.at.offset < tail) this.fail(node, `answered at ${tail}, which was not sealed`);
      const { durable } = node.backlog;
      if (durable < tail) this.fail(node, `answered at ${tail}, and ${durable} is durable`);
      node.disk.log!.answered(endOf(writer, tail));
    });
  }

  /** A process that starts on a disk is what the one before was last told to be. */
  private checkRemembered(node: SimNode): void {
    const role = this.roles.get(node.disk);
    if (role === undefined) return;
    // With --seed-from it asks who leads, and is bound by what its sources say.
    if (node.seeds && role === "fenced") return;
    const leads = node.role === "primary" || node.seeds || node.reclaims;
    const target = resignedFor(node.core.roles.now);
    const follows = target === "" ? `replica of ${node.upstream}` : `resigned for ${target}`;
    const below = node.fenced ? "fenced" : follows;
    const is = leads ? "primary" : below;
    if (is !== role) this.fail(node, `starts as ${is}, it was told to be ${role}`);
    this.sim.mark("role remembered");
  }

  /** What consent there is at a start is what the process before had, and no less. */
  private checkKept(node: SimNode, { kind, nodeId }: GivenConsent): void {
    const before = this.started.get(node.disk);
    this.started.set(node.disk, node);
    // Two processes with one disk: what it says is whoever's wrote last.
    const isShared = [...this.sim.nodes.values()].some(
      (other) => other !== node && !other.dead && other.disk === node.disk,
    );
    if (isShared) this.shared.add(node.disk);
    if (this.shared.has(node.disk)) return;
    const last = before?.core.roles.now;
    const had =
      last === undefined ? NO_CONSENT : consentOf(last.kind === "stopped" ? last.from : last);
    // In a swap that a state answers later it is used in memory, and not yet on the disk.
    if (before !== undefined && insides(before).restorer.isCommitting) return;
    if (kind !== had.kind || nodeId !== had.nodeId)
      this.fail(node, `starts with consent ${kind} ${nodeId}, it was ${had.kind} ${had.nodeId}`);
    if (kind !== "none") this.sim.mark("consent outlives a process");
  }

  /** The state of before a swap needs the consent again that the swap was made by. */
  private checkGivenBack(node: SimNode, { kind, nodeId }: GivenConsent): void {
    const had = this.swappedBy.get(node.disk);
    if (had === undefined || this.shared.has(node.disk)) return;
    if (kind !== had.kind || nodeId !== had.nodeId)
      this.fail(node, `is as before a swap, with consent ${kind} ${nodeId}, not ${had.kind}`);
    this.sim.mark("disk: consent given back");
  }

  /** What a planned failover writes down; what somebody asked for is known by its answer. */
  onRemembered(node: SimNode, memory: RoleMemory): void {
    switch (memory.role) {
      case "resigned":
        this.resignations.resigned(node, memory);
        this.roles.set(node.disk, `resigned for ${memory.upstream.host}`);
        return;
      case "primary":
        if (node.isPromotedByHand) this.resignations.promoted(node);
        else if (node.core.roles.now.kind === "resigned" || this.resignations.takes(node))
          this.onPromotionAccepted(node);
        return;
      case "replica":
      case "fenced":
        this.resignations.follows(node);
    }
  }

  onPromotionAccepted(node: SimNode): void {
    this.swappedBy.delete(node.disk);
    this.roles.set(node.disk, "primary");
  }

  /** It tore its state on the way: it remembers that it follows whom it followed. */
  onPromotionFailed(node: SimNode): void {
    this.roles.set(node.disk, `replica of ${node.upstream}`);
  }

  /**
   * What it promotes itself with, against what its sources said, and against what was written: of logs that went
   * different ways its own counts for more, by the ranks that they were led with, and all sources are below it.
   */
  private checkSeedPromotion(node: SimNode): void {
    const own = this.truth.find(node.backlog.next, node.backlog.chain);
    if (own === undefined) this.fail(node, "is seeded with what nobody ever wrote");
    const ids = node.haveAnswered;
    for (const { source, state } of node.answers) {
      if (state === null || state.nodeId === node.identity.nodeId) continue;
      const { offset, chain, history } = state.position;
      if (!state.hasData && offset === 0) continue;
      const isChained = state.path.some((id) => id !== state.nodeId && ids.has(id));
      if (state.upstream.host !== node.name && !isChained)
        this.fail(node, `promotes itself, and ${source.host} follows ${state.upstream.host}`);
      const alive = state.rootLives && !state.path.includes(node.identity.nodeId);
      if (state.role === "primary" || alive)
        this.fail(node, `promotes itself, though ${source.host} has a living primary`);
      const theirs = this.truth.find(offset, chain);
      if (theirs === undefined) this.fail(node, `${source.host} has what nobody ever wrote`);
      if (isPrefix(theirs, own)) continue;
      const last = this.ledAs(lastWritten({ ...state, history, offset }));
      if (!isAbove(this.ledAs(this.writerOf(node)), last))
        this.fail(node, `leads from ${own.offset}, without what ${source.host} has at ${offset}`);
      this.sim.mark("seeded with the higher rank of two ways");
    }
    this.sim.mark("seeded, then promoted");
  }

  /** Nobody who answered has followed a leader of a higher rank than the one that it stays below. */
  private checkSeedStay(node: SimNode, source: string): void {
    const states = node.answers.filter(({ state }) => state !== null && state.position.offset > 0);
    const chosen = states.find((each) => each.source.host === source)?.state;
    if (chosen == null) return;
    const { history } = chosen.position;
    const followed = this.ledAs({ history, rank: chosen.rank });
    for (const { source: other, state } of states) {
      if (state === null || state.nodeId === node.identity.nodeId) continue;
      const led = this.ledAs({ history: state.position.history, rank: state.rank });
      if (isAbove(led, followed))
        this.fail(node, `stays below ${source}, and ${other.host} has a leader of a higher rank`);
    }
  }

  /** Nobody who answered has log that counts for more than the one that it takes. */
  private checkSeedSync(node: SimNode, source: string): void {
    const others = node.answers.flatMap(({ source: { host }, state }) => {
      if (state === null || state.nodeId === node.identity.nodeId) return [];
      const { history, offset, chain } = state.position;
      if (!state.hasData && offset === 0) return [];
      const last = this.ledAs(lastWritten({ ...state, history, offset }));
      return [{ host, offset, last, at: this.truth.find(offset, chain) }];
    });
    const chosen = others.find(({ host }) => host === source);
    if (chosen === undefined) return;
    for (const { host, offset, last, at } of others) {
      const isSame = last.history === chosen.last.history;
      if (isSame ? offset > chosen.offset : isAbove(last, chosen.last))
        this.fail(node, `takes ${source}'s log, and ${host}'s counts for more`);
      if (at === undefined || chosen.at === undefined || isPrefix(at, chosen.at)) continue;
      this.sim.mark("seeding syncs from the higher rank of two ways");
      if (offset > chosen.offset) this.sim.mark("seeding leaves a longer log of a lower rank");
    }
  }

  /** With which rank it really was led. */
  private ledAs(log: Pick<LogName, "history" | "rank">): Pick<LogName, "history" | "rank"> {
    return this.led.get(log.history) ?? log;
  }

  onFollow(node: SimNode, upstream: string, consent: Consent): void {
    if (insides(node).restorer.isCommitting) this.sim.mark("followed elsewhere during a swap");
    this.swappedBy.delete(node.disk);
    this.roles.set(node.disk, `replica of ${upstream}`);
    const seen = this.seen.get(node)!;
    seen.consent = consent;
    seen.consentNode = "";
    // Whoever is told to follow anew tries the log first, whatever came of it before.
    seen.damages = 0;
  }

  /** One of the clients' connections to `node`. */
  someConnection(node: SimNode): SimConnection {
    return this.sim.random.pick(this.seen.get(node)!.connections);
  }

  /** A change was made for `connection`, or refused: then neither log nor state know of it. */
  onWrite(node: SimNode, connection: SimConnection, made: boolean): void {
    const { writer } = this.seen.get(node)!;
    assert(writer !== null);
    const { tail } = node.backlog;
    const digest = digestOf(node);
    // The log may have sealed a batch to make room.
    const before = writer.pending.at(-1) ?? { tail: writer.at.offset, digest: writer.at.digest };
    const logged = tail > before.tail;
    if (!made || !logged) {
      this.sim.mark("write refused");
      if (logged) this.fail(node, `a refused write is in the log, which ends at ${tail}`);
      if (digest !== before.digest) this.fail(node, "a refused write changed the state");
    } else {
      if (node.hasMap) this.sim.mark("a Map is written");
      connection.mark.set(node.identity.history, tail);
      connection.writer = writer;
      connection.tail = tail;
      writer.pending.push({ tail, digest });
    }
    this.truth.seal(writer, node.backlog);
    if (made && logged && node.core.turn.confirmsDurable)
      this.expectReply(node, connection, writer);
  }

  /** A key's time is over, and its deletion was logged. */
  onExpiry(node: SimNode): void {
    const { writer } = this.seen.get(node)!;
    if (writer === null) this.fail(node, "logs an expiry, and is no primary");
    this.sim.mark("expiry logged");
    writer.pending.push({ tail: node.backlog.tail, digest: digestOf(node) });
    this.truth.seal(writer, node.backlog);
  }

  /** A client asked whether it may write. */
  onAsked(node: SimNode, bytes: number, mayWrite: boolean): void {
    const { feeder, backlog } = node;
    const cap = feeder.pacing.holdCapBytes;
    const roomIn = (hold: Hold): number => hold.offset + cap - backlog.tail;
    const cut = feeder.parking.list().flatMap(({ hold, snapshot, sinceMs }) => {
      const isShort = node.now() - sinceMs < SHORT_CUT_MS;
      if (hold === null || !feeder.holds.has(hold) || !isShort) return [];
      return [{ hold, isShip: snapshot !== null }];
    });
    const parked = cut.map(({ hold }) => hold);
    if (!mayWrite) {
      const fits = bytes <= feeder.holds.lowest() + cap - backlog.tail;
      if (!fits) this.sim.mark("writer waits for room");
      if (parked.length > 0) this.sim.mark("writer waits while a sync is cut");
      return;
    }
    if (bytes > cap) return;
    const advancing = feeder.links.flatMap(({ hold, progressMs }) =>
      hold !== null && node.now() - progressMs < SHORT_CUT_MS ? [hold] : [],
    );
    // One that asks for no pace has stood still, or was not behind, when it was last looked at. A ship
    // that was cut goes on asking for what it asked before: that is why the hold is not believed then.
    const isPaced = (hold: Hold): boolean => {
      const isShip = cut.some((each) => each.hold === hold && each.isShip);
      return isShip ? this.#paced.get(hold) === true : Number.isFinite(hold.pace);
    };
    for (const hold of [...advancing, ...parked])
      if (isPaced(hold) && roomIn(hold) < bytes)
        this.fail(node, `a write of ${bytes} runs through a hold's cap, ${roomIn(hold)} are left`);
  }

  /** A client that may use `maxmemory` bytes wants to write: ships go only when that helps. */
  onMemory(node: SimNode, maxmemory: number): void {
    const over = node.store.committedBytes - maxmemory;
    if (maxmemory === 0 || over < 0) return;
    const { counters } = node.feeder;
    const before = counters.get("snapshots_dropped_for_memory");
    const pinnedBytes = node.held.state.memory().pinnedBytes;
    node.core.relieveMemory(over);
    if (counters.get("snapshots_dropped_for_memory") === before) {
      if (pinnedBytes > 0 && over >= pinnedBytes) this.sim.mark("snapshot kept at maxmemory");
      return;
    }
    this.sim.mark("snapshot dropped at maxmemory");
    if (over >= pinnedBytes)
      this.fail(node, `a ship was given up for ${over} bytes, all snapshots pin ${pinnedBytes}`);
  }

  // --- after every event -------------------------------------------------------------------------

  observe(node: SimNode): void {
    this.look(node);
    this.notePromises(node);
  }

  private look(node: SimNode): void {
    const seen = this.seen.get(node)!;
    const { backlog } = node;
    if (node.role === "primary") this.observePrimary(node, seen);
    else if (seen.writer !== null) {
      // It was demoted in this event: its last records were sealed.
      this.truth.seal(seen.writer, backlog);
      seen.writer = null;
    }
    this.figures.observe(node);
    this.resignations.look(node);
    this.checkFenced(node, seen);
    this.checkRanks(node);
    this.checkPromise(node);
    this.checkCaps(node);
    this.checkPartial(node);
    if (node.role === "replica" && node.feeder.waiters.size > 0)
      this.fail(node, "waiters outlive the primary that they asked");
    this.checkConfirmations(node);
    this.checkComplete(node);
    for (const other of this.sim.nodes.values())
      if (other.upstream === node.name && !other.dead) this.checkConfirmations(other);
    const { done = 0 } = insides(node).applier;
    const moved = seen.at.offset !== backlog.next || seen.at.chain !== backlog.chain;
    const wasTorn = seen.torn !== "";
    this.checkTorn(node, seen);
    this.noteSwap(node, seen);
    const same = !moved && seen.applied === done && seen.resyncs === node.resyncs;
    if (same && !seen.failed) return;
    seen.failed = false;
    const at = this.truth.find(backlog.next, backlog.chain);
    if (at === undefined) this.fail(node, `is at ${backlog.next}, which nobody ever wrote`);
    if (seen.resyncs === node.resyncs) {
      if (!isPrefix(seen.at, at))
        this.fail(node, `went from ${seen.at.offset} to ${at.offset} without a resync`);
    } else {
      const by = { ...seen, ...seen.swapping };
      this.checkWipe(node, by, at);
      this.checkDiscard(node, seen, at, wasTorn);
      if (by.consent !== "none")
        this.swappedBy.set(node.disk, { kind: by.consent, nodeId: by.consentNode });
      // Consent that was given since a swap began is for the next.
      if (seen.swapping === null) seen.consent = "none";
      else this.sim.mark("swap by a state that answers later");
      seen.swapping = null;
      seen.past.push(seen.at);
      if (seen.consent === "none" && consentOf(node.core.roles.now).kind !== "none")
        this.fail(node, "consent outlives its sync");
    }
    if (node.role === "replica") this.checkState(node, at, done);
    if (seen.resyncs !== node.resyncs) {
      if (node.disk.log !== null) this.forgetDiscarded(node, at);
      this.sim.mark("swap");
      if (node.feeder.links.length > 0 || node.feeder.counters.get("links_accepted") > 0)
        this.sim.mark("swap on a feeder");
    }
    seen.at = at;
    seen.by = this.writerOf(node);
    seen.applied = done;
    seen.resyncs = node.resyncs;
    seen.hasData = node.core.hasData();
  }

  /** Who led when the last byte of its log was written, as the node knows it. */
  private writerOf({ identity, backlog }: SimNode): Pick<LogName, "history" | "rank"> {
    const { history, rank, lineage } = identity;
    return lastWritten({ history, rank, lineage, offset: backlog.next });
  }

  /** Whoever leads does so with a higher rank each time, after a restart too. */
  private noteLeader(node: SimNode): void {
    const { history, rank } = node.identity;
    if (this.led.has(history)) return;
    this.led.set(history, { history, rank });
    this.resignations.leads(node);
    const who = node.onDisk === null ? node : node.disk;
    const before = this.ledBy.get(who);
    if (before !== undefined && compareRanks(rank, before.rank) <= 0)
      this.fail(node, `leads with rank ${rankText(rank)}, after ${rankText(before.rank)}`);
    const fence = this.fencedBy.get(node);
    if (fence !== undefined && !isAbove({ history, rank }, fence))
      this.fail(
        node,
        `leads with rank ${rankText(rank)}, and was fenced by ${rankText(fence.rank)}`,
      );
    this.ledBy.set(who, { history, rank });
  }

  /** What a store has promised never falls, over restarts neither; it leads with no less. */
  private checkPromise(node: SimNode): void {
    const { promised, rank } = node.identity;
    const who = node.onDisk === null ? node : node.disk;
    const before = this.promisedBy.get(who);
    if (before !== undefined && compareRanks(promised, before) < 0)
      this.fail(node, `has promised rank ${rankText(promised)}, and ${rankText(before)} before`);
    this.promisedBy.set(who, promised);
    if (node.role === "primary" && compareRanks(rank, promised) < 0)
      this.fail(node, `leads with rank ${rankText(rank)}, and has promised ${rankText(promised)}`);
  }

  /** A node that leads feeds nobody who has heard of a higher rank: it would have been fenced by that. */
  private checkRanks(node: SimNode): void {
    const { identity, feeder } = node;
    if (node.fenced && feeder.links.some((link) => link.welcomed))
      this.fail(node, "is fenced, and feeds");
    if (node.role !== "primary") return;
    for (const { welcomed, hello } of feeder.links) {
      if (!welcomed || hello === null || hello.clusterId !== identity.clusterId) continue;
      const { position, rank, lineage } = hello;
      const theirs = { history: position.history, rank, lineage };
      if (latestCommon(theirs, identity) !== null && isAbove(theirs, identity))
        this.fail(node, `feeds a replica of rank ${rankText(rank)}, and leads with a lower one`);
    }
  }

  /** Nobody told it to: it has nothing that whoever fenced it has not. */
  private onFollowsByItself(node: SimNode, upstream: string): void {
    this.sim.mark("a fenced node follows by itself");
    this.roles.set(node.disk, `replica of ${upstream.replace(/:1$/, "")}`);
    const fence = this.fencedBy.get(node);
    const led = fence === undefined ? undefined : this.truth.endOf(fence.history);
    const own = this.truth.find(node.backlog.next, node.backlog.chain);
    if (own !== undefined && led !== undefined && !isPrefix(own, led))
      this.fail(node, `follows by itself at ${own.offset}, with log that its leader has not`);
  }

  /** One that is fenced writes nothing. */
  private checkFenced(node: SimNode, seen: Seen): void {
    const { tail } = node.backlog;
    if (!node.fenced) seen.fencedTail = -1;
    else if (seen.fencedTail < 0) seen.fencedTail = tail;
    else if (seen.fencedTail !== tail)
      this.fail(node, `is fenced, and its log went from ${seen.fencedTail} to ${tail}`);
  }

  private observePrimary(node: SimNode, seen: Seen): void {
    this.noteLeader(node);
    if (seen.writer === null) {
      const at = this.truth.find(node.backlog.next, node.backlog.chain);
      if (at === undefined) this.fail(node, "was promoted where nobody ever wrote");
      if (seen.consent !== "none") this.sim.mark("consent used up by a promotion");
      seen.consent = "none";
      if (!seen.synced && !node.forced) this.fail(node, "was promoted before it ever had a state");
      seen.synced = true;
      if (digestOf(node) !== at.digest) this.fail(node, "was promoted inside a batch");
      seen.writer = new Writer(at, node.identity.history);
    }
    this.truth.seal(seen.writer, node.backlog);
  }

  /** What it had and its new leader has not was written before that one was chosen. */
  private checkDiscard(
    node: SimNode,
    { at: before, by }: Seen,
    at: Boundary,
    wasTorn: boolean,
  ): void {
    if (before.depth === 0 || rootOf(before) !== rootOf(at) || isPrefix(before, at)) return;
    // Where a torn state was is nowhere: it may go back within its log.
    if (wasTorn && isPrefix(at, before)) return;
    this.sim.mark("log discarded for a higher rank");
    if (by !== null && !isAbove(node.identity, by))
      this.fail(
        node,
        `discards log of rank ${rankText(by.rank)} for a leader of ${rankText(node.identity.rank)}`,
      );
  }

  /** A state inside a batch that cannot be finished leads nobody and feeds nobody. */
  private checkTorn(node: SimNode, seen: Seen): void {
    const isReplaced = seen.resyncs !== node.resyncs;
    if (!node.session.torn) {
      if (seen.torn === "") return;
      if (!isReplaced) this.fail(node, "a torn state passes for whole, without a snapshot");
      this.sim.mark("torn state replaced by a snapshot");
      seen.torn = "";
      return;
    }
    const digest = digestOf(node);
    if (seen.torn === "") this.sim.mark("state torn");
    else if (seen.torn !== digest && !isReplaced) this.fail(node, "a torn state applies more");
    seen.torn = digest;
    if (node.role === "primary") this.fail(node, "a torn state leads");
    if (node.feeder.links.some((link) => link.welcomed)) this.fail(node, "a torn state feeds");
    if (node.core.view.atBoundary) this.fail(node, "a torn state passes for a position");
  }

  private checkState(node: SimNode, at: Boundary, done: number): void {
    if (node.session.torn) return;
    const digest = digestOf(node);
    if (done === 0) {
      if (digest !== at.digest)
        this.fail(node, `at ${at.offset} the state is ${digest}, the primary's was ${at.digest}`);
      return;
    }
    this.sim.mark("applied in slices");
    const known = at.children.some((child) => child.steps.includes(digest));
    if (!known) this.fail(node, `inside the batch at ${at.offset} the state is no prefix of it`);
  }

  /** With its commit a snapshot has used its consent up, also when the state answers later. */
  private noteSwap(node: SimNode, seen: Seen): void {
    const { isCommitting } = insides(node).restorer;
    if (!isCommitting && seen.resyncs === node.resyncs) seen.swapping = null;
    if (!isCommitting || seen.swapping !== null) return;
    const { consent, consentNode, upstreamId } = seen;
    seen.swapping = { consent, consentNode, upstreamId };
    seen.consent = "none";
  }

  /** An unrelated state may replace data only with consent. */
  private checkWipe(node: SimNode, seen: Seen, at: Boundary): void {
    if (!seen.hasData || rootOf(seen.at) === rootOf(at)) return;
    if (seen.consent === "none")
      this.fail(node, "lost its data to an unrelated state without consent");
    if (seen.consentNode !== seen.upstreamId)
      this.fail(node, "lost its data to another node than consent was given for");
    // Beyond the swap's own position it may have applied that all is deleted.
    const isSwapped = node.backlog.first === node.backlog.next;
    if (seen.consent === "replicaof" && at.digest.startsWith("0:") && isSwapped)
      this.fail(node, "lost its data to an empty state by REPLICAOF alone");
    this.sim.mark("reset by consent");
  }

  private checkCaps(node: SimNode): void {
    const { feeder, backlog } = node;
    const { settings } = this.sim;
    const { outputCapBytes, windowBytes, shipWindowBytes, holdBytes } = settings.feeder;
    for (const link of feeder.links) {
      if (link.hold !== null) this.#paced.set(link.hold, Number.isFinite(link.hold.pace));
      const most = outputCapBytes / 2 + settings.slotBytes + 16_384;
      if (link.output.bytes > most) this.fail(node, `an output holds ${link.output.bytes} bytes`);
      if (link.state.kind === "streaming") this.checkWindow(node, link, windowBytes);
      const { ship } = link;
      if (ship !== null && ship.inFlightBytes > shipWindowBytes + settings.slotBytes)
        this.fail(node, `${ship.inFlightBytes} chunk bytes in flight`);
    }
    if (backlog.first > backlog.next || backlog.next > backlog.tail)
      this.fail(node, "the log is not in order");
    if (feeder.holds.count > feeder.links.length + feeder.parking.list().length)
      this.fail(node, `${feeder.holds.count} holds, ${feeder.links.length} links`);
    // What was received and is not applied yet is kept whoever holds.
    const held = Math.min(backlog.newestSegmentStart, backlog.next) - feeder.holds.lowest();
    const cap = holdBytes === 0 ? 4 * backlog.sizeBytes : holdBytes;
    if (node.turned && held > cap) this.fail(node, `a hold pins ${held} bytes, ${cap} are allowed`);
    if (node.turned) this.checkTurn(node);
    if (node.ticked) this.checkPinned(node);
    node.turned = false;
    node.ticked = false;
    this.checkRings(node);
    this.checkLinks(node);
  }

  /** Above the cap one snapshot is dropped at every tick, until none is left whose end would help. */
  private checkPinned(node: SimNode): void {
    const { bytes, capBytes } = node.feeder.deps.pinned();
    const { links, parking } = node.feeder;
    const open = [...links.map(({ currentShip }) => currentShip), ...parking.list()];
    const frozen = open.flatMap((each) => (each?.snapshot == null ? [] : [each.snapshot.frozen]));
    const mayGo = node.core.state.reclaimableBytes(frozen) >= bytes - capBytes;
    const seen = this.seen.get(node)!;
    seen.overCapTicks = bytes > capBytes && mayGo ? seen.overCapTicks + 1 : 0;
    if (seen.overCapTicks > OVER_CAP_TICKS_MAX)
      this.fail(node, `snapshots pin ${bytes} bytes, ${capBytes} are allowed`);
  }

  /** What one turn may write, and where holds are after it. */
  private checkTurn(node: SimNode): void {
    const { counters, links, shipping } = node.feeder;
    if (shipping.queued > 0 && !node.core.view.atBoundary)
      this.sim.mark("freeze waits for a batch's end");
    const { runBytes } = this.sim.settings.feeder;
    const sent = counters.get("stream_bytes_sent") + counters.get("snapshot_bytes_sent");
    const written = sent - (this.sentBytes.get(node) ?? 0);
    this.sentBytes.set(node, sent);
    if (written > runBytes + this.sim.settings.slotBytes)
      this.fail(node, `one run of the pump wrote ${written} bytes`);
    for (const { hold, confirmed } of links)
      if (hold !== null && hold.offset < confirmed)
        this.fail(node, `a hold stayed at ${hold.offset}, ${confirmed} is applied`);
    this.checkWaiting(node);
  }

  /** No write waits long for tokens: only for room in the log, which may take what it takes. */
  private checkWaiting(node: SimNode): void {
    const { turn, feeder, backlog } = node;
    const seen = this.seen.get(node)!;
    const fits = turn.bytes <= feeder.holds.lowest() + feeder.pacing.holdCapBytes - backlog.tail;
    // A loop that stood still, or had nothing to do, was not looked at: nobody knows what was then.
    const wasLookedAt = node.now() - seen.lookedAtMs <= LOOK_GAP_MS;
    seen.lookedAtMs = node.now();
    const known = wasLookedAt && seen.hadRoom;
    if (turn.sinceMs < 0 || node.role !== "primary" || !fits || !known) {
      seen.hadRoom = fits;
      seen.roomSinceMs = node.now();
      return;
    }
    const waitedMs = node.now() - Math.max(turn.sinceMs, seen.roomSinceMs);
    if (waitedMs > WRITE_WAIT_MS_MAX)
      this.fail(node, `a write waits for ${waitedMs} ms, though every hold has room for it`);
  }

  /** What a replica is believed to have applied, it has, and of the history that it believes in. */
  private checkConfirmations(node: SimNode): void {
    if (node.role !== "replica" || node.session.state.kind !== "streaming") return;
    const link = linkOf(node);
    if (link === undefined) return;
    const { confirmed } = link;
    const { identity, core } = this.sim.node(node.upstream)!;
    const { history } = identity;
    // One that is about to lead names its history before it has told those that it feeds.
    const isAboutTo = core.roles.now.kind === "promoting";
    if (link.state.kind === "streaming" && node.identity.history !== history && !isAboutTo)
      this.fail(node, `is fed from ${history}, and takes it for ${node.identity.history}`);
    if (confirmed > node.backlog.next)
      this.fail(node, `has applied ${node.backlog.next}, its feeder counts ${confirmed}`);
    const { durable } = link.flow;
    // Why the second: a swap takes back what is said, and the disk has it until the new log counts.
    const kept = Math.max(node.backlog.durable, node.disk.log?.durable ?? 0);
    if (durable > kept) this.fail(node, `keeps ${kept} over a crash, its feeder counts ${durable}`);
  }

  /**
   * One that says that it has all it ever acknowledged has what of that the log of its leader has, whoever is
   * between them: of the leader whose history it is in, since it may not have heard of another yet.
   */
  private checkComplete(node: SimNode): void {
    if (node.role === "primary") return;
    const own = this.truth.find(node.backlog.next, node.backlog.chain);
    const led = this.truth.endOf(node.identity.history);
    if (own === undefined || led === undefined) return;
    const above = this.sim.node(node.upstream);
    const isDirect = node.session.connected && above?.role === "primary";
    if (node.core.view.complete) {
      this.sim.mark(isDirect ? "complete" : "complete below a replica, or alone");
      for (const at of this.acknowledged.get(node.disk) ?? [])
        if (isPrefix(at, led) && !isPrefix(at, own))
          this.fail(
            node,
            `says that it is complete at ${own.offset}, it acknowledged ${at.offset}`,
          );
    } else this.sim.mark("incomplete");
    if (!isDirect || linkOf(node)?.state.kind !== "streaming") return;
    const root = this.truth.find(above.backlog.next, above.backlog.chain);
    if (root !== undefined && isPrefix(own, root)) this.acknowledge(node, own);
  }

  /** It was told to follow a primary that came back with less, and its log was replaced by that one's. */
  private forgetDiscarded(node: SimNode, at: Boundary): void {
    const before = this.acknowledged.get(node.disk) ?? [];
    this.acknowledged.set(
      node.disk,
      before.filter((each) => isPrefix(each, at)),
    );
  }

  private acknowledge(node: SimNode, at: Boundary): void {
    const before = this.acknowledged.get(node.disk) ?? [];
    if (before.at(-1) === at) return;
    const others = before.filter((each) => !isPrefix(each, at));
    this.acknowledged.set(node.disk, [...others.slice(-ACKNOWLEDGED_MAX), at]);
  }

  private checkLinks(node: SimNode): void {
    const fed = new Set<Id>();
    for (const link of node.feeder.links) {
      if (!link.welcomed) continue;
      const id = link.hello!.storeId;
      if (fed.has(id)) this.fail(node, `the replica ${id} is fed twice`);
      fed.add(id);
      const syncing =
        link.finishing !== null || (link.sync.shippedAtMs >= 0 && !link.sync.caughtUp);
      if (syncing && link.state.kind === "streaming" && link.hold === null)
        this.fail(node, `no hold for the catch-up of ${link.remote}`);
    }
  }

  /** The head of an incomplete batch is one that was written: checked before its length is believed. */
  private checkPartial(node: SimNode): void {
    const { backlog } = node;
    if (node.role === "primary" || backlog.partialBytes === 0) return;
    const { receivedChain } = insides(node);
    const start = this.truth.find(backlog.tail - backlog.partialBytes, receivedChain);
    const incomingBytes = batchLength(backlog.bytes, backlog.partialAt);
    const lengths = (start?.children ?? []).map((child) => child.offset - start!.offset);
    if (!lengths.includes(incomingBytes))
      this.fail(node, `receives a batch of ${incomingBytes} bytes that nobody wrote`);
  }

  /** In flight on the stream: a window, or one batch larger than it. */
  private checkWindow(node: SimNode, link: Link, windowBytes: number): void {
    if (link.applied > link.sent) this.fail(node, `applied ${link.applied} of ${link.sent} sent`);
    if (link.sent - link.applied <= windowBytes || link.state.kind !== "streaming") return;
    const { backlog } = node;
    if (link.applied < backlog.first) return;
    const end = link.state.cursor.batchEnd(link.applied);
    if (end >= 0 && link.sent > Math.max(end, link.applied + windowBytes))
      this.fail(node, `sent ${link.sent}, applied ${link.applied}, the window is ${windowBytes}`);
  }

  private checkRings(node: SimNode): void {
    for (const source of node.sources)
      for (const inRing of source.ringUse())
        if (inRing > this.sim.settings.ringSlots)
          this.fail(node, `${inRing} ring slots of ${this.sim.settings.ringSlots} in use`);
  }

  // --- events of the cores -------------------------------------------------------------------------

  onEvent(node: SimNode, event: string, fields: Fields): void {
    this.count(node, event, fields);
    if (event === "seed_choice") this.onSeedChoice(node, fields);
    if (event === "reclaim") this.onReclaim(node, fields);
    if (event === "fenced") this.onFenced(node, fields);
    if (event === "leads_anew") this.onLeadsAnew(node);
    if (event === "failover_take") this.resignations.told(node, fields);
    if (event === "failover_done")
      this.roles.set(node.disk, `replica of ${String(fields["upstream"]).replace(/:1$/, "")}`);
    const isFollowing = event === "role_changed" && fields["role"] === "replica";
    if (isFollowing && this.roles.get(node.disk) === "fenced")
      this.onFollowsByItself(node, String(fields["upstream"]));
    if (event === "reclaimed") this.sim.mark("disk: log came back");
    if (event === "restored") this.seen.get(node)!.synced = true;
    if (event === "node_batch_differs") this.fail(node, `node batch: ${String(fields["why"])}`);
    if (event === "resume") this.checkResume(node, fields);
    const path = PATH_EVENTS[event];
    if (path !== undefined) this.sim.mark(path);
    if (event === "upstream_lost") this.countDamage(node, String(fields["why"]));
    if (event === "restored") this.seen.get(node)!.damages = 0;
    if (event === "ship_begins") this.onShipBegins(fields);
    this.followConsent(node, event, fields);
    if (event === "snapshot_frozen") this.joiners.set(String(fields["snapshot"]), fields["ships"]);
    if (event === "snapshot_frozen" && Number(fields["ships"]) > 1)
      this.sim.mark("ships gathered into one freeze");
    if (event === "welcomed" && Number(fields["skip_bytes"]) > 0) this.checkSkip(node, fields);
    if (event === "restore_begins" && (node.session.restore?.keptChunks ?? 0) > 0)
      this.sim.mark("ship resumed from disk");
    if (event === "link_closed") this.onLinkClosed(fields);
    if (
      event === "parked_snapshot_dropped" ||
      String(fields["why"]).startsWith("its snapshot pins")
    )
      this.onLetGo(node, fields);
    if (!this.sim.plan.flips) {
      if (event === "link_closed" && fields["reason"] === "protocol")
        this.fail(node, `a link ended by a protocol error: ${String(fields["detail"])}`);
      const why = String(fields["why"]);
      // What a state refuses is its own fault, and it is asked again.
      const isState = why.startsWith("ERR_STORE_REFUSED") || why.includes("could not be loaded");
      if (event === "upstream_lost" && why.startsWith("ERR_") && !(isState && mayRefuse(node)))
        this.fail(node, `the upstream broke the protocol: ${String(fields["why"])}`);
    }
    if (this.sim.peace && event === "upstream_lost" && String(fields["why"]).includes("unrelated"))
      this.sim.operatorConsents(node);
    if (event === "upstream_refused" && String(fields["why"]).startsWith("ERR_")) {
      const why = String(fields["why"]);
      const isLimited = node.memoryLimited || node.failures.has("full");
      const isFailing = node.failing || node.failures.has("failed");
      const full = why.startsWith("ERR_STORE_FULL") && isLimited;
      // A state that keeps no mark, and answers later, is suspect once it had no memory.
      const isSuspect = isFailing || (isLimited && this.sim.publicStates);
      const failed = why.startsWith("ERR_STORE_FAILED") && isSuspect;
      if (!full && !failed) this.fail(node, `stopped for good: ${why}`);
      this.seen.get(node)!.failed = true;
    }
  }

  /** The batch that is gone on with is the one of which the replica has the beginning. */
  private checkSkip(node: SimNode, fields: Fields): void {
    this.sim.mark("batch resumed inside");
    const above = this.sim.node(node.upstream);
    if (above === undefined || above.rotten) return;
    const { backlog, identity } = above;
    const offset = node.backlog.tail - node.backlog.partialBytes;
    const isThere = offset >= backlog.first && offset < backlog.next;
    if (!isThere || identity.history !== fields["history"]) return;
    const { bytes, start } = backlog.segmentAt(offset);
    if (batchHeadCrc(bytes, offset - start) !== node.backlog.partialHeadCrc)
      this.fail(node, `goes on inside the batch at ${offset}, which is another one than it has`);
  }

  /** A batch that arrives damaged again and again is asked for no more. */
  private countDamage(node: SimNode, why: string): void {
    if (!why.startsWith("ERR_WIRE_CHAIN") && !why.startsWith("ERR_WIRE_HEADER_CRC")) return;
    const seen = this.seen.get(node)!;
    const at = node.backlog.tail - node.backlog.partialBytes;
    seen.damages = seen.damagedAt === at ? seen.damages + 1 : 1;
    seen.damagedAt = at;
    if (why.startsWith("ERR_WIRE_CHAIN") && seen.damages > DAMAGES_MAX)
      this.fail(node, `fetched the damaged batch at ${at} ${seen.damages} times`);
  }

  /** The first answer to a process that came back with a state. */
  private noteReturn(node: SimNode, decision: string): void {
    if (!this.returning.delete(node)) return;
    this.sim.mark(`disk: back by ${decision === "continue" ? "partial" : "full"} resync`);
  }

  /** Consent is good for one sync with one node, and gone when that one refuses. */
  private followConsent(node: SimNode, event: string, fields: Fields): void {
    const seen = this.seen.get(node)!;
    if (event === "welcomed") {
      this.noteReturn(node, String(fields["decision"]));
      seen.upstreamId = String(fields["upstream"]);
      if (seen.consentNode === "") seen.consentNode = seen.upstreamId;
      if (fields["decision"] === "continue") {
        seen.consent = "none";
        seen.synced = true;
      }
    }
    if (event !== "upstream_lost" || !String(fields["why"]).startsWith("rejected: unrelated"))
      return;
    this.swappedBy.delete(node.disk);
    if (seen.consent !== "none") this.sim.mark("consent used up by a refusal");
    seen.consent = "none";
  }

  private onSeedChoice(node: SimNode, fields: Fields): void {
    const choice = String(fields["choice"]);
    const why = String(fields["why"]);
    if (choice === "promote" || choice === "stay") this.swappedBy.delete(node.disk);
    if (choice === "promote") {
      this.checkSeedPromotion(node);
      this.roles.set(node.disk, "primary");
    } else if (choice === "stay") {
      this.sim.mark("seeded, then stays below a living primary");
      // The port is the same everywhere.
      const source = String(fields["source"]).replace(/:1$/, "");
      this.checkSeedStay(node, source);
      this.roles.set(node.disk, `replica of ${source}`);
    } else if (choice === "sync") {
      this.sim.mark("seeding syncs from the furthest");
      this.checkSeedSync(node, String(fields["source"]).replace(/:1$/, ""));
    } else if (why.includes("choose by hand")) this.sim.mark("seeding refuses to choose");
  }

  private onReclaim(node: SimNode, fields: Fields): void {
    if (fields["choice"] !== "follow") return;
    this.swappedBy.delete(node.disk);
    this.sim.mark("disk: another leads by now");
    this.roles.set(node.disk, `replica of ${String(fields["source"]).replace(/:1$/, "")}`);
  }

  /** Only somebody who leads with a higher rank fences. */
  private onFenced(node: SimNode, fields: Fields): void {
    this.sim.mark("fenced by a higher rank");
    this.swappedBy.delete(node.disk);
    this.roles.set(node.disk, "fenced");
    if (this.sim.peace) this.sim.operatorInsists(node);
    const by = this.led.get(String(fields["by_history"]));
    const own = this.led.get(node.identity.history);
    if (by === undefined || own === undefined) this.fail(node, "is fenced by what nobody leads");
    this.fencedBy.set(node, by);
    if (!isAbove(by, own)) this.fail(node, "is fenced by a rank that is not above its own");
  }

  /** It leads on with a higher rank, and so in a history of its own. */
  private onLeadsAnew(node: SimNode): void {
    this.sim.mark("leads anew");
    const seen = this.seen.get(node)!;
    if (seen.writer === null) return;
    this.truth.seal(seen.writer, node.backlog);
    seen.writer = new Writer(seen.writer.at, node.identity.history);
  }

  private onLetGo(node: SimNode, fields: Fields): void {
    this.sim.mark("snapshot dropped for memory");
    if (Number(fields["quarantine_ms"] ?? 0) > 0)
      this.fail(node, "a replica is quarantined for memory that its snapshot pinned");
  }

  private onShipBegins(fields: Fields): void {
    if (Number(fields["chunk"]) > 0) {
      this.sim.mark("ship resumed");
      return;
    }
    this.sim.mark("ship from chunk 0");
    const id = String(fields["snapshot"]);
    const left = Number(this.joiners.get(id) ?? 0) - 1;
    this.joiners.set(id, left);
    if (left < 0) this.sim.mark("ship joined at chunk 0");
  }

  private onLinkClosed(fields: Fields): void {
    const reason = String(fields["reason"]);
    this.sim.mark(`closed_${reason}`);
    if (reason === "superseded") this.sim.mark("same replica supersedes");
    if (reason === "torn") this.sim.mark("replicas of a torn state sent away");
    const code = String(fields["detail"]).split(":")[0]!;
    const path = reason === "rejected" ? REJECT_PATHS[code] : undefined;
    if (path !== undefined) this.sim.mark(path);
  }

  // --- counters ----------------------------------------------------------------------------------

  private count(node: SimNode, event: string, fields: Fields): void {
    const told = this.told.get(node);
    if (told === undefined) return;
    const bump = (name: string): void => void told.set(name, (told.get(name) ?? 0) + 1);
    bump(event);
    if (event === "resume") bump(`resume_${String(fields["case"])}`);
    if (event === "link_closed") bump(`link_drops_${String(fields["reason"])}`);
  }

  /** What the counters say is what the events said. */
  private checkCounters(node: SimNode): void {
    const { counters, links } = node.feeder;
    const told = this.told.get(node)!;
    const of = (event: string): number => told.get(event) ?? 0;
    const expected: Record<string, number> = {
      snapshot_freezes: of("snapshot_frozen"),
      syncs_given_up: of("sync_given_up"),
      snapshots_restored: of("restored"),
      links_accepted: of("link_closed") + of("copy_ended") + links.length,
      links_rejected: of("link_drops_rejected"),
      sync_partial_ok: of("resume_continue"),
      upstream_disconnects: of("upstream_lost"),
      failovers_done: of("failover_done"),
      failovers_resumed: of("failover_resumed"),
    };
    for (const [name, count] of told) {
      if (/^(resume|link_drops)_/.test(name)) expected[name] = count;
    }
    expected["sync_full+snapshot_resumes"] = of("ship_begins");
    for (const [name, count] of Object.entries(expected)) {
      const sum = name.split("+").reduce((total, each) => total + counters.get(each), 0);
      if (sum !== count) this.fail(node, `${name} is ${sum}, events say ${count}`);
    }
  }

  /** The decision against what was really written. */
  private checkResume(node: SimNode, fields: Fields): void {
    const seen = this.seen.get(node)!;
    if (seen.writer !== null && node.role === "primary") this.truth.seal(seen.writer, node.backlog);
    const kind = String(fields["case"]);
    this.sim.mark(`resume_${kind}`);
    const claim = this.truth.find(
      Number(fields["replica_offset"]),
      Number(fields["replica_chain"]),
    );
    if (claim === undefined)
      this.fail(node, `a replica claims ${String(fields["replica_offset"])}, never written`);
    const own = this.truth.find(node.backlog.next, node.backlog.chain);
    if (own === undefined) this.fail(node, "is where nobody ever wrote");
    const isDamage = kind === "chain_differs" && node.rotten;
    if ((kind === "chain_differs" || kind === "ahead_of_primary") && !isDamage)
      this.fail(node, `${kind}, though every log has a history of its own`);
    if (kind === "asked" && fields["ship_wanted"] === "damaged" && !this.sim.plan.flips)
      this.fail(node, "a batch is said to be damaged, and nothing damages any");
    const fits = isPrefix(claim, own) && claim.offset >= node.backlog.oldest;
    if (kind === "continue" && !fits)
      this.fail(node, `continues a replica at ${claim.offset} on another log`);
    const ships = [
      "too_old",
      "ahead_of_primary",
      "chain_differs",
      "diverged",
      "reset",
      "unrelated",
    ];
    if (
      !isDamage &&
      ships.includes(kind) &&
      fits &&
      rootOf(claim) === rootOf(own) &&
      claim.depth > 0
    )
      this.fail(
        node,
        `needless full sync: ${kind}, though the replica at ${claim.offset} is on our log`,
      );
  }

  // --- WAIT --------------------------------------------------------------------------------------

  wait(node: SimNode, connection: SimConnection): void {
    const { sim } = this;
    const { writer, tail, mark } = connection;
    this.judgeTokens();
    if (writer === null) return;
    const offset = mark.offsetIn(node.identity);
    if (writer !== this.seen.get(node)!.writer) this.checkMark(node, writer, tail, offset);
    if (offset < 0) return;
    const wanted = sim.random.between(1, 3);
    const untilMs = node.now() + sim.random.pick([200, 2_000, Number.POSITIVE_INFINITY]);
    node.feeder.wait({ ...APPLIED, offset, replicas: wanted }, untilMs, (count) => {
      if (count === null) {
        sim.mark("WAIT cut by a demotion");
        return;
      }
      sim.mark(count >= wanted ? "WAIT confirmed" : "WAIT timed out");
      if (count < wanted && node.now() < untilMs)
        this.fail(node, `WAIT for ${wanted} ended early, with ${count}`);
      if (count > 0) this.checkConfirmed(node, writer, tail, count);
    });
  }

  /** A write of an earlier time as a primary is waited for exactly when it is still there. */
  private checkMark(node: SimNode, writer: Writer, tail: number, offset: number): void {
    const own = this.seen.get(node)!.writer!.at;
    const isThere = isPrefix(endOf(writer, tail), own);
    this.sim.mark(isThere ? "WAIT for a write before a demotion" : "WAIT for a write that is gone");
    if (isThere && offset !== tail) this.fail(node, `WAIT forgot the write that ends at ${tail}`);
    if (!isThere && offset >= 0) this.fail(node, `WAIT for a write up to ${tail} that is gone`);
  }

  /** So many replicas hold, or held until they were told to resync, the log up to `tail`. */
  private checkConfirmed(node: SimNode, writer: Writer, tail: number, count: number): void {
    if (writer.at.offset < tail) this.fail(node, `WAIT for ${tail}, which was never sealed`);
    const written = endOf(writer, tail);
    const holders = [...this.seen].filter(
      ([other, seen]) =>
        other !== node && [seen.at, ...seen.past].some((held) => isPrefix(written, held)),
    );
    if (holders.length < count)
      this.fail(node, `WAIT for ${tail} counted ${count}, ${holders.length} hold it`);
  }

  // --- tokens ------------------------------------------------------------------------------------

  /**
   * One more node tells where it is, and all that were told lately are held against all nodes. Without a
   * draw, so that schedules stay what they are.
   */
  private judgeTokens(): void {
    const nodes = [...this.sim.nodes.values()].filter(
      (node) => !node.dead && this.seen.get(node)?.synced === true,
    );
    const giver = nodes[this.tokensGiven % nodes.length];
    if (giver === undefined) return;
    const { identity, backlog } = giver;
    const at = this.truth.find(backlog.next, backlog.chain);
    if (at === undefined) return;
    const { history, rank, lineage } = identity;
    const text = tokenText(tokenAt(identity, backlog.next));
    this.tokens[this.tokensGiven++ % TOKENS_KEPT] = { text, at, log: { history, rank, lineage } };
    for (const node of nodes) for (const token of this.tokens) this.judgeToken(node, token);
  }

  private judgeToken(node: SimNode, { text, at, log }: GivenToken): void {
    const { identity, backlog } = node;
    const own = this.truth.find(backlog.next, backlog.chain);
    if (own === undefined) return;
    const standing = standingOf(identity, backlog.next, readToken(text)!);
    this.sim.mark(`token ${standing}`);
    const isHere = isPrefix(at, own);
    if (standing === "reached" && !isHere)
      this.fail(node, `token ${text} is reached, and not here`);
    if (standing !== "reached" && isHere)
      this.fail(node, `token ${text} is ${standing}, and its state is here`);
    if (standing === "lost" && leftAt(log, identity.history) >= backlog.next)
      this.fail(node, `token ${text} is lost, and the log that it is of goes on from here`);
  }

  // --- VERIFY ------------------------------------------------------------------------------------

  /** Asks all that stream from `node` for a digest at its position. */
  verify(node: SimNode): void {
    if (!node.core.view.atBoundary) return;
    const { backlog } = node;
    backlog.seal();
    const message: Verify = {
      type: "verify",
      verifyId: this.sim.randomId(),
      position: { history: node.identity.history, offset: backlog.next, chain: backlog.chain },
      buckets: 8,
      seed: this.sim.randomId(),
    };
    const { buckets, seed } = message;
    this.expected.set(message.verifyId, {
      node,
      digest: digestText(node.held.digest({ buckets, seed })),
    });
    node.feeder.verify(message);
  }

  onDigest(node: SimNode, link: Link, answer: DigestAnswer): void {
    const expected = this.expected.get(answer.verifyId);
    if (expected?.node !== node) this.fail(node, "an answer to no VERIFY of this node");
    const digest = digestText(answer);
    if (digest !== expected.digest)
      this.fail(node, `VERIFY: ${link.remote} has ${digest}, it should be ${expected.digest}`);
    this.sim.mark(node.role === "primary" ? "VERIFY equal" : "VERIFY on a cascade");
  }

  /** Waiters without a timeout that want more replicas than there are. */
  private waitersForEver(node: SimNode): number {
    const { waiting } = node.feeder.waiters as unknown as {
      waiting: ReadonlySet<{ readonly offset: number; readonly replicas: number }>;
    };
    return [...waiting].filter(({ offset, replicas }) => {
      return node.feeder.confirmedBy(offset) < replicas;
    }).length;
  }

  // --- the end -----------------------------------------------------------------------------------

  /** A replica that stays where it is may have to be told that its data may go. */
  onConsentNeeded(node: SimNode, root: SimNode): void {
    const own = this.seen.get(node)!;
    const top = this.seen.get(root)!;
    if (rootOf(own.at) !== rootOf(top.at)) this.sim.follow(node, node.upstream, "reset");
  }

  final(): void {
    const digests = new Set<string>();
    for (const node of this.sim.nodes.values()) {
      digests.add(digestOf(node));
      this.checkCounters(node);
      const { feeder, backlog, session } = node;
      const left = {
        holds: feeder.holds.count,
        parked: feeder.parking.list().length,
        queued: feeder.shipping.queued,
        readings: feeder.shipping.activeReadings,
        sources: node.sources.size,
        snapshots: node.held.snapshotsOpen,
        pinned: backlog.pinnedBytes,
        blocks: (node.logStore?.blocksOut ?? 0) + (node.onDisk?.reads.blocksOut ?? 0),
        restore: session.restore === null ? 0 : 1,
        partial: backlog.partialBytes,
        waiters: feeder.waiters.size - this.waitersForEver(node),
        "disk chunks": node.disk.chunks.length,
        outputs: feeder.links.filter((link) => link.output.bytes > HEARTBEAT_BYTES).length,
        sockets: node.outs.size - feeder.links.length,
      };
      for (const [what, count] of Object.entries(left))
        if (count !== 0) this.fail(node, `${count} ${what} left over at the end`);
    }
    if (digests.size !== 1)
      throw new SimError(`states differ at the end: ${[...digests].join(" ")}`);
  }
}

/** Ways of the log that are remembered of one disk. */
const ACKNOWLEDGED_MAX = 20;

/** Longest wait of a write for which there is room: what is promised. */
const WRITE_WAIT_MS_MAX = 300;
const TOKENS_KEPT = 16;
const APPLIED = { level: "applied", local: false } as const;
/** Turns that are further apart say nothing of the time between them; ticks come every 100 ms. */
const LOOK_GAP_MS = 150;
/** Writers give way to a sync that is cut for less than 3 s. */
const SHORT_CUT_MS = 2_900;

/** Two, and others that flipped on the way. */
const DAMAGES_MAX = 4;

/** As many as there may be snapshots, and some for readers that have to end. */
const OVER_CAP_TICKS_MAX = 20;

/** A PING may be on its way whenever one looks. */
const HEARTBEAT_BYTES = 128;

/** Paths that an event shows. */
const PATH_EVENTS: Readonly<Record<string, string>> = {
  hold_dropped: "hold dropped at its cap",
  sync_given_up: "sync given up",
  fell_behind: "fell behind",
  parking_expired: "parking expired",
  writers_slowed: "writers slowed",
  writers_released: "writers released",
  batch_damaged: "damaged batch found out",
};

/** Paths that a refusal shows. */
const REJECT_PATHS: Readonly<Record<string, string>> = {
  duplicate_id: "duplicate id refused",
  cycle: "cycle or self refused",
  self: "cycle or self refused",
  quarantined: "quarantined",
};

/** A fault makes its state refuse, or fail, or did. */
function mayRefuse(node: SimNode): boolean {
  return node.memoryLimited || node.failing || node.failures.size > 0;
}

function digestText(digest: {
  readonly records: number;
  readonly sum: string;
  readonly buckets: Iterable<number>;
}): string {
  return `${digest.records}:${digest.sum}:${[...digest.buckets].join()}`;
}

/** The end of the batch that the writer's log up to `tail` is in. */
function endOf(writer: Writer, tail: number): Boundary {
  let written = writer.at;
  while (written.parent !== null && written.parent.offset >= tail) written = written.parent;
  return written;
}

/** Written here once more: what is judged by it must not be what it is compared with. */
function isAbove(
  a: Pick<LogName, "history" | "rank">,
  b: Pick<LogName, "history" | "rank">,
): boolean {
  if (a.rank.term !== b.rank.term) return a.rank.term > b.rank.term;
  if (a.rank.run !== b.rank.run) return a.rank.run > b.rank.run;
  return a.history > b.history;
}

function rootOf(at: Boundary): Boundary {
  let top = at;
  while (top.parent !== null) top = top.parent;
  return top;
}
