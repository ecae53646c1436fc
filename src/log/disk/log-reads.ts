/**
 * The loop's end of reading the log from files: questions that are open, and memory for the blocks
 * that answer them.
 *
 *   read()      takes a free block, or waits for one -> the reader fills it -> whoever asked gives it
 *               back when its bytes were sent
 *   chainAt()   asks
 *   begin(), end()   the log is another one: what was asked of the old one is answered "gone", and -1
 *
 * All links together have BLOCKS_MAX blocks. One that reads at the speed of its socket has two: one is
 * sent while the next is read; one that is slow has up to its cap of output besides. So 16 slow links do
 * not make each other wait, and more take turns: who asked first is first. What is not used goes back to
 * the system when nobody reads.
 *
 * Pure but for memory: messages go out by `post`, and come in by hear().
 * Owns: open questions, blocks. Does not own: files (stored-log.ts), the thread
 * (node/disk/log-reader-thread.ts).
 */
import { LogBlock } from "../log-block.ts";
import type { Recycler } from "../log-segment.ts";
import { BLOCK_BYTES_MAX, type ReadAnswer } from "../log-store.ts";
import type { FromStoredLog, StoredPlace, ToStoredLog } from "./stored-log.ts";

/** 64 MiB: 16 links of 2 blocks and 2 MiB of output, half of the output's cap, each. */
const BLOCKS_MAX = 64;

type Answered = (answer: ReadAnswer) => void;

export interface LogReadsDeps {
  readonly post: (message: ToStoredLog) => void;
  /** Runs something in a turn of its own. */
  readonly later: (run: () => void) => void;
  /** End of what is written. */
  readonly written: () => number;
  /** `first` is another one. */
  readonly moved: () => void;
  /** What is stored at `offset` is not what was written. */
  readonly damaged: (offset: number, what: string) => void;
}

/** A block's memory, as often as it is used. */
class Block implements Recycler {
  readonly index: number;
  readonly memory: SharedArrayBuffer = new SharedArrayBuffer(BLOCK_BYTES_MAX);
  readonly #free: (block: Block) => void;

  constructor(index: number, free: (block: Block) => void) {
    this.index = index;
    this.#free = free;
  }

  recycle(): void {
    this.#free(this);
  }
}

interface OpenRead {
  readonly life: number;
  readonly offset: number;
  readonly block: Block;
  readonly done: Answered;
}

interface OpenChain {
  readonly life: number;
  readonly done: (chain: number) => void;
}

export class LogReads {
  readonly #deps: LogReadsDeps;
  #first = Number.POSITIVE_INFINITY;
  /** Counts the logs. */
  #life = 0;
  #nextId = 1;
  #isDead = false;
  readonly #reads = new Map<number, OpenRead>();
  readonly #chains = new Map<number, OpenChain>();
  /** Reads that wait for a block, oldest first. */
  #waiting: { readonly life: number; readonly offset: number; readonly done: Answered }[] = [];
  #blocks = 0;
  #free: Block[] = [];

  constructor(deps: LogReadsDeps) {
    this.#deps = deps;
  }

  /** Where what can be read begins; Infinity when there is nothing. */
  get first(): number {
    return this.#first;
  }

  /** Blocks that somebody reads or sends. */
  get blocksOut(): number {
    return this.#blocks - this.#free.length;
  }

  /** The log is in these files, from `first` on as far as is known. */
  begin(place: StoredPlace, first: number): void {
    this.#goOn(place, this.#isDead ? Number.POSITIVE_INFINITY : first);
  }

  /** The log was replaced, and the new one has no file yet: nothing can be read. */
  end(): void {
    this.#goOn(null, Number.POSITIVE_INFINITY);
  }

  #goOn(place: StoredPlace | null, first: number): void {
    this.#life += 1;
    this.#first = first;
    for (const { done } of this.#waiting.splice(0)) this.#sayGone(done);
    this.#post({ kind: "begin", life: this.#life, place });
  }

