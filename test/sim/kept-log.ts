/**
 * What is behind the log of a simulated leader that dies, as far as its next start can tell: batches, how
 * many of them are synced, and under which names they were written. No files: those are disk-life.ts's.
 */
import type { LogName } from "../../src/log/history.ts";
import type { LogStore, ReadAnswer, SealedLog } from "../../src/log/log-store.ts";
import type { Random } from "../../tools/random.ts";
import { batchChain, batchLength } from "../../src/wire/frame.ts";
import type { Id } from "../../src/wire/messages.ts";

/** The process that runs on it; nothing comes of it any more when that is gone. */
export interface KeepingNode {
  readonly random: Random;
  after(ms: number, run: () => void): void;
  name(): LogName;
}

/** A sync by itself, and one that somebody waits for, take up to this, ms. */
const SYNC_MS = 1_000;
const WANTED_MS = 300;
const WRITE_MS = 20;

/** What all nodes of one cluster ever wrote: a log whose start came as a snapshot has its bytes from here. */
export class LogArchive {
  /** The history that the first log began in. */
  origin: Id = "";
  /** By end and chain there. */
  readonly #batches = new Map<string, { readonly bytes: Buffer; readonly chainBefore: number }>();

  put(end: number, bytes: Buffer, chainBefore: number): void {
    this.#batches.set(`${end}:${batchChain(bytes, 0)}`, { bytes, chainBefore });
  }

  /** All batches of the log that has `chain` at `offset`. */
  upTo(offset: number, chain: number): Buffer[] {
    const batches: Buffer[] = [];
    for (let at = offset, chainAt = chain; at > 0;) {
      const { bytes, chainBefore } = this.#batches.get(`${at}:${chainAt}`)!;
      batches.push(bytes);
      at -= bytes.length;
      chainAt = chainBefore;
    }
    return batches.reverse();
  }
}

/** What is there again when the process ends before a swap counts. */
type Kept = Pick<KeptLog, "batches" | "names" | "durable">;

export class KeptLog implements LogStore {
  readonly wantsSharedMemory = false;
  readonly first: number = Number.POSITIVE_INFINITY;
  readonly takesMore = true;
  written = 0;
  durable = 0;
  /** Whole, in order, from offset 0. */
  batches: Buffer[] = [];
  names: { readonly from: number; readonly name: LogName }[] = [];
  /** It has a state that a snapshot brought: this log is of no use any more. */
  isReplaced = false;
  #node: KeepingNode | null = null;
  readonly #archive: LogArchive | null;
  #before: Kept | null = null;
  /** Counts its swaps. */
  #swaps = 0;

  constructor(archive: LogArchive | null = null) {
    this.#archive = archive;
  }
  #moved: (() => void)[] = [];

  get end(): number {
    return this.batches.reduce((sum, { length }) => sum + length, 0);
  }

  /** At the end of a batch; -1 at no end of one. */
  chainOf(offset: number): number {
    let end = 0;
    for (const batch of this.batches) {
      end += batch.length;
      if (end === offset) return batchChain(batch, 0);
    }
    return -1;
  }

  /** A log file begins at the end. */
  begin(node: KeepingNode): void {
    this.#node = node;
    this.written = this.durable = this.end;
    this.names.push({ from: this.end, name: node.name() });
  }

  /** The process dies, or the machine with it. @returns bytes that are lost */
  die(isMachine: boolean, random: Random): number {
    this.#node = null;
    this.#moved = [];
    if (this.#before !== null) {
      Object.assign(this, this.#before);
      this.written = this.end;
      this.#before = null;
    }
    const { end } = this;
    const least = isMachine ? this.durable : this.written;
    const most = least + Math.floor((end - least + 1) * random.fraction());
    let at = end;
    while (at > most && at > least) at -= this.batches.pop()!.length;
    this.names = this.names.filter(({ from }) => from <= at);
    return end - at;
  }

  persist(log: SealedLog): void {
    const node = this.#node;
    if (node === null) return;
    for (let { end } = this; end < log.next;) {
      const { bytes, start } = log.segmentAt(end);
      const length = batchLength(bytes, end - start);
      this.#keep(Buffer.from(bytes.subarray(end - start, end - start + length)), end + length);
      end += length;
    }
    const { next } = log;
    const swaps = this.#swaps;
    node.after(WRITE_MS * node.random.fraction(), () => {
      if (swaps !== this.#swaps) return;
      this.written = Math.max(this.written, next);
      this.#tell();
    });
    this.#sync(next, SYNC_MS);
  }

  #keep(batch: Buffer, end: number): void {
    const newest = this.batches.at(-1);
    this.#archive?.put(end, batch, newest === undefined ? 0 : batchChain(newest, 0));
    this.batches.push(batch);
  }

  want(offset: number): void {
    this.#sync(offset, WANTED_MS);
  }

  awaitWritten(): void {
    // It tells of all that it has written.
  }

  rename(offset: number, done: () => void): void {
    const node = this.#node;
    if (node === null) return;
    const name = node.name();
    const swaps = this.#swaps;
    node.after(WRITE_MS * node.random.fraction(), () => {
      if (swaps !== this.#swaps) return;
      this.#before = null;
      this.written = Math.max(this.written, offset);
      this.durable = Math.max(this.durable, offset);
      this.names.push({ from: offset, name });
      this.#tell();
      done();
    });
  }

  read(_offset: number, done: (answer: ReadAnswer) => void): void {
    this.#node?.after(1, () => done({ kind: "gone" }));
  }

  chainAt(_offset: number, done: (chain: number) => void): void {
    this.#node?.after(1, () => done(-1));
  }

  restart(offset: number, chain: number): void {
    const node = this.#node;
    // Nothing was there, and nothing is: only the name is another.
    if (offset === 0 && this.batches.length === 0 && node !== null) {
      this.names = [{ from: 0, name: node.name() }];
      return;
    }
    if (this.#archive !== null && node !== null) {
      this.#swap(this.#archive.upTo(offset, chain), offset, node);
      return;
    }
    this.isReplaced = true;
    this.#node = null;
    this.written = this.durable = Number.POSITIVE_INFINITY;
  }

  /** It counts when it is durable. */
  #swap(batches: Buffer[], offset: number, node: KeepingNode): void {
    const { durable, names } = this;
    this.#before ??= { batches: this.batches, names, durable };
    const swaps = ++this.#swaps;
    this.batches = batches;
    this.names = [{ from: offset, name: node.name() }];
    this.written = offset;
    this.durable = 0;
    node.after(SYNC_MS * node.random.fraction(), () => {
      if (swaps !== this.#swaps) return;
      this.#before = null;
      this.durable = Math.max(this.durable, offset);
      this.#tell();
    });
  }

  takeBack(): void {
    throw new Error("nothing is drafted here");
  }

  onMoved(moved: () => void): void {
    this.#moved.push(moved);
  }

  #sync(offset: number, withinMs: number): void {
    const node = this.#node;
    const swaps = this.#swaps;
    node?.after(WRITE_MS + withinMs * node.random.fraction(), () => {
      if (this.isReplaced || swaps !== this.#swaps || this.#before !== null) return;
      this.written = Math.max(this.written, offset);
      this.durable = Math.max(this.durable, offset);
      this.#tell();
    });
  }

  #tell(): void {
    for (const moved of this.#moved) moved();
  }
}
