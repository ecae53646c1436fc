/**
 * Who a node is and which log it is in: ids, history, lineage, path. The one place where these change.
 *
 * Owns: values and their changes. Does not own: roles (roles.ts), what else happens when these change
 * (role-moves.ts).
 * Tested in: test/unit/node/node-file.test.ts, test/unit/node/role-moves.test.ts.
 */
import {
  compareRanks,
  type LogName,
  NO_RANK,
  nextRun,
  nextTerm,
  promoted,
} from "../log/history.ts";
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import { randomId } from "../wire/id.ts";
import {
  type Id,
  type Lineage,
  NO_SYNC,
  type PeerAddress,
  type Position,
  type Rank,
  type SyncState,
} from "../wire/messages.ts";
import type { NodeRecord } from "../wire/node-record.ts";
import { wordsOf } from "../errors.ts";
import { keeperIn } from "./node-file.ts";
import { newNode, type NodeKeeper, type NodeMemory, type Peer } from "./node-memory.ts";
import { Peers } from "./peers.ts";

/** The sealed end of a log; log/backlog.ts has one. */
export interface LogEnd {
  readonly next: number;
  readonly chain: number;
}

export class Identity implements LogName {
  readonly nodeId: Id;
  readonly instanceId: Id;
  /** Of the copy, as it is named to feeders: replicaId in status. */
  readonly storeId: Id;
  /** Counts the starts of this store. */
  readonly incarnation: number;
  /** The machine was started since this store last was. */
  readonly rebooted: boolean;
  /** It was stopped, and had all that it had acknowledged then, on its disk. */
  readonly wasComplete: boolean;
  /** Its disk had all that was ever durable, when it started. */
  isIntact = true;
  /** Of all nodes that follow one leader; null before it led or followed. */
  clusterId: Id | null;
  history: Id;
  /** Of `history`. */
  rank: Rank = NO_RANK;
  lineage: Lineage = [];
  /** Node ids from the root to this node, this node last. */
  path: readonly Id[];
  /** The node that leads, this one or another; null where nobody has said it since an upstream was dialled. */
  rootId: Id | null = null;

  /** By whom writes are confirmed, as its log says it, or said it before some of that was lost. */
  sync: SyncState;
  /** It was kept: what the disk has of the log says nothing newer. */
  private isSyncKnown: boolean;
  /** How the history that it leads, or led last, began. */
  private begun: NodeRecord | null = null;

  /** The highest rank that this store led with, and that it promised to follow. */
  private led: Rank;
  promised: Rank;
  private heard: Rank = NO_RANK;
  private readonly peers: Peers;
  /** The file has other peers. */
  private peersMoved = false;
  /** Who follows the node that this one follows, as that one said it; of synchronous mode. */
  siblings: readonly PeerAddress[];
  private readonly mint: () => Id;
  /** Null when nothing is kept. */
  private readonly keeper: NodeKeeper | null;
  private readonly trouble: (why: string) => void;

  /**
   * Kept in the node.json of a directory; "" keeps nothing: the store is then as new as the process. `mint`
   * makes new ids, `trouble` hears when a rank or the cluster cannot be kept: the log's own files have the rank too.
   * @throws {UsageError} naming the file, when node.json is damaged or cannot be written
   */
  constructor(
    kept: string | NodeKeeper,
    mint: () => Id = randomId,
    trouble: (why: string) => void = () => undefined,
  ) {
    this.mint = mint;
    const keeper = typeof kept !== "string" ? kept : kept === "" ? null : keeperIn(kept);
    this.keeper = keeper;
    this.trouble = trouble;
    this.nodeId = mint();
    this.instanceId = mint();
    this.history = mint();
    this.path = [this.nodeId];
    const { memory, rebooted, wasComplete } =
      keeper === null
        ? { memory: { ...newNode(mint()), incarnation: 1 }, rebooted: false, wasComplete: false }
        : keeper.start();
    this.storeId = memory.storeId;
    this.incarnation = memory.incarnation;
    this.clusterId = memory.clusterId;
    this.rebooted = rebooted;
    this.wasComplete = wasComplete;
    this.sync = memory.sync ?? NO_SYNC;
    this.isSyncKnown = memory.sync !== null;
    this.led = memory.led;
    this.promised = memory.promised;
    this.peers = new Peers(memory.peers);
    this.siblings = memory.siblings;
  }

  /** It leads from its first start on: a cluster of its own. @returns how its history begins */
  found(): NodeRecord {
    const clusterId = (this.clusterId ??= this.mint());
    this.rank = nextTerm(this.highest);
    this.rootId = this.nodeId;
    this.keepLed();
    return this.nodeRecord(null, clusterId);
  }

  /** A promotion: a new history begins at `end`, in a term above all that were heard of. @returns how */
  promote(end: LogEnd): NodeRecord {
    return this.begin(end, nextTerm(this.highest));
  }

  /** Another node's rank: this one leads above it, should it lead. */
  heardOf(rank: Rank): void {
    this.heard = higher(this.heard, rank);
  }

  /** Another leads with this rank: should this node lead again, then above it, after a restart too. */
  yieldTo(rank: Rank): void {
    this.rootId = null;
    if (compareRanks(rank, this.promised) <= 0) return;
    this.promised = rank;
    this.keep({ promised: rank });
  }

  /** This node follows nobody who leads lower. @returns whether that is kept */
  promise(rank: Rank): boolean {
    if (compareRanks(rank, this.promised) <= 0) return true;
    const before = this.promised;
    this.promised = rank;
    if (this.keep({ promised: rank })) return true;
    this.promised = before;
    return false;
  }

