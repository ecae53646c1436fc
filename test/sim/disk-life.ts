/**
 * A node's log and state on a disk that crashes, without a network: the shipped log in memory, both ends
 * of the log on disk, the opening of a data directory and recovery, on a virtual disk, in virtual time,
 * without threads. Life after life: it writes until it dies at a step of the disk that was drawn, in the
 * midst of a write as often as not, while it runs or while it recovers.
 *
 *   open --> write, seal, persist, want, cut, rename; the far end looks when it is due --> death
 *    ^                                                                                       |
 *    +------------- what must have come back is compared with what was written --------------+
 *
 * What is checked:
 *   - after a crash of the machine all that was ever said to be durable is there, after one of the
 *     process also all that was said to be written, and after a stop everything
 *   - what comes back is exactly a prefix of what was written, in log and state, and under the name that
 *     its history has
 *   - durable <= written <= sealed, at ends of batches, and neither goes back; nothing gets durable after a
 *     sync that failed
 *   - a draft that was let go of never comes back (disk-drafts.ts)
 *   - a crash alone never leaves an incomplete log; after rot of one bit or the loss of a file, less than was
 *     durable comes back only from a log that says so, or with an error
 *
 * Owns: the moves of a life, the checks. Does not own: the disk (virtual-disk.ts), the tree of what was
 * written (truth.ts).
 */
import { DiskError, HawserError } from "../../src/errors.ts";
import { Backlog } from "../../src/log/backlog.ts";
import { DiskLog } from "../../src/log/disk/disk-log.ts";
import type { DiskWord, FromDiskLog, ToDiskLog } from "../../src/log/disk/disk-log-messages.ts";
import { DiskStore } from "../../src/log/disk/disk-store.ts";
import type { LogName } from "../../src/log/history.ts";
import type { FsyncPolicy } from "../../src/log/disk/sync-policy.ts";
import { openDataDirectory } from "../../src/node/disk/data-directory.ts";
import { DiskRecovery, type RecoveredNode } from "../../src/node/disk/disk-recovery.ts";
import { Keyspace, type KeyspaceNode } from "../../src/node/keyspace.ts";
import { chainStart } from "../../src/wire/frame.ts";
import { type Id, NO_SYNC, type Position } from "../../src/wire/messages.ts";
import { Random } from "../../tools/random.ts";
import { SimError } from "./clock.ts";
import { DiskDrafts, type Undecided } from "./disk-drafts.ts";
import { makeState, type NodeState } from "./node-state.ts";
import { digestOf, isPrefix, Truth, Writer, type Boundary } from "./truth.ts";
import { Crash, VirtualDisk, VirtualTree } from "./virtual-disk.ts";
import { drawRecord, type WorkloadSettings } from "./workload.ts";

const WALL_MS = 1_700_000_000_000;
/** As the far end of a node gathers, ms. */
const GATHER_MS = 2;
/** Longer than a log needs to rest, ms. */
const LONG_MS = 3_000;
const OPENINGS_MAX = 200;
const CLUSTER = "c".repeat(32);

interface Plan {
  readonly lives: number;
  /** A life ends within so many steps of the disk. */
  readonly steps: number;
  readonly segmentBytes: number;
  readonly memoryBytes: number;
  readonly fileBytes: number;
  readonly policy: FsyncPolicy;
  readonly workload: WorkloadSettings;
  /** Chance that a call of the disk fails, by kind. */
  readonly writeFails: number;
  readonly syncFails: number;
  readonly fills: boolean;
  /** At the end a bit rots, or a file is lost. */
  readonly rots: boolean;
}

function drawPlan(random: Random): Plan {
  const troubled = random.fraction() < 0.4;
  return {
    lives: random.between(2, 9),
    steps: random.pick([8, 40, 200]),
    segmentBytes: random.pick([300, 2_000, 20_000]),
    memoryBytes: random.pick([0, 1_000, 50_000]),
    fileBytes: random.pick([400, 2_000, 20_000]),
    policy: random.pick(["always", "everysec", "everysec", "no"] as const),
    workload: { keys: 20, valueMax: random.pick([10, 300]), largeEvery: 30, largeMax: 3_000 },
    writeFails: troubled ? 0.05 : 0,
    syncFails: troubled ? 0.02 : 0,
    fills: random.fraction() < 0.2,
    rots: random.fraction() < 0.4,
  };
}

