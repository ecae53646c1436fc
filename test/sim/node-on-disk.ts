/**
 * A simulated node's process with a data directory: what src/node/disk/node-disk.ts is to a real one, with
 * its threads stepped by the clock. All but that shell is what ships.
 *
 *   open     data directory -> recovery -> the node is told -> a log file begins
 *   far end  the log on disk: looks when it is due, or woken; what it says arrives later
 *   reader   the log read back, checkpoints written: one message after another, each later
 *
 * The machine dies inside any of these, when its disk says so: attempt() sees it.
 * Owns: that wiring. Does not own: the disk (log-disk.ts), the node (sim-node.ts).
 */
import { DiskError } from "../../src/errors.ts";
import { CheckpointWriter } from "../../src/log/disk/checkpoint-writer.ts";
import { DiskLog } from "../../src/log/disk/disk-log.ts";
import type {
  DiskTrouble,
  DiskWord,
  FromDiskLog,
  ToDiskLog,
} from "../../src/log/disk/disk-log-messages.ts";
import { DiskStore } from "../../src/log/disk/disk-store.ts";
import { generationName } from "../../src/log/disk/generation-names.ts";
import { LogReads } from "../../src/log/disk/log-reads.ts";
import { oldestLog } from "../../src/log/disk/oldest-log.ts";
import { StoredLog, type ToStoredLog } from "../../src/log/disk/stored-log.ts";
import type { LogName } from "../../src/log/history.ts";
import type {
  CheckpointFile,
  CheckpointFileEvents,
  ChunkFrame,
} from "../../src/node/checkpoint-run.ts";
import type { NodeCore } from "../../src/node/core.ts";
import { StoreCheckpoints } from "../../src/node/disk/checkpoint-disk.ts";
import type { CheckpointWorkerData } from "../../src/node/disk/checkpoint-worker-protocol.ts";
import { type DataDirectory, openDataDirectory } from "../../src/node/disk/data-directory.ts";
import { DiskRecovery, type RecoveredNode } from "../../src/node/disk/disk-recovery.ts";
import { askedBefore } from "../../src/node/lead-round.ts";
import { planReclaim } from "../../src/node/disk/reclaim-plan.ts";
import { chainStart } from "../../src/wire/frame.ts";
import type { Id, SnapshotEnd } from "../../src/wire/messages.ts";
import { SimError } from "./clock.ts";
import type { LogDisk } from "./log-disk.ts";
import { Crash } from "./virtual-disk.ts";

/** How long sealed bytes may gather (src/node/disk/log-worker.ts), ms. */
const GATHER_MS = 2;
const LATER_MS = 0.01;

/** The process around it. */
export interface DiskHost {
  /** Never when the process is gone. */
  after(ms: number, run: () => void): void;
  now(): number;
  wallClock(): number;
  mark(what: string): void;
  readonly diskMs: number;
  /** Its machine died. */
  crashed(where: string): void;
  /** It cannot lead: its process ends. */
  failed(why: string): void;
  /** The disk takes nothing, has failed for good, or is well again. */
  onTrouble(trouble: DiskTrouble | null): void;
}

export class SimWords {
  readonly #values = new Map<DiskWord, number>();
  read(word: DiskWord): number {
    return this.#values.get(word) ?? 0;
  }
  write(word: DiskWord, value: number): void {
    this.#values.set(word, value);
  }
}

/** Work of a thread: one piece after another, each takes its time. */
class Thread {
  readonly #later: (run: () => void) => void;
  readonly #work: (() => void)[] = [];

  constructor(later: (run: () => void) => void) {
    this.#later = later;
  }

  do(work: () => void): void {
    this.#work.push(work);
    if (this.#work.length === 1) this.#later(this.#next);
  }

  readonly #next = (): void => {
    const work = this.#work[0]!;
    work();
    this.#work.shift();
    if (this.#work.length > 0) this.#later(this.#next);
  };
}

export class NodeOnDisk {
  readonly store: DiskStore;
  readonly reads: LogReads;
  /** Where each swap of this process began a log. */
  readonly restarts: number[] = [];
  readonly #host: DiskHost;
  readonly #kept: LogDisk;
  readonly #words = new SimWords();
  #core: NodeCore | null = null;
  #far: DiskLog | null = null;
  readonly #toFar: ToDiskLog[] = [];
  readonly #fromFar: FromDiskLog[] = [];
  #hasMoved = false;
  #isHearing = false;
  #dueMs = Number.POSITIVE_INFINITY;

  constructor(host: DiskHost, kept: LogDisk) {
    this.#host = host;
    this.#kept = kept;
    this.store = new DiskStore({
      name: () => this.#name(),
      onRestart: (offset) => {
        this.restarts.push(offset);
        host.mark("disk: log replaced");
        this.#core?.checkpointer?.replaced(offset);
      },
      onTrouble: (trouble) => {
        if (trouble !== null)
          host.mark(trouble.isFatal ? "disk: failed for good" : "disk: trouble");
        host.onTrouble(trouble);
      },
    });
    this.reads = this.#makeReads();
  }

