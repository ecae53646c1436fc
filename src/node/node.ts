/**
 * A node as a process has it: the core (core.ts) with sockets, timers, worker threads, the part
 * file, and what the client port asks of it.
 *
 * Owns: the shell of one node. Does not own: roles (role-moves.ts), commands (resp/commands/).
 */
import assert from "node:assert/strict";
import type { BridgedState } from "../bridge/bridged-state.ts";
import type { ReplicatedState } from "../bridge/seam.ts";
import type { Backlog } from "../log/backlog.ts";
import type { LogName } from "../log/history.ts";
import type { Feeder } from "../primary/feeder.ts";
import type { Fields, Level } from "../primary/journal.ts";
import { awaitTurn } from "./await-turn.ts";
import { LoopTurns } from "./loop-turns.ts";
import { FeederServer } from "./replication-port.ts";
import { lackingFields } from "../primary/lacking.ts";
import { FEEDER_DEFAULTS, type FeederOptions } from "../primary/options.ts";
import type { WriterTurn } from "../primary/pace.ts";
import { PartFile } from "../replica/part-file.ts";
import { SessionSocket } from "./upstream-socket.ts";
import { SESSION_DEFAULTS, type SessionOptions } from "../replica/options.ts";
import { owedBytes } from "../replica/owed.ts";
import type { Session } from "../replica/session.ts";
import { ArenaState } from "../store/arena-state.ts";
import { SerializerPool } from "../store/pool.ts";
import { Store } from "../store/store.ts";
import { ownThreads, type Threads } from "../threads.ts";
import { randomId } from "../wire/id.ts";
import type { Consent, NodeAddress, Position } from "../wire/messages.ts";
import { readBucket } from "./bucket.ts";
import { clockRefusalOf } from "./clock-check.ts";
import type { Checkpointer, StopSave } from "./checkpointer.ts";
import { openDirectory } from "./directory.ts";
import { DirectoryLock } from "./disk/directory-lock.ts";
import { diskOf, type NodeDisk } from "./disk/node-disk.ts";
import { makeStartRoom } from "./disk/start-room.ts";
import type { DiskTrouble } from "../log/disk/disk-log-messages.ts";
import { EmbeddedState, stagedMax } from "./embedded-state.ts";
import type { Failover } from "./failover.ts";
import { EventLog, type KeptEvent } from "./event-log.ts";
import { NodeEmitter } from "./emitter.ts";
import { Identity } from "./identity.ts";
import { Inspection } from "./inspection.ts";
import type { Logger } from "./logger.ts";
import type {
  HawserNode,
  LogOnDisk,
  NodeStatus,
  Promoted,
  WritableLog,
  WriteRefusal,
} from "./api.ts";
import { NodeCore } from "./core.ts";
import type { Nearness } from "./nearness.ts";
import { Slices } from "./slices.ts";
import { lastCheckpoint } from "./last-checkpoint.ts";
import { diskStatus, nodeStatus } from "./status.ts";
import type { Address } from "../net/address.ts";
import type { LiveSettings, NodeOptions } from "./options.ts";
import { logOptions } from "./log-options.ts";
import { RoleFile } from "./role-file.ts";
import { hasState, isReclaiming, upstreamOf } from "./roles.ts";
import { askSources } from "./source-inquiries.ts";
import { CLIENT_PORT_PROBE } from "./target-probe.ts";
import type { Turn } from "./turn.ts";

/** BYE and drain may take this long at a stop. */
const DRAIN_MS = 10_000;
/**
 * Serializer threads at most; each starts with its first job. Two ships, two split off or resumed, one
 * of copies, and a checkpoint.
 */
const SERIALIZERS = 6;

/**
 * How far a node is: built, opened (it has what an earlier process left it), listening, stopped.
 * Each call makes the next step, once; stop() may come at any time.
 */
type Life = "built" | "opening" | "open" | "listening" | "stopped";

