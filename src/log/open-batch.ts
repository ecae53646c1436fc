/**
 * The batch that a primary fills: records are appended to it, sealing writes its head.
 *
 * A record that does not fit behind the open batch seals that and goes where the next one starts: in
 * the same log segment or in a new one, as large as it needs.
 *
 * The first record of a history has its node batch before it, in the same log segment. It is not in the log
 * before that record is: a history in which nothing is written adds no byte to the log, so that a node that
 * led for nothing goes on with whoever else led from there.
 *
 * Owns: where the open batch is, its count. Does not own: memory (segments.ts), when it is sealed
 * (node/turn.ts).
 */
import assert from "node:assert/strict";
import { LogError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { BATCH_FLAG, BATCH_HEAD_BYTES, RECORD_LENGTH_BYTES, sealBatchHead } from "../wire/frame.ts";
import type { LogSegment } from "./log-segment.ts";
import type { Segments } from "./segments.ts";

const FIRST_RECORD_AT = BATCH_HEAD_BYTES + RECORD_LENGTH_BYTES;

export class OpenBatch {
  readonly #segments: Segments;
  readonly #clock: () => number;
  /** Index in the newest log segment where it starts, -1 for none. */
  #at = -1;
  #count = 0;
  /** The record of the node batch that the next record has before it; null once a history has begun. */
  #node: Buffer | null = null;

  /** `clock` is the wall clock, ms since 1970. */
  constructor(segments: Segments, clock: () => number) {
    this.#segments = segments;
    this.#clock = clock;
  }

  /** Its bytes, head included; 0 when there is none. */
  get bytes(): number {
    return this.#at < 0 ? 0 : this.#segments.newest.used - this.#at;
  }

  /** See Backlog.reserve. */
  reserve(length: number): number {
    const { newest } = this.#segments;
    const at = newest.used + RECORD_LENGTH_BYTES;
    const fits = at + length <= newest.bytes.length && length <= LIMITS.recordBytesMax;
    return fits && this.#at >= 0 ? at : this.#reserveAsFirst(length);
  }

  /** In a batch that is still to begin. */
  #reserveAsFirst(length: number): number {
    if (length > LIMITS.recordBytesMax) refuseSize(length);
    this.seal();
    const segments = this.#segments;
    assert(segments.tail === segments.next, "a record behind a batch that is not sealed");
    const node = this.#node;
    const before = node === null ? 0 : FIRST_RECORD_AT + node.length;
    const head = before + FIRST_RECORD_AT;
    const whole = head + length;
    let { newest } = segments;
    if (newest.used + whole > newest.bytes.length) {
      const bytes = Math.max(whole, segments.usualBytes);
      newest = segments.extend(segments.next, segments.chain, bytes);
    }
    return newest.used + head;
  }

  /** See Backlog.append. */
  append(length: number): number {
    const at = this.reserve(length);
    const segment = this.#segments.newest;
    if (this.#at < 0) this.#open(segment);
    segment.bytes.writeUInt32LE(length, at - RECORD_LENGTH_BYTES);
    segment.used = at + length;
    this.#count += 1;
    return at;
  }

  #open(segment: LogSegment): void {
    if (this.#node !== null) this.#putNode(segment, this.#node);
    this.#at = segment.used;
    this.#count = 0;
  }

  #putNode(segment: LogSegment, record: Buffer): void {
    const at = segment.used + FIRST_RECORD_AT;
    this.#node = null;
    this.#at = segment.used;
    this.#count = 1;
    segment.bytes.writeUInt32LE(record.length, at - RECORD_LENGTH_BYTES);
    record.copy(segment.bytes, at);
    segment.used = at + record.length;
    this.seal(BATCH_FLAG.node);
  }

  /** Of the node batch that the next record has before it; null when it has none. */
  get nodeRecord(): Buffer | null {
    return this.#node;
  }

  /** That node batch is in the log. */
  nodeIsIn(): void {
    this.#node = null;
  }

  /**
   * Takes back the newest record, of `length` bytes, which is in the open batch. A node batch that came
   * before it stays.
   */
  takeBack(length: number): void {
    const segment = this.#segments.newest;
    const from = segment.used - length - RECORD_LENGTH_BYTES;
    assert(this.#at >= 0 && from >= this.#at + BATCH_HEAD_BYTES, "it is not in the open batch");
    this.#count -= 1;
    segment.used = this.#count === 0 ? this.#at : from;
    if (this.#count === 0) this.#at = -1;
  }

  /** See Backlog.beginHistory. */
  beginHistory(record: Buffer): void {
    assert(this.#at < 0, "a history begins inside a batch");
    this.#node = record;
  }

  /** See Backlog.writeHistory. */
  writeNode(): void {
    const node = this.#node;
    if (node === null) return;
    this.seal();
    const segments = this.#segments;
    const whole = FIRST_RECORD_AT + node.length;
    let { newest } = segments;
    if (newest.used + whole > newest.bytes.length) {
      const bytes = Math.max(whole, segments.usualBytes);
      newest = segments.extend(segments.next, segments.chain, bytes);
    }
    this.#putNode(newest, node);
  }

  /** See Backlog.seal; `flags` of BATCH_FLAG. */
  seal(flags: number = BATCH_FLAG.none): boolean {
    if (this.#at < 0) return false;
    const segments = this.#segments;
    const segment = segments.newest;
    const at = this.#at;
    const length = segment.used - at;
    const { next, chain, newestClockMs } = segments;
    const { bytes } = segment;
    // Why never less: who replays the log up to a time cuts before the first batch that is later.
    const clockMs = Math.max(this.#clock(), newestClockMs);
    const after = sealBatchHead(bytes, at, length, this.#count, next, clockMs, chain, flags);
    this.#at = -1;
    segments.sealed(segment, length, after, clockMs);
    return true;
  }
}

function refuseSize(length: number): never {
  throw new LogError(
    "ERR_LOG_RECORD_SIZE",
    `a record of ${length} bytes, at most ${LIMITS.recordBytesMax} are allowed`,
  );
}
