/**
 * One node of a simulation: the shipped store, backlog, feeder and session, wired as the daemon
 * wires them (src/daemon/node.ts), with virtual sockets, timers and serializer.
 */
import { Identity } from "../../src/daemon/identity.ts";
import { FeederView, SessionView, type RoleOwner } from "../../src/daemon/roles.ts";
import { Backlog } from "../../src/primary/backlog.ts";
import { Feeder } from "../../src/primary/feeder.ts";
import { promoted } from "../../src/primary/history.ts";
import type { Fields, Level } from "../../src/primary/journal.ts";
import type { Link, LinkOut } from "../../src/primary/link.ts";
import type { FeederOptions } from "../../src/primary/options.ts";
import type { ChunkEvents, ChunkReader, FrozenState } from "../../src/primary/source.ts";
import type { SessionShell } from "../../src/replica/deps.ts";
import type { SessionOptions } from "../../src/replica/options.ts";
import { Session } from "../../src/replica/session.ts";
import { InlineSource } from "../../src/store/inline-source.ts";
import { Store } from "../../src/store/store.ts";
import { chainStart } from "../../src/wire/frame.ts";
import type { Consent, Id, NodeAddress } from "../../src/wire/messages.ts";
import type { Random } from "../tools/random.ts";
import type { Clock } from "./clock.ts";
import type { Connection, Host, Network } from "./network.ts";

const TICK_MS = 100;
const CONNECT_MS = 5_000;
const LINGER_MS = 10_000;

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
}

/** What a node needs of the simulation around it. */
export interface World {
  readonly clock: Clock;
  readonly random: Random;
  readonly net: Network;
  readonly settings: NodeSettings;
  node(name: string): SimNode | undefined;
  randomId(): Id;
  trace(node: SimNode, event: string, fields: Fields): void;
  /** Something ran on the node. */
  observe(node: SimNode): void;
}

/** Ids from the simulation's seed. */
class SimIdentity extends Identity {
  private readonly mint: () => Id;
  constructor(world: World, replicaId: Id) {
    super("", false);
    this.mint = () => world.randomId();
    const fresh = { nodeId: this.mint(), instanceId: this.mint(), history: this.mint() };
    Object.assign(this, fresh, { replicaId, path: [fresh.nodeId] });
  }
  override promote(offset: number): void {
    Object.assign(this, promoted(this, offset, this.mint()));
    this.path = [this.nodeId];
    this.supersededBy = "";
  }
}

export class SimNode implements RoleOwner, Host {
  readonly name: string;
  readonly world: World;
  role: "primary" | "replica";
  readonly identity: Identity;
  readonly store: Store;
  readonly backlog: Backlog;
  readonly feeder: Feeder;
  readonly session: Session;
  everSynced: boolean;
  dead = false;
  /** Bumped by every swap and promotion: what the state may legally jump at. */
  resyncs = 0;
  /** Whom it follows; "" on a primary. */
  upstream = "";
  /** Added to the wall clock. */
  clockJumpMs = 0;
  readonly sources = new Set<SimSource>();
  readonly outs = new Set<SimOut>();
  private readonly view: FeederView;
  private readonly shell: SimShell;
  private promoting = false;
  private turnWanted = false;
  private wakeAtMs = Number.POSITIVE_INFINITY;
  private waiting: (() => void)[] | null = null;

  constructor(world: World, name: string, role: "primary" | "replica", replicaId: Id) {
    this.name = name;
    this.world = world;
    this.role = role;
    this.everSynced = role === "primary";
    const { settings } = world;
    this.identity = new SimIdentity(world, replicaId);
    this.store = new Store({
      arenaSegmentBytes: settings.arenaSegmentBytes,
      indexPageEntries: settings.indexPageEntries,
      hashSeed: [1, 2],
    });
    this.backlog = new Backlog(0, chainStart(this.identity.history), {
      sizeBytes: settings.backlogBytes,
      ttlMs: settings.backlogTtlMs,
      segmentBytes: settings.logSegmentBytes,
      clock: this.wallClock,
    });
    this.view = new FeederView(this);
    this.shell = new SimShell(this);
    this.feeder = this.makeFeeder();
    this.session = this.makeSession();
    this.every(TICK_MS, () => this.feeder.tick(this.now()));
    this.every(TICK_MS, () => this.session.tick(this.now()));
  }

  private makeFeeder(): Feeder {
    return new Feeder({
      options: this.world.settings.feeder,
      backlog: this.backlog,
      source: { freeze: () => this.freeze(), isEmpty: () => this.store.isEmpty() },
      node: this.view,
      journal: this.journal,
      randomId: () => this.world.randomId(),
      wantTurn: () => this.wantTurn(),
      now: this.now,
      onSuperseded: (history) => {
        this.identity.supersededBy = history;
      },
      onDigest: () => undefined,
    });
  }

