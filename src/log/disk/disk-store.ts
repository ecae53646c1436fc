/**
 * The log store on a disk: the loop's end. It hands over what is sealed and says what has come of it.
 *
 *   idle      before begin(): a log is being recovered, which is on the disk already. It owes nothing
 *   begun     persist(): names new log segments, then how far they are sealed
 *             want(): somebody waits, so the other end is woken at once
 *             cut(), rename(), restart(), takeBack(): in the order of the log
 *   dead      a sync failed, or the other end is gone: it promises nothing new
 *
 * Log segments that were handed over are retained until they are written, or the other end has begun
 * another log: it reads their memory.
 *
 * Pure: the other end (disk-log.ts) is behind a DiskPort, a thread or the simulator.
 * What was written is read back by another thread (log-reads.ts), which is told here which files there are.
 *
 * Owns: what was handed over, who waits for a cut. Does not own: reading back, what is done about a disk
 * that fails (node/).
 */
import assert from "node:assert/strict";
import { DiskError } from "../../errors.ts";
import type { LogSegment } from "../log-segment.ts";
import type { Id } from "../../wire/messages.ts";
import type { LogStore, ReadAnswer, SealedLog } from "../log-store.ts";
import type {
  DiskTrouble,
  DiskWords,
  FromDiskLog,
  ReplicaNeeds,
  ToDiskLog,
} from "./disk-log-messages.ts";
import type { LogName } from "../history.ts";
import type { CheckpointEntry } from "./manifest.ts";
import type { ForkCopy } from "./fork-copy.ts";
import type { LogReads } from "./log-reads.ts";
import type { FsyncPolicy } from "./sync-policy.ts";

/** The way to the other end. What comes back is given to DiskStore.hear(). */
export interface DiskPort {
  readonly words: DiskWords;
  tell(message: ToDiskLog): void;
  /** It looks at once. */
  wake(): void;
  /** It looks, if nothing but wake() made it look. */
  wakeSleeper(): void;
}

export interface DiskStoreDeps {
  /** How the present log is called. */
  readonly name: () => LogName;
  /** The log was replaced: it goes on at `offset`, in a generation that needs a checkpoint to count. */
  readonly onRestart?: (offset: number) => void;
  /** What was discarded of the log is kept, as far as it fits; null: none of it is. */
  readonly onForkKept?: (copy: ForkCopy | null) => void;
  /** A trouble began, changed, or is over (null). */
  readonly onTrouble: (trouble: DiskTrouble | null) => void;
}

/** Where a life of the log is kept. */
export interface Generation {
  readonly generation: number;
  /** Its first log file in this process. */
  readonly number: number;
}

/** What was written is read back. */
export interface ReadBack {
  readonly reads: LogReads;
  readonly directoryId: Id;
  /** The folder of a generation. */
  readonly pathOf: (generation: number) => string;
  /** The oldest log file that there is at the start, and where it begins. */
  readonly oldest: Generation & { readonly offset: number };
}

/** A log file that somebody asked for; null when the log is another one by now. */
type CutDone = (number: number | null) => void;

/**
 * So much may be sealed and not written. Why not more: it stays in memory beside the backlog until it is
 * written; why not less: a disk that is throttled for a second must not stop writers.
 */
export const UNWRITTEN_BYTES_MAX: number = 64 * 1024 * 1024;

const NOBODY = Number.POSITIVE_INFINITY;

export class DiskStore implements LogStore {
  readonly wantsSharedMemory = true;
  /** Why nothing is written, or nothing is durable any more; null when all is well. */
  trouble: DiskTrouble | null = null;
  /** How often too much was not written. */
  timesBehind = 0;
  readonly #deps: DiskStoreDeps;
  #back: ReadBack | null = null;
  #port: DiskPort | null = null;
  /** Counts begin() and restarts, and what makes offsets of this life grow on from those before. */
  #life = 0;
  #shift = 0;
  /** Where the log of this life begins, and how far it was handed over. */
  #start = 0;
  #handedOver = 0;
  /** What of that links may have; the rest is a draft. */
  #visible = 0;
  #wanted = 0;
  #awaited = NOBODY;
  /** The newest log segment that the other end knows. */
  #newest: LogSegment | null = null;
  /** Retained, oldest first. */
  readonly #given: { readonly life: number; readonly segment: LogSegment }[] = [];
  readonly #cuts = new Map<number, CutDone>();
  readonly #publishing = new Map<number, (error: string | null) => void>();
  /** Of the next cut or checkpoint. */
  #nextId = 1;
  #generation: Generation | null = null;
  #stopped: ((error: DiskError | null) => void) | null = null;
  #restarted: (() => void) | null = null;
  readonly #moved: (() => void)[] = [];