class Words {
  readonly #values = new Map<DiskWord, number>();
  read(word: DiskWord): number {
    return this.#values.get(word) ?? 0;
  }
  write(word: DiskWord, value: number): void {
    this.#values.set(word, value);
  }
}

/** Which history the log is of from an offset on. */
interface Named extends LogName {
  readonly from: number;
}

/** What must come back. */
interface Promised {
  durable: Boundary | null;
  written: Boundary | null;
}

export class DiskLife {
  readonly seed: number;
  readonly lines: string[] = [];
  readonly marks = new Map<string, number>();
  nowMs = 0;
  verbose = false;
  readonly random: Random;
  readonly plan: Plan;
  /** Of drafts alone: runs without them are what they were. */
  readonly draws: Random;
  readonly drafts: boolean;
  undecided: Undecided | null = null;
  readonly disk: VirtualDisk;
  readonly tree: VirtualTree;
  readonly truth = new Truth();
  /** Of the present line, oldest first. */
  names: Named[] = [];
  readonly promised: Promised = { durable: null, written: null };
  #isRotten = false;

  constructor(seed: number) {
    this.seed = seed;
    this.random = new Random(seed ^ 0x5d15c);
    this.plan = drawPlan(this.random);
    this.draws = new Random(seed ^ 0xd2af7);
    this.drafts = this.draws.fraction() < 0.5;
    this.disk = new VirtualDisk(this.random);
    this.tree = new VirtualTree(this.disk, "dir");
  }

  readonly mint = (): Id => this.random.bytes(16).toString("hex");

  mark(what: string): void {
    this.marks.set(what, (this.marks.get(what) ?? 0) + 1);
  }

  say(text: string): void {
    const line = `${this.nowMs.toFixed(1).padStart(9)} ${text}`;
    this.lines.push(line);
    if (this.verbose) console.log(line);
  }

  run(): void {
    this.say(JSON.stringify(this.plan));
    for (let life = 1; life <= this.plan.lives; life++) {
      const process = this.#open();
      const isLast = life === this.plan.lives;
      if (isLast && this.plan.rots && this.plan.policy !== "no") this.#rot(process);
      else this.#live(process);
    }
    if (this.#isRotten) this.#openRotten();
    else this.#open();
  }

  // --- lives -----------------------------------------------------------------------------------

  #live(process: LifeProcess): void {
    const { disk, random, plan } = this;
    disk.crashAt = disk.steps + 1 + random.between(0, plan.steps);
    this.#arm(true);
    try {
      const turns = random.pick([20, 200]);
      for (let turn = 0; turn < turns && !process.isOver; turn++) process.turn();
      if (random.fraction() < 0.3 && process.stop()) {
        this.mark("disk: clean stop");
        const at = process.writer.at;
        Object.assign(this.promised, { durable: at, written: at });
      }
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      this.say(error.message);
    }
    if (process.isOver) this.mark("disk: fsync failed");
    this.#arm(false);
    this.#die();
  }