  private makeSession(): Session {
    return new Session({
      options: this.world.settings.session,
      node: new SessionView(this),
      log: this.backlog,
      state: this.store,
      shell: this.shell,
      counters: this.feeder.counters,
      journal: this.journal,
      random: () => this.world.random.fraction(),
      randomId: () => this.world.randomId(),
      onApplied: () => {
        if (this.backlog.next !== this.feeder.fedTo) this.wantTurn();
      },
      onVerify: () => undefined,
      keeper: null,
    });
  }

  private freeze(): FrozenState {
    const source = new SimSource(
      this,
      new InlineSource(this.store.freeze(), {
        slots: this.world.settings.ringSlots,
        slotBytes: this.world.settings.slotBytes,
      }),
    );
    this.sources.add(source);
    return source;
  }

  readonly now = (): number => this.world.clock.nowMs;
  readonly wallClock = (): number => Math.floor(1_700_000_000_000 + this.now() + this.clockJumpMs);
  private readonly journal = (_level: Level, event: string, fields: Fields): void =>
    this.world.trace(this, event, fields);

  // --- as Host ---------------------------------------------------------------------------------

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
    this.world.observe(this);
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

  kill(): void {
    this.dead = true;
    for (const connection of this.world.net.standing)
      for (const side of [0, 1] as const)
        if (connection.hosts[side] === this) connection.destroy(side, false);
  }

  // --- the feeding side's shell (src/primary/net.ts) -------------------------------------------

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

  wantTurn(): void {
    if (this.turnWanted) return;
    this.turnWanted = true;
    this.after(0.001 + this.world.random.fraction() * 0.02, () => {
      this.turnWanted = false;
      if (this.feeder.turn(this.now())) this.wantTurn();
      else this.scheduleWake();
    });
  }

  private scheduleWake(): void {
    const wakeMs = this.feeder.shipping.nextWakeMs(this.now());
    if (!Number.isFinite(wakeMs)) return;
    const atMs = Math.max(wakeMs, this.now() + 1);
    if (atMs >= this.wakeAtMs && this.wakeAtMs > this.now()) return;
    this.wakeAtMs = atMs;
    this.after(atMs - this.now(), () => {
      this.wakeAtMs = Number.POSITIVE_INFINITY;
      this.wantTurn();
    });
  }

  // --- roles (src/daemon/node.ts) --------------------------------------------------------------

  start(upstream: string): void {
    this.upstream = upstream;
    this.run(() => this.session.start(this.now()));
  }

  follow(upstream: string, consent: Consent): void {
    this.run(() => {
      this.backlog.seal();
      this.session.stop("REPLICAOF another node", this.now());
      this.promoting = false;
      this.upstream = upstream;
      this.identity.giveConsent(consent);
      const wasPrimary = this.role === "primary";
      this.role = "replica";
      if (wasPrimary) this.session.resetToLog();
      this.session.start(this.now());
    });
  }

  promote(): void {
    this.run(() => {
      if (this.role === "primary" || this.promoting) return;
      this.promoting = true;
      this.session.stop("promoted", this.now());
      this.drainThenPromote();
    });
  }

  private drainThenPromote(): void {
    if (!this.promoting) return;
    if (this.session.step(this.now())) {
      this.after(0.01, () => this.drainThenPromote());
      return;
    }
    this.promoting = false;
    this.backlog.dropReceived();
    this.session.resetToLog();
    this.identity.promote(this.backlog.next);
    this.role = "primary";
    this.upstream = "";
    this.everSynced = true;
    this.world.trace(this, "promoted", {
      history: this.identity.history,
      offset: this.backlog.next,
    });
    this.onHistoryChanged("this node was promoted");
  }

  // --- as RoleOwner ----------------------------------------------------------------------------

  hasData(): boolean {
    return !this.store.isEmpty();
  }
  address(): NodeAddress {
    return { host: this.name, clientPort: 0, replPort: 0 };
  }
  onHistoryChanged(why: string): void {
    this.feeder.dropAll("history_changed", "history_changed", why);
  }
  onSwapped(): void {
    this.resyncs += 1;
    this.feeder.upstreamResync();
  }
  onSynced(): void {
    this.everSynced = true;
  }

  // --- the primary's clients -------------------------------------------------------------------

  /** One record, logged and applied in one step. `write` fills bytes[at, at + length). */
  write(length: number, write: (bytes: Buffer, at: number) => void): void {
    const at = this.backlog.append(length);
    write(this.backlog.bytes, at);
    this.store.apply(this.backlog.bytes, at, at + length);
    this.wantTurn();
  }
}