/**
 * Builds a node over the built-in store, or over `state`; nobody can talk to it before open() and listen(). It has --dir for itself until stop().
 * @throws {UsageError} about --dir
 * @throws {DiskError} ERR_DISK_LOCKED, saying who has it
 * @throws {ArgumentError} when `state` is not in the form of one
 */
export function createNode(
  options: NodeOptions,
  logger: Logger,
  given?: Threads,
  state: ReplicatedState | null = null,
): DaemonNode {
  const { dir } = options;
  const threads = given ?? ownThreads();
  if (dir === "") return new DaemonNode(options, logger, null, threads, state);
  openDirectory(dir);
  makeStartRoom(dir);
  const lock = new DirectoryLock(dir);
  try {
    return new DaemonNode(options, logger, lock, threads, state);
  } catch (error) {
    lock.free();
    throw error;
  }
}

export class DaemonNode implements HawserNode {
  readonly core: NodeCore;
  readonly turn: Turn;
  readonly nearness: Nearness;
  readonly synchronous: NodeCore["synchronous"];
  /** The built-in store: empty, and used by nobody, on a node over another state. */
  readonly store: Store = new Store();
  /** The state of an embedder; null on a node over the built-in store. */
  private readonly embedded: EmbeddedState | null;
  private readonly loopTurns = new LoopTurns();
  private readonly eventLog = new EventLog();
  readonly emitter: NodeEmitter;
  /** One object: the feeder, the session, the log and the client port read it. */
  readonly settings: LiveSettings & FeederOptions & SessionOptions;
  private readonly logger: Logger;
  private readonly pool: SerializerPool;
  readonly inspection: Inspection;
  private readonly server: FeederServer;
  private readonly socket: SessionSocket;
  private readonly partFile: PartFile | null;
  /** What is written is never durable any more. A process of its own ends then. */
  onDiskFailed: (trouble: DiskTrouble) => void = () => undefined;
  /** Null without --dir, and with --persist no. */
  private readonly disk: NodeDisk | null;
  /** It was a primary; called when nothing of its state was on the disk. */
  private tellEmpty: () => void = () => undefined;
  /** Null without --dir. */
  private readonly lock: DirectoryLock | null;
  private clientPort: number;
  private replPort = 0;
  #life: Life = "built";

  constructor(
    options: NodeOptions,
    logger: Logger,
    lock: DirectoryLock | null,
    threads: Threads,
    state: ReplicatedState | null,
  ) {
    this.lock = lock;
    const stagedBytesMax = stagedMax(state);
    // Why a literal: of more than a few fields set one by one V8 would make a dictionary.
    this.settings = { ...FEEDER_DEFAULTS, ...SESSION_DEFAULTS, stagedBytesMax, ...options };
    this.logger = logger;
    this.emitter = new NodeEmitter(this, logger);
    this.clientPort = options.port;
    const { ringSlots: slots, chunkBytes: slotBytes } = options;
    const onFailed = (why: string): void => this.journal("error", "serializer_failed", { why });
    this.pool = new SerializerPool({ size: SERIALIZERS, slots, slotBytes, threads, onFailed });
    this.socket = new SessionSocket(() => this.target, CLIENT_PORT_PROBE);
    this.partFile = options.dir === "" ? null : this.openPartFile(options.dir);
    this.disk = diskOf(this.settings, threads, this.journal, (it) => this.diskTroubled(it));
    this.embedded = state === null ? null : this.makeEmbedded(state);
    this.core = this.makeCore();
    const { feeder, turn } = this.core;
    ({ turn: this.turn, synchronous: this.synchronous, nearness: this.nearness } = this.core);
    this.confirmByPolicy();
    // Of all walks over the key space together one slice runs in a turn.
    const slices = new Slices((run) => setImmediate(run));
    this.inspection = new Inspection(this.core, this.journal, this.until.bind(this), (request) =>
      readBucket(this.store, request, slices.next),
    );
    this.server = new FeederServer(feeder, turn, () => this.address().clientPort);
    this.socket.attach(this.core.session);
  }

