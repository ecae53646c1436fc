/**
 * One run: a cluster, a workload, faults for a while, then peace, in which everything must become
 * equal. Every choice comes from the seed.
 */
import { createHash } from "node:crypto";
import type { Fields } from "../../src/primary/journal.ts";
import type { Link } from "../../src/primary/link.ts";
import type { Consent, DigestAnswer, Id } from "../../src/wire/messages.ts";
import { Random } from "../../tools/random.ts";
import { Checker } from "./checker.ts";
import { Clock, SimError } from "./clock.ts";
import { drawPlan, type Plan } from "./draw.ts";
import type { RoleMemory } from "../../src/node/role-memory.ts";
import type { RecoveredNode } from "../../src/node/disk/disk-recovery.ts";
import { Disk } from "./disk.ts";
import { scheduleDiskFaults } from "./disk-faults.ts";
import { type Armed, injectFault, someNode, watchArmed } from "./faults.ts";
import { scheduleHandOvers } from "./hand-over.ts";
import { LogDisk } from "./log-disk.ts";
import { Network } from "./network.ts";
import { drawMaps } from "./node-state.ts";
import { resignedFor } from "./resignations.ts";
import { SimNode, type Ending, type NodeSettings, type SimFlags, type World } from "./sim-node.ts";
import { drawRecord } from "./workload.ts";

/** Waits for something to be so on some node; true when it is done with. */
type Plot = (node: SimNode) => boolean;

/** Virtual time in which a healed cluster must have become equal. */
const PEACE_MS_MAX = 1_800_000;
/** Parkings, probations and lingering sockets are over by then. */
const AFTERMATH_MS = 150_000;
/** Records that a client has sent and that wait, at most: as a pipeline. */
const WANTED_MAX = 300;
const TRACE_LINES_KEPT = 400;
/** Make other seeds of a run's, for its nodes' states and disks. */
const STATE_SEED = 0x5deece66;
const DISK_SEED = 0x2545f491;
const HAND_OVER_SEED = 0x1f83d9ab;
/** Of how many runs with disks all nodes have one, else so many of them. */
const RUNS_ALL_ON_DISK = 0.5;
const NODES_WITH_DISKS = 0.6;

/** What runs may be about besides their seed. */
export interface RunKind {
  /** Nodes have a store behind their log. */
  readonly logStores?: boolean;
  /** Nodes, or most of them, keep log and state on a disk that crashes. */
  readonly onDisk?: boolean;
  /** All nodes have a public state over the bridge. */
  readonly publicStates?: boolean;
}

/** A disk keeps megabytes of log: through a window of 100 bytes a replica takes half an hour to read them. */
function widened(settings: NodeSettings): NodeSettings {
  const { feeder, session } = settings;
  return {
    ...settings,
    feeder: { ...feeder, windowBytes: Math.max(feeder.windowBytes, 3_000) },
    session: { ...session, windowBytes: Math.max(session.windowBytes, 5_000) },
  };
}

export class Simulation implements World {
  readonly seed: number;
  readonly random: Random;
  readonly clock: Clock = new Clock();
  readonly plan: Plan;
  readonly settings: NodeSettings;
  readonly logStores: boolean;
  readonly stateRandom: Random;
  readonly withMaps: boolean;
  readonly publicStates: boolean;
  /** Promises are kept: who waits for them has to run. */
  private hasPromised = false;
  /** What was thrown outside of an event. */
  private failure: Error | null = null;
  /** Draws which nodes have a disk, and what becomes of it, apart from all else. */
  readonly diskRandom: Random;
  /** Draws planned failovers, apart from all else. */
  readonly handOverRandom: Random;
  /** Share of nodes with a disk. */
  readonly diskShare: number;
  readonly net: Network;
  readonly nodes = new Map<string, SimNode>();
  readonly checker: Checker;
  /** A fault that waits for its phase. */
  armed: Armed | null = null;
  private plots: { readonly untilMs: number; readonly plot: Plot }[] = [];
  readonly marks = new Map<string, number>();
  readonly lines: string[] = [];
  /** Print every line as it happens. */
  verbose = false;
  /** Faults are over. */
  /** Who is to lead in peace; null before. */
  root: SimNode | null = null;
  peace = false;
  peaceMs = 0;
  private readonly traceHash = createHash("sha256");

