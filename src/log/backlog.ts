/**
 * The backlog: the part of the log that a node holds in memory, [first, next), and the batch at its
 * end that is being filled.
 *
 *      first                                   next            tail
 *        |  segment  |  segment  |  segment     |  open batch   |
 *        +-----------+-----------+--------------+---------------+
 *                                                 not visible to links
 *
 * Three ways to grow, of which a role has the first two or the third:
 *   a primary  reserve() room, append() records to the open batch; seal() writes its head and makes
 *              it visible (open-batch.ts);
 *              draft() a whole batch, which the disk and the state are given first; commitDraft() makes it
 *              visible, dropDraft() takes it back (draft.ts);
 *   a replica  receive*() bytes of batches as they arrive; commit() makes them visible once their
 *              records are applied (incoming-batch.ts).
 *
 * The newest batch is never trimmed, and nothing at or after the lowest hold (retention.ts). A store
 * may stand behind it and have older log (log-store.ts); memory keeps what that has not written.
 *
 * Pure but for memory: no clock of its own, no I/O.
 * Owns: what others see of the log in memory. Does not own: the list and its memory (segments.ts), who
 * reads it (cursor.ts), holds (primary/holds.ts), which history it is (history.ts).
 */
import assert from "node:assert/strict";
import { encodeNodeRecord, type NodeRecord } from "../wire/node-record.ts";
import { chainAt, recordsFrom, segmentAt } from "./boundaries.ts";
import { type Draft, DraftBatch } from "./draft.ts";
import { IncomingBatch, type PendingBatch } from "./incoming-batch.ts";
import { LogMemory, type SpareMemory } from "./log-memory.ts";
import type { LogSegment } from "./log-segment.ts";
import { type LogStore, MEMORY_ONLY, type Watermarks } from "./log-store.ts";
import { OpenBatch } from "./open-batch.ts";
import { type BacklogLimits, trim } from "./retention.ts";
import { Segments } from "./segments.ts";

/** What is kept of a log that nobody wants. */
const UNWANTED: BacklogLimits = { sizeBytes: 0 };
const KIB = 1024;
const MIB = 1024 * 1024;

export interface BacklogOptions extends BacklogLimits {
  /** Bytes of one log segment; default: a sixteenth of sizeBytes, 64 KiB to 1 MiB. */
  readonly segmentBytes?: number;
  /** Wall clock, ms since 1970. */
  readonly clock: () => number;
  /** What stands behind it; default: nothing does. */
  readonly store?: LogStore;
  /** Who takes free memory of the log, and gives some. */
  readonly spare?: SpareMemory | null;
}

export class Backlog {
  limits: BacklogLimits;
  readonly store: LogStore;
  readonly #clock: () => number;
  readonly #segments: Segments;
  readonly #open: OpenBatch;
  readonly #draft: DraftBatch;
  /** The store was given it. */
  #isDraftOut = false;
  readonly #incoming: IncomingBatch;

  constructor(offset: number, chain: number, options: BacklogOptions) {
    this.limits = options;
    this.#clock = options.clock;
    this.store = options.store ?? MEMORY_ONLY;
    const segmentBytes = options.segmentBytes ?? defaultSegmentBytes(options.sizeBytes);
    const memory = new LogMemory(segmentBytes, this.store.wantsSharedMemory, options.spare);
    this.#segments = new Segments(offset, chain, memory);
    this.#open = new OpenBatch(this.#segments, options.clock);
    this.#draft = new DraftBatch(this.#segments, this.#open, options.clock);
    this.#incoming = new IncomingBatch(this.#segments);
  }

  get sizeBytes(): number {
    return this.limits.sizeBytes;
  }

  get segmentBytes(): number {
    return this.#segments.usualBytes;
  }

  /** Start of what is in memory. */
  get first(): number {
    return this.#segments.first;
  }