  /** The rank of a lead round: above all that were heard of. */
  get roundRank(): Rank {
    return nextTerm(this.highest);
  }

  /** A lead round is met: a new history begins at `end`, with the rank that was promised. @returns how */
  leadWith(end: LogEnd, rank: Rank): NodeRecord {
    return this.begin(end, rank);
  }

  /** A restart: a new history begins at `end`, in its own term when it led last. @returns how */
  reopen(end: LogEnd): NodeRecord {
    const leads =
      compareRanks(this.rank, this.led) === 0 && compareRanks(this.rank, this.highest) === 0;
    return this.begin(end, leads ? nextRun(this.rank) : nextTerm(this.highest));
  }

  private begin({ next: offset, chain }: LogEnd, rank: Rank): NodeRecord {
    const parent: Position = { history: this.history, offset, chain };
    const { history, lineage } = promoted(this, offset, this.mint(), rank);
    const clusterId = (this.clusterId ??= this.mint());
    this.history = history;
    this.rank = rank;
    this.lineage = lineage;
    this.path = [this.nodeId];
    this.rootId = this.nodeId;
    this.keepLed();
    return this.nodeRecord(parent, clusterId);
  }

  /**
   * Of the present history, with the rule of now: as it begins, or for a rule that changes at `end`.
   * Only on a node that has begun one.
   */
  ruleRecord(end: LogEnd | null): NodeRecord {
    const { begun, history, sync } = this;
    assert(begun !== null, "no history was begun here");
    if (end === null) return { ...begun, sync };
    return { ...begun, sync, parent: { history, offset: end.next, chain: end.chain } };
  }

  /** Of the present history. */
  private nodeRecord(parent: Position | null, clusterId: Id): NodeRecord {
    const { history, rank, storeId } = this;
    this.begun = {
      history,
      rank,
      parent,
      clusterId,
      storeId,
      sync: this.sync,
    };
    return this.begun;
  }

  private get highest(): Rank {
    return higher(this.ownRank, higher(this.promised, this.heard));
  }

  /** The highest that its log has, or that it led with and lost the log of. */
  get ownRank(): Rank {
    return higher(this.rank, this.led);
  }

  /** Who followed this node directly, newest last. */
  get followers(): readonly Peer[] {
    return this.peers.list;
  }

  private keepLed(): void {
    this.led = this.rank;
    this.keep({ led: this.led, clusterId: this.clusterId });
  }

  /**
   * A node follows this one directly. One that no start would have waited for is written here: from now on
   * it is sent what this disk may lose.
   */
  followedBy(peer: Omit<Peer, "awaited">): void {
    if (this.keeper === null) return;
    const news = this.peers.came(peer);
    if (news === "none") return;
    if (news === "awaited" && this.keep({ peers: this.peers.list })) return;
    this.peersMoved = true;
  }

  /** The file says who followed, or there is none: else keepPeers() has something to write. */
  get arePeersKept(): boolean {
    return !this.peersMoved;
  }

  /** A start would wait for this store. */
  awaits(storeId: Id): boolean {
    return this.peers.isAwaited(storeId);
  }

  /** No start waits for these: they have nothing of this node's log that its disk lacks. */
  release(storeIds: readonly Id[]): void {
    if (this.peers.release(storeIds)) this.keep({ peers: this.peers.list });
  }

  /** Writes who followed, when it is not what the file says. @returns whether the file says it now */
  keepPeers(): boolean {
    if (this.peersMoved) this.peersMoved = !this.keep({ peers: this.peers.list });
    return !this.peersMoved;
  }

  /** The log says so from here on: kept before anybody may be told that the log has got so far. */
  ruled(sync: SyncState): void {
    const isNews = !isDeepStrictEqual(sync, this.sync);
    this.sync = sync;
    if (isNews) this.isSyncKnown = this.keep({ sync });
  }

  /** The same of log that the disk has, and of what its checkpoints say. */
  recovered(sync: SyncState): void {
    if (!this.isSyncKnown) this.sync = sync;
  }

  /** These follow the same node. */
  besides(peers: readonly PeerAddress[]): void {
    const siblings = peers.filter(({ storeId }) => storeId !== this.storeId);
    if (isDeepStrictEqual(siblings, this.siblings)) return;
    this.siblings = siblings;
    this.keep({ siblings });
  }

  /** The last word: it has all that it acknowledged, on its disk. */
  stoppedComplete(): void {
    this.keep({ complete: true });
  }

  /** @returns whether it is kept */
  private keep(change: Partial<NodeMemory>): boolean {
    try {
      this.keeper?.change(change);
      return true;
    } catch (error) {
      this.trouble(wordsOf(error));
      return false;
    }
  }

  /** The upstream's log is ours. @returns whether its history is news */
  adopt({ history, rank, lineage }: LogName, clusterId: Id | null): boolean {
    const news = history !== this.history;
    this.history = history;
    this.rank = rank;
    this.lineage = lineage;
    if (clusterId !== null && clusterId !== this.clusterId) {
      this.clusterId = clusterId;
      this.keep({ clusterId });
    }
    return news;
  }

  /** @returns whether the path changed */
  setPath(path: readonly Id[], rootId: Id | null): boolean {
    this.rootId = rootId;
    const news = path.join() !== this.path.join();
    this.path = path;
    return news;
  }
}

function higher(a: Rank, b: Rank): Rank {
  return compareRanks(a, b) < 0 ? b : a;
}
