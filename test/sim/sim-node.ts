/**
 * One node of a simulation: the shipped NodeCore over the shipped store, with virtual sockets,
 * timers, serializer and disk. Decides nothing by itself.
 */
import { HawserError, StoreError } from "../../src/errors.ts";
import { Identity } from "../../src/node/identity.ts";
import { expireKeys } from "../../src/node/housekeeping.ts";
import { Keyspace, type KeyspaceNode } from "../../src/node/keyspace.ts";
import { NodeCore } from "../../src/node/core.ts";
import type { Address } from "../../src/net/address.ts";
import type { WriteRefusal } from "../../src/node/api.ts";
import { decodeNode } from "../../src/node/node-memory.ts";
import { keptFor } from "../../src/node/kept-consent.ts";
import { type RoleMemory, startingRole } from "../../src/node/role-memory.ts";
import {
  fenceOf,
  isReclaiming,
  seedingOf,
  STOPPED,
  upstreamOf,
  writeRefusal,
} from "../../src/node/roles.ts";
import type { TurnShell } from "../../src/node/turn.ts";
import type { SeedAnswer } from "../../src/node/seed-choice.ts";
import type { Backlog } from "../../src/log/backlog.ts";
import { type LogStore, MEMORY_ONLY } from "../../src/log/log-store.ts";
import { chainStart } from "../../src/wire/frame.ts";
import type { Feeder } from "../../src/primary/feeder.ts";
import type { Fields, Level } from "../../src/primary/journal.ts";
import type { Link } from "../../src/primary/link.ts";
import type { FeederOptions } from "../../src/primary/options.ts";
import type { FrozenState } from "../../src/store/state.ts";
import { newWriterTurn, type WriterTurn } from "../../src/primary/pace.ts";
import { Inquiry, type Said } from "../../src/replica/inquiry.ts";
import type { SessionOptions } from "../../src/replica/options.ts";
import type { Session } from "../../src/replica/session.ts";
import type { Store } from "../../src/store/store.ts";
import type { Consent, DigestAnswer, Id, Verify } from "../../src/wire/messages.ts";
import type { Random } from "../../tools/random.ts";
import { type Clock, SimError } from "./clock.ts";
import { type Disk, DiskKeeper } from "./disk.ts";
import type { Connection, Host, Network } from "./network.ts";
import type { RecoveredNode } from "../../src/node/disk/disk-recovery.ts";
import { NodeOnDisk } from "./node-on-disk.ts";
import type { SimReplies } from "./sim-replies.ts";
import { type Lie, SimOut, SimShell } from "./sim-shell.ts";
import { SimLogStore } from "./sim-log-store.ts";
import { makeState, type NodeState } from "./node-state.ts";
import { SimSource, type Stepped } from "./sim-source.ts";
import type { Draft } from "./workload.ts";

const TICK_MS = 100;
const OK = Buffer.from("+OK\r\n");
/** Slices of the store's housekeeping in one tick. */
const TIDY_SLICES = 3;
/** A state that answers later fails at so many calls. */
const STATE_FAILS = 0.002;
/** So many of one that an embedder has: a failure has three ways, and one of them costs nothing. */
const PUBLIC_STATE_FAILS = 0.03;

export interface NodeSettings {
  readonly feeder: FeederOptions;
  readonly session: SessionOptions;
  readonly backlogBytes: number;
  readonly backlogTtlMs: number;
  readonly logSegmentBytes: number;
  readonly arenaSegmentBytes: number;
  readonly indexPageEntries: number;
  readonly ringSlots: number;
  readonly slotBytes: number;
  /** A turn of the loop comes within this. */
  readonly loopMs: number;
  /** A piece of work of the disk takes up to this. */
  readonly diskMs: number;
  /** What snapshots may pin at least. */
  readonly pinnedBytesMin: number;
  /** Chunks between two checkpoints of the part file; 0 for no part file. */
  readonly syncEvery: number;
}

