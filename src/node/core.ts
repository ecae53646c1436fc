/**
 * A node without its shell: one state, one log, a feeder, a session, and which of the two roles it
 * is in. The daemon and the simulator both run this.
 *
 *                 promote(): applied what was received, new history
 *        replica ---------------------------------------------------> primary
 *          ^  |  follow(): another upstream                              |
 *          |  +--> replica                                               |
 *          +-------------------------------------------------------------+
 *                 follow(): the log goes on, judged by lineage
 *
 * The feeder runs in both roles (cascades); the session only on a replica. Clients' writes and the
 * session's batches never meet in the log: writes are refused on a replica.
 *
 * Owns: roles and the wiring of the cores. Does not own: sockets, threads, targets (node.ts),
 * decisions (primary/, replica/).
 */
import { Backlog, type BacklogOptions } from "../log/backlog.ts";
import type { Pinned } from "../primary/deps.ts";
import { Feeder } from "../primary/feeder.ts";
import type { Journal } from "../primary/journal.ts";
import type { Link } from "../primary/link.ts";
import type { FeederOptions } from "../primary/options.ts";
import { relieve } from "../primary/relief.ts";
import type { SessionShell } from "../replica/deps.ts";
import type { ChunkKeeper } from "../replica/keeper.ts";
import type { SessionOptions } from "../replica/options.ts";
import { Session } from "../replica/session.ts";
import type { State } from "../store/state.ts";
import { chainStart } from "../wire/frame.ts";
import type { Consent, DigestAnswer, Id, NodeAddress, Verify } from "../wire/messages.ts";
import type { Identity } from "./identity.ts";
import type { Promoted, WriteRefusal } from "./api.ts";
import type { Address } from "./option-values.ts";
import type { RoleMemory } from "./role-memory.ts";
import type { SeedSelf } from "./seed-choice.ts";
import { type AskSources, Seeding, type SeedingNode } from "./seeding.ts";
import { Turn, type TurnShell } from "./turn.ts";
import { FeederView, SessionView, type RoleOwner } from "./views.ts";

/** What a node core is given by its shell. */
export interface NodeCoreDeps {
  readonly role: "primary" | "replica";
  /** Whom it follows at the start; null on a primary, and on a node that seeds. */
  readonly upstream: Address | null;
  /** Where a node that is to be a primary gets its state from first (--seed-from); else empty. */
  readonly sources: readonly Address[];
  readonly ask: AskSources;
  /** Keeps a role for the next start, durably. Throws when it cannot, and has kept the old one. */
  readonly remember: (role: RoleMemory) => void;
  readonly identity: Identity;
  /** What is replicated; fed from here, kept up to date by the session. */
  readonly state: State;
  readonly backlog: BacklogOptions;
  readonly feederOptions: FeederOptions;
  readonly sessionOptions: SessionOptions;
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
  /** What this node announces of itself. */
  readonly address: () => NodeAddress;
  readonly onVerify: (message: Verify) => void;
  readonly onDigest: (link: Link, answer: DigestAnswer) => void;
}

const NEVER_SYNCED =
  "this node never had a state, and would be an empty primary; wait for its first sync, or say REPLICAOF NO ONE FORCE";
/** A superseded primary that is to be demoted is demoted within this. */
const SUPERSEDED_REST_MS = 60_000;
/** Snapshots are let go of one by one, this far apart. */
const RELIEF_EVERY_MS = 100;
const PINNED_BYTES_MIN = 64 * 1024 * 1024;

const TORN =
  "the state is inside a batch that could not be applied whole; follow a node that has one (REPLICAOF host port), which sends a snapshot";

export class NodeCore implements RoleOwner, SeedingNode {
  role: "primary" | "replica";
  readonly identity: Identity;
  readonly state: State;
  readonly backlog: Backlog;
  readonly feeder: Feeder;
  readonly session: Session;
  readonly turn: Turn;
  readonly view: FeederView;
  /** Whom the shell dials; null on a primary, and while a source is still to be chosen. */
  upstream: Address | null;
  /** It has, or had, a state of its own or of an upstream. */
  everSynced: boolean;
  /** Bumped by every swap. */
  stateGeneration = 0;
  readonly now: () => number;
  readonly wallClock: () => number;
  private readonly deps: NodeCoreDeps;
  /** Started with --seed-from, and neither promoted nor told whom to follow yet. */
  seeding: Seeding | null;
  private promoting: Promoted[] | null = null;
  private supersededAtMs = 0;
  private stopped = false;
  /** When a snapshot was last looked for to let go of. */
  private relievedMs: number = Number.NEGATIVE_INFINITY;

