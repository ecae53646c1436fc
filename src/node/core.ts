/**
 * A node without its shell: one state, one log, a feeder, a session, and the role that it is in. The
 * daemon and the simulator both run this.
 *
 * The feeder runs in every role (cascades); the session only on a node that does not lead. Clients'
 * writes and the session's batches never meet in the log: writes are refused on a replica.
 *
 * Owns: the wiring of the cores. Does not own: roles (roles.ts, role-moves.ts), sockets, threads,
 * targets (node.ts), decisions (primary/, replica/).
 * Tested in: test/sim/sim.test.ts.
 */
import assert from "node:assert/strict";
import { Backlog, type BacklogOptions } from "../log/backlog.ts";
import type { LedLog } from "../primary/deps.ts";
import { Feeder } from "../primary/feeder.ts";
import type { Journal } from "../primary/journal.ts";
import type { Link } from "../primary/link.ts";
import type { FeederOptions } from "../primary/options.ts";
import type { SessionShell } from "../replica/deps.ts";
import type { ChunkKeeper } from "../replica/keeper.ts";
import type { SessionOptions } from "../replica/options.ts";
import { Session } from "../replica/session.ts";
import type { State, StateFormat, StateSource } from "../store/state.ts";
import { chainStart } from "../wire/frame.ts";
import type { DigestAnswer, Id, NodeAddress, Position, Verify } from "../wire/messages.ts";
import type { Announcement } from "../replica/inquiry.ts";
import type { CheckpointEntry } from "../log/disk/manifest.ts";
import type { CheckpointDisk } from "./checkpoint-run.ts";
import type { Promoted, WriteRefusal } from "./api.ts";
import { Announcer } from "./announcing.ts";
import { Checkpointer } from "./checkpointer.ts";
import { Completeness } from "./completeness.ts";
import type { ConsentMemory } from "./consent.ts";
import { Dialled } from "./dialled.ts";
import { type Fence, reachable } from "./fence.ts";
import type { Identity } from "./identity.ts";
import { Failover } from "./failover.ts";
import { Followers } from "./followers.ts";
import { type Address, formatAddress } from "../net/address.ts";
import { type KeptConsentDeps, startConsent } from "./kept-consent.ts";
import { LeadingAnew } from "./leading-anew.ts";
import { PassingOn } from "./passing-on.ts";
import { Promising } from "./promising.ts";
import type { Resignation } from "./resignation.ts";
import type { RoleMemory } from "./role-memory.ts";
import type { Nearness, NearnessOptions } from "./nearness.ts";
import { nearnessOf } from "./nearness-of.ts";
import { RoleMoves } from "./role-moves.ts";
import {
  lackingText,
  roleName,
  seedingOf,
  startFenced,
  startFollowing,
  startLeading,
  startRecovering,
  startResigned,
  startSeeding,
  type Start,
  writeRefusal,
} from "./roles.ts";
import { planRound, roundOf } from "./lead-round.ts";
import { placeOf } from "./member-places.ts";
import { rulesOf } from "./members.ts";
import { type ReclaimPlan, ReclaimRun } from "./reclaiming.ts";
import { seedRunOf } from "./seed-run-of.ts";
import type { AskSources, SeedRun } from "./seeding.ts";
import { Syncing } from "./syncing.ts";
import { Taking } from "./taking.ts";
import { TellingPeers } from "./telling-peers.ts";
import { SnapshotMemory } from "./snapshot-memory.ts";
import { type Synchronous, synchronousOf, type SynchronousOptions } from "./synchronous.ts";
import { Turn, type TurnShell } from "./turn.ts";
import { FeederView, ReclaimView, SessionView, type ViewedNode } from "./views.ts";

/** An upstream takes a word on who leads within this, ms. */
const TELL_MS = 5_000;

