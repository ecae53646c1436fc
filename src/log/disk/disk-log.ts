/**
 * The log on disk while a node runs: the one who writes log files and the manifest. A thread runs it
 * (node/disk/log-worker.ts), and the simulator without one.
 *
 *   hears     segment, cut, restart, policy, stop     (disk-log-messages.ts)
 *   step()    reads `sealed`, hears what was told, then writes, cuts, syncs and rests (log-task.ts)
 *   tells     begun, cut, trouble, stopped
 *
 *   generation    counts when       durable is
 *   kept, new     it begins         as its files are
 *   restarted     its checkpoint    0, until the manifest names it: a recovery would reach what the old
 *                 is whole          generation has
 *
 * What fails is tried again every 250 ms, but for a sync: then it is dead, and says so.
 *
 * Pure but for a DiskTree. Owns: the manifest, generations, which log is written. Does not own: files
 * (log-file-writer.ts), moments (log-task.ts), what a checkpoint has in it.
 */
import { DiskError } from "../../errors.ts";
import type { DiskTree, MintId } from "./files.ts";
import type {
  DiskLogStart,
  DiskTrouble,
  DiskWords,
  FromDiskLog,
  ToDiskLog,
} from "./disk-log-messages.ts";
import { generationName, generationNumbers } from "./generation-names.ts";
import { LogFileWriter } from "./log-file-writer.ts";
import { LogTask, RETRY_MS } from "./log-task.ts";
import type { Manifest } from "./manifest.ts";
import { writeManifest } from "./manifest-file.ts";
import { SealedSegments } from "./sealed-segments.ts";
import type { FsyncPolicy } from "./sync-policy.ts";

export interface DiskLogDeps {
  readonly tree: DiskTree;
  readonly words: DiskWords;
  readonly tell: (message: FromDiskLog) => void;
  /** The loop waits for what the words say now. */
  readonly moved: () => void;
  readonly mint: MintId;
  /** Wall clock, ms. */
  readonly clock: () => number;
  /** Monotonic, ms. */
  readonly now: () => number;
}

/** One log: from a start or a restart to the next restart. */
interface Life {
  readonly life: number;
  readonly shift: number;
  readonly generation: number;
  /** The manifest names its generation. */
  counts: boolean;
  readonly writer: LogFileWriter;
  readonly sealed: SealedSegments;
  readonly task: LogTask;
}

/** A restart that was not begun yet, and what was told since. */
interface Pending {
  readonly restart: Extract<ToDiskLog, { kind: "restart" }>;
  readonly told: ToDiskLog[];
}

export class DiskLog {
  readonly #deps: DiskLogDeps;
  readonly #fileBytes: number;
  #policy: FsyncPolicy;
  #manifest: Manifest;
  #life: Life;
  /** Of the newest log file, in whatever generation. */
  #number: number;
  #pending: Pending | null = null;
  #retryAtMs = 0;
  #isOver = false;
  #trouble: DiskTrouble | null = null;