  constructor(deps: NodeCoreDeps) {
    this.deps = deps;
    this.role = deps.role;
    this.upstream = deps.upstream;
    this.identity = deps.identity;
    this.state = deps.state;
    this.now = deps.now;
    this.wallClock = deps.wallClock;
    this.everSynced = this.role === "primary";
    if (this.role === "replica") this.identity.consent.onStartedFollowing();
    this.view = new FeederView(this);
    this.backlog = new Backlog(0, chainStart(this.identity.history), deps.backlog);
    this.feeder = this.makeFeeder();
    this.turn = new Turn({
      log: this.backlog,
      feeder: this.feeder,
      shell: deps.turnShell,
      now: deps.now,
    });
    this.session = this.makeSession();
    const { sources, ask, later, now, journal } = deps;
    this.seeding =
      sources.length === 0
        ? null
        : new Seeding(this, {
            sources,
            ask,
            later,
            until: this.turn.until.bind(this.turn),
            now,
            journal,
          });
  }

  /** A replica dials, a node that seeds asks its sources. */
  start(): void {
    if (this.seeding !== null) this.seeding.start();
    else if (this.role === "replica") this.session.start(this.now());
  }

  /** The process ends; what was received of a snapshot is kept. */
  stop(): void {
    this.stopped = true;
    this.endSeeding();
    this.session.stop("shutting down", this.now(), true);
    this.turn.changed();
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
      onSuperseded: (history, remote) => this.onSuperseded(history, remote),
      pinned: () => this.pinned(),
      onDigest: (link, answer) => {
        deps.onDigest(link, answer);
        this.turn.changed();
      },
      onLinkClosed: () => this.turn.changed(),
    });
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
      onMoved: () => this.turn.changed(),
      onVerify: deps.onVerify,
      onTorn: () => this.feeder.stateTorn(),
    });
  }

  // --- what clients may do -----------------------------------------------------------------------

  /** Why a write must be refused now, null when it is welcome. */
  writeRefusal(): WriteRefusal {
    if (this.role === "primary") return null;
    return this.seeding === null ? "readonly" : "seeding";
  }

  /** It never had a state: what it would answer is not the upstream's emptiness but its own ignorance. */
  isLoading(): boolean {
    return this.role === "replica" && !this.everSynced;
  }

  /**
   * A newer primary was heard of: deletes of its own would make this node diverge from it before it is
   * demoted. Why not for ever: whoever named that primary may be wrong, and the keys would pile up.
   */
  get expiryRests(): boolean {
    if (this.role === "replica" || this.identity.supersededBy === "") return false;
    return this.now() - this.supersededAtMs < SUPERSEDED_REST_MS;
  }

  /** What snapshots pin; half of the live data is allowed, and what never matters. */
  private pinned(): Pinned {
    const { pinnedBytes: bytes, dataBytes } = this.state.memory();
    const { pinnedBytesMin = PINNED_BYTES_MIN } = this.deps;
    return { bytes, capBytes: Math.max(pinnedBytesMin, dataBytes / 2) };
  }

  /**
   * Memory is `overBytes` above what clients may use: lets go of a snapshot, if snapshots pin more
   * than that and it frees what is needed. @returns bytes that they pin, which are not the clients' fault
   */
  relieveMemory(overBytes: number): number {
    const pinned = this.pinned();
    const nowMs = this.now();
    // Why not at every write: what was let go of is given back when its reader has stopped.
    if (overBytes < pinned.bytes && nowMs - this.relievedMs >= RELIEF_EVERY_MS) {
      this.relievedMs = nowMs;
      relieve(this.feeder, pinned, overBytes, nowMs);
    }
    return pinned.bytes;
  }

  // --- roles -----------------------------------------------------------------------------------

  /** Follows `upstream`, remembered first. @returns why it does not, with nothing changed; else null */
  follow(consent: Consent, upstream: Address): string | null {
    const refusal = this.remember({ role: "replica", upstream });
    if (refusal !== null) return refusal;
    this.endSeeding();
    this.turnTo(upstream, consent);
    return null;
  }

  private turnTo(upstream: Address, consent: Consent): void {
    const nowMs = this.now();
    const wasPrimary = this.role === "primary";
    this.backlog.seal();
    if (wasPrimary) this.feeder.cutWaiters();
    this.session.stop("following another node", nowMs);
    const promised = this.promoting ?? [];
    this.promoting = null;
    this.identity.consent.give(consent);
    this.role = "replica";
    this.upstream = upstream;
    const { host, port } = upstream;
    this.deps.journal("info", "role_changed", { role: "replica", upstream: `${host}:${port}` });
    if (wasPrimary) this.session.resetToLog();
    this.session.start(nowMs);
    for (const done of promised) done(null);
  }

  /**
   * Becomes a primary at the next batch boundary, remembered first; `done` is called then, or when
   * follow() came first, or with why it could not. `force` makes one of a node that never had a state:
   * an empty one.
   * @returns why it is refused, with nothing changed and `done` never called; else null
   */
  promote(force: boolean, done: Promoted): string | null {
    if (this.role === "primary") {
      done(null);
      return null;
    }
    if (this.promoting !== null) {
      this.promoting.push(done);
      return null;
    }
    if (this.session.torn) return TORN;
    if (!this.everSynced && !force) return NEVER_SYNCED;
    const refusal = this.remember({ role: "primary", upstream: null });
    if (refusal !== null) return refusal;
    this.promoting = [done];
    this.session.stop("promoted", this.now());
    this.drainThenPromote();
    return null;
  }

  /** Before a role takes effect: a restart must find it. @returns why it cannot be kept; else null */
  private remember(role: RoleMemory): string | null {
    try {
      this.deps.remember(role);
      return null;
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.deps.journal("error", "role_not_remembered", { why });
      return `the role cannot be kept in --dir, and nothing was changed: ${why}`;
    }
  }

  /** What was received completely is applied first, slice by slice. */
  private readonly drainThenPromote = (): void => {
    const waiting = this.promoting;
    if (waiting === null) return;
    if (this.session.step(this.now())) {
      this.deps.nextTurn(this.drainThenPromote);
      return;
    }
    this.promoting = null;
    // Applying the rest may have failed inside a batch.
    if (this.session.torn) {
      this.remember({ role: "replica", upstream: this.upstream! });
      for (const done of waiting) done(TORN);
      return;
    }
    this.backlog.dropReceived();
    this.session.resetToLog();
    this.identity.promote(this.backlog.next);
    this.role = "primary";
    this.upstream = null;
    this.endSeeding();
    this.everSynced = true;
    this.deps.journal("info", "role_changed", {
      role: "primary",
      history: this.identity.history,
      offset: this.backlog.next,
    });
    this.onHistoryChanged("this node was promoted");
    for (const done of waiting) done(null);
    this.turn.changed();
  };

  /** Resolves when the state is at a position, with nothing run since; rejects when it is torn. */
  boundary(): Promise<void> {
    const { view, turn } = this;
    return new Promise((resolve, reject) => {
      const isOver = (): boolean => view.atBoundary || view.torn || this.stopped;
      const done = (): void => {
        if (view.atBoundary) resolve();
        else reject(new Error(view.torn ? TORN : "this node was stopped"));
      };
      turn.until(isOver, done);
    });
  }

  // --- as RoleOwner ----------------------------------------------------------------------------

  hasData(): boolean {
    return !this.state.isEmpty();
  }

  address(): NodeAddress {
    return this.deps.address();
  }

  onHistoryChanged(why: string): void {
    this.feeder.dropAll("history_changed", "history_changed", why);
  }

  onSwapped(): void {
    this.stateGeneration += 1;
    this.feeder.upstreamResync();
  }

  onSynced(): void {
    this.everSynced = true;
  }

  // --- as SeedingNode --------------------------------------------------------------------------

  seedSelf(): SeedSelf {
    const { nodeId, history, lineage } = this.identity;
    // Why not while torn: then it is nowhere in its log, and must sync again.
    const synced = this.everSynced && !this.session.torn;
    return { nodeId, history, lineage, offset: this.backlog.next, synced };
  }

  get connected(): boolean {
    return this.session.connected;
  }

  get caughtUp(): boolean {
    const { state, root, torn } = this.session;
    const synced = this.everSynced && !torn;
    return state.kind === "streaming" && synced && this.backlog.next >= root.upstreamNext;
  }

  syncFrom(source: Address): void {
    this.turnTo(source, "none");
  }

  leadFromSeed(): string | null {
    return this.promote(false, () => undefined);
  }

  stayBelow(source: Address): void {
    this.endSeeding();
    this.remember({ role: "replica", upstream: source });
    const { upstream } = this;
    if (upstream?.host !== source.host || upstream.port !== source.port)
      this.turnTo(source, "none");
  }

  private endSeeding(): void {
    this.seeding?.stop();
    this.seeding = null;
  }

  private onSuperseded(history: Id, remote: string): void {
    if (this.identity.supersededBy === history) return;
    this.identity.supersededBy = history;
    this.supersededAtMs = this.now();
    this.deps.journal("warn", "superseded", { by_history: history, remote });
  }
}
