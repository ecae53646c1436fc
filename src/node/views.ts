/**
 * What a node's parts see of it: its feeder (NodeView), its session (ReplicaNode), its seeding
 * (SeedingNode) and its reclaiming (ReclaimingNode). All read the role and the identity at every use; what
 * session, seeding and reclaiming decide becomes a move.
 *
 * Owns: the views, clocks against the root. Does not own: roles (roles.ts, role-moves.ts).
 * Tested in: test/sim/sim.test.ts.
 */
import type { Backlog } from "../log/backlog.ts";
import { compareRanks, type LogEnd, type LogName, NO_RANK } from "../log/history.ts";
import type { NodeView, RootWord } from "../primary/deps.ts";
import type { ReplicaNode, WelcomedEnd } from "../replica/deps.ts";
import { downForMs, owedBytes, SILENT_MS, wordOnRoot } from "../replica/owed.ts";
import type { Session } from "../replica/session.ts";
import type { StateFormat } from "../store/state.ts";
import type {
  Consent,
  Id,
  Lineage,
  NodeAddress,
  PeerAddress,
  Rank,
  SyncState,
} from "../wire/messages.ts";
import type { Completeness } from "./completeness.ts";
import { consentFor } from "./consent.ts";
import type { Dialled } from "./dialled.ts";
import type { Followers } from "./followers.ts";
import type { Identity } from "./identity.ts";
import type { Address } from "../net/address.ts";
import type { PromiseSaid } from "../replica/inquiry.ts";
import type { Promising } from "./promising.ts";
import type { RoleMoves } from "./role-moves.ts";
import type { ReclaimSelf } from "./reclaim-choice.ts";
import type { ReclaimingNode } from "./reclaiming.ts";
import { fenceText } from "./fence.ts";
import {
  consentOf,
  fenceOf,
  hasState,
  heldBy,
  isReclaiming,
  roleName,
  upstreamOf,
} from "./roles.ts";
import type { SeedSelf } from "./seed-choice.ts";
import type { SeedingNode } from "./seeding.ts";

/** The parts of the node that the views need; core.ts is one. */
export interface ViewedNode {
  readonly identity: Identity;
  readonly completeness: Completeness;
  readonly state: StateFormat;
  readonly roles: RoleMoves;
  readonly session: Session;
  readonly backlog: Backlog;
  readonly followers: Followers;
  readonly dialled: Pick<Dialled, "lastMs">;
  readonly promising: Promising;
  readonly now: () => number;
  readonly wallClock: () => number;
  /** Of a node that leads: its state is at the end of the visible log, and is not being called. */
  readonly isAtRest: () => boolean;
  hasData(): boolean;
  address(): NodeAddress;
}

/** What both views say: read from the identity at every use. */
class IdentityView {
  protected readonly owner: ViewedNode;

  constructor(owner: ViewedNode) {
    this.owner = owner;
  }

  get format(): StateFormat["format"] {
    return this.owner.state.format;
  }
  get nodeId(): Id {
    return this.owner.identity.nodeId;
  }
  get history(): Id {
    return this.owner.identity.history;
  }
  get rank(): Rank {
    return this.owner.identity.rank;
  }
  get lineage(): Lineage {
    return this.owner.identity.lineage;
  }
  get storeId(): Id {
    return this.owner.identity.storeId;
  }
  get clusterId(): Id | null {
    return this.owner.identity.clusterId;
  }
  get promised(): Rank {
    return this.owner.identity.promised;
  }
  get intact(): boolean {
    return this.owner.identity.isIntact;
  }
  get sync(): SyncState {
    return this.owner.identity.sync;
  }
  get complete(): boolean {
    const { roles, completeness, session } = this.owner;
    const isWhole = hasState(roles.now) && heldBy(roles.now) === "whole";
    return isWhole && completeness.has(session.deps.log.next);
  }
}

export class FeederView extends IdentityView implements NodeView {
  get role(): "primary" | "replica" {
    return roleName(this.owner.roles.now);
  }
  get path(): readonly Id[] {
    return this.owner.identity.path;
  }
  get rootId(): Id | null {
    return this.owner.identity.rootId;
  }
  get ready(): boolean {
    return hasState(this.owner.roles.now);
  }
  get fenced(): string {
    const fence = fenceOf(this.owner.roles.now);
    return fence === null ? "" : fenceText(fence);
  }
  get torn(): boolean {
    return heldBy(this.owner.roles.now) === "torn";
  }
  get atBoundary(): boolean {
    const leads = this.role === "primary" && !isReclaiming(this.owner.roles.now);
    return leads ? this.owner.isAtRest() : this.owner.session.atBoundary;
  }

  get upstream(): Address {
    return upstreamOf(this.owner.roles.now) ?? { host: "", port: 0 };
  }
  get rootLives(): boolean {
    if (this.role === "primary" || !this.owner.session.connected) return false;
    const { awayMs, ageMs } = this.root();
    return awayMs === 0 && ageMs < SILENT_MS;
  }

  /** On a replica what was heard of it, moved on by our own monotonic clock. */
  root(): RootWord {
    const { session, wallClock } = this.owner;
    if (this.role === "primary")
      return { clockMs: Math.max(0, wallClock()), ageMs: 0, awayMs: 0, owedBytes: 0 };
    const nowMs = this.owner.now();
    const word = wordOnRoot(session, nowMs);
    if (word === null) {
      const awayMs = downForMs(session, nowMs);
      return { clockMs: Math.max(0, wallClock()), ageMs: 0, awayMs, owedBytes: -1 };
    }
    return { ...word, owedBytes: this.owedToFollowers() };
  }