/** How a process ends: with its machine, alone, or as it was told to, with everything on its disk. */
export type Ending = "machine" | "process" | "ended";

/** What its command line says; what its disk remembers may win. */
export interface SimFlags {
  readonly role: "primary" | "replica";
  /** Whom a replica follows, by name. */
  readonly of: string;
  /** --seed-from, by name. */
  readonly sources: readonly string[];
}

/** What a node needs of the simulation around it. */
export interface World {
  readonly clock: Clock;
  readonly random: Random;
  readonly net: Network;
  readonly settings: NodeSettings;
  /** Nodes have a store behind their log. */
  readonly logStores: boolean;
  /** Draws what state a node has and when it answers, apart from all else. */
  readonly stateRandom: Random;
  /** Some nodes have a Map for their state. */
  readonly withMaps: boolean;
  /** All nodes have a public state over the bridge. */
  readonly publicStates: boolean;
  /** Faults are over. */
  readonly peace: boolean;
  /** Promises are about to be kept: what waits for them runs before the next event. */
  promised(): void;
  /** Runs what comes from a promise; what it throws ends the run. */
  guarded(run: () => void): void;
  /** What the state is at a place of the log. */
  digestAt(offset: number, chain: number): string | undefined;
  node(name: string): SimNode | undefined;
  randomId(): Id;
  /** Counts a path that was taken. */
  mark(what: string): void;
  trace(node: SimNode, event: string, fields: Fields): void;
  /** The node logged the deletion of a key whose time is over. */
  onExpiry(node: SimNode): void;
  /** A replica's answer to VERIFY. */
  onDigest(node: SimNode, link: Link, answer: DigestAnswer): void;
  /** Its next start goes by that. */
  remembered(node: SimNode, role: RoleMemory): void;
  /** It has what was on its disk. */
  onOpened(node: SimNode, found: RecoveredNode | null): void;
  /** Its machine died, or its process ended because its disk failed: another starts in a while. */
  onDown(node: SimNode, how: "machine" | "process"): void;
  /** Its state failed a while ago: somebody looks at it. */
  onFailed(node: SimNode): void;
  /** Something ran on the node. */
  observe(node: SimNode): void;
}

/** A replica id that outlives the process. */
class KeptIdentity extends Identity {
  constructor(mint: () => Id, disk: Disk) {
    super("", mint);
    disk.incarnation += 1;
    Object.assign(this, { storeId: disk.replicaId, incarnation: disk.incarnation });
  }
}

/** Tells of every key that it deletes because its time is over. */
class WatchedKeyspace extends Keyspace {
  private readonly onExpiry: () => void;

  constructor(of: KeyspaceNode, onExpiry: () => void) {
    super(of);
    this.onExpiry = onExpiry;
  }

  override dropExpired(bytes: Buffer, from: number, to: number): void {
    super.dropExpired(bytes, from, to);
    this.onExpiry();
  }
}