  constructor(
    seed: number,
    { logStores = false, onDisk = false, publicStates = false }: RunKind = {},
  ) {
    this.seed = seed;
    this.publicStates = publicStates;
    this.logStores = logStores;
    this.diskRandom = new Random(seed ^ DISK_SEED);
    this.handOverRandom = new Random(seed ^ HAND_OVER_SEED);
    const share = this.diskRandom.fraction() < RUNS_ALL_ON_DISK ? 1 : NODES_WITH_DISKS;
    this.diskShare = onDisk && !logStores ? share : 0;
    this.random = new Random(seed);
    this.plan = drawPlan(this.random);
    this.settings = this.diskShare > 0 ? widened(this.plan.settings) : this.plan.settings;
    this.stateRandom = new Random(seed ^ STATE_SEED);
    this.withMaps = drawMaps(this.stateRandom);
    this.net = new Network(this.clock, this.random, { ...this.plan.quality }, (what) =>
      this.mark(what),
    );
    this.checker = new Checker(this);
  }

  // --- as World --------------------------------------------------------------------------------

  node(name: string): SimNode | undefined {
    return this.nodes.get(name);
  }

  randomId(): Id {
    return this.random.bytes(16).toString("hex");
  }

  trace(node: SimNode, event: string, fields: Fields): void {
    this.mark(event);
    const text = Object.entries(fields)
      .map(([name, value]) => `${name}=${short(value)}`)
      .join(" ");
    this.say(`${node.name} ${event} ${text}`);
    this.checker.onEvent(node, event, fields);
  }

  observe(node: SimNode): void {
    this.checker.observe(node);
    watchArmed(this, node);
    if (this.plots.length === 0) return;
    const { nowMs } = this.clock;
    this.plots = this.plots.filter(
      ({ untilMs, plot }) => !this.peace && nowMs <= untilMs && !plot(node),
    );
  }

  /** Asks `plot` after everything that runs on a node, for a while. It may not touch nodes itself. */
  watch(forMs: number, plot: Plot): void {
    this.plots.push({ untilMs: this.clock.nowMs + forMs, plot });
  }

  remembered(node: SimNode, role: RoleMemory): void {
    this.checker.onRemembered(node, role);
  }

  onOpened(node: SimNode, found: RecoveredNode | null): void {
    this.say(`${node.name} has ${found === null ? "nothing" : found.position.offset} on its disk`);
    this.checker.onOpened(node, found);
  }

  onDown(node: SimNode, how: "machine" | "process"): void {
    this.takeDown(node, how, this.diskRandom.pick([1, 100, 2_000]));
  }

  /** Its process dies, or the machine with it; another starts in its place, in peace at once. */
  takeDown(node: SimNode, how: Ending, forMs: number): void {
    if (node.dead) return;
    node.kill(how);
    this.say(`${node.name} is down: ${how}`);
    this.clock.in(this.peace ? 0 : forMs, () => this.bringUp(node));
  }

  /** Whoever is down starts again, unless that was done. */
  bringUp(node: SimNode): void {
    if (!node.dead || this.nodes.get(node.name) !== node) return;
    this.addNode(node.name, node.flags, node.disk).start();
  }

  onFailed(node: SimNode): void {
    if (node.dead || this.peace || node.role !== "replica") return;
    if (node.session.state.kind === "stopped") this.follow(node, node.upstream, "none");
  }

  onExpiry(node: SimNode): void {
    this.checker.onExpiry(node);
  }

  onDigest(node: SimNode, link: Link, answer: DigestAnswer): void {
    this.checker.onDigest(node, link, answer);
  }

  promised(): void {
    this.hasPromised = true;
  }