  #die(): void {
    this.promised.written ??= this.promised.durable;
    if (this.random.fraction() < 0.7) {
      this.disk.crash();
      this.promised.written = this.promised.durable;
      this.mark("disk: the machine crashed");
      this.say("the machine crashes");
    } else {
      this.disk.kill();
      this.mark("disk: the process was killed");
      this.say("the process is killed");
    }
  }

  /** Calls fail now and then, and the disk may be full for a while. */
  #arm(isOn: boolean): void {
    const { disk, random, plan } = this;
    disk.capacity = Number.POSITIVE_INFINITY;
    disk.fail = () => null;
    if (!isOn) return;
    if (plan.fills) disk.capacity = disk.usedBytes + random.between(0, 30_000);
    disk.fail = (call) => {
      if (call === "sync" || call === "syncFolder")
        return random.fraction() < plan.syncFails ? "ERR_DISK_SYNC" : null;
      if (random.fraction() >= plan.writeFails || call === "remove") return null;
      return random.pick(["ERR_DISK_FULL", "ERR_DISK_WRITE"] as const);
    };
  }

  /** Opens, though it may die on the way; each time the same must come back. */
  #open(): LifeProcess {
    const { disk, random } = this;
    for (let tries = 0; tries < OPENINGS_MAX; tries++) {
      if (tries < 4 && random.fraction() < 0.4)
        disk.crashAt = disk.steps + 1 + random.between(0, 25);
      try {
        const process = new LifeProcess(this);
        disk.crashAt = Number.POSITIVE_INFINITY;
        return process;
      } catch (error) {
        if (!(error instanceof Crash)) throw error;
        this.say(error.message);
        this.mark("disk: died while it opened");
        this.#die();
      }
    }
    throw new SimError("it never opens");
  }

  // --- rot ---------------------------------------------------------------------------------------

  /** All is durable and marked; then a bit of a file is another, or a file is gone. */
  #rot(process: LifeProcess): void {
    const { random, tree } = this;
    try {
      for (let turn = random.between(5, 60); turn > 0; turn--) process.turn();
      process.rest();
    } catch (error) {
      // A draft took the log into another generation: nothing rests.
      if (!(error instanceof Crash)) throw error;
      this.#die();
      return;
    }
    this.disk.kill();
    if (this.promised.durable?.offset !== process.backlog.next)
      throw new SimError("a log at rest is not durable");
    const [name] = tree.folders().filter((each) => each.startsWith("generation-"));
    const folder = random.fraction() < 0.1 ? tree.root : tree.folder(name!);
    const names = folder.list().filter((each) => /\.log$|^manifest$/.test(each));
    // Half of the time the newest: nothing behind it says that it was there.
    const file = random.fraction() < 0.5 ? names.sort().at(-1)! : random.pick(names);
    if (random.fraction() < 0.25) {
      folder.lose(file);
      this.say(`${file} is lost`);
      this.mark("disk: a file was lost");
    } else {
      const bytes = Buffer.from(folder.bytesOf(file));
      const at = random.between(0, endOf(bytes));
      bytes[at]! ^= 1 << random.between(0, 8);
      folder.overwrite(file, bytes);
      this.say(`a bit rots in ${file} at ${at} of ${bytes.length}`);
      this.mark("disk: a bit rotted");
    }
    this.#isRotten = true;
  }

  #openRotten(): void {
    let recovered: RecoveredNode | null;
    try {
      recovered = new LifeProcess(this, true).recovered;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.mark("disk: rot refused");
      return;
    }
    if (recovered === null) throw new SimError("what was there passes for a new directory");
    this.mark(recovered.incompleteTo === null ? "disk: rot outlived" : "disk: incomplete");
  }
}

/** One process: from its opening to its death. */
class LifeProcess implements KeyspaceNode {
  readonly backlog: Backlog;
  readonly log: Backlog;
  readonly held: NodeState;
  readonly keys: Keyspace;
  readonly writer: Writer;
  /** What came back; null of a new directory. */
  readonly recovered: RecoveredNode | null = null;
  readonly #life: DiskLife;
  readonly #store: DiskStore;
  readonly #drafts: DiskDrafts;
  readonly #far: DiskLog;
  readonly #words = new Words();
  readonly #toFar: ToDiskLog[] = [];
  readonly #fromFar: FromDiskLog[] = [];
  #looked = false;
  #dueMs = 0;
  #name: Named;
  #durable = 0;
  #written = 0;
  #cutNumber = 0;
  /** `durable` when a sync had failed. */
  #deadAt = -1;

