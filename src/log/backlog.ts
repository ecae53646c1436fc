/**
 * The backlog: the part of the log that a node still holds, [first, next), as a list of immutable
 * log segments, and the batch at its end that is being filled.
 *
 *      first                                   next            tail
 *        |  segment  |  segment  |  segment     |  open batch   |
 *        +-----------+-----------+--------------+---------------+
 *        ^ chain at every segment's start       ^ chain          not visible to links
 *
 * Two ways to grow, never mixed in one role:
 *   a primary  reserve() room, append() records to the open batch; seal() writes its head and makes
 *              it visible;
 *   a replica  receive*() bytes of batches as they arrive; commit() makes them visible once their
 *              records are applied.
 *
 * Invariants: first <= next; segments are contiguous; every segment starts at a batch boundary; the
 * newest batch is never trimmed; nothing at or after the lowest hold is trimmed.
 *
 * Pure but for memory: no clock of its own, no I/O.
 * Owns: bytes, boundaries, chain, retention. Does not own: who reads it (link.ts), holds' caps
 * (holds.ts), which history it is (history.ts).
 */
import assert from "node:assert/strict";
import { LogError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import {
  BATCH_HEAD_BYTES,
  batchChain,
  batchClockMs,
  batchHeadCrc,
  batchLength,
  sealBatchHead,
} from "../wire/frame.ts";
import { LogSegment, logMemory, type SegmentPool } from "./log-segment.ts";

const KIB = 1024;
const MIB = 1024 * 1024;
/** A record's length prefix. */
const PREFIX_BYTES = 4;
/** Recycled log segments kept ready; more go to the garbage collector. */
const FREE_SEGMENTS_MAX = 32;
/** Log segments trimmed in one call: trimming must not hold the loop. */
const TRIM_SEGMENTS_MAX = 8;

/** Read whenever the log is trimmed, never copied: they may change. */
export interface BacklogLimits {
  /** Bytes of history to keep; at most one log segment more is held. */
  readonly sizeBytes: number;
  /** Also drop what is older than this, ms; 0 keeps by bytes alone. */
  readonly ttlMs?: number;
}

export interface BacklogOptions extends BacklogLimits {
  /** Bytes of one log segment; default: a sixteenth of sizeBytes, 64 KiB to 1 MiB. */
  readonly segmentBytes?: number;
  /** Wall clock, ms since 1970. */
  readonly clock: () => number;
}

export class Backlog implements SegmentPool {
  /** End of the visible log. */
  next: number;
  /** Chain at `next`. */
  chain: number;
  limits: BacklogLimits;
  readonly segmentBytes: number;
  private readonly clock: () => number;
  private segments: LogSegment[] = [];
  private newest: LogSegment;
  private readonly freeList: Buffer[] = [];
  /** Blocks that were trimmed while somebody read them. */
  private readonly detached = new Set<LogSegment>();
  /** Index in the newest log segment where the open or incoming batch starts, -1 for none. */
  private openAt = -1;
  private openCount = 0;
  /** Announced length of the incoming batch, 0 when none is incomplete. */
  private incomingBytes = 0;

  constructor(offset: number, chain: number, options: BacklogOptions) {
    this.next = offset;
    this.chain = chain;
    this.limits = options;
    this.segmentBytes = options.segmentBytes ?? defaultSegmentBytes(options.sizeBytes);
    this.clock = options.clock;
    this.newest = this.addSegment(offset, chain, this.segmentBytes);
  }

  get sizeBytes(): number {
    return this.limits.sizeBytes;
  }

  /** Start of the held log. */
  get first(): number {
    return this.segments[0]!.start;
  }

  /** End of all that was appended or received: inside the open batch when there is one. */
  get tail(): number {
    return this.newest.start + this.newest.used;
  }

  /** Memory of the newest log segment; append() may replace it. */
  get bytes(): Buffer {
    return this.newest.bytes;
  }

  /** Wall clock of the newest visible batch, ms; 0 before the first. */
  get newestClockMs(): number {
    return this.newest.clockMs || (this.segments.at(-2)?.clockMs ?? 0);
  }

  /** Log offset where the newest log segment starts. */
  get newestSegmentStart(): number {
    return this.newest.start;
  }

  get segmentCount(): number {
    return this.segments.length;
  }

  /** Bytes of log segments that are trimmed and still being read. */
  get pinnedBytes(): number {
    let sum = 0;
    for (const segment of this.detached) {
      if (segment.pinned) sum += segment.bytes.length;
      else this.detached.delete(segment);
    }
    return sum;
  }

  // --- growing as a primary -------------------------------------------------------------------

  /**
   * Makes room for one record of `length` bytes, so that append() of so many or fewer cannot fail.
   * The record is no part of the log before that: the caller fills bytes[at, at + length), makes sure
   * that the state takes it, and appends it, all before it yields; or forgets it with unreserve().
   * @returns `at`, an index into `bytes` as it is after this call
   * @throws {LogError} ERR_LOG_RECORD_SIZE above LIMITS.recordBytesMax, ERR_LOG_FULL without memory
   */
  reserve(length: number): number {
    if (length > LIMITS.recordBytesMax) refuseSize(length);
    const need = PREFIX_BYTES + length;
    const { newest } = this;
    if (this.openAt >= 0) {
      if (newest.used + need <= newest.bytes.length) return newest.used + PREFIX_BYTES;
      this.seal();
    }
    return this.roomForBatch(BATCH_HEAD_BYTES + need) + BATCH_HEAD_BYTES + PREFIX_BYTES;
  }

  /** Where in the newest log segment a batch of `whole` bytes will start. */
  private roomForBatch(whole: number): number {
    const { newest } = this;
    if (newest.used + whole <= newest.bytes.length) return newest.used;
    return this.addSegment(this.next, this.chain, Math.max(whole, this.segmentBytes)).used;
  }

  /** What was reserved will not be appended: memory for it alone is given back. */
  unreserve(): void {
    const { newest } = this;
    if (newest.used > 0 || newest.bytes.length <= this.segmentBytes) return;
    try {
      newest.bytes = this.takeMemory(this.segmentBytes);
    } catch (error) {
      // Then it stays, and the next records go there.
      if (!(error instanceof LogError)) throw error;
    }
  }

  /**
   * Appends one record of exactly `length` bytes to the open batch, which is opened or, when full,
   * sealed first. What is in bytes[at, at + length), reserved or not, may be filled until the caller
   * yields.
   * @returns `at`, as reserve() did
   * @throws {LogError} as reserve() does, with nothing appended
   */
  append(length: number): number {
    const at = this.reserve(length);
    const segment = this.newest;
    if (this.openAt < 0) {
      this.openAt = segment.used;
      this.openCount = 0;
    }
    segment.bytes.writeUInt32LE(length, at - PREFIX_BYTES);
    segment.used = at + length;
    this.openCount += 1;
    return at;
  }

  /** Bytes in the open batch, its head included; 0 when none is open. */
  get openBytes(): number {
    return this.openAt < 0 ? 0 : this.newest.used - this.openAt;
  }

  /** Closes the open batch and makes it visible. False when there was none. */
  seal(): boolean {
    if (this.openAt < 0 || this.incomingBytes > 0) return false;
    const { newest: segment, openAt } = this;
    const length = segment.used - openAt;
    const clockMs = this.clock();
    this.chain = sealBatchHead(
      segment.bytes,
      openAt,
      length,
      this.openCount,
      this.next,
      clockMs,
      this.chain,
    );
    this.openAt = -1;
    this.publish(segment, length, clockMs);
    return true;
  }

  private publish(segment: LogSegment, length: number, clockMs: number): void {
    segment.sealed += length;
    segment.clockMs = clockMs;
    this.next += length;
  }

  // --- growing as a replica -------------------------------------------------------------------

  /** A batch of `length` bytes begins; head[at, at + 36) is its verified head. */
  receiveHead(head: Buffer, at: number, length: number): void {
    assert(this.incomingBytes === 0 && this.openAt < 0, "a batch inside a batch");
    let segment = this.newest;
    if (segment.used + length > segment.bytes.length)
      // Why: a long batch gets memory as it arrives, not as it was announced.
      segment = this.addSegment(
        this.tail,
        this.chain,
        Math.min(Math.max(length, this.segmentBytes), MIB),
      );
    this.openAt = segment.used;
    this.incomingBytes = length;
    head.copy(segment.bytes, segment.used, at, at + BATCH_HEAD_BYTES);
    segment.used += BATCH_HEAD_BYTES;
  }

  /** Payload of the incoming batch, any split. */
  receiveBytes(bytes: Buffer, from: number, to: number): void {
    const segment = this.newest;
    const used = segment.used + (to - from);
    assert(used - this.openAt <= this.incomingBytes, "more bytes than the batch has");
    if (used > segment.bytes.length) this.growIncoming(segment, used);
    bytes.copy(segment.bytes, segment.used, from, to);
    segment.used = used;
  }

  /** Doubles the log segment of a batch that is larger than one; nobody else reads it yet. */
  private growIncoming(segment: LogSegment, need: number): void {
    const whole = this.openAt + this.incomingBytes;
    const grown = logMemory(Math.min(whole, Math.max(need, segment.bytes.length * 2)));
    segment.bytes.copy(grown, 0, 0, segment.used);
    segment.bytes = grown;
  }

  /** The incoming batch is complete and its chain verified; it waits for commit(). */
  receiveEnd(): void {
    assert(this.newest.used - this.openAt === this.incomingBytes, "the batch is not complete");
    this.openAt = -1;
    this.incomingBytes = 0;
  }

  /** Bytes of the incomplete batch at the tail, its head included. */
  get partialBytes(): number {
    return this.incomingBytes === 0 ? 0 : this.newest.used - this.openAt;
  }

  /** Index in `bytes` where the incomplete batch starts. */
  get partialAt(): number {
    assert(this.incomingBytes > 0);
    return this.openAt;
  }

  /** headCrc of the incomplete batch, 0 when there is none. */
  get partialHeadCrc(): number {
    return this.incomingBytes === 0 ? 0 : batchHeadCrc(this.newest.bytes, this.openAt);
  }

  /** The received batch at `next`: its log segment and index, or null when none is complete. */
  pending(): { readonly segment: LogSegment; readonly at: number } | null {
    // Why not by incomingBytes: on a primary that was a replica, openAt is the open batch.
    const complete = this.openAt < 0 ? this.tail : this.newest.start + this.openAt;
    if (this.next >= complete) return null;
    const segment = this.segmentAt(this.next);
    return { segment, at: this.next - segment.start };
  }

  /** The batch at `next` is applied: it becomes part of the visible log. */
  commit(): void {
    const found = this.pending();
    assert(found !== null, "commit without a received batch");
    const { segment, at } = found;
    assert(at === segment.sealed);
    this.chain = batchChain(segment.bytes, at);
    this.publish(segment, batchLength(segment.bytes, at), batchClockMs(segment.bytes, at));
    this.fixChainStart(segment);
  }

  /** A log segment begun before its predecessor was applied learns the chain at its start. */
  private fixChainStart(segment: LogSegment): void {
    const after = segment.next;
    if (after !== null && segment.sealed === segment.used) after.chainStart = this.chain;
  }

  /** Forgets the incomplete batch at the tail. */
  dropIncoming(): void {
    if (this.incomingBytes === 0) return;
    this.newest.used = this.openAt;
    this.openAt = -1;
    this.incomingBytes = 0;
  }

  /** Forgets what was received after `next`. */
  dropReceived(): void {
    while (this.newest.start > this.next) {
      const dropped = this.segments.pop()!;
      this.newest = this.segments.at(-1)!;
      this.newest.next = null;
      dropped.trim();
    }
    this.newest.used = this.newest.sealed;
    this.openAt = -1;
    this.incomingBytes = 0;
  }

  // --- reading --------------------------------------------------------------------------------

  /** The log segment in which a reader at `offset` goes on; first <= offset <= tail. */
  segmentAt(offset: number): LogSegment {
    if (offset < this.first || offset > this.tail) assert.fail(`offset ${offset} is not held`);
    let low = 0;
    let high = this.segments.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.segments[middle]!.start <= offset) low = middle;
      else high = middle - 1;
    }
    return this.segments[low]!;
  }

  /**
   * Chain at `offset`, or -1 when it is outside [first, next] or not a batch boundary, as far as can be
   * told: behind a damaged head in the log segment nothing is one.
   */
  chainAt(offset: number): number {
    if (offset === this.next) return this.chain;
    if (offset < this.first || offset > this.next) return -1;
    const segment = this.segmentAt(offset);
    const target = offset - segment.start;
    let chain = segment.chainStart;
    let at = 0;
    while (at < target) {
      const after = segment.batchEnd(at);
      if (after < 0) return -1;
      chain = batchChain(segment.bytes, at);
      at = after;
    }
    return at === target ? chain : -1;
  }

  // --- retention ------------------------------------------------------------------------------

  /**
   * Drops the oldest log segments beyond the size (and age), but nothing at or after `hold`.
   * @returns true when there is more to drop in a later call
   */
  trim(hold: number): boolean {
    let budget = TRIM_SEGMENTS_MAX;
    while (this.mayTrim(hold)) {
      if (budget === 0) return true;
      budget -= 1;
      const oldest = this.segments.shift()!;
      this.detached.add(oldest);
      oldest.trim();
      if (!oldest.pinned) this.detached.delete(oldest);
    }
    return false;
  }

  private mayTrim(hold: number): boolean {
    const second = this.segments[1];
    if (second === undefined || second.sealed === 0) return false;
    const oldest = this.segments[0]!;
    if (oldest.end > hold || oldest.sealed !== oldest.used) return false;
    if (this.next - oldest.end >= this.sizeBytes) return true;
    const { ttlMs = 0 } = this.limits;
    return ttlMs > 0 && oldest.clockMs < this.clock() - ttlMs;
  }

  /** Forgets everything and goes on at another position: a snapshot was swapped in. */
  reset(offset: number, chain: number): void {
    assert(this.openAt < 0 || this.incomingBytes > 0, "reset with an open batch");
    for (const segment of this.segments) {
      this.detached.add(segment);
      segment.trim();
    }
    this.segments = [];
    this.openAt = -1;
    this.incomingBytes = 0;
    this.next = offset;
    this.chain = chain;
    this.newest = this.addSegment(offset, chain, this.segmentBytes);
  }

  // --- memory ---------------------------------------------------------------------------------

  private addSegment(start: number, chain: number, bytes: number): LogSegment {
    const { newest } = this;
    if (this.segments.length > 0 && newest.used === 0) {
      // Why not a log segment behind it: one that stays empty stops readers and trimming for ever.
      const fresh = this.takeMemory(bytes);
      this.keepMemory(newest.bytes);
      newest.bytes = fresh;
      return newest;
    }
    const segment = new LogSegment(this.takeMemory(bytes), start, chain, this);
    const before = this.segments.at(-1);
    if (before !== undefined) before.next = segment;
    this.segments.push(segment);
    this.newest = segment;
    return segment;
  }

  private takeMemory(bytes: number): Buffer {
    const recycled = bytes === this.segmentBytes ? this.freeList.pop() : undefined;
    return recycled ?? logMemory(bytes);
  }

  recycle(bytes: Buffer, segment: LogSegment): void {
    this.detached.delete(segment);
    this.keepMemory(bytes);
  }

  private keepMemory(bytes: Buffer): void {
    if (bytes.length === this.segmentBytes && this.freeList.length < FREE_SEGMENTS_MAX)
      this.freeList.push(bytes);
  }
}

function refuseSize(length: number): never {
  throw new LogError(
    "ERR_LOG_RECORD_SIZE",
    `a record of ${length} bytes, at most ${LIMITS.recordBytesMax} are allowed`,
  );
}

function defaultSegmentBytes(sizeBytes: number): number {
  const sixteenth = 2 ** Math.floor(Math.log2(Math.max(1, sizeBytes / 16)));
  return Math.min(MIB, Math.max(64 * KIB, sixteenth));
}