  /** A disk that failed for good confirms nothing: who waits for that is cut, as by a crash. */
  private diskTroubled(trouble: DiskTrouble | null): void {
    if (trouble?.isFatal !== true) {
      this.turn.diskTakes(trouble === null);
      return;
    }
    this.turn.dropReplies();
    this.onDiskFailed(trouble);
  }

  private makeEmbedded(state: ReplicatedState): EmbeddedState {
    const name = (): LogName => this.disk?.recovery?.name ?? this.core.identity;
    return new EmbeddedState(state, { ...this.settings, name, journal: this.journal });
  }

  private makeCore(): NodeCore {
    const { settings, disk, embedded } = this;
    const identity = new Identity(settings.dir, randomId, (why) =>
      this.journal("error", "identity_not_kept", { why }),
    );
    const roleFile = new RoleFile(settings.dir);
    const start = roleFile.recall({ ...settings, keepsState: disk !== null }, this.journal);
    if (disk !== null && start.emptied && start.sources.length === 0)
      this.tellEmpty = () => roleFile.tellEmpty(start, this.journal);
    return new NodeCore({
      role: start.role,
      upstream: start.upstream,
      sources: start.sources,
      resignation: start.resignation ?? null,
      fence: start.fence,
      ask: (sources, withinMs, done, announcement) =>
        askSources(sources, settings.replPassword, withinMs, done, announcement),
      ...roleFile.recallConsent(start.upstream, settings.allowReset, this.journal),
      keepConsent: roleFile.keepConsent,
      remember: roleFile.write,
      recovers: disk !== null || embedded !== null,
      identity,
      state: this.bridge ?? new ArenaState(this.store, (snapshot) => this.pool.frozen(snapshot)),
      checkpointSource: embedded?.checkpointSource ?? null,
      backlog: logOptions(
        settings,
        disk?.store ?? null,
        this.bridge ? null : this.store.parts.pool,
      ),
      feederOptions: settings,
      sessionOptions: settings,
      nearness: settings,
      synchronous: settings,
      shell: this.socket,
      keeper: this.partFile,
      turnShell: this.loopTurns,
      nextTurn: (run) => setImmediate(run),
      later: (ms, run) => setTimeout(run, ms).unref(),
      now: () => performance.now(),
      wallClock: Date.now,
      random: Math.random,
      randomId,
      journal: this.journal,
      onMoved: () => this.emitter.sessionMoved(),
      address: () => this.address(),
      onVerify: (message) => this.inspection.onVerify(message),
      onDigest: (link, answer) => this.inspection.onDigest(link, answer),
    });
  }

  /** Keeps a half received snapshot in --dir. */
  private openPartFile(dir: string): PartFile {
    return new PartFile(dir, (event, fields) =>
      this.journal(event === "part_file_found" ? "info" : "warn", event, fields),
    );
  }

  // --- parts, for the client port, status and tests ----------------------------------------------

  /** Null on a node over the built-in store. */
  get bridge(): BridgedState | null {
    return this.embedded?.bridge ?? null;
  }
  get role(): "primary" | "replica" {
    return this.core.role;
  }
  get identity(): Identity {
    return this.core.identity;
  }
  get backlog(): Backlog {
    return this.core.backlog;
  }
  get feeder(): Feeder {
    return this.core.feeder;
  }
  get session(): Session {
    return this.core.session;
  }
  get checkpoints(): Checkpointer | null {
    return this.core.checkpointer;
  }
  get stateGeneration(): number {
    return this.core.roles.swaps;
  }

  /** A line of the log, and the event that it is. */
  readonly journal = (level: Level, event: string, fields: Fields): void => {
    this.eventLog.note(Date.now(), level, event, fields);
    this.emitter.line(level, event, fields);
    this.logger[level](event, fields);
  };