  constructor(life: DiskLife, isRotten = false) {
    this.#life = life;
    const { plan, tree, mint, random } = life;
    const directory = openDataDirectory(tree, mint);
    this.held = this.#makeState();
    this.#store = new DiskStore({
      name: () => this.#name,
      onTrouble: (trouble) => {
        life.say(`trouble: ${trouble?.message ?? "none"}`);
        if (trouble !== null) life.mark("disk: trouble");
        if (trouble?.isFatal === true) this.#deadAt = this.#store.durable;
      },
    });
    const first = mint();
    this.log = this.backlog = new Backlog(0, chainStart(first), {
      sizeBytes: plan.memoryBytes,
      segmentBytes: plan.segmentBytes,
      clock: () => Math.floor(WALL_MS + life.nowMs),
      store: this.#store,
    });
    if (!directory.isNew) this.recovered = this.#recover(directory);
    const at = this.recovered === null ? this.#rootOf() : this.#compare(this.recovered, isRotten);
    this.#name = this.#nameNow(first, at.offset);
    // Before its file begins: a crash in there may leave it under this name.
    life.names.push(this.#name);
    const lastName = this.#name;
    this.writer = new Writer(at, lastName.history);
    this.#beginHistory(lastName, this.recovered?.position ?? null);
    const position = { history: lastName.history, offset: at.offset, chain: at.chain };
    const manifest = this.recovered?.manifest ?? directory.manifest;
    const number = this.recovered?.nextNumber ?? 1;
    const { policy, fileBytes } = plan;
    this.#store.onMoved(() => undefined);
    this.#store.begin(
      {
        words: this.#words,
        tell: (message) => this.#toFar.push(message),
        wake: () => (this.#dueMs = life.nowMs),
        wakeSleeper: () => (this.#dueMs = Math.min(this.#dueMs, life.nowMs + GATHER_MS)),
      },
      at.offset,
    );
    this.#far = new DiskLog(
      { manifest, number, position, name: lastName, fileBytes, policy },
      {
        tree,
        words: this.#words,
        tell: (message) => this.#fromFar.push(message),
        moved: () => (this.#looked = true),
        mint,
        clock: () => Math.floor(WALL_MS + life.nowMs),
        now: () => life.nowMs,
      },
    );
    this.#durable = this.#written = at.offset;
    this.keys = this.#makeKeys();
    const { draws, truth } = life;
    const drafting = {
      random: draws,
      truth,
      get undecided() {
        return life.undecided;
      },
      set undecided(undecided) {
        life.undecided = undecided;
      },
      mark: (what: string) => life.mark(what),
    };
    life.undecided = null;
    this.#drafts = new DiskDrafts(drafting, this, this.#store);
    life.say(`opened at ${at.offset}, file ${number}; ${random.next() % 1000}`);
  }

  // --- as KeyspaceNode -----------------------------------------------------------------------------

  get store(): Keyspace["store"] {
    return this.held.store;
  }
  writeRefusal(): null {
    return null;
  }
  relieveMemory(): number {
    return 0;
  }

  get isOver(): boolean {
    return this.#far.isOver;
  }

  // --- opening -------------------------------------------------------------------------------------

  #makeState(): NodeState {
    const never = (): never => {
      throw new SimError("nothing is frozen here");
    };
    return makeState(
      {
        random: this.#life.random,
        settings: { arenaSegmentBytes: 16_384, indexPageEntries: 16, ringSlots: 1, slotBytes: 500 },
        after: never,
        refuses: () => false,
        fails: () => false,
        mark: () => undefined,
        breach: never,
        serialized: never,
        run: never,
        promised: never,
        name: never,
        digestAt: never,
      },
      false,
    );
  }

  #makeKeys(): Keyspace {
    const noteExpiry = (): void => this.#note();
    return new (class extends Keyspace {
      override dropExpired(bytes: Buffer, from: number, to: number): void {
        super.dropExpired(bytes, from, to);
        noteExpiry();
      }
    })(this);
  }

  #recover(directory: ReturnType<typeof openDataDirectory>): RecoveredNode {
    const recovery = new DiskRecovery({
      root: this.#life.tree.root,
      directory,
      state: this.held.state,
      log: this.backlog,
      onFree: () => undefined,
    });
    while (recovery.step() !== "done");
    return recovery.result!;
  }

  #rootOf(): Boundary {
    const life = this.#life;
    const lost = life.promised.durable ?? life.promised.written;
    if (lost !== null && lost.offset > 0) throw new SimError(`${lost.offset} bytes are lost`);
    const { next, chain } = this.backlog;
    life.names = [];
    Object.assign(life.promised, { durable: null, written: null });
    return life.truth.root(next, chain, digestOf(this));
  }

  /** What came back against what was written and promised. */
  #compare(recovered: RecoveredNode, isRotten: boolean): Boundary {
    const { position, verdict, incompleteTo, lineage } = recovered;
    const life = this.#life;
    const { offset, chain, history } = position;
    if (offset !== this.backlog.next || chain !== this.backlog.chain)
      throw new SimError(`says ${offset}, the log ends at ${this.backlog.next}`);
    const first = life.names[0]!;
    const at =
      offset === 0
        ? life.truth.root(0, chain, digestOf(this))
        : (life.truth.find(offset, chain) ?? this.#decided(offset, chain));
    if (at === undefined) throw new SimError(`came back at ${offset}, which nobody ever wrote`);
    const digest = digestOf(this);
    if (digest !== at.digest)
      throw new SimError(`at ${offset} the state is ${digest}, it was ${at.digest}`);
    if (recovered.differing.length > 0) throw new SimError(recovered.differing.join("; "));
    const isLess = life.promised.written !== null && !isPrefix(life.promised.written, at);
    const isTold = incompleteTo !== null;
    if (isRotten && isLess && !isTold) throw new SimError(`rot: silently back at ${offset}`);
    if (!isRotten && isLess)
      throw new SimError(`back at ${offset}, promised ${life.promised.written!.offset}`);
    if (!isRotten && isTold)
      throw new SimError(`a crash left an incomplete log: ${verdict.reason}`);
    if (verdict.kind === "torn") life.mark("disk: torn tail");
    const before = life.names.findLast(({ from }) => from < offset) ?? first;
    const named = life.names.find(
      (each) => each.history === history && (each === before || each.from === offset),
    );
    if (named === undefined) throw new SimError(`came back as ${history}, not ${before.history}`);
    if (JSON.stringify(lineage) !== JSON.stringify(named.lineage))
      throw new SimError(`came back with the lineage ${JSON.stringify(lineage)}`);
    life.names = life.names.slice(0, life.names.indexOf(named) + 1);
    Object.assign(life.promised, { durable: at, written: at });
    life.mark("disk: recovered");
    return at;
  }

  /** A draft that came back, which the state takes this time. */
  #decided(offset: number, chain: number): Boundary | undefined {
    const life = this.#life;
    const { undecided } = life;
    if (undecided?.offset !== offset || undecided.chain !== chain) return undefined;
    life.mark("disk: draft came back");
    return life.truth.decide(undecided.parent, offset, chain, digestOf(this));
  }

  /** Every opening begins a history. */
  #nameNow(history: Id, offset: number): Named {
    const before = this.#life.names.at(-1);
    if (before === undefined) return { from: 0, history, rank: { term: 1, run: 0 }, lineage: [] };
    const { term, run } = before.rank;
    const lineage = [...before.lineage, { history: before.history, left: offset, term, run }];
    return { from: offset, history, rank: { term, run: run + 1 }, lineage: lineage.slice(-60) };
  }

  // --- living --------------------------------------------------------------------------------------

  /** A turn of the loop, and what the far end does meanwhile. */
  turn(): void {
    const life = this.#life;
    const { random } = life;
    life.nowMs += random.pick([0.1, 1, 20, 400]) * random.fraction();
    this.#hear();
    if (this.#drafts.isBusy) {
      this.#turnWithDraft();
      return;
    }
    if (random.fraction() < 0.7) this.#write();
    this.#endTurn();
    if (life.drafts && life.draws.fraction() < 0.2 && this.#drafts.begin()) {
      this.#turnWithDraft();
      return;
    }
    const draw = random.fraction();
    if (draw < 0.15) this.#store.want(this.#store.handedOver);
    else if (draw < 0.2) this.#rename();
    else if (draw < 0.25) this.#cut();
    else if (draw < 0.28) life.disk.capacity = Number.POSITIVE_INFINITY;
    if (random.fraction() < 0.7) this.#look();
    this.#check();
  }

  /** Nothing is written besides, and nothing is renamed or cut. */
  #turnWithDraft(): void {
    this.#endTurn();
    this.#drafts.step();
    if (this.#drafts.isAstray) {
      this.#life.mark("disk: draft took another generation");
      throw new Crash("the log begins in a generation that nothing makes count here");
    }
    if (this.#life.draws.fraction() < 0.7) this.#look();
    this.#check();
  }

  /** Until nothing is due. */
  rest(): void {
    const life = this.#life;
    life.disk.capacity = Number.POSITIVE_INFINITY;
    for (let n = 0; n < 20; n++) {
      life.nowMs += LONG_MS;
      this.#drafts.step();
      this.#endTurn();
      this.#dueMs = life.nowMs;
      this.#look();
      this.#hear();
      this.#check();
    }
  }

  /** As told by a signal. @returns whether all is durable */
  stop(): boolean {
    if (this.#drafts.isBusy) return false;
    this.#endTurn();
    let error: DiskError | null | undefined;
    this.#store.stop((why) => {
      error = why;
    });
    this.#dueMs = this.#life.nowMs;
    this.#look();
    this.#hear();
    this.#check();
    return error === null;
  }

  #write(): void {
    const { random, plan, nowMs } = this.#life;
    for (let count = random.between(1, 6); count > 0; count--) {
      this.keys.refresh(Math.floor(WALL_MS + nowMs));
      const { change } = drawRecord(random, plan.workload, Math.floor(WALL_MS + nowMs));
      const { tail } = this.backlog;
      try {
        change(this.keys);
      } catch (error) {
        if (!(error instanceof HawserError)) throw error;
      }
      if (this.backlog.tail > tail) this.#note();
      this.#life.truth.seal(this.writer, this.backlog);
    }
  }

  #note(): void {
    const { tail } = this.backlog;
    if (this.writer.pending.at(-1)?.tail === tail) return;
    this.writer.pending.push({ tail, digest: digestOf(this) });
  }

  #endTurn(): void {
    this.backlog.seal();
    this.#life.truth.seal(this.writer, this.backlog);
    this.backlog.persist();
    while (this.backlog.trim(Number.POSITIVE_INFINITY));
  }

  #beginHistory({ history, rank }: LogName, parent: Position | null): void {
    const owner = { clusterId: CLUSTER, storeId: CLUSTER, sync: NO_SYNC } as const;
    this.backlog.beginHistory({ history, rank, parent, ...owner });
    this.writer.begins = history;
  }

  #rename(): void {
    const { next, chain } = this.backlog;
    const parent = { history: this.#name.history, offset: next, chain };
    this.#name = this.#nameNow(this.#life.mint(), next);
    this.#life.names.push(this.#name);
    this.backlog.rename();
    this.#beginHistory(this.#name, parent);
    this.#life.mark("disk: renamed");
  }

  #cut(): void {
    this.#store.cut(this.backlog.next, (number) => {
      if (number === null) return;
      this.#life.mark("disk: cut");
      if (number < this.#cutNumber) throw new SimError(`cut ${number} after ${this.#cutNumber}`);
      this.#cutNumber = number;
    });
  }

  // --- the far end ---------------------------------------------------------------------------------

  #look(): void {
    if (this.#life.nowMs < this.#dueMs || this.#far.isOver) return;
    this.#dueMs = this.#far.step(() => this.#toFar.shift());
  }

  #hear(): void {
    for (let told = this.#fromFar.shift(); told !== undefined; told = this.#fromFar.shift())
      this.#store.hear(told);
    if (this.#looked) this.#store.looked();
    this.#looked = false;
  }

  #check(): void {
    // Until the disk has let go of it nothing new is promised, and what was holds.
    if (this.#drafts.isBack) return;
    const { trouble } = this.#store;
    // A draft may be there, and is no part of the log.
    const written = Math.min(this.#store.written, this.backlog.next);
    // A store whose disk failed for good withdraws what it said; what it had said has to be there all the same.
    const isWithdrawn = trouble?.isFatal === true && this.#store.durable === 0;
    const durable = isWithdrawn ? this.#durable : Math.min(this.#store.durable, this.backlog.next);
    if (durable > written || written > this.#store.handedOver)
      throw new SimError(`durable ${durable}, written ${written}`);
    if (durable < this.#durable || written < this.#written)
      throw new SimError(`durable ${this.#durable} to ${durable}, written went back too`);
    if (this.#deadAt >= 0 && !isWithdrawn && durable > this.#deadAt)
      throw new SimError(`durable ${durable} after a sync had failed at ${this.#deadAt}`);
    this.#durable = durable;
    this.#written = written;
    const { promised } = this.#life;
    promised.durable = this.#boundaryAt(durable);
    promised.written = this.#boundaryAt(written);
  }

  #boundaryAt(offset: number): Boundary {
    let at: Boundary | null = this.writer.at;
    while (at !== null && at.offset > offset) at = at.parent;
    if (at?.offset !== offset) throw new SimError(`${offset} is inside a batch`);
    return at;
  }
}

/** Where the zeros begin that were written ahead of the log. */
function endOf(bytes: Buffer): number {
  let end = bytes.length;
  while (end > 1 && bytes[end - 1] === 0) end -= 1;
  return end;
}
