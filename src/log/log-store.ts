/**
 * What stands behind the log in memory: a place that keeps sealed bytes longer, or for good, and gives
 * older ones back later.
 *
 *   first                written            next         tail
 *     |   in the store     |   not yet        |  not sealed  |
 *     +--------+-----------+------------------+--------------+
 *              ^ memory begins at or before `written`: nothing leaves memory that the store lacks
 *
 * Watermarks, log offsets of one node: appended >= sealed >= written >= durable; visible <= sealed.
 *
 *   appended   Backlog.tail      in memory, perhaps in a batch that is open, drafted or arriving
 *   sealed     Backlog.next      in batches that are final; only a reset takes one back
 *   visible    Backlog.next      what links may send: all that is sealed
 *   written    LogStore.written  the store has it: memory may let it go
 *   durable    LogStore.durable  it outlives a crash of the machine
 *
 * A store never answers within the call that asks: what it says comes in a turn of its own, so that
 * nobody has to expect it in the middle of a step. It must not hold the loop. An answer is about the log
 * as it is when it is given.
 *
 * Owns: the seam, and the store that keeps nothing. Does not own: any other store, who reads
 * (block-reader.ts).
 * Tested in: test/unit/log/backlog.test.ts, test/unit/log/cursor-behind.test.ts.
 */
import type { LogBlock } from "./log-block.ts";
import type { LogSegment } from "./log-segment.ts";

/** A block that was read has at most this many bytes. */
export const BLOCK_BYTES_MAX: number = 1024 * 1024;

/** The log in memory, as a store takes bytes out of it. */
export interface SealedLog {
  /** Start of what is in memory. */
  readonly first: number;
  /** End of what is sealed. */
  readonly next: number;
  /** End of what links may be given: less where a draft is sealed as well. */
  readonly visible: number;
  /** The chain at `next`. */
  readonly chain: number;
  /**
   * The log segment that an offset in memory is in; `next` of it is the one after it. Whoever reads
   * it later retains it, until it is released.
   */
  segmentAt(offset: number): LogSegment;
}

/** What a read came to. */
export type ReadAnswer =
  /** It begins where it was asked for. The chains of its batches were compared, where they end in it. */
  | { readonly kind: "block"; readonly block: LogBlock }
  /** The store has dropped it. */
  | { readonly kind: "gone" }
  /** What is stored at `offset` is not what was written. `first` is behind it from now on. */
  | { readonly kind: "damaged"; readonly offset: number };

export interface LogStore {
  /** It reads the log's memory in a thread of its own: that memory must be shared. */
  readonly wantsSharedMemory: boolean;
  /** From here on it has the log, up to `written`; a batch boundary. Infinity: it gives nothing back. */
  readonly first: number;
  /** Infinity: it owes nothing, memory may let go of what it likes. */
  readonly written: number;
  readonly durable: number;
  /** More may be appended: false while it cannot write, or is far behind. onMoved() when that changed. */
  readonly takesMore: boolean;
  /**
   * The end of a turn: takes what is sealed and was not taken yet. A primary's draft (log/draft.ts) is
   * taken as if it were sealed already; until it is, others of these calls say less.
   */
  persist(log: SealedLog): void;
  /** Calls what onMoved() was given once it is written up to `offset`; Infinity for nobody waits. */
  awaitWritten(offset: number): void;
  /** Somebody waits until the log is durable up to `offset`, which was handed over. */
  want(offset: number): void;
  /**
   * From `offset`, the sealed end, the log goes on under another history, a promotion's or an adopted
   * one: no byte from there on is kept under the name before. The node's name is the new one by now.
   * `done`: it is kept, or never will be.
   */
  rename(offset: number, done: () => void): void;
  /** Reads a block that begins at `offset`, in [first, written), and ends inside no head. Answers once. */
  read(offset: number, done: (answer: ReadAnswer) => void): void;
  /** The chain at `offset`, or -1 when that is no boundary between two batches, or gone. Answers once. */
  chainAt(offset: number, done: (chain: number) => void): void;
  /**
   * What it has is of no log any more; the next batch begins at `offset`, in the history that is the
   * node's name by now. Questions that are open are answered "gone", and -1. `done`: the log has begun
   * there, another restart came, or it never will. What it has from `fork` on is nobody else's, and is
   * copied before it goes; -1 for nothing.
   */
  restart(offset: number, chain: number, fork?: number, done?: () => void): void;
  /**
   * A draft that was taken from `offset` on, where the chain is `chain`, is none: the next batch begins there. What
   * is before it stays. `done`: it is as if the draft had never been there, or as restart(), or it never will.
   */
  takeBack(offset: number, chain: number, done: () => void): void;
  /** Calls `moved` whenever `first`, `written` or `durable` has moved. */
  onMoved(moved: () => void): void;
}

/** The log is in memory alone. */
export const MEMORY_ONLY: LogStore = {
  first: Number.POSITIVE_INFINITY,
  written: Number.POSITIVE_INFINITY,
  durable: Number.POSITIVE_INFINITY,
  wantsSharedMemory: false,
  takesMore: true,
  persist: () => undefined,
  awaitWritten: () => undefined,
  want: () => undefined,
  rename: (_offset, done) => queueMicrotask(done),
  read: (_offset, done) => queueMicrotask(() => done({ kind: "gone" })),
  chainAt: (_offset, done) => queueMicrotask(() => done(-1)),
  restart: (_offset, _chain, _fork, done = () => undefined) => queueMicrotask(done),
  takeBack: (_offset, _chain, done) => queueMicrotask(done),
  onMoved: () => undefined,
};

/** How far each step of the log has got; see above. */
export interface Watermarks {
  readonly appended: number;
  readonly sealed: number;
  readonly visible: number;
  readonly written: number;
  readonly durable: number;
}