  /** A snapshot takes us further than its bytes; who follows us goes by offsets of the log. */
  private owedToFollowers(): number {
    const { session, identity } = this.owner;
    const { root, deps } = session;
    const owed = owedBytes(session, root.end);
    if (owed < 0 || root.history !== identity.history) return owed;
    return Math.max(owed, root.end - deps.log.next);
  }
}

export class SessionView extends IdentityView implements ReplicaNode {
  get instanceId(): Id {
    return this.owner.identity.instanceId;
  }
  get incarnation(): number {
    return this.owner.identity.incarnation;
  }

  address(): NodeAddress {
    return this.owner.address();
  }
  hasData(): boolean {
    return this.owner.hasData();
  }
  consent(nodeId?: Id): Consent {
    const given = consentOf(this.owner.roles.now);
    return nodeId === undefined ? given.kind : consentFor(given, nodeId);
  }

  /** One that takes the rest of a log follows nobody by that. */
  override get promised(): Rank {
    return this.continuesOnly ? NO_RANK : super.promised;
  }

  get continuesOnly(): boolean {
    return isReclaiming(this.owner.roles.now);
  }

  onWelcome(nodeId: Id, path: readonly Id[], rootId: Id | null, end: WelcomedEnd): void {
    this.owner.completeness.welcomed(end, this.owner.session.deps.log.next);
    this.owner.roles.welcomed(nodeId, path, rootId);
  }
  onRefused(): void {
    this.owner.roles.refused();
  }
  adopt(log: LogName, clusterId: Id | null): void {
    this.owner.roles.adopted(log, clusterId);
  }
  onSwapping(): void {
    this.owner.roles.swapping();
  }
  onSwapped(log: LogName, clusterId: Id | null): void {
    this.owner.roles.swapped(log, clusterId);
    this.owner.completeness.swapped();
  }
  onPeers(peers: readonly PeerAddress[]): void {
    this.owner.identity.besides(peers);
  }
  onSyncRule(sync: SyncState): void {
    this.owner.identity.ruled(sync);
  }
}

export class SeedView implements SeedingNode {
  private readonly owner: ViewedNode;

  constructor(owner: ViewedNode) {
    this.owner = owner;
  }

  /** Torn it is nowhere in its log, and must sync again. */
  private get isWhole(): boolean {
    return heldBy(this.owner.roles.now) === "whole";
  }

  seedSelf(): SeedSelf {
    const { nodeId, clusterId, history, rank, lineage } = this.owner.identity;
    const offset = this.owner.session.deps.log.next;
    return { nodeId, clusterId, history, rank, lineage, offset, synced: this.isWhole };
  }
  dialledMs(nodeId: Id): number {
    return this.owner.dialled.lastMs(nodeId);
  }
  heardOf(rank: Rank): void {
    this.owner.identity.heardOf(rank);
  }

  get connected(): boolean {
    return this.owner.session.connected;
  }
  get caughtUp(): boolean {
    const { state, root, deps } = this.owner.session;
    return state.kind === "streaming" && this.isWhole && deps.log.next >= root.upstreamNext;
  }

  syncFrom(source: Address): void {
    this.owner.roles.syncFrom(source);
  }
  stayBelow(source: Address): void {
    this.owner.roles.stayBelow(source);
  }
  leadFromSeed(): string | null {
    return this.owner.roles.promote(false, () => undefined);
  }
}

export class ReclaimView implements ReclaimingNode {
  private readonly owner: ViewedNode;

  constructor(owner: ViewedNode) {
    this.owner = owner;
  }

  reclaimSelf(): ReclaimSelf {
    const { nodeId, clusterId, history, lineage, ownRank: rank } = this.owner.identity;
    return { nodeId, clusterId, history, lineage, rank, offset: this.next };
  }

  get log(): LogEnd {
    const { history, rank, lineage } = this.owner.identity;
    return { history, rank, lineage, offset: this.next };
  }
  get next(): number {
    return this.owner.backlog.next;
  }
  get records(): number {
    return this.owner.backlog.records;
  }
  get isDurable(): boolean {
    const { backlog } = this.owner;
    return backlog.store.durable >= backlog.next;
  }
  wantDurable(): void {
    this.owner.backlog.persist();
    this.owner.backlog.wantDurable();
  }

  get connected(): boolean {
    return this.owner.session.connected;
  }
  get isRefused(): boolean {
    return this.owner.session.state.kind === "stopped";
  }
  get isTorn(): boolean {
    return heldBy(this.owner.roles.now) === "torn";
  }

  takeFrom(source: Address): void {
    this.owner.roles.syncFrom(source);
  }
  takeNoMore(): void {
    this.owner.roles.hangUp();
  }
  stayBelow(source: Address): void {
    this.owner.roles.stayBelow(source);
  }
  heardOf(rank: Rank): void {
    this.owner.identity.heardOf(rank);
  }
  get roundRank(): Rank {
    return this.owner.identity.roundRank;
  }
  promiseSelf(rank: Rank): PromiseSaid | null {
    const { identity, promising } = this.owner;
    const { storeId, clusterId, history, lineage } = identity;
    if (clusterId === null || !identity.promise(rank)) return null;
    promising.promisedSelf(storeId);
    const { next: offset, chain } = this.owner.backlog;
    const position = { history, offset, chain };
    return { type: "promise", storeId, clusterId, rank, position, lineage };
  }
  holds(rank: Rank): boolean {
    const { identity, promising } = this.owner;
    return compareRanks(identity.promised, rank) === 0 && promising.isTo(identity.storeId);
  }
  lead(rank: Rank | null): void {
    this.owner.roles.leadReclaimed(rank);
  }
  parted(storeIds: readonly Id[], end: number): void {
    this.owner.followers.parted(storeIds, end);
  }
}