  // --- life ------------------------------------------------------------------------------------

  /**
   * Takes up what an earlier process left in --dir. It takes its time and does not hold the loop;
   * whoever asks the node meanwhile is answered. A log and a state on disk are recovered here.
   */
  async open(): Promise<void> {
    this.begin("built", "opening");
    await this.partFile?.open();
    if (!this.isStopped) await this.openState();
    if (!this.isStopped) this.#life = "open";
  }

  private async openState(): Promise<void> {
    const { core, embedded, disk } = this;
    const found = embedded === null ? await disk?.open(core) : await embedded.open(core, disk);
    if (disk !== null && found === "nothing") this.tellEmpty();
  }

  /**
   * Opens the replication port and, on a replica, dials. Resolves with the port; on a primary that asks who
   * followed it what its disk has lost, when that is over.
   * @throws the system's error, when the port is taken
   * @throws {DiskError} when it may not lead, because something is missing that nobody has
   */
  async listen(): Promise<number> {
    this.begin("open", "listening");
    this.replPort = await this.server.listen(this.settings.replPort, this.settings.bind);
    if (this.isStopped) throw stoppedError();
    this.server.start();
    this.core.roles.start();
    await this.reclaimed();
    return this.replPort;
  }

  private async reclaimed(): Promise<void> {
    const { reclaiming, roles } = this.core;
    if (reclaiming === null) return;
    const isOver = (): boolean => reclaiming.failure !== null || !isReclaiming(roles.now);
    await this.until(() => isOver() || this.isStopped, Number.POSITIVE_INFINITY);
    if (reclaiming.failure !== null) throw reclaiming.failure;
    if (this.isStopped) throw stoppedError();
  }