/** What a node core is given by its shell. */
export interface NodeCoreDeps {
  readonly role: "primary" | "replica";
  /** Whom it follows at the start; null on a primary, and on a node that seeds. */
  readonly upstream: Address | null;
  /** It led, and somebody led with a higher rank; null, or left out, on any other node. With sources: it seeds. */
  readonly fence?: Fence | null;
  /**
   * --seed-from: where a node gets its state from before it leads, when its role is replica; on a primary when its
   * directory has nothing. Else empty.
   */
  readonly sources: readonly Address[];
  readonly ask: AskSources;
  /** What it wrote down when it handed over, and was not followed by since; null for nothing. */
  readonly resignation?: Resignation | null;
  /** --allow-reset, when it is not used up: see consent.ts. */
  readonly allowReset: boolean;
  /** What an earlier process kept, for the upstream that is followed from the start. */
  readonly consent: ConsentMemory | null;
  readonly keepConsent: KeptConsentDeps["keepConsent"];
  /** It has a data directory: roles.recovered() and opened() come before roles.start(). */
  readonly recovers?: boolean;
  /** Keeps a role for the next start, durably. Throws when it cannot, and has kept the old one. */
  readonly remember: (role: RoleMemory, consent: ConsentMemory | null) => void;
  readonly identity: Identity;
  /** What is replicated; fed from here, kept up to date by the session. */
  readonly state: State;
  /** What checkpoints are made of; without it the state. */
  readonly checkpointSource?: (Pick<StateSource, "freeze"> & StateFormat) | null;
  readonly backlog: BacklogOptions;
  readonly feederOptions: FeederOptions;
  readonly sessionOptions: SessionOptions;
  /** How near others must be; default: nobody has to be. */
  readonly nearness?: NearnessOptions;
  /** By whom writes are confirmed; default: by nobody. */
  readonly synchronous?: SynchronousOptions;
  readonly shell: SessionShell;
  readonly keeper: ChunkKeeper | null;
  /** Snapshots may always pin this much; default 64 MiB. */
  readonly pinnedBytesMin?: number;
  readonly turnShell: TurnShell;
  /** Runs something in a later loop turn. */
  readonly nextTurn: (run: () => void) => void;
  readonly later: (ms: number, run: () => void) => void;
  /** Monotonic, ms. */
  readonly now: () => number;
  /** ms since 1970. */
  readonly wallClock: () => number;
  /** Numbers in [0, 1). */
  readonly random: () => number;
  readonly randomId: () => Id;
  readonly journal: Journal;
  /** The session is in another state now. */
  readonly onMoved?: () => void;
  /** What this node announces of itself. */
  readonly address: () => NodeAddress;
  readonly onVerify: (message: Verify) => void;
  readonly onDigest: (link: Link, answer: DigestAnswer) => void;
}

export class NodeCore implements ViewedNode {
  readonly identity: Identity;
  readonly completeness: Completeness = new Completeness();
  readonly state: State;
  readonly backlog: Backlog;
  readonly roles: RoleMoves;
  readonly view: FeederView;
  readonly feeder: Feeder;
  readonly turn: Turn;
  readonly session: Session;
  readonly followers: Followers;
  readonly dialled: Dialled = new Dialled();
  readonly failover: Failover;
  private readonly taking: Taking;
  private readonly syncing: Syncing = new Syncing(this);
  readonly nearness: Nearness;
  readonly announcer: Announcer;
  readonly synchronous: Synchronous;
  private readonly passing: PassingOn;
  private readonly telling: TellingPeers = new TellingPeers();
  private readonly anew: LeadingAnew;
  readonly promising: Promising;
  /** Of a node that led, and asks before it leads again; null of any other. */
  reclaiming: ReclaimRun | null = null;
  /** Whoever gives the state batches that are not visible yet says when it has none. */
  isAtRest: () => boolean = () => true;
  /** Nothing that could append is under way; as isAtRest. */
  isQuiet: () => boolean = () => true;
  /** It leads no more: clients are to look for whoever does. */
  onFenced: () => void = () => undefined;
  /** Null on a node that keeps no log on disk. */
  checkpointer: Checkpointer | null = null;
  readonly now: () => number;
  readonly wallClock: () => number;
  private readonly deps: NodeCoreDeps;
  private readonly memory: SnapshotMemory;

  constructor(deps: NodeCoreDeps) {
    const { identity, state, now, wallClock, turnShell } = deps;
    this.deps = deps;
    this.identity = identity;
    this.state = state;
    this.now = now;
    this.wallClock = wallClock;
    this.memory = new SnapshotMemory(state, deps.pinnedBytesMin);
    this.backlog = new Backlog(0, chainStart(identity.history), deps.backlog);
    this.failover = this.makeFailover();
    this.taking = new Taking(this, deps);
    const start = this.startingRole();
    this.roles = new RoleMoves(deps.recovers === true ? startRecovering(start) : start, this, {
      ...deps,
      onFenced: () => this.onFenced(),
    });
    this.view = new FeederView(this);
    this.followers = this.makeFollowers();
    this.announcer = this.makeAnnouncer();
    this.passing = this.makePassing();
    this.anew = new LeadingAnew(this, deps.journal);
    this.promising = new Promising(this, deps.journal);
    this.feeder = this.makeFeeder();
    this.turn = new Turn({ log: this.backlog, feeder: this.feeder, shell: turnShell, now });
    this.synchronous = synchronousOf(this, deps.journal, deps.synchronous);
    this.backlog.store.onMoved(this.turn.want);
    this.session = this.makeSession();
    this.nearness = nearnessOf(this, deps.nearness);
  }