  constructor(deps: DiskStoreDeps) {
    this.#deps = deps;
  }

  /** From here on the log is kept: it ends at `offset`, and a log file begins there. */
  begin(port: DiskPort, offset: number, back: ReadBack | null = null): void {
    assert(this.#port === null, "a store begins once");
    this.#port = port;
    this.#back = back;
    if (back !== null) this.#readBack(back, back.oldest, back.oldest.offset);
    this.#life = 1;
    this.#start = this.#handedOver = this.#visible = this.#wanted = offset;
    port.words.write("awaited", NOBODY);
  }

  /** A log file was begun: what was sealed is kept. */
  get isBegun(): boolean {
    return this.#port !== null;
  }

  /** The generation that the log goes into; null until its first file has begun. */
  get generation(): Generation | null {
    return this.#generation;
  }

  /** The other end knows of all up to here. */
  get handedOver(): number {
    return this.#handedOver;
  }

  // --- as LogStore -------------------------------------------------------------------------------

  get first(): number {
    return this.#back?.reads.first ?? Number.POSITIVE_INFINITY;
  }

  get written(): number {
    if (this.#port === null) return Number.POSITIVE_INFINITY;
    return this.#isHeard ? this.#port.words.read("written") : this.#start;
  }

  /** Up to here it may be read back: no draft that the files have already. */
  get readable(): number {
    return Math.min(this.written, this.#visible);
  }

  get durable(): number {
    // Why 0 for good: a claim that nobody can keep up any more is withdrawn.
    return this.trouble?.isFatal === true ? 0 : this.proven;
  }

  /** What is durable, or was when the disk failed. */
  get proven(): number {
    if (this.#port === null || !this.#isHeard) return 0;
    return this.#port.words.read("durable");
  }

  get takesMore(): boolean {
    if (this.#port === null) return true;
    return this.trouble === null && this.#handedOver - this.written <= UNWRITTEN_BYTES_MAX;
  }

  persist(log: SealedLog): void {
    const port = this.#port;
    if (port === null) return;
    this.#visible = log.visible;
    // Less while a draft was handed over that is not sealed.
    if (log.next <= this.#handedOver) {
      // Why here too: nobody says that what was handed over last is written, and it would stay in memory.
      if (this.#given.length > 1) this.#release();
      return;
    }
    this.#name(log, port);
    this.#handedOver = log.next;
    port.words.write("sealed", log.next + this.#shift);
    port.wakeSleeper();
    this.#release();
    if (!this.takesMore) this.#fallBehind();
  }

  want(offset: number): void {
    const port = this.#port;
    if (port === null || offset <= this.#wanted) return;
    assert(offset <= this.#handedOver, "wanted before it was handed over");
    this.#wanted = offset;
    port.words.write("wanted", offset + this.#shift);
    port.wake();
  }

  awaitWritten(offset: number): void {
    const port = this.#port;
    if (port === null || offset === this.#awaited) return;
    this.#awaited = offset;
    port.words.write("awaited", offset + this.#shift);
    port.wakeSleeper();
  }

  rename(offset: number, done: () => void): void {
    this.#cut(offset, this.#deps.name(), done);
  }

  /** A log file begins at `offset`, the sealed end; `done` is told its number when it is on the disk. */
  cut(offset: number, done: CutDone): void {
    this.#cut(offset, null, done);
  }

  /** A whole checkpoint of the present log counts from now on; `done` is told null, or why it does not. */
  publish(entry: CheckpointEntry, done: (error: string | null) => void): void {
    const port = this.#port;
    if (port === null || this.trouble?.isFatal === true) {
      queueMicrotask(() => done(this.trouble?.message ?? "no log is kept"));
      return;
    }
    const id = this.#nextId++;
    this.#publishing.set(id, done);
    port.tell({ kind: "publish", id, life: this.#life, entry });
    port.wake();
  }

  /** What is kept of the log for replicas, from now on. */
  keepFor(needs: ReplicaNeeds): void {
    this.#port?.tell({ kind: "needs", needs });
  }

  restart(offset: number, chain: number, fork = -1, done: () => void = () => undefined): void {
    const port = this.#port;
    this.#tellRestarted();
    if (port === null || this.trouble?.isFatal === true) {
      queueMicrotask(done);
      if (port === null) return;
    } else this.#restarted = done;
    this.#generation = null;
    this.#goOnAt("restart", port, offset, chain, fork);
    this.#replaced(offset);
  }

  takeBack(offset: number, chain: number, done: () => void): void {
    const port = this.#port;
    this.#tellRestarted();
    if (port === null || this.trouble?.isFatal === true) {
      queueMicrotask(done);
      return;
    }
    this.#restarted = done;
    this.#goOnAt("take_back", port, offset, chain);
  }

  /** The next life of the log begins at `offset`. */
  #goOnAt(
    kind: "restart" | "take_back",
    port: DiskPort,
    offset: number,
    chain: number,
    fork = -1,
  ): void {
    this.#life += 1;
    this.#shift += this.#handedOver - offset;
    this.#start = this.#handedOver = this.#visible = this.#wanted = offset;
    this.#newest = null;
    this.awaitWritten(NOBODY);
    const name = this.#deps.name();
    const position = { history: name.history, offset, chain };
    const life = { life: this.#life, shift: this.#shift, position, name };
    port.tell(kind === "restart" ? { kind, ...life, fork } : { kind, ...life });
    port.wake();
  }

  /** The log in the files of before counts no more. */
  #replaced(offset: number): void {
    this.#back?.reads.end();
    for (const done of this.#takeCuts()) done(null);
    this.#deps.onRestart?.(offset);
  }

  read(offset: number, done: (answer: ReadAnswer) => void): void {
    if (this.#back === null) queueMicrotask(() => done({ kind: "gone" }));
    else this.#back.reads.read(offset, done);
  }

  chainAt(offset: number, done: (chain: number) => void): void {
    if (this.#back === null) queueMicrotask(() => done(-1));
    else this.#back.reads.chainAt(offset, done);
  }

  onMoved(moved: () => void): void {
    this.#moved.push(moved);
  }

  // --- the other end -----------------------------------------------------------------------------

  setPolicy(policy: FsyncPolicy): void {
    this.#port?.tell({ kind: "policy", policy });
    this.#port?.wake();
  }

  /** All that was handed over is synced; `done` is told why it is not, if so. */
  stop(done: (error: DiskError | null) => void): void {
    const port = this.#port;
    if (port === null || this.trouble?.isFatal === true) {
      done(this.#error());
      return;
    }
    this.#stopped = done;
    port.tell({ kind: "stop" });
    port.wake();
  }

  hear(message: FromDiskLog): void {
    switch (message.kind) {
      case "trouble":
        this.#hearTrouble(message.trouble);
        break;
      case "stopped":
        this.#hearStopped(message.error);
        break;
      case "begun":
        if (message.life === this.#life) this.#begun(message);
        break;
      case "cut":
        take(this.#cuts, message.id)?.(message.number);
        break;
      case "published":
        take(this.#publishing, message.id)?.(message.error);
        break;
      case "fork_kept":
        this.#deps.onForkKept?.(message.copy);
        break;
      case "dropped":
        if (message.life === this.#life) this.#dropped(message);
        break;
      default:
        message satisfies never;
    }
    this.looked();
  }

  /** The words may say something new. */
  looked(): void {
    this.#release();
    if (this.written >= this.#awaited) this.awaitWritten(NOBODY);
    for (const moved of this.#moved) moved();
  }

  #dropped({ first, offset }: { readonly first: number; readonly offset: number }): void {
    this.#back?.reads.filesMoved(first, offset);
  }

  #begun(generation: Generation): void {
    const before = this.#generation;
    this.#generation = generation;
    // A draft was taken back in the file that it was in: what is before it is read as ever.
    const isSame = before?.generation === generation.generation;
    if (before !== null && !isSame) this.#replaced(this.#start);
    this.#tellRestarted();
    // In its first life it has the files of before as well.
    if (this.#back !== null && this.#life > 1 && !isSame)
      this.#readBack(this.#back, generation, this.#start);
  }

  #tellRestarted(): void {
    const done = this.#restarted;
    this.#restarted = null;
    done?.();
  }

  #readBack(back: ReadBack, { generation, number }: Generation, offset: number): void {
    const { reads, directoryId, pathOf } = back;
    reads.begin({ path: pathOf(generation), directoryId, generation, first: number }, offset);
  }

  #hearTrouble(trouble: DiskTrouble | null): void {
    this.trouble = trouble;
    this.#deps.onTrouble(trouble);
    if (trouble?.isFatal === true) {
      for (const done of this.#takeCuts()) done(null);
      for (const id of [...this.#publishing.keys()]) take(this.#publishing, id)!(trouble.message);
      this.#hearStopped(trouble.message);
      this.#tellRestarted();
    }
  }

  #hearStopped(error: string | null): void {
    const done = this.#stopped;
    this.#stopped = null;
    done?.(error === null ? null : new DiskError("ERR_DISK_WRITE", error));
  }

  #error(): DiskError | null {
    return this.trouble === null ? null : DiskError.of(this.trouble);
  }

  /** Half of it is to be written before anybody goes on: else writers would stop at every turn. */
  #fallBehind(): void {
    if (this.#awaited !== NOBODY) return;
    this.timesBehind += 1;
    this.awaitWritten(this.#handedOver - UNWRITTEN_BYTES_MAX / 2);
  }

  // --- inside ------------------------------------------------------------------------------------

  /** What the words say is of this life. */
  get #isHeard(): boolean {
    return this.#port!.words.read("life") === this.#life;
  }

  #cut(offset: number, name: LogName | null, done: CutDone): void {
    const port = this.#port;
    if (port === null || this.trouble?.isFatal === true) {
      queueMicrotask(() => done(null));
      return;
    }
    assert(offset >= this.#handedOver, "a cut in what was handed over");
    const id = this.#nextId++;
    this.#cuts.set(id, done);
    port.tell({ kind: "cut", id, offset, name });
    port.wake();
  }

  #takeCuts(): CutDone[] {
    const cuts = [...this.#cuts.values()];
    this.#cuts.clear();
    return cuts;
  }

  /** Log segments that the other end does not know yet. */
  #name(log: SealedLog, port: DiskPort): void {
    let segment = this.#newest === null ? log.segmentAt(this.#start) : this.#newest.next;
    for (; segment !== null && segment.start < log.next; segment = segment.next) {
      const { buffer, byteOffset } = segment.bytes;
      assert(byteOffset === 0, "a part of a log segment's memory");
      segment.retain();
      this.#given.push({ life: this.#life, segment });
      this.#newest = segment;
      port.tell({ kind: "segment", start: segment.start, memory: buffer });
    }
  }

  /** Lets go of log segments that nobody reads any more. */
  #release(): void {
    const [oldest] = this.#given;
    if (oldest === undefined || this.#port === null) return;
    const life = this.#port.words.read("life");
    const written = life === this.#life ? this.#port.words.read("written") : -1;
    for (let next = this.#given[0]; next !== undefined; next = this.#given[0]) {
      const { segment } = next;
      const isOver = next.life < life || (next.life === life && segment.end <= written);
      // Why the newest stays: more will be sealed in it.
      if (!isOver || segment === this.#newest) return;
      this.#given.shift();
      segment.release();
    }
  }
}

function take<T>(from: Map<number, T>, id: number): T | undefined {
  const taken = from.get(id);
  from.delete(id);
  return taken;
}
