/**
 * The log segments of a backlog, oldest first, and where the sealed part of the log ends.
 *
 *      first                                   next            tail
 *        |  segment  |  segment  |  segment     |  not sealed   |
 *        +-----------+-----------+--------------+---------------+
 *        ^ chain at every segment's start       ^ chain
 *
 * Invariants: first <= next <= tail; log segments are contiguous; each starts at a batch boundary;
 * only the newest may be empty.
 *
 * Owns: the list, its memory, the sealed end. Does not own: how the newest is filled (open-batch.ts,
 * incoming-batch.ts), what is dropped (retention.ts), places in the log (boundaries.ts).
 */
import { LogError } from "../errors.ts";
import type { LogMemory } from "./log-memory.ts";
import { LogSegment, type Recycler } from "./log-segment.ts";
import { batchCount, isNodeBatch } from "../wire/frame.ts";

export class Segments implements Recycler {
  readonly #memory: LogMemory;
  #list: LogSegment[] = [];
  #newest: LogSegment;
  #next: number;
  #chain: number;
  /** Wall clock of the newest sealed batch, ms; 0 before the first. */
  newestClockMs = 0;
  #records = 0;
  /** Those that were dropped while somebody read them. */
  readonly #detached = new Set<LogSegment>();

  /** An empty log at `offset`; log segments have the usual size of `memory`. */
  constructor(offset: number, chain: number, memory: LogMemory) {
    this.#memory = memory;
    this.#next = offset;
    this.#chain = chain;
    this.#newest = this.#push(offset, chain, memory.usualBytes);
  }

  get usualBytes(): number {
    return this.#memory.usualBytes;
  }

  /** Oldest first; never empty. */
  get list(): readonly LogSegment[] {
    return this.#list;
  }

  get newest(): LogSegment {
    return this.#newest;
  }

  /** Start of what is in memory. */
  get first(): number {
    return this.#list[0]!.start;
  }

  /** End of what is sealed. */
  get next(): number {
    return this.#next;
  }

  /** Chain at `next`. */
  get chain(): number {
    return this.#chain;
  }

  /** See Backlog.records. */
  get records(): number {
    return this.#records;
  }

  /** End of all that is in memory. */
  get tail(): number {
    return this.#newest.start + this.#newest.used;
  }

  /** Bytes of dropped log segments that are still being read. */
  get pinnedBytes(): number {
    let sum = 0;
    for (const { bytes } of this.#detached) sum += bytes.length;
    return sum;
  }

  /** How many dropped log segments are still being read. */
  get detachedCount(): number {
    return this.#detached.size;
  }

  /** The next `length` bytes of `segment` are a batch that is final: `chain` is the one at its end. */
  sealed(segment: LogSegment, length: number, chain: number, clockMs: number): void {
    const { bytes, sealed: at } = segment;
    if (!isNodeBatch(bytes, at)) this.#records += batchCount(bytes, at);
    segment.sealed += length;
    segment.clockMs = clockMs;
    this.newestClockMs = clockMs;
    this.#next += length;
    this.#chain = chain;
  }

  /**
   * A log segment of `bytes` bytes behind the newest, or the newest with other memory when it is empty.
   * @throws {LogError} ERR_LOG_FULL
   */
  extend(start: number, chain: number, bytes: number): LogSegment {
    const newest = this.#newest;
    if (newest.used > 0) return this.#push(start, chain, bytes);
    // Why not a log segment behind it: one that stays empty stops readers and trimming for ever.
    this.#memory.giveBack(newest.refit(this.#memory.take(bytes)));
    return newest;
  }

  /**
   * `segment`, which nobody else reads yet, goes on in memory of `bytes` bytes.
   * @throws {LogError} ERR_LOG_FULL
   */
  grow(segment: LogSegment, bytes: number): void {
    const grown = this.#memory.make(bytes);
    segment.bytes.copy(grown, 0, 0, segment.used);
    segment.refit(grown);
  }

  #push(start: number, chain: number, bytes: number): LogSegment {
    const segment = new LogSegment(this.#memory.take(bytes), start, chain, this);
    const before = this.#list.at(-1);
    if (before !== undefined) before.next = segment;
    this.#list.push(segment);
    this.#newest = segment;
    return segment;
  }

  /** An empty newest log segment of more than the usual size gets the usual one. */
  shrinkEmpty(): void {
    const newest = this.#newest;
    if (newest.used > 0 || newest.bytes.length <= this.usualBytes) return;
    try {
      newest.refit(this.#memory.take(this.usualBytes));
    } catch (error) {
      // Then it stays, and the next records go there.
      if (!(error instanceof LogError)) throw error;
    }
  }

  dropOldest(): void {
    this.#detach(this.#list.shift()!);
  }

  /** Drops what is behind the log segment that `next` is in, and what is not sealed. */
  dropUnsealed(): void {
    while (this.#newest.start > this.#next) {
      const dropped = this.#list.pop()!;
      this.#newest = this.#list.at(-1)!;
      this.#newest.next = null;
      dropped.trim();
    }
    this.#newest.used = this.#newest.sealed;
  }

  /** Drops everything; an empty log at another position. */
  restart(offset: number, chain: number): void {
    for (const segment of this.#list) this.#detach(segment);
    this.#list = [];
    this.#next = offset;
    this.#chain = chain;
    this.newestClockMs = 0;
    this.#push(offset, chain, this.usualBytes);
  }

  #detach(segment: LogSegment): void {
    this.#detached.add(segment);
    segment.trim();
    if (!segment.pinned) this.#detached.delete(segment);
  }

  recycle(bytes: Buffer, segment: LogSegment): void {
    this.#detached.delete(segment);
    this.#memory.giveBack(bytes);
  }
}
