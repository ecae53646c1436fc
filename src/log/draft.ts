/**
 * A primary's batch that is in the log before it is a part of it: it is encoded, a disk may have it, the
 * state is given it, and only then links may see it.
 *
 *     next                                        tail
 *      |  node batch, of a history's first  |  head, records  |
 *      +-- commit(): all of it is sealed;  drop(): as if it had never been there
 *
 * There is one at a time, and no open or received batch beside it.
 * Owns: where it is, its heads. Does not own: memory (segments.ts), what a disk has of it (backlog.ts), when
 * each step comes (bridge/write-order.ts).
 */
import assert from "node:assert/strict";
import { LogError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import {
  BATCH_FLAG,
  BATCH_HEAD_BYTES,
  batchChain,
  batchLength,
  RECORD_LENGTH_BYTES,
  sealBatchHead,
} from "../wire/frame.ts";
import type { LogSegment } from "./log-segment.ts";
import type { OpenBatch } from "./open-batch.ts";
import type { Segments } from "./segments.ts";

/** A payload has at most so many bytes: records, and 4 before each. */
export const PAYLOAD_BYTES_MAX: number = LIMITS.batchBytesMax - BATCH_HEAD_BYTES;

/** Whole batches in memory of the log, `bytes[from, to)`: the last one has the records. */
export interface Draft {
  readonly bytes: Buffer;
  readonly from: number;
  readonly to: number;
  /** Where the log ends with it, and the chain there. */
  readonly end: number;
  readonly chain: number;
  /** Wall clock of its batches, ms since 1970. */
  readonly clockMs: number;
}

export class DraftBatch {
  /** Null when there is none. */
  now: Draft | null = null;
  readonly #segments: Segments;
  readonly #open: OpenBatch;
  readonly #clock: () => number;
  #segment: LogSegment | null = null;

  /** `open` knows of the node batch that a history begins with. */
  constructor(segments: Segments, open: OpenBatch, clock: () => number) {
    this.#segments = segments;
    this.#open = open;
    this.#clock = clock;
  }

  /** Its bytes; 0 when there is none. */
  get bytes(): number {
    return this.now === null ? 0 : this.now.to - this.now.from;
  }

  /** See Backlog.draft. */
  begin(count: number, payloadBytes: number, fill: (bytes: Buffer, at: number) => void): Draft {
    assert(this.now === null && count > 0, "a draft beside another, or of nothing");
    if (payloadBytes > PAYLOAD_BYTES_MAX)
      throw new LogError(
        "ERR_LOG_RECORD_SIZE",
        `a batch of ${payloadBytes} bytes, at most ${PAYLOAD_BYTES_MAX} are allowed, with 4 for each record`,
      );
    this.#open.seal();
    const { nodeRecord } = this.#open;
    const segments = this.#segments;
    const nodeBytes = nodeRecord === null ? 0 : batchBytes(nodeRecord.length + RECORD_LENGTH_BYTES);
    const length = batchBytes(payloadBytes);
    const segment = this.#roomFor(nodeBytes + length);
    const { bytes } = segment;
    const from = segment.used;
    const at = from + nodeBytes;
    fill(bytes, at + BATCH_HEAD_BYTES);
    const clockMs = Math.max(this.#clock(), segments.newestClockMs);
    const { next } = segments;
    let { chain } = segments;
    if (nodeRecord !== null) {
      putRecord(bytes, from + BATCH_HEAD_BYTES, nodeRecord);
      chain = sealBatchHead(bytes, from, nodeBytes, 1, next, clockMs, chain, BATCH_FLAG.node);
    }
    chain = sealBatchHead(bytes, at, length, count, next + nodeBytes, clockMs, chain);
    const to = at + length;
    segment.used = to;
    this.#segment = segment;
    this.now = { bytes, from, to, end: next + nodeBytes + length, chain, clockMs };
    return this.now;
  }

  /** Where it goes. @throws {LogError} ERR_LOG_FULL */
  #roomFor(bytes: number): LogSegment {
    const segments = this.#segments;
    const { newest } = segments;
    assert(segments.tail === segments.next, "a draft behind a batch that is not sealed");
    if (newest.used + bytes <= newest.bytes.length) return newest;
    return segments.extend(segments.next, segments.chain, Math.max(bytes, segments.usualBytes));
  }

  /** It is a part of the log. */
  commit(): void {
    const { bytes, from, to, clockMs } = this.#take();
    const segment = this.#segment!;
    for (let at = from; at < to;) {
      const length = batchLength(bytes, at);
      this.#segments.sealed(segment, length, batchChain(bytes, at), clockMs);
      at += length;
    }
    this.#open.nodeIsIn();
  }

  /** It is nowhere in memory; the node batch of a history waits on for the first record. */
  drop(): void {
    const { from } = this.#take();
    this.#segment!.used = from;
    this.#segments.shrinkEmpty();
  }

  #take(): Draft {
    const { now } = this;
    assert(now !== null, "there is no draft");
    this.now = null;
    return now;
  }
}

function batchBytes(payloadBytes: number): number {
  return BATCH_HEAD_BYTES + payloadBytes;
}

function putRecord(bytes: Buffer, at: number, record: Buffer): void {
  bytes.writeUInt32LE(record.length, at);
  record.copy(bytes, at + RECORD_LENGTH_BYTES);
}
