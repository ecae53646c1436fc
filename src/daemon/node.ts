/**
 * A node: one store, one log, a feeder, a session, and which of the two roles it is in.
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
 * Owns: roles and the wiring. Does not own: decisions (primary/, replica/), commands (commands/).
 */
import { performance } from "node:perf_hooks";
import { Backlog } from "../primary/backlog.ts";
import { Feeder } from "../primary/feeder.ts";
import type { Fields, Level } from "../primary/journal.ts";
import { FeederServer } from "../primary/net.ts";
import { FEEDER_DEFAULTS, type FeederOptions } from "../primary/options.ts";
import { PartFile } from "../replica/part-file.ts";
import { SessionSocket, type Target } from "../replica/net.ts";
import { SESSION_DEFAULTS } from "../replica/options.ts";
import { Session } from "../replica/session.ts";
import { SerializerPool } from "../store/pool.ts";
import { Store } from "../store/store.ts";
import { chainStart } from "../wire/frame.ts";
import { randomId } from "../wire/id.ts";
import type { Consent, Id, NodeAddress, Verify } from "../wire/messages.ts";
import { EventLog, type KeptEvent } from "./event-log.ts";
import { Identity } from "./identity.ts";
import type { Logger } from "./logger.ts";
import type {
  HawserNode,
  NodeStatus,
  RuntimeSetting,
  StateDigest,
  WritableLog,
  WriteRefusal,
} from "./node-api.ts";
import { linkStatus, parkedStatus, upstreamStatus } from "./node-status.ts";
import type { NodeOptions } from "./options.ts";
import { FeederView, SessionView, type RoleOwner } from "./roles.ts";
import { CLIENT_PORT_PROBE } from "./target-probe.ts";
import { Verifier, type VerifyReport } from "./verifier.ts";

const MIB = 1024 * 1024;
/** BYE and drain may take this long at a stop. */
const DRAIN_MS = 10_000;
/** Serializer threads at most; each starts with its first job. Two ships, and two split off or resumed. */
const SERIALIZERS = 4;
/** A writer that waits looks again after this: the pace may have changed. */
const PAUSE_MS_MAX = 100;

/** Builds a node; start() opens its replication port. */
export function createNode(options: NodeOptions, logger: Logger): DaemonNode {
  return new DaemonNode(options, logger);
}

export class DaemonNode implements HawserNode, RoleOwner {
  role: "primary" | "replica";
  readonly identity: Identity;
  readonly store: Store = new Store();
  readonly backlog: Backlog;
  readonly feeder: Feeder;
  readonly session: Session;
  readonly eventLog: EventLog = new EventLog();
  everSynced: boolean;
  stateGeneration = 0;
  readonly now = (): number => performance.now();
  readonly wallClock = (): number => Date.now();
  private readonly options: NodeOptions;
  private readonly feederOptions: FeederOptions;
  private readonly logger: Logger;
  private readonly pool: SerializerPool = new SerializerPool({ size: SERIALIZERS });
  private readonly verifier: Verifier = new Verifier(this.pool);
  private readonly server: FeederServer;
  private readonly socket: SessionSocket;
  private readonly partFile: PartFile | null;
  private readonly view: FeederView = new FeederView(this);
  private targets: readonly Target[];
  private targetIndex = 0;
  private clientPort = 0;
  private replPort = 0;
  /** Started with --seed-from, and not promoted yet. */
  private seeding: boolean;
  private promoting: (() => void)[] | null = null;

  constructor(options: NodeOptions, logger: Logger) {
    this.options = options;
    this.logger = logger;
    this.identity = new Identity(options.dir, options.allowReset);
    this.seeding = options.seedFrom.length > 0;
    this.role = options.command === "replica" || this.seeding ? "replica" : "primary";
    this.everSynced = this.role === "primary";
    this.targets = options.of === null ? options.seedFrom : [options.of];
    this.clientPort = options.port;
    this.feederOptions = feederOptions(options);
    this.backlog = new Backlog(0, chainStart(this.identity.history), {
      sizeBytes: options.backlogBytes,
      ttlMs: options.backlogTtlMs,
      clock: this.wallClock,
    });
    this.server = new FeederServer((wantTurn) => this.makeFeeder(wantTurn));
    this.feeder = this.server.core;
    this.socket = new SessionSocket(() => this.nextTarget(), CLIENT_PORT_PROBE);
    this.partFile = this.role === "replica" ? this.openPartFile() : null;
    this.session = this.makeSession();
    this.socket.attach(this.session);
  }

  private makeFeeder(wantTurn: () => void): Feeder {
    return new Feeder({
      options: this.feederOptions,
      backlog: this.backlog,
      source: {
        freeze: () => this.pool.frozen(this.store.freeze()),
        isEmpty: () => this.store.isEmpty(),
      },
      node: this.view,
      journal: this.journal,
      randomId,
      wantTurn,
      now: this.now,
      onSuperseded: (history, remote) => this.onSuperseded(history, remote),
      onDigest: (link, answer) => this.verifier.onAnswer(link, answer),
    });
  }

