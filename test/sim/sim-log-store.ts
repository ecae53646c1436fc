/**
 * The log store of a simulated node, as one on a disk behaves: it writes what is sealed later, out of
 * the log's memory, which must still be there; it answers later, keeps so much, and now and then finds
 * that what it reads is damaged. It goes with the process: there is no recovery.
 */
import { LogBlock } from "../../src/log/log-block.ts";
import {
  BLOCK_BYTES_MAX,
  type LogStore,
  type ReadAnswer,
  type SealedLog,
} from "../../src/log/log-store.ts";
import { BATCH_HEAD_BYTES, batchChain, batchLength, chainOf } from "../../src/wire/frame.ts";
import type { Random } from "../../tools/random.ts";

/** One read in so many finds damage. */
const DAMAGED_EVERY = 60;

interface StoredBatch {
  readonly from: number;
  readonly end: number;
  readonly bytes: Buffer;
  /** At its end, as its head says. */
  readonly chain: number;
  readonly isRight: boolean;
}

export interface SimLogStoreDeps {
  readonly random: Random;
  /** Calls `what` when a piece of work of the disk is done; never when the node is gone. */
  readonly later: (what: () => void) => void;
  /** Counts a path that was taken. */
  readonly mark: (what: string) => void;
  /** Bytes it keeps. */
  readonly keepBytes: number;
  /** The chain at 0. */
  readonly chain: number;
}

export class SimLogStore implements LogStore {
  readonly wantsSharedMemory = true;
  readonly takesMore = true;
  written = 0;
  durable = 0;
  /** Blocks that nobody has given back. */
  blocksOut = 0;
  readonly #deps: SimLogStoreDeps;
  #batches: StoredBatch[] = [];
  /** At `first`. */
  #chain: number;
  #isWriting = false;
  #generation = 0;
  #moved: () => void = () => undefined;

  constructor(deps: SimLogStoreDeps) {
    this.#deps = deps;
    this.#chain = deps.chain;
  }

  get first(): number {
    return this.#batches[0]?.from ?? this.written;
  }

  persist(log: SealedLog): void {
    if (this.#isWriting || log.next === this.written) return;
    const generation = this.#generation;
    this.#isWriting = true;
    this.#deps.later(() => {
      if (generation !== this.#generation) return;
      this.#isWriting = false;
      this.#write(log);
      this.#moved();
    });
  }

  #write(log: SealedLog): void {
    while (this.written < log.next) {
      const segment = log.segmentAt(this.written);
      const at = this.written - segment.start;
      const end = at + batchLength(segment.bytes, at);
      // Why not always its end: a bit that went bad in memory may be in its head.
      const to = end >= at + BATCH_HEAD_BYTES && end <= segment.sealed ? end : segment.sealed;
      const bytes = Buffer.from(segment.bytes.subarray(at, to));
      const chain = batchChain(bytes, 0);
      const before = this.#batches.at(-1)?.chain ?? this.#chain;
      const isRight = chainOf(bytes, 0, bytes.length, before) === chain;
      this.#batches.push({ from: this.written, end: segment.start + to, bytes, chain, isRight });
      this.written = this.durable = segment.start + to;
    }
    while (this.#batches.length > 1 && this.written - this.#batches[0]!.end > this.#deps.keepBytes)
      this.#drop(1);
  }

  /** The oldest `count` batches. */
  #drop(count: number): void {
    this.#chain = this.#batches.splice(0, count).at(-1)!.chain;
  }

  want(): void {
    // What it has written is durable.
  }

  awaitWritten(): void {
    // It tells of all that it has written.
  }

  rename(_offset: number, done: () => void): void {
    this.#deps.mark("log store: renamed");
    this.#deps.later(done);
  }

  read(offset: number, done: (answer: ReadAnswer) => void): void {
    const generation = this.#generation;
    const size = this.#deps.random.pick([100, 1_000, BLOCK_BYTES_MAX]);
    const isBad = this.#deps.random.between(0, DAMAGED_EVERY) === 0;
    this.#deps.later(() => {
      done(generation === this.#generation ? this.#readNow(offset, size, isBad) : { kind: "gone" });
      this.#moved();
    });
  }

  #readNow(offset: number, size: number, isBad: boolean): ReadAnswer {
    let n = this.#batches.findIndex(({ end }) => end > offset);
    const first = this.#batches[n];
    if (first === undefined || first.from > offset) {
      this.#deps.mark("log store: gone");
      return { kind: "gone" };
    }
    if (isBad || !first.isRight) {
      this.#drop(n + 1);
      this.#deps.mark("log store: damaged");
      return { kind: "damaged", offset: first.from };
    }
    const pieces: Buffer[] = [];
    let at = offset;
    for (; n < this.#batches.length && at < offset + size; n++) {
      const { from, end, bytes, isRight } = this.#batches[n]!;
      if (!isRight) break;
      const least = Math.max(at, from + BATCH_HEAD_BYTES);
      const to = Math.min(end, Math.max(least, offset + size));
      pieces.push(bytes.subarray(at - from, to - from));
      at = to;
    }
    this.blocksOut += 1;
    this.#deps.mark("log store: block");
    const recycler = { recycle: () => (this.blocksOut -= 1) };
    return { kind: "block", block: new LogBlock(Buffer.concat(pieces), offset, recycler) };
  }

  chainAt(offset: number, done: (chain: number) => void): void {
    const generation = this.#generation;
    this.#deps.later(() => {
      const n = this.#batches.findIndex(({ from }) => from === offset);
      this.#deps.mark("log store: chain");
      if (generation !== this.#generation || n < 0) done(-1);
      else done(this.#batches[n - 1]?.chain ?? this.#chain);
      this.#moved();
    });
  }

  restart(offset: number, chain: number): void {
    this.#generation += 1;
    this.#isWriting = false;
    this.#batches = [];
    this.#chain = chain;
    this.written = this.durable = offset;
  }

  takeBack(offset: number, _chain: number, done: () => void): void {
    this.#generation += 1;
    this.#isWriting = false;
    this.#batches = this.#batches.filter(({ from }) => from < offset);
    this.written = this.durable = Math.min(this.written, offset);
    this.#deps.later(done);
  }

  onMoved(moved: () => void): void {
    this.#moved = moved;
  }
}
