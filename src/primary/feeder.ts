/**
 * The feeding side of a node: all links, the pump that shares the loop's time among them, and what
 * happens to a link from HELLO to its end.
 *
 *   feed() and trim() in a turn:       links are fed (pump.ts) until runBytes are written or nothing
 *                                      can be; the backlog is trimmed to the holds
 *   tick() about ten times a second:   clocks, heartbeats, parking, waiters, the ship queue
 *
 * Pure core: sockets and timers are node/replication-port.ts, the turn is node/turn.ts.
 * Owns: links, holds, parking, waiters, counters. Does not own: the log's writing (node/), the
 * resume decision (admission.ts), one link's arithmetic (link-feed.ts).
 */
import { LIMITS } from "../limits.ts";
import type {
  Ack,
  Announce,
  PromiseAsked,
  Ask,
  ByeCode,
  DigestAnswer,
  Hello,
  Id,
  Prepared,
  Released,
  Verify,
} from "../wire/messages.ts";
import { acceptAck } from "./acks.ts";
import { admit, type AdmissionOwner, type StoredChain } from "./admission.ts";
import { Ahead } from "./ahead.ts";
import { answerAsk } from "./answering.ts";
import type { Backlog } from "../log/backlog.ts";
import { judgeClocks } from "./clocks.ts";
import { Crowd } from "./crowd.ts";
import type { FeederDeps } from "./deps.ts";
import { Holds } from "./holds.ts";
import { Counters, FEEDER_COUNTERS } from "./journal.ts";
import type { CloseReason } from "./link-state.ts";
import { Link, type LinkOut, type LinkOwner } from "./link.ts";
import type { OpenSnapshot } from "./open-snapshot.ts";
import type { FeederOptions } from "./options.ts";
import { Pacing, type PacingOwner } from "./pacing.ts";
import { Parking } from "./parking.ts";
import { Pump, type PumpOwner } from "./pump.ts";
import { Quarantine } from "./quarantine.ts";
import { Ship } from "./ship.ts";
import { park, shipDone, tellCopyEnded } from "./ship-life.ts";
import { Shipping, type ShippingOwner } from "./shipping.ts";
import type { StateSource } from "../store/state.ts";
import { Stores } from "./stores.ts";
import { type Holders, type CopyLevel, type Wanted, Waiters, wantsDisks } from "./waiters.ts";

/** A store on a link, and what it has said on it. */
export interface LinkedHolder {
  readonly storeId: Id;
  readonly applied: number;
  readonly durable: number;
  /** Newest PING that it has answered, us by this node's clock. */
  readonly heardUs: number;
  /** When it was last heard of, ms. */
  readonly ackMs: number;
}