export class SimNode implements Host, TurnShell {
  readonly name: string;
  readonly world: World;
  readonly disk: Disk;
  readonly held: NodeState;
  readonly core: NodeCore;
  /** As its clients write to it. */
  readonly keys: Keyspace;
  dead = false;
  readonly flags: SimFlags;
  /** What its sources answered in the newest round. */
  answers: readonly SeedAnswer[] = [];
  /** Who has answered in any round: one that is silent follows whom it followed. */
  readonly haveAnswered = new Set<Id>();
  /** It was told to be a primary, whether it had a state or not. */
  forced = false;
  /** That is being done now. */
  isPromotedByHand = false;
  /** A bit of its log went bad. */
  rotten = false;
  /** Its upstream's records of which it takes so many more and then none. */
  refusesAfter = Number.POSITIVE_INFINITY;
  /** Its state has failed at something that is no refusal. */
  failing = false;
  /** What its state was made to fail at in this life: an answer may come after that is over. */
  readonly failures = new Set<"full" | "failed">();
  /** Only such a record is refused as is not the first of its batch. */
  refusesInside = true;
  /** Added to the wall clock. */
  clockJumpMs = 0;
  /** Every turn of its loop comes later by up to this. */
  slowMs = 0;
  /** Its one client: records that it still wants to write, the next of them, since when it waits. */
  wanted = 0;
  draft: Draft | null = null;
  /** It waits for the end of a planned failover. */
  isWriterHeld = false;
  readonly turn: WriterTurn = newWriterTurn();
  readonly sources = new Set<SimSource>();
  /** A chunk that goes bad when it is written to a socket. */
  lie: Lie | null = null;
  readonly outs = new Set<SimOut>();
  /** Behind its log; null when that is in memory alone, or on its disk. */
  logStore: SimLogStore | null = null;
  /** Its log and state on its disk; null when they are in memory alone. */
  readonly onDisk: NodeOnDisk | null;
  private readonly shell: SimShell;
  /** A turn is over in this event. */
  turned = false;
  /** So is its tick. */
  ticked = false;
  private wakeAtMs = Number.POSITIVE_INFINITY;
  private waiting: (() => void)[] | null = null;
  /** How it broke the contract of its state. */
  private breached = "";

  constructor(world: World, name: string, flags: SimFlags, disk: Disk) {
    this.name = name;
    this.world = world;
    this.disk = disk;
    this.flags = flags;
    this.shell = new SimShell(
      this,
      () => this.upstream,
      () => this.session,
    );
    this.onDisk = disk.log === null ? null : new NodeOnDisk(this.diskHost(), disk.log);
    this.held = makeState(
      {
        random: world.stateRandom,
        settings: world.settings,
        after: (ms, what) => this.after(ms, what),
        refuses: (isInside) => this.refuses(isInside),
        fails: () => this.stateFails(),
        mark: (what) => world.mark(what),
        breach: (what) => this.breach(what),
        serialized: (source) => this.serialized(source),
        run: (what) => world.guarded(() => this.run(what)),
        promised: () => world.promised(),
        name: () => this.identity,
        digestAt: (offset, chain) => world.digestAt(offset, chain),
      },
      world.withMaps && disk.log === null,
      world.publicStates,
    );
    this.core = this.makeCore();
    this.keys = new WatchedKeyspace(
      {
        store: this.store,
        log: this.backlog,
        writeRefusal: () => this.writeRefusal(),
        relieveMemory: (overBytes) => this.core.relieveMemory(overBytes),
      },
      () => world.onExpiry(this),
    );
    this.letRefuse();
    this.every(TICK_MS, () => {
      this.feeder.tick(this.now());
      this.keys.refresh(this.wallClock());
      if (expireKeys(this.keys, () => true)) this.core.turn.want();
      for (let n = 0; n < TIDY_SLICES && this.held.tidy(); n++);
      this.ticked = true;
    });
    this.every(TICK_MS, () => this.session.tick(this.now()));
  }

  private makeLogStore(history: Id): SimLogStore {
    const { world } = this;
    return new SimLogStore({
      random: world.random,
      later: (what) => this.after(world.random.fraction() * world.settings.diskMs, what),
      mark: world.mark.bind(world),
      keepBytes: world.settings.backlogBytes * 4,
      chain: chainStart(history),
    });
  }

  /** Its answers come in events, not as microtasks, of which a run has none. */
  private memoryOnly(): LogStore {
    const soon = (done: () => void): void => this.after(0, done);
    return {
      ...MEMORY_ONLY,
      rename: (_offset, done) => soon(done),
      restart: (_offset, _chain, _fork, done = () => undefined) => soon(done),
      takeBack: (_offset, _chain, done) => soon(done),
    };
  }