  guarded(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.failure ??= error as Error;
    }
  }

  digestAt(offset: number, chain: number): string | undefined {
    return this.checker.digestAt(offset, chain);
  }

  mark(what: string): void {
    this.marks.set(what, (this.marks.get(what) ?? 0) + 1);
  }

  say(text: string): void {
    const line = `${this.clock.nowMs.toFixed(3).padStart(12)} ${text}`;
    this.traceHash.update(line);
    this.lines.push(line);
    if (this.lines.length > 2 * TRACE_LINES_KEPT) this.lines.splice(0, TRACE_LINES_KEPT);
    if (this.verbose) console.log(line);
  }

  // --- the run ---------------------------------------------------------------------------------

  /** Runs to the end. Rejects with SimError, or whatever the cores throw. @returns the trace's digest */
  async run(): Promise<string> {
    this.say(`seed ${this.seed} plan ${JSON.stringify(this.plan)}`);
    this.addNode("n0", asPrimary(), this.newDisk()).start();
    for (let n = 1; n < this.plan.nodes; n++) {
      const of = this.random.fraction() < 0.7 ? "n0" : `n${this.random.between(0, n)}`;
      this.addNode(`n${n}`, asReplica(of), this.newDisk()).start();
    }
    this.scheduleWrites();
    this.scheduleFaults();
    // With disks they hand over in failover-life.ts: what the checker here takes for promised does not know of it.
    if (this.diskShare === 0 && !this.publicStates) scheduleHandOvers(this);
    if (this.diskShare > 0) scheduleDiskFaults(this);
    await this.runClock(this.plan.faultMs);
    this.heal();
    const startMs = this.clock.nowMs;
    const equal = await this.runClock(startMs + PEACE_MS_MAX, () => this.settled());
    this.peaceMs = this.clock.nowMs - startMs;
    if (!equal)
      throw new SimError(`not equal ${PEACE_MS_MAX} ms after the last fault: ${this.figures()}`);
    await this.runClock(this.clock.nowMs + AFTERMATH_MS);
    this.checker.final();
    return this.traceHash.digest("hex");
  }

  /** As Clock.run; what waits for a promise that was kept in an event runs before the next one. */
  private async runClock(untilMs: number, done: () => boolean = () => false): Promise<boolean> {
    if (!this.publicStates) return this.clock.run(untilMs, done);
    for (;;) {
      const isCut = this.clock.run(untilMs, () => this.hasPromised || done());
      const isDone = isCut && !this.hasPromised;
      if (this.hasPromised) await this.keepPromises();
      if (isDone || !isCut) return isDone;
    }
  }

  /** All that waits for promises runs. */
  private async keepPromises(): Promise<void> {
    this.hasPromised = false;
    await new Promise((resolve) => setImmediate(resolve));
    if (this.failure !== null) throw this.failure;
  }

  newDisk(): Disk {
    const replicaId = this.randomId();
    const { diskRandom, diskShare, settings } = this;
    if (diskShare === 0 || diskRandom.fraction() >= diskShare) return new Disk(replicaId);
    const log = new LogDisk(new Random(diskRandom.next()), settings.backlogBytes);
    return new Disk(replicaId, log);
  }

  /** Starts a process, in place of the one with this name if there was one. */
  addNode(name: string, flags: SimFlags, disk: Disk): SimNode {
    const node = new SimNode(this, name, flags, disk);
    this.nodes.set(name, node);
    this.checker.onStart(node);
    this.say(`${name} starts as ${node.role} ${short(node.identity.nodeId)}`);
    return node;
  }

  /** A node is gone for good. */
  removeNode(name: string): void {
    const node = this.nodes.get(name);
    if (node === undefined) return;
    this.say(`${name} is gone`);
    node.kill();
    this.nodes.delete(name);
    for (const other of this.nodes.values())
      if (other.role === "replica" && other.upstream === name)
        this.follow(other, this.someOther(other).name, "none");
  }

  /** Somebody else, alive if there is one. */
  private someOther(node: SimNode): SimNode {
    const alive = someNode(this, (other) => other !== node);
    return alive ?? [...this.nodes.values()].find((other) => other !== node)!;
  }

  follow(node: SimNode, upstream: string, consent: Consent): void {
    this.say(`${node.name} follows ${upstream} (${consent})`);
    node.run(() => {
      if (node.holdsWriters) {
        this.say(`${node.name} hands over, and follows nobody`);
        return;
      }
      this.checker.onFollow(node, upstream, consent);
      node.follow(upstream, consent);
    });
  }

  promote(node: SimNode, force = false): void {
    node.promote(
      force,
      () => this.checker.onPromotionAccepted(node),
      () => this.checker.onPromotionFailed(node),
    );
  }

  private scheduleWrites(): void {
    const next = (): void => {
      if (this.peace && this.clock.nowMs > this.plan.faultMs + 2_000) return;
      for (const node of this.nodes.values())
        if (this.random.fraction() < 0.8) this.writeBurst(node);
      if (this.random.fraction() < 0.05) this.verifyCascade();
      const primaries = [...this.nodes.values()].filter((node) => node.role === "primary");
      if (primaries.length > 1) this.mark("two primaries");
      for (const node of this.nodes.values())
        if (node.identity.path.length > 2) this.mark("cascade of three");
      this.clock.in(this.plan.writeEveryMs * (0.2 + 1.6 * this.random.fraction()), next);
    };
    this.clock.in(1, next);
  }

  private writeBurst(node: SimNode): void {
    if (node.dead || node.stopped) return;
    node.run(() => {
      if (node.role !== "primary") return;
      node.wanted = Math.min(
        WANTED_MAX,
        node.wanted + this.random.between(1, this.plan.burstMax + 1),
      );
      if (node.turn.sinceMs < 0 && !node.isWriterHeld) this.writeWanted(node);
      const connection = this.checker.someConnection(node);
      if (this.random.fraction() < 0.1) this.checker.wait(node, connection);
      if (this.random.fraction() < 0.05) this.checker.verify(node);
    });
  }

  /** Writes what is wanted, record by record, as far as writers may; the rest when they may again. */
  private writeWanted(node: SimNode): void {
    const connection = this.checker.someConnection(node);
    for (; node.wanted > 0; node.wanted -= 1, node.draft = null) {
      // Of a disk that takes nothing they are refused.
      if (node.role !== "primary" || node.isDiskInTrouble) break;
      if (node.holdsWriters) {
        this.holdWriter(node);
        return;
      }
      node.draft ??= drawRecord(this.random, this.plan.workload, node.wallClock());
      const { length, change } = node.draft;
      const { pacing } = node.feeder;
      const mayWrite = pacing.mayWrite(node.turn, length, node.now());
      this.checker.onAsked(node, length, mayWrite);
      if (!mayWrite) {
        this.mark("writer waits");
        // Why an event of its own: what is checked of a turn is how it left things, not its writers.
        const resume = (): void => node.after(0, () => this.writeWanted(node));
        pacing.waitToWrite(node.turn, resume, node.now());
        return;
      }
      this.checker.onMemory(node, this.seed % 4 === 0 ? 24 * this.settings.arenaSegmentBytes : 0);
      this.markLarge(node, length);
      const made = node.write(change);
      this.checker.onWrite(node, connection, made);
    }
    node.wanted = 0;
    node.draft = null;
    node.turn.sinceMs = -1;
  }

  /** As src/node/node.ts, whose clients wait until it is known who leads. */
  private holdWriter(node: SimNode): void {
    this.mark("writer held by a failover");
    node.isWriterHeld = true;
    node.turn.sinceMs = -1;
    node.core.turn.until(
      () => !node.holdsWriters,
      () =>
        node.after(0, () => {
          node.isWriterHeld = false;
          if (node.core.roles.now.kind === "leading") this.mark("wrote once a failover was over");
          this.writeWanted(node);
        }),
    );
  }

  private markLarge(node: SimNode, bytes: number): void {
    const { feeder } = this.settings;
    if (bytes > node.backlog.sizeBytes) this.mark("record over backlog");
    if (bytes > feeder.windowBytes) this.mark("record over window");
    if (bytes > feeder.outputCapBytes) this.mark("record over output cap");
    if (bytes > feeder.budgetBytes) this.mark("record over pump budget");
  }

  /** Replicas that feed others are asked as well. */
  private verifyCascade(): void {
    const node = someNode(this, (other) => other.role === "replica" && !other.stopped);
    if (node !== null && node.feeder.links.length > 0) node.run(() => this.checker.verify(node));
  }

  private scheduleFaults(): void {
    const next = (): void => {
      if (this.peace) return;
      injectFault(this);
      this.clock.in(-Math.log(1 - this.random.fraction()) * this.plan.faultEveryMs, next);
    };
    this.clock.in(this.random.fraction() * 2_000, next);
  }

  /** No more faults; one primary, everybody else below it. */
  private heal(): void {
    this.peace = true;
    this.say("--- peace");
    this.net.blocked.clear();
    Object.assign(this.net.quality, {
      latencyMs: Math.min(this.net.quality.latencyMs, 5),
      rate: Math.max(this.net.quality.rate, 100),
      capacity: Math.max(this.net.quality.capacity, 5000),
      pieceMax: Math.max(this.net.quality.pieceMax, 1000),
      flipEvery: 0,
    });
    for (const connection of this.net.standing) for (const pipe of connection.pipes) pipe.heal();
    for (const node of [...this.nodes.values()]) {
      node.disk.log?.calm();
      this.bringUp(node);
    }
    for (const node of this.nodes.values()) {
      node.slowMs = 0;
      node.limitMemory();
      for (const source of node.sources) source.lies = false;
      if (node.stopped) node.cont();
    }
    for (const name of [...this.nodes.keys()]) if (name.endsWith("'")) this.removeNode(name);
    for (const node of this.nodes.values())
      if (node.core.failover.state === "waiting-for-sync")
        node.run(() => void node.core.failover.abort(() => undefined));
    const alive = [...this.nodes.values()];
    const root = this.pickRoot(alive);
    this.root = root;
    // Whoever one has resigned for may lead yet: all are told whom to follow.
    const handsOver = alive.some((node) => resignedFor(node.core.roles.now) !== "");
    this.promote(root, true);
    const placed = [root];
    for (const node of alive) {
      if (node === root) continue;
      const above = this.random.fraction() < 0.6 ? root : this.random.pick(placed);
      const runs = !node.seeds && !node.reclaims && node.session.state.kind !== "stopped";
      const follows = node.role === "replica" && runs;
      const stays = follows && node.upstream === above.name;
      if (!stays || handsOver || this.random.fraction() < 0.5)
        this.follow(node, above.name, "reset");
      else this.checker.onConsentNeeded(node, root);
      placed.push(node);
    }
  }

  /** A primary, or a replica that may become one; the last resort is an empty one. */
  private pickRoot(alive: SimNode[]): SimNode {
    const primaries = alive.filter((node) => node.role === "primary");
    const whole = alive.filter((node) => !node.core.view.torn);
    if (whole.length > 0) return this.random.pick(primaries.length > 0 ? primaries : whole);
    const lost = alive.shift()!;
    lost.kill();
    const fresh = this.addNode(lost.name, asPrimary(), this.newDisk());
    fresh.start();
    alive.unshift(fresh);
    return fresh;
  }

  /** Somebody reads the log line and types REPLICAOF with consent: an earlier one was used up. */
  operatorConsents(node: SimNode): void {
    this.clock.in(1_000, () => {
      if (!node.dead && node.role === "replica") this.follow(node, node.upstream, "reset");
    });
  }

  /** Somebody wants to have it as the primary, though another led with a higher rank: it may follow that one by now. */
  operatorInsists(node: SimNode): void {
    this.clock.in(1_000, () => {
      if (!node.dead && node === this.root && node.role !== "primary") this.promote(node, true);
    });
  }

  /** Everybody is where the one primary is, and streams. */
  private settled(): boolean {
    if (this.clock.nowMs < this.plan.faultMs + 3_000) return false;
    let root: SimNode | null = null;
    for (const node of this.nodes.values())
      if (node.role === "primary") {
        if (root !== null) return false;
        root = node;
      }
    if (root === null || root.backlog.openBytes > 0) return false;
    for (const node of this.nodes.values()) {
      if (node.backlog.next !== root.backlog.next || node.backlog.chain !== root.backlog.chain)
        return false;
      if (node !== root && node.session.state.kind !== "streaming") return false;
      if (node.identity.history !== root.identity.history || node.wanted > 0) return false;
    }
    return true;
  }

  figures(): string {
    return [...this.nodes.values()]
      .map((node) => {
        const { backlog, session } = node;
        const up =
          node.role === "primary" ? "primary" : `${session.state.kind} of ${node.upstream}`;
        return `${node.name} ${up} [${backlog.first},${backlog.next}) tail ${backlog.tail} ${session.lastError}`;
      })
      .join("; ");
  }
}

function short(value: string | number | boolean): string {
  const text = String(value);
  return /^[0-9a-f]{32}$/.test(text) ? text.slice(0, 6) : text;
}

export function asPrimary(sources: readonly string[] = []): SimFlags {
  return { role: "primary", of: "", sources };
}

export function asReplica(of: string): SimFlags {
  return { role: "replica", of, sources: [] };
}