  /** A file has begun, or those before number `first` were dropped, which begins at `offset`. */
  filesMoved(first: number, offset: number): void {
    this.#post({ kind: "files", first });
    this.#moveFirst(Math.max(this.#first, offset));
  }

  read(offset: number, done: Answered): void {
    if (this.#isDead || offset < this.#first) this.#sayGone(done);
    else {
      this.#waiting.push({ life: this.#life, offset, done });
      this.#readNext();
    }
  }

  chainAt(offset: number, done: (chain: number) => void): void {
    if (this.#isDead || offset < this.#first) {
      this.#deps.later(() => done(-1));
      return;
    }
    const id = this.#nextId++;
    this.#chains.set(id, { life: this.#life, done });
    this.#post({ kind: "chain", id, offset });
  }

  hear(message: FromStoredLog): void {
    if (this.#isDead) return;
    if (message.kind === "first") {
      if (message.life === this.#life) this.#moveFirst(message.offset);
      return;
    }
    const read = this.#reads.get(message.id);
    const chain = this.#chains.get(message.id);
    this.#reads.delete(message.id);
    this.#chains.delete(message.id);
    if (message.kind === "damaged" && (read ?? chain)?.life === this.#life)
      this.#deps.damaged(message.offset, message.what);
    if (chain !== undefined) {
      const isPresent = message.kind === "chain" && chain.life === this.#life;
      chain.done(isPresent ? message.chain : -1);
    } else if (read !== undefined) this.#answer(read, message);
  }

  /** The reader has ended: nothing can be read any more. */
  die(): void {
    if (this.#isDead) return;
    this.#isDead = true;
    for (const { done } of this.#waiting.splice(0)) done({ kind: "gone" });
    for (const { done } of this.#chains.values()) done(-1);
    for (const { done } of this.#reads.values()) done({ kind: "gone" });
    this.#chains.clear();
    this.#reads.clear();
    this.#moveFirst(Number.POSITIVE_INFINITY);
  }

  // --- inside -----------------------------------------------------------------------------------

  #answer(read: OpenRead, message: FromStoredLog): void {
    const { life, offset, block, done } = read;
    const isPresent = life === this.#life;
    if (message.kind === "block" && isPresent) {
      done({
        kind: "block",
        block: new LogBlock(Buffer.from(block.memory, 0, message.bytes), offset, block),
      });
      return;
    }
    this.#giveBack(block);
    if (message.kind === "damaged" && isPresent) done({ kind: "damaged", offset: message.offset });
    else done({ kind: "gone" });
  }

  #readNext(): void {
    while (this.#waiting.length > 0) {
      const block = this.#takeBlock();
      if (block === null) return;
      const id = this.#nextId++;
      const { life, offset, done } = this.#waiting.shift()!;
      this.#reads.set(id, { life, offset, block, done });
      this.#post({ kind: "read", id, block: block.index, offset, end: this.#deps.written() });
    }
  }

  #takeBlock(): Block | null {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#blocks === BLOCKS_MAX) return null;
    const block = new Block(this.#blocks++, this.#giveBack);
    this.#post({ kind: "memory", block: block.index, memory: block.memory });
    return block;
  }

  readonly #giveBack = (block: Block): void => {
    this.#free.push(block);
    this.#readNext();
    if (this.#free.length < this.#blocks) return;
    // Nobody reads: why a turn later, links that follow each other find it still there.
    this.#deps.later(this.#forget);
  };

  readonly #forget = (): void => {
    if (this.#free.length < this.#blocks || this.#blocks === 0) return;
    this.#free = [];
    this.#blocks = 0;
    this.#post({ kind: "forget" });
  };

  #sayGone(done: Answered): void {
    this.#deps.later(() => done({ kind: "gone" }));
  }

  #moveFirst(first: number): void {
    if (first === this.#first) return;
    this.#first = first;
    this.#deps.moved();
  }

  #post(message: ToStoredLog): void {
    if (!this.#isDead) this.#deps.post(message);
  }
}