  private makeCore(): NodeCore {
    const { world, flags, disk } = this;
    const remembered = disk.node === "" ? null : decodeNode(disk.node);
    const { role, upstream, sources, fence, resignation } = startingRole(
      {
        command: flags.role,
        of: flags.of === "" ? null : addressOf(flags.of),
        seedFrom: flags.sources.map(addressOf),
        roleFromFlags: false,
        keepsState: disk.log !== null,
      },
      remembered?.role ?? null,
    );
    const { settings } = world;
    const mint = (): Id => world.randomId();
    const { onDisk } = this;
    const identity = onDisk === null ? new KeptIdentity(mint, disk) : new Identity(disk, mint);
    if (onDisk === null && world.logStores) this.logStore = this.makeLogStore(identity.history);
    const store = onDisk?.store ?? this.logStore;
    return new NodeCore({
      role,
      upstream,
      sources,
      fence,
      resignation: resignation ?? null,
      ask: (asked, withinMs, done, announcement) => this.ask(asked, withinMs, done, announcement),
      allowReset: false,
      consent: keptFor(remembered?.consent ?? null, upstream),
      keepConsent: (consent) => {
        if (disk.node !== "") disk.change({ consent });
      },
      remember: (role, consent) => {
        disk.change({ role, consent });
        world.remembered(this, role);
      },
      recovers: onDisk !== null,
      identity,
      state: this.held.state,
      backlog: {
        sizeBytes: settings.backlogBytes,
        ttlMs: settings.backlogTtlMs,
        segmentBytes: settings.logSegmentBytes,
        clock: this.wallClock,
        store: store ?? this.memoryOnly(),
      },
      feederOptions: { ...settings.feeder, chunkBytes: settings.slotBytes },
      sessionOptions: settings.session,
      shell: this.shell,
      keeper: settings.syncEvery === 0 ? null : new DiskKeeper(this, this.disk, settings.syncEvery),
      pinnedBytesMin: settings.pinnedBytesMin,
      turnShell: this,
      nextTurn: (run) => this.after(this.turnMs(), run),
      later: (ms, run) => this.after(ms, run),
      now: this.now,
      wallClock: this.wallClock,
      random: () => world.random.fraction(),
      randomId: mint,
      journal: (_level: Level, event: string, fields: Fields) => world.trace(this, event, fields),
      address: () => ({ host: this.name, clientPort: 0, replPort: addressOf(this.name).port }),
      onVerify: (message) => this.onVerify(message),
      onDigest: (link, answer) => world.onDigest(this, link, answer),
    });
  }

  private diskHost(): ConstructorParameters<typeof NodeOnDisk>[0] {
    const { world } = this;
    return {
      after: (ms, run) => this.after(ms, run),
      now: this.now,
      wallClock: this.wallClock,
      mark: (what) => world.mark(what),
      diskMs: world.settings.diskMs,
      crashed: (where) => {
        world.trace(this, "machine_died", { where });
        world.onDown(this, "machine");
      },
      failed: (why) => {
        world.trace(this, "cannot_recover", { why });
        this.after(this.turnMs(), () => world.onDown(this, "process"));
      },
      onTrouble: (trouble) => {
        world.trace(this, "disk_trouble", { why: trouble?.message ?? "" });
        const { turn } = this.core;
        if (trouble?.isFatal === true) turn.dropReplies();
        else turn.diskTakes(trouble === null);
        // Why later: the process ends by itself, with what it has still to do.
        if (trouble?.isFatal === true)
          this.after(this.turnMs(), () => world.onDown(this, "process"));
      },
    };
  }

  /** All side by side, each over a connection of its own. */
  private ask(
    sources: readonly Address[],
    withinMs: number,
    done: (answers: readonly SeedAnswer[]) => void,
    announcement: Said | null = null,
  ): void {
    const answers: SeedAnswer[] = [];
    if (sources.length === 0) this.after(this.turnMs(), () => done(answers));
    for (const source of sources) {
      const shell = new SimShell(
        this,
        () => source.host,
        () => inquiry,
      );
      const inquiry: Inquiry = new Inquiry({
        shell,
        password: "",
        randomId: () => this.world.randomId(),
        timeoutMs: withinMs,
        announcement,
        onAnswer: (state, error) => {
          answers.push({ source, state, error });
          if (answers.length < sources.length) return;
          if (announcement === null) this.noteAnswers(answers);
          this.after(this.turnMs(), () => done(answers));
        },
      });
      inquiry.start(this.now());
      this.after(withinMs, () => inquiry.tick(this.now()));
    }
  }