/** A socket's writing side with a link behind it. */
export class SimOut implements LinkOut {
  taker: Link | null = null;
  readonly connection: Connection;
  private readonly node: SimNode;
  private pending: { bytes: Uint8Array; from: number; to: number }[] = [];
  private ended = false;

  constructor(node: SimNode, connection: Connection) {
    this.node = node;
    this.connection = connection;
  }

  write(bytes: Uint8Array, from: number, to: number): void {
    this.pending.push({ bytes, from, to });
  }

  flush(): void {
    const { pending } = this;
    this.pending = [];
    if (this.connection.closedAt(1) || this.ended) return;
    for (const { bytes, from, to } of pending)
      this.connection.pipes[1].write(bytes, from, to, () => this.taker?.onTaken(this.node.now()));
  }

  end(): void {
    this.flush();
    if (this.ended) return;
    this.ended = true;
    this.connection.pipes[1].end();
    this.node.after(LINGER_MS, () => this.connection.destroy(1, true));
  }

  destroy(): void {
    this.pending = [];
    this.connection.destroy(1, true);
  }
}

/** The session's socket (src/replica/net.ts). */
class SimShell implements SessionShell {
  private readonly node: SimNode;
  private connection: Connection | null = null;
  private generation = 0;
  private stepWanted = false;

  constructor(node: SimNode) {
    this.node = node;
  }

  dial(): void {
    const { node } = this;
    const { net, random } = node.world;
    const generation = ++this.generation;
    const current = (): boolean => generation === this.generation;
    const target = node.upstream;
    if (net.blocked.has(`${node.name}>${target}`)) {
      node.after(CONNECT_MS, () => {
        if (current()) node.session.onClosed("connecting took too long", node.now());
      });
      return;
    }
    node.after(net.quality.latencyMs * 2 + random.fraction(), () => {
      if (!current()) return;
      const feeding = node.world.node(target);
      if (feeding === undefined || feeding.dead) {
        node.session.onClosed("connection refused", node.now());
        return;
      }
      this.open(net.connect(node, feeding), feeding, current);
    });
  }

  private open(connection: Connection, feeding: SimNode, current: () => boolean): void {
    const { node } = this;
    let opened = false;
    this.connection = connection;
    connection.bind(0, {
      read: (bytes, length) => {
        if (!current()) return;
        if (!opened) node.session.onConnected(node.now());
        opened = true;
        node.session.onBytes(bytes, 0, length, node.now());
      },
      closed: (reason) => {
        if (!current()) return;
        this.connection = null;
        node.session.onClosed(reason, node.now());
      },
    });
    feeding.accept(connection);
  }

  write(bytes: Buffer): void {
    this.connection?.pipes[0].write(bytes, 0, bytes.length, () => undefined);
  }

  end(): void {
    this.generation += 1;
    this.connection?.pipes[0].end();
    this.connection = null;
  }

  destroy(): void {
    this.generation += 1;
    this.connection?.destroy(0, false);
    this.connection = null;
  }

  wantStep(): void {
    if (this.stepWanted) return;
    this.stepWanted = true;
    const { node } = this;
    node.after(0.001 + node.world.random.fraction() * 0.02, () => {
      this.stepWanted = false;
      if (node.session.step(node.now())) this.wantStep();
    });
  }
}

/** A serializer with a thread's timing, that may crash. */
export class SimSource implements FrozenState {
  private readonly node: SimNode;
  private readonly inline: InlineSource;
  private readonly open = new Set<ChunkEvents>();
  private working = false;
  private closed = false;
  /** ms for one chunk. */
  stepMs = 0.05;

  constructor(node: SimNode, inline: InlineSource) {
    this.node = node;
    this.inline = inline;
  }

  get records(): number {
    return this.inline.records;
  }
  get bytes(): number {
    return this.inline.bytes;
  }

  read(fromChunk: number, events: ChunkEvents): ChunkReader {
    const reader = this.inline.read(fromChunk, events);
    this.open.add(events);
    this.work();
    const release = reader.release.bind(reader);
    reader.release = (chunk) => {
      release(chunk);
      this.work();
    };
    const close = reader.close.bind(reader);
    reader.close = () => {
      this.open.delete(events);
      close();
    };
    return reader;
  }

  private work(): void {
    if (this.working) return;
    this.working = true;
    this.node.after(this.stepMs * (0.5 + this.node.world.random.fraction()), () => {
      this.working = false;
      if (this.inline.step()) this.work();
      else if (this.closed) this.node.sources.delete(this);
    });
  }

  /** The worker dies. */
  crash(): boolean {
    const victims = [...this.open];
    this.open.clear();
    for (const events of victims) events.failed("the worker crashed");
    return victims.length > 0;
  }

  close(): void {
    this.closed = true;
    this.inline.close();
    this.work();
  }
}
