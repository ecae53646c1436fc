/**
 * The log on disk while a node runs: the one who writes log files and the manifest. A thread runs it
 * (node/disk/log-worker.ts), and the simulator without one.
 *
 *   hears     segment, cut, restart, take_back, publish, needs, policy, stop   (disk-log-messages.ts)
 *   step()    reads `sealed`, hears what was told, then writes, cuts, syncs and rests (log-task.ts)
 *   tells     begun, cut, published, dropped, trouble, stopped
 *
 *   generation    counts when       durable is
 *   kept, new     it begins         as its files are
 *   restarted     its checkpoint    0, until the manifest names it: a recovery would reach what the old
 *                 is whole          generation has
 *
 * What fails is tried again every 250 ms, but for a sync: then it is dead, and says so.
 *
 * Pure but for a DiskTree. Owns: which log is written, when files go. Does not own: which files
 * count (catalog.ts), log files (log-file-writer.ts), moments (log-task.ts), what a checkpoint has in it.
 */
import assert from "node:assert/strict";
import { DiskError } from "../../errors.ts";
import type { Position } from "../../wire/messages.ts";
import { Catalog, type LogNeeds } from "./catalog.ts";
import type { DiskTree, MintId } from "./files.ts";
import type {
  DiskLogStart,
  DiskTrouble,
  DiskWords,
  FromDiskLog,
  ReplicaNeeds,
  ToDiskLog,
} from "./disk-log-messages.ts";
import { LogFileWriter } from "./log-file-writer.ts";
import { LogTask, RETRY_MS } from "./log-task.ts";
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
  readonly #catalog: Catalog;
  #policy: FsyncPolicy;
  #needs: ReplicaNeeds = { keepBytes: 0, reading: Number.POSITIVE_INFINITY };
  #life: Life;
  /** Of the newest log file, in whatever generation. */
  #number: number;
  #pending: Pending | null = null;
  #retryAtMs = 0;
  /** On a full disk: when room is made the next time; Infinity while it is not full. */
  #roomAtMs = Number.POSITIVE_INFINITY;
  #isOver = false;
  #trouble: DiskTrouble | null = null;

  /** Begins a log file, and writes the manifest. @throws {DiskError} then what counted before does */
  constructor(start: DiskLogStart, deps: DiskLogDeps) {
    const { manifest, number, position, name } = start;
    this.#deps = deps;
    this.#fileBytes = start.fileBytes;
    this.#policy = start.policy;
    this.#catalog = new Catalog(deps.tree, manifest);
    this.#number = number;
    this.#life = this.#begin(number, { life: 1, shift: 0, position, name });
    this.#catalog.name(number);
    // Why not before: on a disk that is nearly full the log file comes first.
    this.#catalog.keepRoom();
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
    // Again: it may be another life's by now, and all segments below are known.
    this.#life.sealed.sealTo(sealed - this.#life.shift);
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
    this.#tidy(task);
    return atMs;
  }

  #hear(message: ToDiskLog): void {
    if (message.kind === "restart") this.#pending = { restart: message, told: [] };
    else if (message.kind === "take_back") this.#takeBack(message);
    else if (message.kind === "policy") this.#policy = this.#life.task.policy = message.policy;
    else if (message.kind === "stop") this.#stop();
    else if (message.kind === "needs") this.#needs = message.needs;
    else if (message.kind === "publish") this.#publishCheckpoint(message);
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

  /**
   * Without another generation where that is possible: until that one counted, a start would find the draft, and
   * replicas could not come back to what is before it.
   */
  #takeBack(message: Extract<ToDiskLog, { kind: "take_back" }>): void {
    const { life, shift, position } = message;
    const { writer, task } = this.#life;
    const mayCut = this.#pending === null && !writer.isDead && !task.hasCuts;
    if (!mayCut || !this.#attemptBack(writer, position)) {
      this.#pending = { restart: { ...message, kind: "restart", fork: -1 }, told: [] };
      return;
    }
    this.#life = this.#lifeOf(writer, { life, shift, position });
    this.#publish();
    const { generation } = this.#catalog.manifest;
    this.#deps.tell({ kind: "begun", life, generation, number: this.#number });
    if (this.#catalog.files.length > 0) this.#tellDropped();
  }

  #attemptBack(writer: LogFileWriter, position: Position): boolean {
    try {
      return writer.takeBack(position);
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.#setTrouble(error);
      return false;
    }
  }

  /** @returns when to try again, ms */
  #tryRestart({ restart, told }: Pending): number {
    const { now, tell } = this.#deps;
    if (now() < this.#retryAtMs) return this.#retryAtMs;
    try {
      if (!this.#life.writer.isDead) this.#life.writer.abandon();
      this.#catalog.begin(this.#number + 1, restart.fork);
      this.#life = this.#begin(this.#number + 1, restart);
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
    const { generation } = this.#catalog.manifest;
    tell({ kind: "begun", life: this.#life.life, generation, number: this.#number });
    for (const message of told) this.#hear(message);
    return now();
  }

  /** A folder and its first log file. @throws {DiskError} */
  #begin(
    number: number,
    {
      life,
      shift,
      position,
      name,
    }: Pick<Pending["restart"], "life" | "shift" | "position" | "name">,
  ): Life {
    const { mint, clock } = this.#deps;
    const { folder, manifest } = this.#catalog;
    const writer = new LogFileWriter(
      {
        folder,
        fileBytes: this.#fileBytes,
        directoryId: manifest.directoryId,
        generation: manifest.generation,
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
    return this.#lifeOf(writer, { life, shift, position });
  }

  /** What is sealed from `position` on goes to `writer`. */
  #lifeOf(
    writer: LogFileWriter,
    { life, shift, position }: Pick<Pending["restart"], "life" | "shift" | "position">,
  ): Life {
    const { now } = this.#deps;
    const sealed = new SealedSegments(position.offset);
    const moved = (): void => {
      this.#publish();
    };
    const task = new LogTask(writer, { policy: this.#policy, sealed, now, moved });
    return { life, shift, sealed, writer, task };
  }

  // --- which files count ---------------------------------------------------------------------------

  /** Before the first byte of a log file counts as written. @throws {DiskError} */
  #nameFile(number: number): void {
    this.#number = number;
    if (this.#catalog.manifest.lastLog === number) return;
    this.#catalog.name(number);
    this.#retain();
  }

  #publishCheckpoint({ id, life, entry }: Extract<ToDiskLog, { kind: "publish" }>): void {
    let error: string | null = null;
    if (this.#pending !== null || life !== this.#life.life) error = "the log was replaced";
    else
      try {
        assert(entry.position.offset <= this.#life.writer.durable, "a checkpoint ahead of the log");
        this.#catalog.publish(entry, (copy) => this.#deps.tell({ kind: "fork_kept", copy }));
        this.#retain();
        this.#publish();
      } catch (thrown) {
        if (!(thrown instanceof DiskError)) throw thrown;
        error = thrown.message;
      }
    this.#deps.tell({ kind: "published", id, error });
  }

  /** @throws {DiskError} */
  #retain(): void {
    if (this.#catalog.retain(this.#logNeeds)) this.#tellDropped();
  }

  get #logNeeds(): LogNeeds {
    return { ...this.#needs, end: this.#life.writer.written };
  }

  #tellDropped(): void {
    const { number, start } = this.#catalog.files[0]!;
    this.#deps.tell({ kind: "dropped", life: this.#life.life, first: number, offset: start });
  }

  /** What the state of the disk asks for; what cannot be done now is tried again. */
  #tidy(task: LogTask): void {
    try {
      if (this.#catalog.counts) this.#catalog.closeGap(task.durable);
      if (task.trouble?.code === "ERR_DISK_FULL") this.#makeRoom();
      else if (this.#roomAtMs !== Number.POSITIVE_INFINITY) {
        this.#roomAtMs = Number.POSITIVE_INFINITY;
        this.#catalog.keepRoom();
      }
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
    }
  }

  /** A step at a time: the write is tried again before more goes. */
  #makeRoom(): void {
    const nowMs = this.#deps.now();
    if (this.#roomAtMs === Number.POSITIVE_INFINITY) this.#roomAtMs = nowMs;
    if (nowMs < this.#roomAtMs) return;
    this.#roomAtMs = nowMs + RETRY_MS;
    const [before] = this.#catalog.files;
    this.#catalog.makeRoom(this.#logNeeds);
    if (this.#catalog.files[0] !== before) this.#tellDropped();
  }

  // --- what the loop may know --------------------------------------------------------------------

  /** It is told where it waits for that. */
  #publish(): void {
    const { words, moved } = this.#deps;
    const { life, shift, task } = this.#life;
    const { written } = task;
    const durable = this.#catalog.counts ? task.durable : 0;
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