  private startingRole(): Start {
    const { role, upstream, allowReset } = this.deps;
    const { kind, nodeId } = startConsent(this.deps.consent, allowReset);
    const { resignation = null } = this.deps;
    if (resignation !== null) return startResigned(resignation, this.failover.runOf(resignation));
    const { fence = null } = this.deps;
    if (fence !== null) this.identity.yieldTo(fence.rank);
    const seeding = role === "replica" ? this.makeSeeding() : null;
    if (seeding !== null) return startSeeding(seeding);
    if (fence !== null) return startFenced(fence);
    if (role === "primary") {
      // Why not yet: the term goes on that it led in, if its directory knows one.
      if (this.deps.recovers !== true) {
        this.backlog.beginHistory(this.identity.found());
        this.completeness.leads();
      }
      return startLeading(allowReset ? "reset" : "none");
    }
    assert(upstream !== null, "a replica of nobody");
    return startFollowing(upstream, kind, nodeId);
  }

  private makeFailover(): Failover {
    return new Failover(this, {
      ...this.deps,
      confirmsDurable: () => this.turn.confirmsDurable || this.synchronous.needsDurable,
    });
  }

  /** As RoleParts. */
  get sources(): readonly Address[] {
    return this.deps.sources;
  }

  makeSeeding(): SeedRun | null {
    return seedRunOf(this, this.deps);
  }

  /** As RoleParts: of a node that is not being started. */
  planRound(done: Promoted | null): ReclaimRun | null {
    const giveUp = (lacks: string): void => this.roles.giveUpRound(lackingText(lacks));
    const plan = planRound(this, done === null ? null : giveUp);
    return plan === null ? null : this.makeReclaim(plan);
  }

  private makeReclaim(plan: ReclaimPlan): ReclaimRun {
    const { ask, later, now, journal } = this.deps;
    this.reclaiming = new ReclaimRun(new ReclaimView(this), plan, {
      ask,
      later,
      until: (holds, done) => this.turn.until(holds, done),
      now,
      journal,
      counters: this.feeder.counters,
      onFailed: () => this.turn.changed(),
    });
    return this.reclaiming;
  }

  /** It led, and asks those that followed it before it leads again: comes before roles.recovered(). */
  reclaim(plan: ReclaimPlan): void {
    this.roles.reclaims(this.makeReclaim({ ...plan, round: roundOf(this) }));
  }

  private makeFeeder(): Feeder {
    const { deps } = this;
    return new Feeder({
      options: deps.feederOptions,
      backlog: this.backlog,
      source: this.state,
      node: this.view,
      journal: deps.journal,
      randomId: deps.randomId,
      wantTurn: () => this.turn.want(),
      now: deps.now,
      onLeader: (led, remote) => this.heardLeader(reachable(led, remote), remote),
      onRolledBack: (hello, bytes) => this.anew.rolledBack(hello, bytes),
      onPromised: (rank, remote) => {
        this.anew.promised(rank);
        this.promising.spread(rank, remote);
      },
      onHello: ({ nodeId }) => {
        if (seedingOf(this.roles.now) !== null) this.dialled.came(nodeId, this.now());
      },
      onAsked: () => this.session.hasten(this.now()),
      onPromise: (asked, remote) => this.promising.asked(asked, remote),
      pinned: () => this.memory.pinned(),
      onDigest: (link, answer) => {
        deps.onDigest(link, answer);
        this.turn.changed();
      },
      onFailoverAnswer: (link, answer) => this.failover.answered(link, answer),
      onWelcomed: (link) => {
        this.followers.linked(link);
        this.failover.linked(link);
        const { hello, remote } = link;
        if (hello !== null) this.synchronous.linked(hello.storeId, placeOf(hello.address, remote));
      },
      onTick: () => {
        this.nearness.review();
        this.tellPeers();
        this.synchronous.review();
      },
      onLinkClosed: (link) => {
        this.followers.ended(link);
        this.failover.linkEnded(link);
        this.nearness.review();
        this.synchronous.review();
        this.turn.changed();
      },
    });
  }

  /** It is fenced by that, or passes it on to whom it follows. */
  private heardLeader(led: LedLog, remote: string): void {
    const { roles, identity } = this;
    if (roles.now.kind === "following") this.passing.heard(identity, roles.now.upstream, led);
    else roles.heardLeader(led, remote);
  }

  private tellPeers(): void {
    if (this.roles.now.kind !== "leading" || rulesOf(this.identity.sync).length === 0) return;
    if (this.telling.tell(this.feeder.replicas)) this.feeder.wantPump();
  }

  private makePassing(): PassingOn {
    const { ask, now } = this.deps;
    return new PassingOn({
      tell: (upstream, word) => ask([upstream], TELL_MS, () => undefined, word),
      now,
    });
  }

  private makeFollowers(): Followers {
    const { identity, backlog: log, roles, deps } = this;
    const until = (holds: () => boolean, done: () => void): void => {
      this.turn.until(holds, done);
    };
    return new Followers({ identity, log, roles, until, later: deps.later });
  }