  /** Start of what links can be fed from: memory, or what the store has before it. */
  get oldest(): number {
    return Math.min(this.#segments.first, this.store.first);
  }

  /** End of the visible log. */
  get next(): number {
    return this.#segments.next;
  }

  /** As a store asks for it, which is handed more than is visible with a draft. */
  get visible(): number {
    return this.#segments.next;
  }

  /** Chain at `next`. */
  get chain(): number {
    return this.#segments.chain;
  }

  /**
   * Records that were sealed since the start of the process, whatever log they are of. That of a node
   * batch is the log's own, and counts nowhere.
   */
  get records(): number {
    return this.#segments.records;
  }

  /** End of all that was appended or received: inside the open batch when there is one. */
  get tail(): number {
    return this.#segments.tail;
  }

  /** How far each step has got. Without a store what is sealed is as written as it will ever be. */
  get watermarks(): Watermarks {
    const { next: sealed, tail: appended } = this.#segments;
    const written = Math.min(sealed, this.store.written);
    const durable = Math.min(written, this.store.durable);
    return { appended, sealed, visible: sealed, written, durable };
  }

  /** As in watermarks; 0 when no store stands behind it. */
  get durable(): number {
    const { durable } = this.store;
    return durable === Number.POSITIVE_INFINITY ? 0 : Math.min(this.next, durable);
  }

  /** Memory of the newest log segment; append() may replace it. */
  get bytes(): Buffer {
    return this.#segments.newest.bytes;
  }

  /** Wall clock of the newest visible batch, ms; 0 before the first. */
  get newestClockMs(): number {
    return this.#segments.newestClockMs;
  }

  /** Log offset where the newest log segment starts. */
  get newestSegmentStart(): number {
    return this.#segments.newest.start;
  }

  get segmentCount(): number {
    return this.#segments.list.length;
  }

  /** Bytes of log segments that are trimmed and still being read. */
  get pinnedBytes(): number {
    return this.#segments.pinnedBytes;
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
    return this.#open.reserve(length);
  }

  /** What was reserved will not be appended: memory for it alone is given back. */
  unreserve(): void {
    this.#segments.shrinkEmpty();
  }

  /**
   * Appends one record of exactly `length` bytes to the open batch, which is opened or, when full,
   * sealed first. What is in bytes[at, at + length), reserved or not, may be filled until the caller
   * yields.
   * @returns `at`, as reserve() did
   * @throws {LogError} as reserve() does, with nothing appended
   */
  append(length: number): number {
    return this.#open.append(length);
  }

  /** Takes back what append() added last, `length` bytes; in the turn of that call. */
  unappend(length: number): void {
    this.#open.takeBack(length);
  }

  /** Bytes in the open batch, its head included; 0 when none is open. */
  get openBytes(): number {
    return this.#open.bytes;
  }

  /** Closes the open batch and makes it visible. False when there was none. */
  seal(): boolean {
    return this.#open.seal();
  }

  /** A history begins here: `record` is in the log, as its node batch, once a first record is. */
  beginHistory(record: NodeRecord): void {
    this.#open.beginHistory(encodeNodeRecord(record));
  }

  /** The history that begins here does so at once, with no record of the state. */
  writeHistory(): void {
    this.#open.writeNode();
  }

  /** Its node batch is in the log. */
  get hasBegun(): boolean {
    return this.#open.nodeRecord === null;
  }

  /**
   * Begins a batch that is not visible yet: `fill` puts `count` records of `payloadBytes` in all, each a
   * u32le length and its bytes, into `bytes` from `at` on. What is open is sealed first. Nothing else may
   * be appended before commitDraft() or dropDraft().
   * @throws {LogError} ERR_LOG_RECORD_SIZE for more than a batch may have, ERR_LOG_FULL without memory; with
   *   nothing changed, but that the open batch may be sealed
   */
  draft(count: number, payloadBytes: number, fill: (bytes: Buffer, at: number) => void): Draft {
    return this.#draft.begin(count, payloadBytes, fill);
  }

  /** Neither committed nor dropped yet. */
  get hasDraft(): boolean {
    return this.#draft.now !== null;
  }

  /** The store is given the draft: a process that is killed from here on may find it there. */
  persistDraft(): void {
    const { now } = this.#draft;
    assert(now !== null, "there is no draft");
    this.#isDraftOut = true;
    const { end: next, chain } = now;
    const segmentAt = (offset: number): LogSegment => this.segmentAt(offset);
    this.store.persist({ first: this.first, next, visible: this.next, chain, segmentAt });
    this.store.awaitWritten(next);
  }

  /** The draft is a part of the visible log. */
  commitDraft(): void {
    this.#draft.commit();
    this.#isDraftOut = false;
  }

  /** The draft was never there; `done` when the store has taken it back too, at once if it never had it. */
  dropDraft(done: () => void): void {
    const wasOut = this.#isDraftOut;
    this.forgetDraft();
    if (wasOut) this.store.takeBack(this.next, this.chain, done);
    else done();
  }

  /** The draft is dropped here; what the store has of it, if it has some, the next start will judge. */
  forgetDraft(): void {
    this.#draft.drop();
    this.#isDraftOut = false;
  }

  /** More may be appended: what stands behind it keeps up. */
  get takesMore(): boolean {
    return this.store.takesMore;
  }

  /** Somebody waits until all that was handed over is durable. */
  wantDurable(): void {
    this.store.want(this.next);
  }

  /** Hands what is sealed to the store. */
  persist(): void {
    this.store.persist(this);
  }

  /** What follows is of another history, which is the node's by now; `done` when the store has its name. */
  rename(done: () => void = () => undefined): void {
    assert(this.#open.bytes === 0, "another history inside a batch");
    this.store.rename(this.next, done);
  }

  // --- growing as a replica -------------------------------------------------------------------

  /** A batch of `length` bytes begins; head[at, at + 36) is its verified head. */
  receiveHead(head: Buffer, at: number, length: number): void {
    assert(this.#open.bytes === 0, "a batch inside a batch");
    this.#incoming.begin(head, at, length);
  }

  /** Payload of the incoming batch, any split. */
  receiveBytes(bytes: Buffer, from: number, to: number): void {
    this.#incoming.add(bytes, from, to);
  }

  /** The incoming batch is complete and its chain verified; it waits for commit(). */
  receiveEnd(): void {
    this.#incoming.end();
  }

  /** Bytes of the incomplete batch at the tail, its head included. */
  get partialBytes(): number {
    return this.#incoming.bytes;
  }

  /** On a replica: whole batches were received that its state does not have yet. */
  get hasUnapplied(): boolean {
    return this.next < this.tail - this.partialBytes;
  }

  /** Index in `bytes` where the incomplete batch starts. */
  get partialAt(): number {
    return this.#incoming.at;
  }

  /** headCrc of the incomplete batch, 0 when there is none. */
  get partialHeadCrc(): number {
    return this.#incoming.headCrc;
  }

  /** The received batch at `next`: its log segment and index, or null when none is complete. */
  pending(): PendingBatch | null {
    // Why the open batch and the draft: on a primary that was a replica, they are none that was received.
    const own = this.#open.bytes + this.#draft.bytes;
    return this.#incoming.pending(this.tail - this.#incoming.bytes - own);
  }

  /** The batch at `next` is applied: it becomes part of the visible log. */
  commit(): void {
    const found = this.pending();
    assert(found !== null, "commit without a received batch");
    this.#incoming.commit(found);
  }

  /** Forgets the incomplete batch at the tail. */
  dropIncoming(): void {
    this.#incoming.drop();
  }

  /** Forgets what was received after `next`. */
  dropReceived(): void {
    assert(this.#open.bytes === 0 && !this.hasDraft, "an open batch was not received");
    this.#incoming.forget();
    this.#segments.dropUnsealed();
  }

  // --- reading --------------------------------------------------------------------------------

  /** The log segment in which a reader at `offset` goes on; first <= offset <= tail. */
  segmentAt(offset: number): LogSegment {
    return segmentAt(this.#segments, offset);
  }

  /** Chain at `offset`, or -1 when it is outside [first, next] or not a batch boundary. */
  chainAt(offset: number): number {
    return chainAt(this.#segments, offset);
  }

  /** Records of whole batches from `offset` on, as far as they are in memory. */
  recordsFrom(offset: number): number {
    return recordsFrom(this.#segments, offset);
  }

  // --- retention ------------------------------------------------------------------------------

  /**
   * Drops the oldest log segments beyond the size (and age), but nothing at or after `hold`, and
   * nothing that the store has not written. Of a log that nobody wants only the newest log segment stays.
   * @returns true when there is more to drop in a later call
   */
  trim(hold: number, isWanted = true): boolean {
    const end = Math.min(hold, this.store.written);
    return trim(this.#segments, isWanted ? this.limits : UNWANTED, end, this.#clock);
  }

  /** Where a recovery begins: what is received from here on is in the store already. */
  begin(offset: number, chain: number): void {
    this.#incoming.forget();
    this.#segments.restart(offset, chain);
  }

  /** While what the store has is recovered: drops what memory need not have. @returns as trim() */
  trimStored(): boolean {
    return trim(this.#segments, this.limits, Number.POSITIVE_INFINITY, this.#clock);
  }

  /**
   * Forgets everything and goes on at another position: a snapshot was swapped in, and its history is
   * the node's by now. What is there from `fork` on is nobody else's; -1 for nothing.
   */
  reset(offset: number, chain: number, fork = -1): void {
    assert(this.#open.bytes === 0 && !this.hasDraft, "reset with an open batch");
    this.#incoming.forget();
    this.#segments.restart(offset, chain);
    this.store.restart(offset, chain, fork);
  }
}

function defaultSegmentBytes(sizeBytes: number): number {
  const sixteenth = 2 ** Math.floor(Math.log2(Math.max(1, sizeBytes / 16)));
  return Math.min(MIB, Math.max(64 * KIB, sixteenth));
}