  private begin(from: Life, to: Life): void {
    if (this.isStopped) throw stoppedError();
    assert(this.#life === from, `the node is ${this.#life}, not ${from}`);
    this.#life = to;
  }

  /** stop() was called; open() and listen() go no further. */
  get isStopped(): boolean {
    return this.#life === "stopped";
  }

  /** The client port that is announced to upstreams. */
  announceClientPort(port: number): void {
    this.clientPort = port;
  }

  /** True at the end of the first turn at which `holds()`, false after `timeoutMs`, Infinity for never. */
  until(holds: () => boolean, timeoutMs: number): Promise<boolean> {
    return awaitTurn(this.turn, holds, timeoutMs);
  }

  /** It is connected and has all that its upstream had said it has; a primary always does. */
  get isSynced(): boolean {
    if (this.role === "primary") return true;
    const { session } = this;
    return (
      session.state.kind === "streaming" && owedBytes(session, session.root.upstreamNext) === 0
    );
  }

  /** Whether sockets and threads keep the process alive; they do at first, and while it stops. */
  setRef(isRef: boolean): void {
    this.server.setRef(isRef);
    this.socket.setRef(isRef);
    this.pool.setRef(isRef);
    this.disk?.setRef(isRef);
  }

  async stop(save: StopSave = "auto"): Promise<boolean> {
    this.#life = "stopped";
    this.setRef(true);
    this.core.failover.stopped();
    this.core.roles.stop();
    this.socket.close();
    // Beside the drain: replicas are fed to their end, the state changes no more.
    const saved = lastCheckpoint(this, save);
    const lacking = await this.server.close(DRAIN_MS);
    await saved;
    this.loopTurns.close();
    for (const each of lacking) this.journal("warn", "replica_left_behind", lackingFields(each));
    this.feeder.cutWaiters();
    this.identity.keepPeers();
    this.core.checkpointer?.stop("the node stops");
    await this.pool.close();
    await this.partFile?.close();
    this.backlog.seal();
    this.backlog.persist();
    const failure = (await this.disk?.stop()) ?? null;
    if (failure !== null) this.journal("error", "disk_trouble", { why: failure.message });
    if (this.disk !== null && this.core.isKeptWhole) this.identity.stoppedComplete();
    await this.embedded?.close();
    this.lock?.free();
    return lacking.length === 0;
  }

  // --- the log, for clients --------------------------------------------------------------------

  get log(): WritableLog {
    return this.backlog;
  }

  writeRefusal(): WriteRefusal {
    return this.core.writeRefusal(this.diskTrouble);
  }

  /** There is a log on disk. */
  get keepsLog(): boolean {
    return this.disk !== null;
  }

  /** Why the disk takes nothing; null when it does, or there is none. */
  get diskTrouble(): DiskTrouble | null {
    return this.disk?.store.trouble ?? null;
  }

  /** A planned failover holds writers, or so much is not written. Of a disk that takes nothing they are refused. */
  private get isHeld(): boolean {
    if (this.core.roles.now.kind === "paused") return true;
    return !this.backlog.takesMore && this.diskTrouble === null;
  }

  relieveMemory(overBytes: number): number {
    return this.core.relieveMemory(overBytes);
  }

  get fenced(): string {
    return this.core.view.fenced;
  }

  isLoading(): boolean {
    return !hasState(this.core.roles.now);
  }

  writersPaced(): boolean {
    // A replica refuses writes at once.
    return (this.feeder.pacing.isPacing || this.isHeld) && this.role === "primary";
  }

  mayWrite(turn: WriterTurn, bytes: number): boolean {
    return !this.isHeld && this.feeder.pacing.mayWrite(turn, bytes, performance.now());
  }

  onWritersResumed(turn: WriterTurn, resume: () => void): () => void {
    if (this.isHeld) return this.turn.until(() => !this.isHeld, resume);
    return this.feeder.pacing.waitToWrite(turn, resume, performance.now());
  }

  writersPaused(): boolean {
    return this.isHeld || this.feeder.pacing.paused(performance.now());
  }

  // --- roles -----------------------------------------------------------------------------------

  follow(host: string, port: number, consent: Consent): string | null {
    return this.core.roles.follow(consent, { host, port });
  }

  promote(force: boolean, done: Promoted): string | null {
    return (force ? null : clockRefusalOf(this.core)) ?? this.core.roles.promote(force, done);
  }

  get failover(): Failover {
    return this.core.failover;
  }

  /** Whom the session dials; before a source is chosen, the first of them, for display. Nobody when it is fenced. */
  private get target(): Address {
    return upstreamOf(this.core.roles.now) ?? this.settings.seedFrom[0] ?? { host: "", port: 0 };
  }

  private address(): NodeAddress {
    const { announceHost, announcePort, announceReplPort } = this.settings;
    return {
      host: announceHost,
      clientPort: announcePort || this.clientPort,
      replPort: announceReplPort || this.replPort,
    };
  }

  // --- figures and events ----------------------------------------------------------------------

  events(): readonly KeptEvent[] {
    return this.eventLog.list();
  }

  /** The newest sealed position of the log; on a replica what is applied. */
  get position(): Position {
    return this.core.position;
  }

  status(): NodeStatus {
    const address = this.address();
    const status = nodeStatus(this.core, this.target, address, performance.now(), Date.now());
    return { ...status, recovery: this.disk?.status ?? null, disk: diskStatus(this) };
  }

  get logOnDisk(): LogOnDisk | null {
    return this.disk?.logOnDisk(this.backlog.watermarks) ?? null;
  }

  settingsChanged(): void {
    this.nearness.review();
    this.synchronous.settingsChanged();
    if (this.disk?.store.isBegun === true) this.disk.reviewKept();
    this.disk?.settingsChanged();
    this.confirmByPolicy();
    this.turn.want();
  }

  private confirmByPolicy(): void {
    this.turn.confirmsDurable = this.disk !== null && this.settings.fsync === "always";
  }
}

function stoppedError(): Error {
  return new Error("the node was stopped while it started");
}