  private noteAnswers(answers: readonly SeedAnswer[]): void {
    this.answers = answers;
    for (const { state } of answers) if (state !== null) this.haveAnswered.add(state.nodeId);
  }

  // --- its parts ---------------------------------------------------------------------------------

  /** Not yet a primary while it asks its followers: its log is fed, and nobody writes to it. */
  get role(): "primary" | "replica" {
    return this.reclaims ? "replica" : this.core.role;
  }
  /** It led, and asks those that followed it before it leads again. */
  get reclaims(): boolean {
    return isReclaiming(this.core.roles.now);
  }
  /** Whom it follows; "" on a primary, and before a source was chosen. */
  get upstream(): string {
    return upstreamOf(this.core.roles.now)?.host ?? "";
  }
  /** It was started to lead, and has not got there. */
  get seeds(): boolean {
    return seedingOf(this.core.roles.now) !== null;
  }
  /** A planned failover holds its writers. */
  get holdsWriters(): boolean {
    return this.core.roles.now.kind === "paused";
  }
  /** Somebody led with a higher rank. */
  get fenced(): boolean {
    return fenceOf(this.core.roles.now) !== null;
  }
  get identity(): Identity {
    return this.core.identity;
  }
  get store(): Store {
    return this.held.store;
  }
  /** Its state is a Map that answers later. */
  get hasMap(): boolean {
    return this.held.state.answers === "later";
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
  /** Bumped by every swap: where the state may legally jump. */
  get resyncs(): number {
    return this.core.roles.swaps;
  }

  readonly now = (): number => this.world.clock.nowMs;
  readonly wallClock = (): number => Math.floor(1_700_000_000_000 + this.now() + this.clockJumpMs);

  private serialized(stepped: Stepped): FrozenState {
    const source = new SimSource(this, stepped);
    this.sources.add(source);
    return source;
  }

  /** Summed at once, answered when a worker would be done. */
  private onVerify(message: Verify): void {
    const { seed, buckets, verifyId } = message;
    const digest = this.held.digest({ seed, buckets });
    this.after(this.world.random.fraction() * 5, () =>
      this.session.answerVerify({
        type: "digest",
        verifyId,
        records: digest.records,
        sum: digest.sum,
        buckets: [...digest.buckets],
      }),
    );
  }

  // --- as Host -----------------------------------------------------------------------------------

  get stopped(): boolean {
    return this.waiting !== null;
  }

  run(what: () => void): void {
    if (this.dead) return;
    if (this.waiting !== null) {
      this.waiting.push(what);
      return;
    }
    what();
    if (this.breached !== "") this.breach(this.breached);
    // Its machine may have died in it.
    if (this.lives) this.world.observe(this);
  }

  after(delayMs: number, what: () => void): void {
    this.world.clock.in(delayMs, () => this.run(what));
  }

  private every(periodMs: number, what: () => void): void {
    const phaseMs = this.world.random.fraction() * periodMs;
    const again = (): void => {
      if (this.dead) return;
      what();
      this.after(periodMs, again);
    };
    this.after(phaseMs, again);
  }

  private get lives(): boolean {
    return !this.dead;
  }

  /** SIGSTOP, or a loop that is blocked. */
  stop(): void {
    this.waiting ??= [];
  }

  /** SIGCONT: what piled up runs in order. */
  cont(): void {
    const { waiting } = this;
    this.waiting = null;
    for (const what of waiting ?? []) this.run(what);
  }

  /** A process without a disk dies the same, with its machine or alone. */
  kill(how?: Ending): void {
    if (this.dead) return;
    this.dead = true;
    const { log } = this.disk;
    const ending = how ?? log?.random.pick(["machine", "process"] as const);
    if (ending !== undefined && ending !== "ended") log?.die(ending);
    for (const connection of this.world.net.standing)
      for (const side of [0, 1] as const)
        if (connection.hosts[side] === this) connection.destroy(side, false);
  }

  // --- its loop ----------------------------------------------------------------------------------

  turnMs(): number {
    const { random } = this.world;
    return 0.001 + random.fraction() * (this.world.settings.loopMs + this.slowMs);
  }

  accept(connection: Connection): void {
    this.run(() => {
      const out = new SimOut(this, connection);
      this.outs.add(out);
      const link = this.feeder.accept(connection.hosts[0].name, out, this.now());
      out.taker = link;
      connection.bind(1, {
        read: (bytes, length) => link.onBytes(bytes, 0, length, this.now()),
        closed: (reason) => {
          this.outs.delete(out);
          link.onSocketClosed(reason, "the connection ended");
        },
      });
    });
  }

  soon(run: () => void): void {
    this.after(this.turnMs(), () => {
      this.turned = true;
      run();
    });
  }

  /** A wake that is no longer wanted comes all the same: a turn more does no harm. */
  wakeAt(wantedMs: number, nowMs: number, wake: () => void): void {
    if (!Number.isFinite(wantedMs)) return;
    const atMs = Math.max(wantedMs, nowMs + 1);
    if (atMs >= this.wakeAtMs && this.wakeAtMs > nowMs) return;
    this.wakeAtMs = atMs;
    this.after(atMs - nowMs, () => {
      this.wakeAtMs = Number.POSITIVE_INFINITY;
      wake();
    });
  }

  // --- roles -------------------------------------------------------------------------------------

  start(): void {
    this.run(() => {
      if (this.open()) this.core.roles.start();
    });
  }

  /** False when its machine died meanwhile. */
  private open(): boolean {
    const { onDisk } = this;
    if (onDisk === null) return true;
    return onDisk.attempt(() => this.world.onOpened(this, onDisk.open(this.core)));
  }

  /** SIGTERM. @returns whether all that it had is durable; false too when its machine died meanwhile */
  end(): boolean {
    const { core, onDisk } = this;
    const end = { isWhole: false };
    this.run(() => {
      core.roles.stop();
      core.identity.keepPeers();
      core.checkpointer?.stop("the node stops");
      core.backlog.seal();
      core.backlog.persist();
      onDisk?.attempt(() => {
        end.isWhole = onDisk.stop();
      });
    });
    return end.isWhole && this.lives;
  }

  follow(upstream: string, consent: Consent): void {
    this.run(() => {
      this.failing = false;
      this.core.roles.follow(consent, addressOf(upstream));
    });
  }

  /** REPLICAOF NO ONE [FORCE]; `accepted` is called when it answers OK to it, sooner or later. */
  /** `failed`: what it had received could not be applied, and it stays a replica. */
  promote(force: boolean, accepted: () => void, failed: () => void): void {
    this.run(() => {
      this.forced = force;
      const isTorn = this.session.torn;
      const isHandingOver = ["paused", "resigned"].includes(this.core.roles.now.kind);
      // It may be over before the call is.
      const ends: (string | null)[] = [];
      let tell = (end: string | null): void => void ends.push(end);
      this.isPromotedByHand = true;
      const refused = this.core.roles.promote(force, (refusal) => tell(refusal));
      this.isPromotedByHand = false;
      if (refused === null) {
        accepted();
        tell = (end) => {
          if (end !== null && end !== STOPPED) failed();
        };
        ends.forEach(tell);
        if (this.session.isBusy) this.world.mark("promotion waits for the state");
      } else if (!isHandingOver)
        this.world.mark(`promotion ${isTorn ? "of a torn state" : "without a state"} refused`);
    });
  }

  // --- the primary's clients -----------------------------------------------------------------------

  /** As src/node/node.ts. */
  private writeRefusal(): WriteRefusal {
    const refusal = writeRefusal(this.core.roles.now);
    return refusal === null && this.isDiskInTrouble ? "disk" : refusal;
  }

  /** Its disk takes nothing: clients' writes are refused. */
  get isDiskInTrouble(): boolean {
    return (this.onDisk?.store.trouble ?? null) !== null;
  }

  /** The reply to a write of `out`, which ends at the log's end; `sent` is called when it goes out. */
  reply(out: SimReplies, sent: () => void): void {
    out.wroteTo = this.backlog.tail;
    const isHeld = this.core.turn.holdReply(out, OK);
    if (isHeld) out.waiting.push(sent);
    else sent();
  }

  /** One change, applied and logged in one step; false when it was refused. */
  write(change: (keys: Keyspace) => void): boolean {
    this.core.turn.want();
    try {
      change(this.keys);
      return true;
    } catch (error) {
      if (!(error instanceof HawserError)) throw error;
      return false;
    }
  }

  /** The store gets at most so many bytes more; without a number as many as it wants. */
  limitMemory(more = Number.POSITIVE_INFINITY): void {
    this.held.limit(more);
    if (this.hasMap && Number.isFinite(more)) this.failures.add("full");
    this.refusesAfter = Number.POSITIVE_INFINITY;
  }

  get memoryLimited(): boolean {
    return this.held.isLimited || Number.isFinite(this.refusesAfter);
  }

  /** The store in front of the session, with the refusals of a fault. */
  private letRefuse(): void {
    if (this.hasMap) return;
    const { store } = this;
    const applyRange = store.applyRange.bind(store);
    store.applyRange = (bytes, from, to) => {
      const at = Number.isFinite(this.refusesAfter) ? this.refusedAt(bytes, from, to) : -1;
      if (at !== from) applyRange(bytes, from, at < 0 ? to : at);
      if (at < 0) return;
      store.appliedTo = at;
      throw new StoreError("ERR_STORE_FULL", "no memory, says a fault");
    };
  }

  /** Where the record starts that is refused, -1 for none. */
  private refusedAt(bytes: Buffer, from: number, to: number): number {
    const { done = 0 } = insides(this).applier;
    for (let at = from; at < to; at += 4 + bytes.readUInt32LE(at))
      if (this.refuses(done > 0 || at > from)) return at;
    return -1;
  }

  /** A fault refuses the next record of the upstream; `isInside`: it is not the first of its batch. */
  private refuses(isInside: boolean): boolean {
    if (!Number.isFinite(this.refusesAfter)) return false;
    if ((isInside || !this.refusesInside) && this.refusesAfter <= 0) return true;
    this.refusesAfter -= 1;
    return false;
  }

  private breach(what: string): never {
    this.breached = what;
    throw new SimError(`${this.name}: ${what}`);
  }

  /** Its state, which answers later, fails at something else now and then. */
  private stateFails(): boolean {
    const { world } = this;
    const share = world.publicStates ? PUBLIC_STATE_FAILS : STATE_FAILS;
    if (world.peace || this.role === "primary" || world.stateRandom.fraction() > share)
      return false;
    this.failing = true;
    this.failures.add("failed");
    world.mark("state failed");
    this.after(world.stateRandom.fraction() * 3_000 + 200, () => world.onFailed(this));
    return true;
  }
}

/** What a session keeps to itself: how far it applied, and the chain of what it received. */
export function insides(node: SimNode): Insides & Insides["streaming"] {
  const session = node.session as unknown as Insides;
  return { ...session.streaming, streaming: session.streaming, restorer: session.restorer };
}

interface Insides {
  readonly streaming: {
    /** None where the state answers later: then batches are applied whole. */
    readonly applier: { readonly done?: number };
    readonly receivedChain: number;
  };
  readonly restorer: { readonly isCommitting: boolean };
}

function addressOf(host: string): Address {
  return { host, port: 1 };
}