  /** Keeps a half received snapshot in --dir, when there is one. */
  private openPartFile(): PartFile | null {
    const { dir } = this.options;
    if (dir === "") return null;
    return new PartFile(dir, (event, fields) => this.journal("info", event, fields));
  }

  private makeSession(): Session {
    return new Session({
      options: {
        ...SESSION_DEFAULTS,
        roomBytes: this.options.windowBytes,
        onDivergence: this.options.onDivergence,
        password: this.options.replPassword,
      },
      node: new SessionView(this),
      log: this.backlog,
      state: this.store,
      shell: this.socket,
      keeper: this.partFile,
      counters: this.feeder.counters,
      journal: this.journal,
      random: Math.random,
      randomId,
      onApplied: () => this.onApplied(),
      onVerify: (message) => this.onVerify(message),
    });
  }

  private readonly journal = (level: Level, event: string, fields: Fields): void => {
    this.eventLog.note(this.wallClock(), level, event, fields);
    this.logger[level](event, fields);
  };

  // --- life ------------------------------------------------------------------------------------

  /** Opens the replication port and, on a replica, dials. Resolves with the port. */
  async start(): Promise<number> {
    this.replPort = await this.server.listen(this.options.replPort, this.options.bind);
    this.server.start();
    if (this.role === "replica") this.session.start(this.now());
    return this.replPort;
  }

  /** The client port that is announced to upstreams. */
  announceClientPort(port: number): void {
    this.clientPort = port;
  }

  async stop(): Promise<void> {
    this.session.stop("shutting down", this.now(), true);
    this.socket.close();
    await this.server.close(DRAIN_MS);
    await this.pool.close();
    await this.partFile?.close();
  }

  // --- the log, for clients --------------------------------------------------------------------

  get log(): WritableLog {
    return this.backlog;
  }

  writeRefusal(): WriteRefusal {
    if (this.role === "primary") return null;
    return this.seeding ? "seeding" : "readonly";
  }

  isLoading(): boolean {
    return this.role === "replica" && !this.everSynced && this.session.restore !== null;
  }

  /** A long turn is sealed and pumped about every MiB; the rest at its end. */
  afterClientRead(): void {
    const { tail } = this.backlog;
    const { fedTo } = this.feeder;
    if (tail === fedTo) return;
    this.server.wantTurn();
    if (tail - fedTo >= MIB) this.feeder.turn(this.now());
  }

  writersPaused(): boolean {
    return this.feeder.pacing.paused(this.now());
  }

  onWritersResumed(resume: () => void): void {
    const waitMs = this.feeder.pacing.waitMs(this.now());
    setTimeout(resume, Math.max(1, Math.min(waitMs, PAUSE_MS_MAX)));
  }

  waitForReplicas(
    offset: number,
    replicas: number,
    timeoutMs: number,
    done: (count: number) => void,
  ): () => void {
    const untilMs = timeoutMs === 0 ? Number.POSITIVE_INFINITY : this.now() + timeoutMs;
    return this.feeder.wait(offset, replicas, untilMs, done);
  }

  // --- roles -----------------------------------------------------------------------------------

  follow(host: string, port: number, consent: Consent): void {
    const nowMs = this.now();
    this.backlog.seal();
    this.session.stop("REPLICAOF another node", nowMs);
    this.seeding = false;
    for (const done of this.promoting ?? []) done();
    this.promoting = null;
    this.targets = [{ host, port }];
    this.targetIndex = 0;
    this.identity.giveConsent(consent);
    const wasPrimary = this.role === "primary";
    this.role = "replica";
    this.journal("info", "role_changed", { role: "replica", upstream: `${host}:${port}` });
    if (wasPrimary) this.session.resetToLog();
    this.session.start(nowMs);
  }

  promote(done: () => void): void {
    if (this.role === "primary") {
      done();
      return;
    }
    if (this.promoting !== null) {
      this.promoting.push(done);
      return;
    }
    this.promoting = [done];
    this.session.stop("promoted", this.now());
    this.drainThenPromote();
  }

  /** What was received completely is applied first, slice by slice. */
  private readonly drainThenPromote = (): void => {
    const waiting = this.promoting;
    if (waiting === null) return;
    if (this.session.step(this.now())) {
      setImmediate(this.drainThenPromote);
      return;
    }
    this.promoting = null;
    this.backlog.dropReceived();
    this.session.resetToLog();
    this.identity.promote(this.backlog.next);
    this.role = "primary";
    this.seeding = false;
    this.everSynced = true;
    this.targets = [];
    this.journal("info", "role_changed", {
      role: "primary",
      history: this.identity.history,
      offset: this.backlog.next,
    });
    this.onHistoryChanged("this node was promoted");
    for (const done of waiting) done();
  };

  private nextTarget(): Target {
    const target = this.targets[this.targetIndex % this.targets.length]!;
    this.targetIndex += 1;
    return target;
  }

  // --- as RoleOwner ----------------------------------------------------------------------------