export class Feeder
  implements LinkOwner, ShippingOwner, AdmissionOwner, PacingOwner, PumpOwner, Holders
{
  readonly options: FeederOptions;
  readonly source: StateSource;
  readonly deps: FeederDeps;
  readonly backlog: Backlog;
  readonly counters: Counters = new Counters(FEEDER_COUNTERS);
  readonly holds: Holds = new Holds();
  readonly parking: Parking;
  readonly waiters: Waiters = new Waiters();
  readonly shipping: Shipping;
  readonly quarantine: Quarantine = new Quarantine();
  readonly stores: Stores = new Stores();
  readonly pacing: Pacing = new Pacing(this);
  readonly links: Link[] = [];
  readonly crowd: Crowd = new Crowd();
  readonly ahead: Ahead = new Ahead();
  private readonly pump: Pump = new Pump(this);
  /** Links of replicas. Why kept: every reply asks. */
  followers = 0;
  private nextLinkId = 1;
  /** A replica was linked once. */
  private isFollowed = false;
  private stopping = false;

  constructor(deps: FeederDeps) {
    this.deps = deps;
    this.options = deps.options;
    this.source = deps.source;
    this.backlog = deps.backlog;
    this.parking = new Parking(this.holds);
    this.shipping = new Shipping(this);
  }

  // --- connections ---------------------------------------------------------------------------

  /** A replica arrived. One too many, and the one that is worth the least is told so and closed. */
  accept(remote: string, out: LinkOut, nowMs: number): Link {
    const pending = this.links.filter((other) => !other.welcomed);
    const link = new Link(this.nextLinkId++, remote, out, this, this.deps.randomId(), nowMs);
    this.links.push(link);
    this.counters.bump("links_accepted");
    if (this.stopping) link.refuse("shutting_down", "this node is shutting down", nowMs, 1000);
    else if (pending.length >= LIMITS.pendingHandshakesMax) {
      const text = `more than ${LIMITS.pendingHandshakesMax} connections have not said HELLO`;
      const goes = this.crowd.firstToGo(pending);
      goes?.refuse("too_many_handshakes", text, nowMs, 1000);
      goes?.out.flush();
    }
    return link;
  }

  onHello(link: Link, hello: Hello, nowMs: number): void {
    this.judge(link, hello, null, nowMs);
  }

  judge(link: Link, hello: Hello, stored: StoredChain | null, nowMs: number): void {
    admit(this, link, hello, stored, nowMs);
    this.followers = this.replicas.length;
    if (this.followers > 0) this.isFollowed = true;
    // Why at once: a hold that was parked for long has slowed nobody, and until the next tick writers
    // could go from here to its cap.
    if (link.hold !== null) this.pacing.review(nowMs);
  }

  onAsk(link: Link, ask: Ask | Announce | PromiseAsked, nowMs: number): void {
    answerAsk(this, link, ask, nowMs);
  }

  onAck(link: Link, ack: Ack, nowMs: number): void {
    if (acceptAck(link, ack, nowMs)) shipDone(this, link);
    this.settleWaiters(nowMs);
    if (link.syncsOn()) this.onSyncSaid();
    this.wantPump();
  }

  onDigest(link: Link, answer: DigestAnswer): void {
    this.deps.onDigest(link, answer);
  }

  onFailoverAnswer(link: Link, answer: Prepared | Released): void {
    this.deps.onFailoverAnswer(link, answer);
  }

  onLinkClosed(link: Link, cut: Ship | null, detail: string): void {
    const at = this.links.indexOf(link);
    if (at >= 0) this.links.splice(at, 1);
    this.followers = this.replicas.length;
    const reason = link.state.kind === "closed" ? link.state.reason : "peer_closed";
    if (link.isCopy) tellCopyEnded(this, link, cut, reason, detail);
    else this.tellLinkClosed(link, reason, detail);
    park(this, link, cut, reason, this.stopping);
    this.settleWaiters(this.deps.now());
    this.deps.onLinkClosed(link);
  }

  private tellLinkClosed(link: Link, reason: CloseReason, detail: string): void {
    this.counters.bump(`link_drops_${reason}`);
    if (reason === "rejected") this.counters.bump("links_rejected");
    const { remote, claimedId: replica, sent, applied } = link;
    const welcomed = link.hello !== null;
    const fields = { remote, replica, welcomed, reason, detail, sent, applied };
    if (reason === "answered") this.deps.journal("debug", "link_closed", fields);
    else this.deps.journal(QUIET.has(reason) ? "info" : "warn", "link_closed", fields);
  }

  wantPump(): void {
    this.deps.wantTurn();
  }

  // --- its steps of a turn -------------------------------------------------------------------

  /**
   * Streams to those that the log has reached, starts ships that may start, runs the pump.
   * @returns true when more could be sent at once
   */
  feed(nowMs: number): boolean {
    if (this.ahead.isReached(this.backlog.next)) this.ahead.wake(this, nowMs);
    this.shipping.poll(nowMs);
    return this.pump.run(nowMs);
  }

  /** Holds move, then the backlog is trimmed to them. @returns true when there is more to trim */
  trim(nowMs: number): boolean {
    this.pacing.moveHolds(nowMs);
    return this.backlog.trim(this.holds.lowest(), this.isLogWanted);
  }

  /**
   * Somebody may come back to log that is in memory. Nobody will as long as no replica was ever linked,
   * when the store has all of it, or when the history began here, so that nobody has a place in it.
   */
  private get isLogWanted(): boolean {
    if (this.isFollowed) return true;
    const { node } = this.deps;
    const isOurs = node.role === "primary" && node.lineage.length === 0;
    return !isOurs && this.backlog.store.first > this.backlog.first;
  }

  /** Links of replicas: what is counted, listed and waited for. */
  get replicas(): readonly Link[] {
    return this.links.filter((link) => link.welcomed && !link.isCopy);
  }

  /** Links that the store of the log feeds. */
  get linksBehind(): readonly Link[] {
    return this.links.filter(
      ({ state }) => state.kind === "streaming" && state.cursor.isBehindMemory,
    );
  }

  /** The store must keep the log from here on for those; Infinity for nobody. */
  get readingFrom(): number {
    return Math.min(...this.linksBehind.map(({ sent }) => sent));
  }

  /** When feed() or tell() could do more by themselves, ms; Infinity for never. */
  nextWakeMs(nowMs: number): number {
    return Math.min(this.shipping.nextWakeMs(nowMs), this.pacing.nextWakeMs);
  }

  /** Writers that waited for the pace go on. */
  tell(nowMs: number): void {
    this.pacing.tellWriters(nowMs);
    if (this.waiters.size > 0) this.tellLocal(nowMs);
  }

  // --- ships ---------------------------------------------------------------------------------

  /** Queues a ship for a welcomed link, of a snapshot beyond the offset `after`. */
  requestShip(link: Link, nowMs: number, after = -1): void {
    const ship = new Ship(link.id, nowMs, { after, isCopy: link.isCopy });
    this.holds.drop(link.sync.releaseHold());
    link.beginShip(ship, nowMs);
    this.shipping.request(ship, nowMs);
  }

  onShipStarted(ship: Ship): void {
    const link = this.linkOf(ship);
    const { snapshot } = ship;
    if (link === undefined || snapshot === null) return;
    const nowMs = this.deps.now();
    link.movement.progressed(nowMs);
    // Why not a copy: no log follows its snapshot, and writers never give way to it.
    if (link.hold === null && !link.isCopy)
      link.sync.keep(this.holds.add(snapshot.offset, this.options.chunkBytes));
    this.pacing.review(nowMs);
    this.wantPump();
  }

  onShipFailed(ship: Ship, reason: string): void {
    const link = this.linkOf(ship);
    link?.bye("ship", reason, "ship_failed", this.deps.now());
  }

  private linkOf(ship: Ship): Link | undefined {
    return this.links.find((link) => link.id === ship.linkId);
  }

  giveUp(link: Link, why: string, nowMs: number, isItsFault = true): void {
    this.pacing.giveUp(link, why, nowMs, isItsFault);
  }

  // --- verifying -----------------------------------------------------------------------------

  /** Marks the present position on every streaming link. Returns those that will answer. */
  verify(message: Verify): readonly Link[] {
    const marked = this.links.filter((link) => link.state.kind === "streaming");
    for (const link of marked) link.verify(message);
    this.wantPump();
    return marked;
  }

  // --- waiters -------------------------------------------------------------------------------

  /**
   * Calls `done` once what is `wanted` holds, or at `untilMs`, with how many replicas have it; with null
   * when this node stops being the primary that was asked. Returns a cancel.
   */
  wait(wanted: Wanted, untilMs: number, done: (count: number | null) => void): () => void {
    const { offset, replicas, level, local } = wanted;
    const waiter = { offset, replicas, level, local, untilMs, done };
    this.waiters.add(waiter);
    // Why it alone: in one turn many may begin to wait, and nothing is different for the others.
    if (!this.waiters.answer(waiter, this.deps.now(), this)) {
      if (wantsDisks(waiter)) this.askToSync(offset);
      this.askForAcks(offset);
    }
    return () => this.waiters.cancel(waiter);
  }

  /** Somebody waits until the disks of replicas have the log up to `offset`. */
  askToSync(offset: number): void {
    for (const link of this.links)
      if (link.welcomed && !link.isCopy && link.askToSync(offset)) this.onSyncSaid();
  }

  private onSyncSaid(): void {
    this.counters.bump("sync_requests");
    this.wantPump();
  }

  /** Somebody waits until links have confirmed `offset`: those that have not say at once when they do. */
  askForAcks(offset: number): void {
    for (const link of this.links)
      if (link.confirmed >= 0 && link.confirmed < offset) link.heartbeat.askForAck();
    this.wantPump();
  }

  /** This node stops being what the waiters asked: offsets will mean other writes. */
  cutWaiters(): void {
    this.waiters.cut();
  }

  /** Links that stream and have confirmed `offset`, so far as `level` says. */
  confirmedBy(offset: number, level: CopyLevel = "applied"): number {
    let count = 0;
    for (const { state, flow } of this.links)
      if (state.kind === "streaming" && flow.has(offset, level)) count += 1;
    return count;
  }

  /** Links that stream and have acknowledged within so many ms. */
  goodReplicas(withinMs: number): number {
    const sinceMs = this.deps.now() - withinMs;
    let count = 0;
    for (const { state, confirmed, heartbeat } of this.links)
      if (state.kind === "streaming" && confirmed >= 0 && heartbeat.ackMs >= sinceMs) count += 1;
    return count;
  }

  /** Stores that stream, have acknowledged, and have all that they ever did: what may confirm a write. */
  holders(): readonly LinkedHolder[] {
    const holders: LinkedHolder[] = [];
    for (const link of this.links) {
      const { state, isCopy, hello, store, confirmed: applied, flow, heartbeat } = link;
      if (state.kind !== "streaming" || isCopy || hello === null) continue;
      // Why: it is a new store under the id of one that may have promised, or confirmed, other things.
      if (!link.isComplete || applied < 0 || store?.isReplaced === true) continue;
      const { durable } = flow;
      const { echoUs: heardUs, ackMs } = heartbeat;
      holders.push({ storeId: hello.storeId, applied, durable, heardUs, ackMs });
    }
    return holders;
  }

  /** Those that stream say soon that they still follow this node. */
  askMembers(): void {
    for (const link of this.links)
      if (link.state.kind === "streaming" && !link.isCopy) link.heartbeat.askForAck();
    this.wantPump();
  }

  /** The log up to `offset` outlives a crash of this machine. */
  isDurable(offset: number): boolean {
    return this.backlog.durable >= offset;
  }

  private settleWaiters(nowMs: number): void {
    if (this.waiters.size > 0) this.waiters.settle(nowMs, this);
  }

  /** Who waits for this node's own disk is told, and has it sync. */
  private tellLocal(nowMs: number): void {
    if (this.waiters.localTo < 0) return;
    this.settleWaiters(nowMs);
    if (!this.isDurable(this.waiters.localTo)) this.backlog.wantDurable();
  }

  // --- clocks --------------------------------------------------------------------------------

  /** About ten times a second. */
  tick(nowMs: number): void {
    for (const link of [...this.links]) {
      const late = judgeClocks(link, nowMs);
      if (late !== null) link.close(late.reason, late.detail);
      else if (link.hello !== null && nowMs - link.heartbeat.pingMs >= this.options.heartbeatMs)
        link.heartbeat.ask();
    }
    for (const replica of this.parking.expire(nowMs))
      this.deps.journal("info", "parking_expired", { replica });
    this.pacing.tick(nowMs);
    this.settleWaiters(nowMs);
    // Why again: of a link that has come meanwhile, or has swapped its state, nobody has asked it.
    if (this.waiters.size > 0) this.askToSync(this.waiters.durableTo);
    this.deps.onTick?.();
    this.wantPump();
  }

  // --- the node changes ----------------------------------------------------------------------

  /** Says BYE on every link; they come back and are judged by lineage. */
  dropAll(code: ByeCode, reason: CloseReason, message: string): void {
    const nowMs = this.deps.now();
    for (const link of [...this.links]) {
      link.bye(code, message, reason, nowMs);
      link.out.flush();
    }
  }

  /** The log was replaced by another: snapshots and holds of the old one mean nothing any more. */
  upstreamResync(): void {
    // Why first: offsets they wait for mean other bytes from now on.
    this.cutWaiters();
    this.dropAll("history_changed", "upstream_resync", "the upstream sent a snapshot");
    this.parking.clear();
  }

  /** The state is at no position any more: nobody is fed from it, or from what was frozen before. */
  stateTorn(): void {
    this.dropAll("not_ready", "torn", "this node's state is inside a batch");
    this.parking.clear();
  }

  /** No new links, BYE to the present ones. */
  stop(): void {
    this.stopping = true;
    this.dropAll("shutdown", "shutdown", "this node is shutting down");
    this.parking.clear();
  }

  // --- as ShippingOwner ----------------------------------------------------------------------

  sealedPosition(): { readonly offset: number; readonly chain: number } {
    this.backlog.seal();
    return { offset: this.backlog.next, chain: this.backlog.chain };
  }

  mayStreamFrom(offset: number): boolean {
    return offset >= this.backlog.oldest;
  }

  mayFreeze(): boolean {
    return this.deps.node.atBoundary;
  }

  randomId(): Id {
    return this.deps.randomId();
  }

  onFreeze(snapshot: OpenSnapshot, ships: number): void {
    this.counters.bump("snapshot_freezes");
    this.deps.journal("info", "snapshot_frozen", {
      snapshot: snapshot.id,
      offset: snapshot.offset,
      records: snapshot.frozen.records,
      ships,
    });
  }
}

/** Ends that are part of normal life: logged as info. */
const QUIET: ReadonlySet<CloseReason> = new Set<CloseReason>([
  "peer_closed",
  "bye_received",
  "history_changed",
  "upstream_resync",
  "shutdown",
  "superseded",
]);
