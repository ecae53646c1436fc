/**
 * A store of the log as one on a disk behaves: it takes what is sealed and has written it later, reads
 * blocks that end anywhere but in a head, answers when a test says so, compares chains, drops old log
 * and finds damage.
 */
import {
  BLOCK_BYTES_MAX,
  type LogStore,
  type ReadAnswer,
  type SealedLog,
} from "../../../src/log/log-store.ts";
import { LogBlock } from "../../../src/log/log-block.ts";
import type { LogSegment } from "../../../src/log/log-segment.ts";
import { BATCH_HEAD_BYTES, batchChain, batchLength, chainOf } from "../../../src/wire/frame.ts";

interface FakeStoreOptions {
  readonly blockBytes?: number;
  /** It writes when settle() is called, else at once. */
  readonly isLate?: boolean;
}

export class FakeStore implements LogStore {
  readonly wantsSharedMemory = false;
  takesMore = true;
  /** Where the log went on under another history. */
  readonly renamedAt: number[] = [];
  readonly wantedTo: number[] = [];
  readonly awaited: number[] = [];
  /** Told when it has begun anew, which a test lets it. */
  restarted: (() => void) | null = null;
  first: number;
  written: number;
  durable: number;
  /** Blocks that nobody has given back. */
  blocksOut = 0;
  /** How many were read. */
  reads = 0;
  readonly #blockBytes: number;
  readonly #isLate: boolean;
  /** All that was taken, from #start on. */
  #bytes: Buffer = Buffer.alloc(0);
  #start: number;
  #chain: number;
  #questions: (() => void)[] = [];
  #moved: () => void = () => undefined;

  constructor(offset: number, chain: number, options: FakeStoreOptions = {}) {
    this.#blockBytes = options.blockBytes ?? BLOCK_BYTES_MAX;
    this.#isLate = options.isLate ?? false;
    this.first = this.written = this.durable = this.#start = offset;
    this.#chain = chain;
  }

  // --- as LogStore -------------------------------------------------------------------------------

  persist(log: SealedLog): void {
    const pieces = [this.#bytes];
    for (let at = this.#taken; at < log.next;) {
      const segment: LogSegment = log.segmentAt(at);
      const to = Math.min(segment.used, log.next - segment.start);
      pieces.push(Buffer.from(segment.bytes.subarray(at - segment.start, to)));
      at = segment.start + to;
    }
    if (pieces.length > 1) this.#bytes = Buffer.concat(pieces);
    if (!this.#isLate) this.settle();
  }

  awaitWritten(offset: number): void {
    this.awaited.push(offset);
  }

  want(offset: number): void {
    this.wantedTo.push(offset);
  }

  rename(offset: number, done: () => void): void {
    this.renamedAt.push(offset);
    queueMicrotask(done);
  }

  read(offset: number, done: (answer: ReadAnswer) => void): void {
    this.reads += 1;
    this.#questions.push(() => done(this.#readNow(offset)));
  }

  chainAt(offset: number, done: (chain: number) => void): void {
    this.#questions.push(() => {
      const known = offset === this.#start ? this.#chain : undefined;
      const before = this.#batches().find(({ end }) => end === offset);
      done(offset < this.first ? -1 : (known ?? before?.chain ?? -1));
    });
  }

  restart(offset: number, chain: number, _fork?: number, done: () => void = () => undefined): void {
    this.restarted = done;
    this.#bytes = Buffer.alloc(0);
    this.#start = this.first = this.written = this.durable = offset;
    this.#chain = chain;
    this.#moved();
  }

  takeBack(offset: number, _chain: number, done: () => void): void {
    this.restarted = done;
    this.#bytes = this.#bytes.subarray(0, Math.max(0, offset - this.#start));
    this.written = Math.min(this.written, offset);
    this.durable = Math.min(this.durable, offset);
    this.#moved();
  }

  onMoved(moved: () => void): void {
    this.#moved = moved;
  }

  // --- what a test does to it --------------------------------------------------------------------

  /** All that was taken is written and durable. */
  settle(): void {
    this.written = this.durable = this.#taken;
    this.#moved();
  }

  get isAsked(): boolean {
    return this.#questions.length > 0;
  }

  /** Answers what it was asked until now. */
  answer(): void {
    for (const question of this.#questions.splice(0)) question();
  }

  /** Drops everything before `offset`, a boundary. */
  drop(offset: number): void {
    this.first = offset;
    this.#moved();
  }

  /** A bit goes bad on the disk. */
  flip(offset: number): void {
    this.#bytes[offset - this.#start]! ^= 1;
  }

  // --- inside ------------------------------------------------------------------------------------

  get #taken(): number {
    return this.#start + this.#bytes.length;
  }

  /** Batches in the order of the log, as far as their chains are right, and one that is not. */
  #batches(): { from: number; end: number; chain: number; isRight: boolean }[] {
    const found = [];
    let chain = this.#chain;
    for (let at = 0; at < this.#bytes.length;) {
      const length = batchLength(this.#bytes, at);
      const isWhole = length >= BATCH_HEAD_BYTES && at + length <= this.#bytes.length;
      const sum = isWhole ? chainOf(this.#bytes, at, length, chain) : -1;
      const isRight = isWhole && sum === batchChain(this.#bytes, at);
      found.push({ from: this.#start + at, end: this.#start + at + length, chain: sum, isRight });
      if (!isRight) break;
      chain = sum;
      at += length;
    }
    return found;
  }

  #readNow(offset: number): ReadAnswer {
    if (offset < this.first) return { kind: "gone" };
    const batches = this.#batches();
    const damaged = batches.find(({ isRight }) => !isRight);
    let end = Math.min(offset + this.#blockBytes, this.written);
    const cut = batches.find(({ from }) => from < end && end < from + BATCH_HEAD_BYTES);
    if (cut !== undefined) end = cut.from > offset ? cut.from : cut.from + BATCH_HEAD_BYTES;
    if (damaged !== undefined && end > damaged.from) {
      if (offset >= damaged.from) {
        this.drop(damaged.end);
        return { kind: "damaged", offset: damaged.from };
      }
      end = damaged.from;
    }
    const bytes = Buffer.from(this.#bytes.subarray(offset - this.#start, end - this.#start));
    this.blocksOut += 1;
    const block = new LogBlock(bytes, offset, { recycle: () => void (this.blocksOut -= 1) });
    return { kind: "block", block };
  }
}
