/**
 * Whether the head of a frame is to be believed: nothing is taken of a frame before its head was checked.
 *
 * In this order: the head's crc, type, flags, length; then for a batch that one is expected at all, its
 * count, clock and offset.
 *
 * Owns: which types this end may receive, and how long each may be. Does not own: sums of payloads and
 * bodies (decoder.ts), positions of fields (frame.ts).
 */
import { WireError, type WireErrorCode } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { bodyBytesMax } from "./codec.ts";
import {
  AT,
  BATCH_FLAG,
  BATCH_HEAD_BYTES,
  CHUNK_HEAD_BYTES,
  FRAME_HEAD_BYTES,
  RECORD_LENGTH_BYTES,
  batchClockMs,
  batchCount,
  batchLength,
  batchOffset,
  headSum,
  isNodeBatch,
} from "./frame.ts";
import { FRAME } from "./messages.ts";
import { NODE_BATCH_BYTES_MAX } from "./node-record.ts";

/** The flag of a node batch, in the word that begins with the type. */
const NODE_FLAG = BATCH_FLAG.node << 8;

/** No batch is expected anywhere. */
export const NOWHERE = -1;

/** Bytes before what a frame of this type carries. */
export function headBytesOf(type: number): number {
  if (type === FRAME.batch) return BATCH_HEAD_BYTES;
  return type === FRAME.chunk ? CHUNK_HEAD_BYTES : FRAME_HEAD_BYTES;
}

/** The error of the frame that starts at byte `frameAt` of the stream. */
export function frameError(code: WireErrorCode, detail: string, frameAt: number): WireError {
  return new WireError(code, `${detail} (frame at byte ${frameAt} of the stream)`);
}

export function hex(sum: number): string {
  return sum.toString(16).padStart(8, "0");
}

export class HeadChecks {
  /** By type: the longest frame that may be received, 0 for a type that may not. */
  readonly #lengthMax = new Uint32Array(256);

  /** @param accepts types that this end may receive, by number */
  constructor(accepts: ReadonlySet<number>) {
    for (const type of accepts) {
      this.#lengthMax[type] =
        type === FRAME.batch ? LIMITS.batchBytesMax : FRAME_HEAD_BYTES + bodyBytesMax(type);
    }
  }

  /**
   * The whole head of a frame of this type, which begins at `bytes[at]`.
   *
   * @param expected where the next batch must start, or NOWHERE
   * @param frameAt where the frame starts in the stream, for messages
   */
  check(bytes: Buffer, at: number, type: number, expected: number, frameAt: number): void {
    const crcBytes = type === FRAME.batch ? BATCH_HEAD_BYTES : FRAME_HEAD_BYTES;
    const seen = bytes.readUInt32LE(at + AT.headCrc);
    const sum = headSum(bytes, at, crcBytes);
    if (seen !== sum) {
      const hint = frameAt === 0 ? "; the other end may not be hawser" : "";
      const text = `head has crc ${hex(seen)}, expected ${hex(sum)}${hint}`;
      throw frameError("ERR_WIRE_HEADER_CRC", text, frameAt);
    }
    const lengthMax = this.#lengthMax[type]!;
    if (lengthMax === 0) throw notForThisEnd(type, frameAt);
    const flags = bytes.readUInt32LE(at + AT.type) - type;
    if (flags !== 0 && !(type === FRAME.batch && flags === NODE_FLAG)) {
      const text = `type ${type} has flags ${hex(flags)}, expected 0`;
      throw frameError("ERR_WIRE_BODY", text, frameAt);
    }
    const length = bytes.readUInt32LE(at + AT.length);
    const headBytes = headBytesOf(type);
    if (length > lengthMax || length < headBytes) {
      const text = `type ${type} has ${length} bytes, expected ${headBytes} to ${lengthMax}`;
      throw frameError("ERR_WIRE_LENGTH", text, frameAt);
    }
    if (type === FRAME.batch) this.#checkBatch(bytes, at, expected, frameAt);
  }

  /** What can be said of a batch before its head is complete. */
  checkBatchAllowed(expected: number, frameAt: number): void {
    if (this.#lengthMax[FRAME.batch] === 0) throw notForThisEnd(FRAME.batch, frameAt);
    if (expected === NOWHERE)
      throw frameError("ERR_WIRE_STATE", "a batch where none is expected", frameAt);
  }

  #checkBatch(bytes: Buffer, at: number, expected: number, frameAt: number): void {
    this.checkBatchAllowed(expected, frameAt);
    const length = batchLength(bytes, at);
    const count = batchCount(bytes, at);
    if (count === 0 || length < BATCH_HEAD_BYTES + count * RECORD_LENGTH_BYTES) {
      const text = `a batch of ${length} bytes has ${count} records`;
      throw frameError("ERR_WIRE_BODY", text, frameAt);
    }
    if (isNodeBatch(bytes, at) && (count !== 1 || length > NODE_BATCH_BYTES_MAX)) {
      const text = `a node batch of ${length} bytes has ${count} records`;
      throw frameError("ERR_WIRE_BODY", text, frameAt);
    }
    if (batchClockMs(bytes, at) > LIMITS.timeMsMax) {
      const text = `a batch's clock is more than ${LIMITS.timeMsMax}`;
      throw frameError("ERR_WIRE_BODY", text, frameAt);
    }
    const offset = batchOffset(bytes, at);
    if (offset !== expected || !Number.isSafeInteger(offset + length)) {
      const text = `a batch at offset ${offset}, expected ${expected}`;
      throw frameError("ERR_WIRE_OFFSET", text, frameAt);
    }
  }
}

function notForThisEnd(type: number, frameAt: number): WireError {
  return frameError("ERR_WIRE_TYPE", `type ${type} is not for this end`, frameAt);
}