  private makeAnnouncer(): Announcer {
    const { ask, later } = this.deps;
    return new Announcer({
      ask,
      later,
      announcement: () => this.announcement(),
      heard: ({ role, clusterId, position, rank, lineage }, source) => {
        const leader = role === "primary" ? source : null;
        const led = { clusterId, history: position.history, rank, lineage, leader };
        this.roles.heardLeader(led, formatAddress(source));
      },
    });
  }

  private announcement(): Announcement | null {
    const { nodeId, clusterId, rank, lineage } = this.identity;
    if (this.roles.now.kind !== "leading" || clusterId === null) return null;
    const { position } = this;
    return { nodeId, clusterId, address: this.address(), position, rank, lineage };
  }

  private makeSession(): Session {
    const { deps } = this;
    return new Session({
      options: deps.sessionOptions,
      node: new SessionView(this),
      log: this.backlog,
      state: this.state,
      shell: deps.shell,
      keeper: deps.keeper,
      counters: this.feeder.counters,
      journal: deps.journal,
      random: deps.random,
      randomId: deps.randomId,
      onApplied: () => this.turn.applied(),
      onMoved: () => {
        deps.onMoved?.();
        this.turn.changed();
      },
      afterTurn: (run) => void this.turn.until(() => true, run),
      now: deps.now,
      onVerify: deps.onVerify,
      onFailover: (message) => this.taking.on(message),
      onSyncRequest: (request) => this.syncing.on(request),
      onTorn: () => this.roles.torn(),
    });
  }

  /** Why a write must be refused now. `trouble`: of its disk, null when that takes what it is given. */
  writeRefusal(trouble: unknown): WriteRefusal {
    const refusal = writeRefusal(this.roles.now);
    if (refusal !== null) return refusal;
    if (trouble !== null) return "disk";
    if (this.synchronous.lacks !== null) return "nomembers";
    return this.nearness.lacksReplicas ? "noreplicas" : null;
  }

  /** As it is called to peers and clients; what it does is in `roles`. */
  get role(): "primary" | "replica" {
    return roleName(this.roles.now);
  }

  /** A start would find all that this node acknowledged. Nothing is durable before a swap counts. */
  get isKeptWhole(): boolean {
    return this.view.complete && this.backlog.durable >= this.backlog.next;
  }

  /** Where the log ends that is sealed, or applied on a replica. */
  get position(): Position {
    const { next: offset, chain } = this.backlog;
    return { history: this.identity.history, offset, chain };
  }

  /**
   * Checkpoints of this node on `disk`. Whoever keeps the log tells it of restarts: replaced().
   * @param rate   bytes per second, 0 for as fast as it can
   * @param newest what the manifest names; without one the log on disk begins at `since`
   */
  makeCheckpointer(
    disk: CheckpointDisk,
    rate: () => number,
    newest: CheckpointEntry | null,
    since: number,
  ): Checkpointer {
    const { deps, backlog, feeder, identity, state, turn, view } = this;
    const { later, now, wallClock, randomId, journal } = deps;
    this.checkpointer = new Checkpointer(
      {
        disk,
        rate,
        source: deps.checkpointSource ?? state,
        atBoundary: (run) => turn.until(() => view.atBoundary, run),
        sealedPosition: () => ({ history: identity.history, ...feeder.sealedPosition() }),
        records: () => backlog.records,
        name: () => identity,
        sync: () => identity.sync,
        dataBytes: () => state.memory().dataBytes,
        next: () => backlog.next,
        hasState: () => view.ready && !view.torn,
        replicasWait: () => feeder.shipping.isWaiting,
        pinned: () => this.memory.pinned(),
        reclaimableBytes: (frozen) => state.reclaimableBytes(frozen),
        chunkBytes: () => deps.feederOptions.chunkBytes,
        later,
        now,
        wallClock,
        randomId,
        journal,
      },
      newest,
      since,
    );
    return this.checkpointer;
  }

  /** Lets go of a snapshot for clients' memory; see SnapshotMemory. @returns bytes that snapshots pin */
  relieveMemory(overBytes: number): number {
    // Why first: replicas come before the disk, which has the log.
    if (this.checkpointer?.isBusy === true && overBytes < this.memory.pinned().bytes)
      this.checkpointer.relieve();
    return this.memory.relieve(this.feeder, overBytes, this.now());
  }

  // --- as ViewedNode ---------------------------------------------------------------------------

  /** Why the log counts too: what was received and is not applied yet would be lost with a swap as well. */
  hasData(): boolean {
    return this.backlog.hasUnapplied || !this.state.isEmpty();
  }

  address(): NodeAddress {
    return this.deps.address();
  }
}