  /** Begins a log file, and writes the manifest. @throws {DiskError} then what counted before does */
  constructor(start: DiskLogStart, deps: DiskLogDeps) {
    const { manifest, number, position, name } = start;
    this.#deps = deps;
    this.#fileBytes = start.fileBytes;
    this.#policy = start.policy;
    this.#manifest = manifest;
    this.#number = number;
    this.#life = this.#begin(manifest.generation, number, { life: 1, shift: 0, position, name });
    this.#saveManifest({ lastLog: number });
    this.#publish();
    const { generation } = manifest;
    deps.tell({ kind: "begun", life: this.#life.life, generation, number });
  }

  /** It was told to stop, or is dead: there is nothing more to do. */
  get isOver(): boolean {
    return this.#isOver || this.#trouble?.isFatal === true;
  }

  /**
   * Does what is due; `next` gives the messages, one after another.
   * @returns when to call it again, ms; Infinity for when something is new
   */
  step(next: () => ToDiskLog | undefined): number {
    const { words } = this.#deps;
    const sealed = words.read("sealed");
    this.#life.sealed.sealTo(sealed - this.#life.shift);
    for (let message = next(); message !== undefined; message = next()) this.#hear(message);
    if (this.isOver) return Number.POSITIVE_INFINITY;
    if (this.#pending !== null) return this.#tryRestart(this.#pending);
    const { task, shift } = this.#life;
    const wanted = words.read("wanted");
    // It came before it was asked for: nothing will move any more.
    const isThere = wanted - shift !== task.wanted && wanted - shift <= words.read("durable");
    task.wanted = wanted - shift;
    const atMs = task.run();
    this.#setTrouble(task.trouble);
    if (isThere || this.#isAwaited) this.#deps.moved();
    return atMs;
  }

  #hear(message: ToDiskLog): void {
    if (message.kind === "restart") this.#pending = { restart: message, told: [] };
    else if (message.kind === "policy") this.#policy = this.#life.task.policy = message.policy;
    else if (message.kind === "stop") this.#stop();
    else if (this.#pending !== null) this.#pending.told.push(message);
    else if (message.kind === "segment") this.#life.sealed.add(message.start, message.memory);
    else this.#cut(message);
  }

  #cut({ id, offset, name }: Extract<ToDiskLog, { kind: "cut" }>): void {
    this.#life.task.cut(offset, name, (number) => {
      this.#number = number;
      this.#deps.tell({ kind: "cut", id, number });
    });
  }

  #stop(): void {
    let error: string | null = null;
    try {
      this.#life.task.stop();
      if (this.#pending !== null) error = "the log of another history was not begun";
    } catch (thrown) {
      if (!(thrown instanceof DiskError)) throw thrown;
      error = thrown.message;
    }
    this.#isOver = true;
    this.#deps.tell({ kind: "stopped", error });
  }

  // --- generations -------------------------------------------------------------------------------

  /** @returns when to try again, ms */
  #tryRestart({ restart, told }: Pending): number {
    const { now, tell } = this.#deps;
    if (now() < this.#retryAtMs) return this.#retryAtMs;
    try {
      this.#abandonLife();
      this.#life = this.#begin(this.#freshGeneration(), this.#number + 1, restart);
      this.#number = this.#life.writer.number;
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#retryAtMs = now() + RETRY_MS;
      this.#setTrouble(error);
      return this.#retryAtMs;
    }
    this.#pending = null;
    this.#setTrouble(null);
    this.#publish();
    const { life, generation } = this.#life;
    tell({ kind: "begun", life, generation, number: this.#number });
    for (const message of told) this.#hear(message);
    return now();
  }

  /** A folder and its first log file. @throws {DiskError} */
  #begin(
    generation: number,
    number: number,
    {
      life,
      shift,
      position,
      name,
    }: Pick<Pending["restart"], "life" | "shift" | "position" | "name">,
  ): Life {
    const { tree, mint, clock, now } = this.#deps;
    const writer = new LogFileWriter(
      {
        folder: tree.make(generationName(generation)),
        fileBytes: this.#fileBytes,
        directoryId: this.#manifest.directoryId,
        generation,
        mint,
        clock,
        name: (number) => {
          this.#nameFile(number);
        },
      },
      number,
      position,
      name,
    );
    const sealed = new SealedSegments(position.offset);
    const moved = (): void => {
      this.#publish();
    };
    const task = new LogTask(writer, { policy: this.#policy, sealed, now, moved });
    const counts = generation === this.#manifest.generation;
    return { life, shift, generation, counts, sealed, writer, task };
  }

  /** Why only one that counts is kept: of another one nobody will ever know. */
  #abandonLife(): void {
    const { writer, generation, counts } = this.#life;
    if (!writer.isDead) writer.abandon();
    if (!counts) this.#deps.tree.removeFolder(generationName(generation));
  }

  #freshGeneration(): number {
    return Math.max(this.#manifest.generation, ...generationNumbers(this.#deps.tree)) + 1;
  }

  // --- the manifest ------------------------------------------------------------------------------

  /** Before the first byte of a log file counts as written. @throws {DiskError} */
  #nameFile(number: number): void {
    this.#number = number;
    if (this.#life.counts && this.#manifest.lastLog !== number)
      this.#saveManifest({ lastLog: number });
  }

  /** @throws {DiskError} then the manifest is as before */
  #saveManifest(change: Partial<Manifest>): void {
    const manifest = { ...this.#manifest, ...change };
    writeManifest(this.#deps.tree.root, manifest);
    this.#manifest = manifest;
  }

  // --- what the loop may know --------------------------------------------------------------------

  /** It is told where it waits for that. */
  #publish(): void {
    const { words, moved } = this.#deps;
    const { life, shift, counts, task } = this.#life;
    const { written } = task;
    const durable = counts ? task.durable : 0;
    const isOther = words.read("life") !== life;
    const before = words.read("durable");
    const isWanted = durable > before && words.read("wanted") > before + shift;
    words.write("written", written);
    words.write("durable", durable);
    if (isOther) words.write("life", life);
    if (isOther || isWanted || this.#isAwaited) moved();
  }

  get #isAwaited(): boolean {
    const { shift, task } = this.#life;
    return task.written + shift >= this.#deps.words.read("awaited");
  }

  #setTrouble(error: DiskError | null): void {
    // Why not the writer's word while a restart waits: that one was abandoned.
    const isDead = this.#pending === null && this.#life.writer.isDead;
    const isFatal = isDead || error?.code === "ERR_DISK_SYNC";
    const trouble = error === null ? null : { code: error.code, message: error.message, isFatal };
    const before = this.#trouble;
    if (before?.message === trouble?.message && before?.isFatal === trouble?.isFatal) return;
    this.#trouble = trouble;
    this.#deps.tell({ kind: "trouble", trouble });
  }
}