  /** Does it as far as the machine lives. @returns false when it died in it */
  attempt(work: () => void): boolean {
    try {
      work();
      return true;
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
      this.#host.mark("disk: died at a step");
      this.#host.crashed(error.message);
      return false;
    }
  }

  #later(run: () => void): void {
    const { random } = this.#kept;
    this.#host.after(random.fraction() * this.#host.diskMs + LATER_MS, () => this.attempt(run));
  }

  #name(): LogName {
    const { history, rank, lineage } = this.#core!.identity;
    return { history, rank, lineage };
  }

  readonly #mint = (): Id => this.#kept.random.bytes(16).toString("hex");

  // --- opening -------------------------------------------------------------------------------------

  /** As NodeDisk.open(). @returns what came back; null when there was nothing. @throws {Crash} */
  open(core: NodeCore): RecoveredNode | null {
    this.#core = core;
    const directory = openDataDirectory(this.#kept.tree, this.#mint);
    const found = directory.isNew ? null : this.#recover(core, directory);
    if (found !== null && found.incompleteTo !== null)
      throw new SimError(`a crash left an incomplete log: ${found.verdict.reason}`);
    if (found?.hasState === true) {
      const { rank, lineage, position, verdict } = found;
      const wasComplete = core.identity.wasComplete && verdict.kind === "whole";
      core.completeness.recovered(wasComplete, found.incompleteTo);
      core.identity.adopt({ history: position.history, rank, lineage }, null);
      this.#reclaim(core, found);
      core.roles.recovered();
    } else {
      core.backlog.begin(0, chainStart(core.identity.history));
      core.roles.recoveredNothing();
    }
    this.#begin(core, directory, found);
    core.roles.opened(found?.hasState === true ? "whole" : "nothing");
    return found?.hasState === true ? found : null;
  }

  /** It asks those that followed it first, if it led. */
  #reclaim(core: NodeCore, found: RecoveredNode): void {
    const plan = planReclaim(
      core.roles,
      core.identity,
      found,
      this.#kept.settings.reclaimMs,
      askedBefore(core),
      core.sources,
    );
    if (plan === null) return;
    this.#host.mark("disk: asks its followers");
    core.reclaim(plan);
    const { reclaiming, turn } = core;
    turn.until(
      () => reclaiming!.failure !== null,
      () => this.#host.failed(reclaiming!.failure!.message),
    );
  }

  #recover(core: NodeCore, directory: DataDirectory): RecoveredNode {
    const { root } = this.#kept.tree;
    const { state, backlog: log } = core;
    const recovery = new DiskRecovery({ root, directory, state, log, onFree: () => undefined });
    while (recovery.step() !== "done");
    if (recovery.result!.checkpoint !== null) this.#host.mark("disk: back from a checkpoint");
    if (recovery.result!.verdict.kind === "torn") this.#host.mark("disk: torn tail");
    return recovery.result!;
  }

  #begin(core: NodeCore, directory: DataDirectory, found: RecoveredNode | null): void {
    const { tree, settings } = this.#kept;
    const { policy, fileBytes } = settings;
    const manifest = found?.manifest ?? directory.manifest;
    const number = found?.nextNumber ?? 1;
    const { position } = core;
    const name = this.#name();
    this.store.onMoved(() => undefined);
    const { generation, directoryId } = manifest;
    const oldest = oldestLog(
      tree.folder(generationName(generation)),
      manifest,
      number,
      position.offset,
    );
    const port = {
      words: this.#words,
      tell: (message: ToDiskLog) => void this.#toFar.push(message),
      wake: () => this.#lookIn(LATER_MS),
      wakeSleeper: () => this.#lookIn(GATHER_MS),
    };
    this.store.begin(port, position.offset, {
      reads: this.reads,
      directoryId,
      pathOf: generationName,
      oldest,
    });
    this.#far = new DiskLog(
      { manifest, number, position, name, fileBytes, policy },
      {
        tree,
        words: this.#words,
        tell: (message) => {
          this.#fromFar.push(message);
          this.#hearSoon();
        },
        moved: () => {
          this.#hasMoved = true;
          this.#hearSoon();
        },
        mint: this.#mint,
        clock: () => this.#host.wallClock(),
        now: () => this.#host.now(),
      },
    );
    this.#hear();
    this.#lookIn(GATHER_MS);
    core.turn.confirmsDurable = policy === "always";
    const checkpoints = new StoreCheckpoints(
      this.store,
      generationName,
      () => this.#review(core),
      (data, events) => new SimCheckpoint(this, data, events),
    );
    this.#review(core);
    const newest = manifest.checkpoints[0] ?? null;
    core.makeCheckpointer(checkpoints, () => 0, newest, oldest.offset).start();
  }

  /** What replicas need of the log. */
  #review({ feeder }: NodeCore): void {
    const { keepBytes } = this.#kept.settings;
    this.store.keepFor({ keepBytes, reading: feeder.readingFrom });
  }

  // --- the far end ---------------------------------------------------------------------------------

  #lookIn(ms: number): void {
    const atMs = this.#host.now() + ms;
    if (atMs >= this.#dueMs || !Number.isFinite(atMs)) return;
    this.#dueMs = atMs;
    this.#host.after(ms, () => {
      if (this.#dueMs !== atMs) return;
      this.#dueMs = Number.POSITIVE_INFINITY;
      this.attempt(() => this.#look());
    });
  }

  #look(): void {
    const far = this.#far!;
    if (far.isOver) return;
    const dueMs = far.step(() => this.#toFar.shift());
    this.#lookIn(Math.max(LATER_MS, dueMs - this.#host.now()));
  }

  #hearSoon(): void {
    if (this.#isHearing) return;
    this.#isHearing = true;
    this.#later(() => this.#hear());
  }

  #hear(): void {
    this.#isHearing = false;
    const hasMoved = this.#hasMoved;
    this.#hasMoved = false;
    for (const message of this.#fromFar.splice(0)) this.store.hear(message);
    if (hasMoved) this.store.looked();
  }

  /** As told by a signal, at once. @returns whether all is durable. @throws {Crash} */
  stop(): boolean {
    let error: DiskError | null | undefined;
    this.store.stop((why) => {
      error = why;
    });
    this.#look();
    this.#hear();
    return error === null;
  }

  // --- reading back --------------------------------------------------------------------------------

  #makeReads(): LogReads {
    const { tree } = this.#kept;
    const there = new Thread((run) => this.#later(run));
    const back = new Thread((run) => this.#later(run));
    const stored = new StoredLog({
      folder: (path) => tree.folder(path),
      tell: (message) => {
        if (message.kind === "block") this.#host.mark("disk: block read back");
        if (message.kind === "chain") this.#host.mark("disk: chain read back");
        back.do(() => reads.hear(message));
      },
    });
    const reads: LogReads = new LogReads({
      post: (message: ToStoredLog) => there.do(() => stored.hear(message)),
      later: (run) => this.#host.after(LATER_MS, run),
      written: () => this.store.readable,
      moved: () => this.store.looked(),
      damaged: (offset, what) => {
        throw new SimError(`nothing damages files, and at ${offset}: ${what}`);
      },
    });
    return reads;
  }

  // --- checkpoints ---------------------------------------------------------------------------------

  folder(path: string): ReturnType<LogDisk["tree"]["folder"]> {
    return this.#kept.tree.folder(path);
  }

  /** Another thread. */
  thread(): Thread {
    return new Thread((run) => this.#later(run));
  }

  mark(what: string): void {
    this.#host.mark(what);
  }
}

/** The thread of one checkpoint (src/node/disk/checkpoint-worker.ts). */
class SimCheckpoint implements CheckpointFile {
  readonly #events: CheckpointFileEvents;
  readonly #thread: Thread;
  readonly #node: NodeOnDisk;
  #writer: CheckpointWriter | null = null;
  #isOver = false;

  constructor(
    node: NodeOnDisk,
    { path, log, begin }: CheckpointWorkerData,
    events: CheckpointFileEvents,
  ) {
    this.#events = events;
    this.#node = node;
    this.#thread = node.thread();
    this.#do(() => {
      this.#writer = new CheckpointWriter(node.folder(path), log, begin);
    });
  }

  put(frames: readonly ChunkFrame[]): void {
    this.#do((writer) => {
      for (const { bytes, from, to } of frames) writer.chunk(bytes, from, to);
      this.#events.written(frames.length);
    });
  }

  finish(end: SnapshotEnd): void {
    this.#do((writer) => {
      writer.finish(end);
      this.#isOver = true;
      this.#node.mark("disk: checkpoint whole");
      this.#events.whole(writer.bytes);
    });
  }

  abandon(): void {
    this.#do((writer) => {
      this.#isOver = true;
      this.#node.mark("disk: checkpoint left");
      writer.abandon();
    });
  }

  #do(work: (writer: CheckpointWriter) => void): void {
    this.#thread.do(() => {
      if (this.#isOver) return;
      try {
        work(this.#writer!);
      } catch (error) {
        if (!(error instanceof DiskError)) throw error;
        this.#fail(error);
      }
    });
  }

  #fail(error: DiskError): void {
    const wasOver = this.#isOver;
    this.#isOver = true;
    try {
      this.#writer?.abandon();
    } catch (thrown) {
      if (!(thrown instanceof DiskError)) throw thrown;
    }
    this.#node.mark("disk: checkpoint failed");
    if (!wasOver) this.#events.failed(error.message);
  }
}