  hasData(): boolean {
    return !this.store.isEmpty();
  }

  address(): NodeAddress {
    const { announceHost, announcePort, announceReplPort } = this.options;
    return {
      host: announceHost,
      clientPort: announcePort || this.clientPort,
      replPort: announceReplPort || this.replPort,
    };
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
    if (this.seeding) setImmediate(() => this.promoteSeed());
  }

  /** A seeded primary takes over once it has all that its source had. */
  private promoteSeed(): void {
    if (!this.seeding) return;
    const caughtUp = this.session.connected && this.backlog.next >= this.session.upstreamNext;
    if (caughtUp) this.promote(() => undefined);
    else setTimeout(() => this.promoteSeed(), 20).unref();
  }

  private onApplied(): void {
    if (this.backlog.next !== this.feeder.fedTo) this.server.wantTurn();
  }

  private onSuperseded(history: Id, remote: string): void {
    if (this.identity.supersededBy === history) return;
    this.identity.supersededBy = history;
    this.journal("warn", "superseded", { by_history: history, remote });
  }

  // --- figures ---------------------------------------------------------------------------------

  async digest(): Promise<StateDigest> {
    while (!this.view.atBoundary) await nextTurn();
    this.backlog.seal();
    const { next: offset, chain } = this.backlog;
    const position = { history: this.identity.history, offset, chain };
    const snapshot = this.store.freeze();
    try {
      const { records, sum } = await this.pool.digest(snapshot);
      return { position, records, sum };
    } finally {
      snapshot.close();
    }
  }

  async verify(timeoutMs: number): Promise<VerifyReport> {
    while (!this.view.atBoundary) await nextTurn();
    this.backlog.seal();
    const { next: offset, chain } = this.backlog;
    const position = { history: this.identity.history, offset, chain };
    return this.verifier.run(this.feeder, position, () => this.store.freeze(), timeoutMs);
  }

  private onVerify(message: Verify): void {
    this.verifier.answer(this.session, message, this.store.freeze()).catch((error: unknown) => {
      this.logger.error("verify_failed", { why: String(error) });
    });
  }

  events(): readonly KeptEvent[] {
    return this.eventLog.list();
  }

  status(): NodeStatus {
    const nowMs = this.now();
    const wallMs = this.wallClock();
    const { identity, backlog, feeder } = this;
    const address = this.address();
    const welcomed = feeder.links.filter((link) => link.welcomed);
    return {
      role: this.role,
      nodeId: identity.nodeId,
      replicaId: identity.replicaId,
      position: { history: identity.history, offset: backlog.next, chain: backlog.chain },
      lineage: identity.lineage,
      supersededBy: identity.supersededBy,
      clientPort: address.clientPort,
      replPort: address.replPort,
      announceHost: address.host,
      backlog: {
        sizeBytes: backlog.sizeBytes,
        first: backlog.first,
        next: backlog.next,
        heldBytes: backlog.next - backlog.first,
        pinnedBytes: backlog.pinnedBytes,
        segments: backlog.segmentCount,
        seconds: feeder.pacing.backlogSeconds,
      },
      shipsQueued: feeder.shipping.queued,
      quarantined: feeder.quarantine.count(nowMs),
      parked: parkedStatus(feeder, nowMs),
      writePace: Number.isFinite(feeder.pacing.pace.limit) ? feeder.pacing.pace.limit : -1,
      links: welcomed.map((link) => linkStatus(feeder, link, nowMs, wallMs)),
      upstream: this.role === "primary" ? null : this.upstream(nowMs, wallMs),
      counters: feeder.counters.values,
    };
  }

  private upstream(nowMs: number, wallMs: number): NodeStatus["upstream"] {
    const target = this.targets[Math.max(0, this.targetIndex - 1) % this.targets.length]!;
    return upstreamStatus(this.session, target, this.staleMs(), nowMs, wallMs);
  }

  /** How old what we serve may be against the root, ms; -1 before anything was heard of it. */
  private staleMs(): number {
    const { session, backlog } = this;
    if (session.ping === null || !this.everSynced) return -1;
    const away = this.view.awayMs();
    if (backlog.next >= session.upstreamNext) return Math.round(away);
    return Math.max(0, Math.round(away + this.view.rootClockMs() - backlog.newestClockMs));
  }

  applySetting(name: RuntimeSetting, value: number): string | null {
    if (name === "ship-rate") {
      this.feederOptions.shipRateBytes = value;
      this.server.wantTurn();
    } else if (name === "backlog") this.backlog.sizeBytes = value;
    return null;
  }
}

function feederOptions(options: NodeOptions): FeederOptions {
  return {
    ...FEEDER_DEFAULTS,
    windowBytes: options.windowBytes,
    shipWindowBytes: options.shipWindowBytes,
    shipRateBytes: options.shipRate,
    shipGatherMs: options.shipGatherMs,
    throttleMaxMs: options.throttleMaxMs,
    holdBytes: options.holdBytes,
    password: options.replPassword,
  };
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
