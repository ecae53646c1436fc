/**
 * Splits a stream of bytes, cut anywhere, into frames, and checks each before it is believed.
 *
 *            control head            body complete: sink.control
 *          +--------------> body ---------------------------------+
 *          |                                                      v
 *   head --+  batch head            chain right: sink.batchEnd
 *    ^     +--------------> batch -------------------------------> head
 *    |     |  chunk head             crc right: sink.chunkEnd
 *    |     +--------------> chunk -------------------------------> head
 *    |
 *    +-- resumeBatch: head -> batch         any error, stop(): dead, further bytes are ignored
 *                                           suspend(): takes nothing before resume()
 *
 * Payloads of batches and chunks pass through as ranges of the pushed buffer. Only heads and
 * control bodies that are cut are copied, into one small buffer (`carryBytes`) that exists once
 * something was cut and never grows beyond LIMITS.controlBytesMax.
 *
 * Order of the checks: head's crc, type, flags, length, then for a batch count, clock and offset;
 * then nothing but that many bytes is taken, and the sum is compared at the end. A whole batch in
 * the pushed bytes is checked before the sink hears of it; of one that is cut, and of chunks, the
 * sink gets bytes that are only vouched for by batchEnd or chunkEnd.
 *
 * Owns: framing, sums, expected offset. Does not own: bodies (codec.ts), which frame is allowed
 * when (primary/, replica/).
 */
import assert from "node:assert/strict";
import { WireError, type WireErrorCode } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { bodyBytesMax, decodeBody } from "./codec.ts";
import { crc32 } from "./crc.ts";
import {
  AT,
  BATCH_HEAD_BYTES,
  CHUNK_HEAD_BYTES,
  FRAME_HEAD_BYTES,
  RECORD_LENGTH_BYTES,
  batchClockMs,
  batchLength,
  batchOffset,
  chainOf,
  headSum,
} from "./frame.ts";
import { FRAME, type Control } from "./messages.ts";

/**
 * What a decoder found, in the order of the stream. Buffers are valid during the call; what the
 * sink throws passes through push() and ends the decoder.
 */
export interface DecoderSink {
  control(message: Control): void;
  /** A verified batch head: `head[at, at + 36)`; `length` is of the whole batch. */
  batchHead(head: Buffer, at: number, length: number): void;
  /** Payload bytes of the current batch, any split. */
  batchBytes(bytes: Buffer, from: number, to: number): void;
  /** All bytes are in and the chain was right; offset and chain are now at the batch's end. */
  batchEnd(): void;
  /** A chunk begins; `number` is not verified before chunkEnd, `payloadBytes` is. */
  chunkHead(number: number, payloadBytes: number): void;
  /** Payload bytes of the current chunk, any split. */
  chunkBytes(bytes: Buffer, from: number, to: number): void;
  /** All bytes are in and their crc32, the digest, was right. */
  chunkEnd(digest: number): void;
}

type State = "head" | "body" | "batch" | "chunk";

/** No batch is expected anywhere: the first call of expect() is still to come. */
const NOWHERE = -1;

/** The first size of the carry buffer: every head fits. */
const CARRY_BYTES_MIN = 64;

export class Decoder {
  readonly #sink: DecoderSink;
  /** By type: the longest frame that may be received, 0 for a type that may not. */
  readonly #lengthMax: Uint32Array = new Uint32Array(256);
  #state: State = "head";
  /** After an error or stop(), for ever. */
  #dead = false;
  #inPush = false;
  #isSuspended = false;

  /** What was cut: the first #carried bytes of a head or of a control body. */
  #carry: Buffer | null = null;
  #carried = 0;

  #consumed = 0;
  /** Where the current frame starts in the stream, for messages. */
  #frameAt = 0;

  // Of the current frame, while the state is not "head".
  #type = 0;
  /** Bytes of it that are still to come. */
  #missing = 0;
  /** What its head says that #sum must become. */
  #check = 0;
  /** The sum so far. */
  #sum = 0;

  #offset = NOWHERE;
  #chain = 0;
  #batchBytes = 0;

  /** @param accepts types that this end may receive, by number */
  constructor(accepts: ReadonlySet<number>, sink: DecoderSink) {
    this.#sink = sink;
    for (const type of accepts) {
      this.#lengthMax[type] =
        type === FRAME.batch ? LIMITS.batchBytesMax : FRAME_HEAD_BYTES + bodyBytesMax(type);
    }
  }

  /** Where the next batch must start; -1 before the first expect(). */
  get offset(): number {
    return this.#offset;
  }

  /** The chain at `offset`. */
  get chain(): number {
    return this.#chain;
  }

  /** Bytes that were taken, those of the step under way not counted. */
  get consumed(): number {
    return this.#consumed;
  }

  /** Bytes of the current batch that are in, its head included; 0 between batches. */
  get batchReceived(): number {
    return this.#state === "batch" ? this.#batchBytes - this.#missing : 0;
  }

  /** Bytes of memory this holds for frames that are cut. */
  get carryBytes(): number {
    return this.#carry === null ? 0 : this.#carry.length;
  }

  /** Says where the next batch must start. Between frames only. */
  expect(offset: number, chain: number): void {
    assert(Number.isSafeInteger(offset) && offset >= 0);
    assert(chain === chain >>> 0, `the chain ${chain} is no u32`);
    assert(this.#state === "head", "expect() inside a frame");
    this.#offset = offset;
    this.#chain = chain;
  }

  /**
   * The next bytes are the rest of a batch whose first `held` bytes, at least its head, are
   * `bytes[at, at + held)`. The sink hears of what comes, not of its head again. Call it after
   * expect() with the batch's offset, between frames.
   */
  resumeBatch(bytes: Buffer, at: number, held: number): void {
    assert(this.#state === "head" && this.#carried === 0, "resumeBatch() inside a frame");
    assert(held >= BATCH_HEAD_BYTES && held < batchLength(bytes, at));
    assert.equal(batchOffset(bytes, at), this.#offset);
    this.#beginBatch(bytes, at, held);
  }

  /**
   * Ignores all further bytes, also the rest of those being pushed. From control(), batchEnd() or
   * chunkEnd() the sink hears nothing more; from elsewhere, nothing beyond that frame.
   */
  stop(): void {
    this.#dead = true;
  }

  /** Takes nothing more, also of the bytes being pushed, before resume(). From control() only. */
  suspend(): void {
    this.#isSuspended = true;
  }

  resume(): void {
    this.#isSuspended = false;
  }

  /**
   * Takes `bytes[from, to)`. Keeps no reference to `bytes`.
   *
   * @returns where those start that it did not take because it was suspended; `to` for none
   * @throws {WireError} once; from then on, and after stop(), bytes are ignored
   */
  push(bytes: Buffer, from: number, to: number): number {
    assert(!this.#inPush, "push() from within a sink");
    this.#inPush = true;
    let at = from;
    try {
      while (at < to && !this.#dead && !this.#isSuspended) {
        const next = this.#step(bytes, at, to);
        this.#consumed += next - at;
        at = next;
      }
    } catch (error) {
      this.#dead = true;
      throw error;
    } finally {
      this.#inPush = false;
    }
    return this.#dead ? to : at;
  }

  /** Takes some of `bytes[at, to)`, at least one byte; returns where the rest starts. */
  #step(bytes: Buffer, at: number, to: number): number {
    if (this.#state === "head") return this.#takeHead(bytes, at, to);
    if (this.#state === "batch") return this.#takeBatch(bytes, at, to);
    if (this.#state === "chunk") return this.#takeChunk(bytes, at, to);
    return this.#takeBody(bytes, at, to);
  }

  // Heads

  #takeHead(bytes: Buffer, at: number, to: number): number {
    if (this.#carried > 0) return this.#takeHeadRest(bytes, at, to);
    this.#frameAt = this.#consumed;
    if (to - at < FRAME_HEAD_BYTES) return this.#fill(FRAME_HEAD_BYTES, bytes, at, to);
    const type = bytes[at + AT.type]!;
    const headBytes = headBytesOf(type);
    if (to - at < headBytes) return this.#takeHeadRest(bytes, at, to);
    this.#checkHead(bytes, at, type, headBytes);
    if (type === FRAME.batch) {
      const length = batchLength(bytes, at);
      if (length <= to - at) return this.#wholeBatch(bytes, at, length);
    }
    this.#beginFrame(bytes, at, type);
    return at + headBytes;
  }

  /** Goes on with a head that is cut; it is gathered in the carry buffer. */
  #takeHeadRest(bytes: Buffer, at: number, to: number): number {
    const common =
      this.#carried < FRAME_HEAD_BYTES ? this.#fill(FRAME_HEAD_BYTES, bytes, at, to) : at;
    if (this.#carried < FRAME_HEAD_BYTES) return common;
    const carry = this.#carry!;
    const type = carry[AT.type]!;
    // The crc of a batch's head needs 20 bytes more: do not wait for them in vain.
    if (type === FRAME.batch) this.#checkBatchAllowed();
    const headBytes = headBytesOf(type);
    const end = this.#fill(headBytes, bytes, common, to);
    if (this.#carried < headBytes) return end;
    this.#carried = 0;
    this.#checkHead(carry, 0, type, headBytes);
    this.#beginFrame(carry, 0, type);
    return end;
  }

  #checkHead(bytes: Buffer, at: number, type: number, headBytes: number): void {
    const crcBytes = type === FRAME.batch ? BATCH_HEAD_BYTES : FRAME_HEAD_BYTES;
    const seen = bytes.readUInt32LE(at + AT.headCrc);
    const sum = headSum(bytes, at, crcBytes);
    if (seen !== sum) {
      const hint = this.#frameAt === 0 ? "; the other end may not be hawser" : "";
      this.#fail("ERR_WIRE_HEADER_CRC", `head has crc ${hex(seen)}, expected ${hex(sum)}${hint}`);
    }
    const lengthMax = this.#lengthMax[type]!;
    if (lengthMax === 0) this.#fail("ERR_WIRE_TYPE", `type ${type} is not for this end`);
    const flags = bytes.readUInt32LE(at + AT.type) - type;
    if (flags !== 0)
      this.#fail("ERR_WIRE_BODY", `type ${type} has flags ${hex(flags)}, expected 0`);
    const length = bytes.readUInt32LE(at + AT.length);
    if (length > lengthMax || length < headBytes) {
      const range = `${headBytes} to ${lengthMax}`;
      this.#fail("ERR_WIRE_LENGTH", `type ${type} has ${length} bytes, expected ${range}`);
    }
    if (type === FRAME.batch) this.#checkBatch(bytes, at, length);
  }

  #checkBatchAllowed(): void {
    if (this.#lengthMax[FRAME.batch] === 0) {
      this.#fail("ERR_WIRE_TYPE", `type ${FRAME.batch} is not for this end`);
    }
    if (this.#offset === NOWHERE) this.#fail("ERR_WIRE_STATE", "a batch where none is expected");
  }

  #checkBatch(bytes: Buffer, at: number, length: number): void {
    this.#checkBatchAllowed();
    const count = bytes.readUInt32LE(at + AT.count);
    if (count === 0 || length < BATCH_HEAD_BYTES + count * RECORD_LENGTH_BYTES) {
      this.#fail("ERR_WIRE_BODY", `a batch of ${length} bytes has ${count} records`);
    }
    if (batchClockMs(bytes, at) > LIMITS.timeMsMax) {
      this.#fail("ERR_WIRE_BODY", `a batch's clock is more than ${LIMITS.timeMsMax}`);
    }
    const offset = batchOffset(bytes, at);
    if (offset !== this.#offset || !Number.isSafeInteger(offset + length)) {
      this.#fail("ERR_WIRE_OFFSET", `a batch at offset ${offset}, expected ${this.#offset}`);
    }
  }

  #beginFrame(bytes: Buffer, at: number, type: number): void {
    if (type === FRAME.batch) {
      this.#beginBatch(bytes, at, BATCH_HEAD_BYTES);
      this.#sink.batchHead(bytes, at, this.#batchBytes);
      return;
    }
    this.#check = bytes.readUInt32LE(at + AT.check);
    if (type === FRAME.chunk) this.#beginChunk(bytes, at);
    else {
      this.#state = "body";
      this.#type = type;
      this.#missing = bytes.readUInt32LE(at + AT.length) - FRAME_HEAD_BYTES;
      if (this.#missing === 0) this.#fail("ERR_WIRE_LENGTH", `type ${type} has no body`);
    }
  }

  // Control bodies

  #takeBody(bytes: Buffer, at: number, to: number): number {
    const bodyBytes = this.#missing;
    if (this.#carried === 0 && bodyBytes <= to - at) {
      this.#endBody(bytes, at, at + bodyBytes);
      return at + bodyBytes;
    }
    const next = this.#fill(bodyBytes, bytes, at, to);
    if (this.#carried === bodyBytes) {
      this.#carried = 0;
      this.#endBody(this.#carry!, 0, bodyBytes);
    }
    return next;
  }

  #endBody(bytes: Buffer, from: number, to: number): void {
    this.#sum = crc32(bytes, from, to, 0);
    this.#checkBodySum();
    const streamAt = this.#frameAt + FRAME_HEAD_BYTES;
    const message = decodeBody(this.#type, 0, bytes, from, to, streamAt);
    this.#state = "head";
    this.#sink.control(message);
  }

  #checkBodySum(): void {
    if (this.#sum === this.#check) return;
    const seen = `body has crc ${hex(this.#sum)}, expected ${hex(this.#check)}`;
    this.#fail("ERR_WIRE_BODY_CRC", seen);
  }

  // Batches

  /** The hot path: nothing is allocated, and the bytes are summed in one call. */
  #wholeBatch(bytes: Buffer, at: number, length: number): number {
    const end = at + length;
    this.#check = bytes.readUInt32LE(at + AT.check);
    this.#sum = chainOf(bytes, at, length, this.#chain);
    this.#checkChain();
    this.#sink.batchHead(bytes, at, length);
    this.#sink.batchBytes(bytes, at + BATCH_HEAD_BYTES, end);
    this.#advance(length);
    return end;
  }

  #beginBatch(bytes: Buffer, at: number, held: number): void {
    this.#state = "batch";
    this.#check = bytes.readUInt32LE(at + AT.check);
    this.#sum = chainOf(bytes, at, held, this.#chain);
    this.#batchBytes = batchLength(bytes, at);
    this.#missing = this.#batchBytes - held;
  }

  #takeBatch(bytes: Buffer, at: number, to: number): number {
    const end = Math.min(to, at + this.#missing);
    this.#sum = crc32(bytes, at, end, this.#sum);
    this.#missing -= end - at;
    if (this.#missing > 0) {
      this.#sink.batchBytes(bytes, at, end);
      return end;
    }
    this.#checkChain();
    this.#sink.batchBytes(bytes, at, end);
    this.#state = "head";
    this.#advance(this.#batchBytes);
    return end;
  }

  #checkChain(): void {
    if (this.#sum === this.#check) return;
    const seen = `the batch at offset ${this.#offset} has chain ${hex(this.#check)}`;
    this.#fail("ERR_WIRE_CHAIN", `${seen}, expected ${hex(this.#sum)}`);
  }

  #advance(length: number): void {
    this.#offset += length;
    this.#chain = this.#check;
    this.#sink.batchEnd();
  }

  // Chunks

  #beginChunk(bytes: Buffer, at: number): void {
    this.#state = "chunk";
    this.#missing = bytes.readUInt32LE(at + AT.length) - CHUNK_HEAD_BYTES;
    this.#sum = crc32(bytes, at + FRAME_HEAD_BYTES, at + CHUNK_HEAD_BYTES, 0);
    this.#sink.chunkHead(bytes.readUInt32LE(at + AT.number), this.#missing);
    if (this.#missing === 0) this.#endChunk();
  }

  #takeChunk(bytes: Buffer, at: number, to: number): number {
    const end = Math.min(to, at + this.#missing);
    this.#sum = crc32(bytes, at, end, this.#sum);
    this.#missing -= end - at;
    this.#sink.chunkBytes(bytes, at, end);
    if (this.#missing === 0) this.#endChunk();
    return end;
  }

  #endChunk(): void {
    this.#checkBodySum();
    this.#state = "head";
    this.#sink.chunkEnd(this.#sum);
  }

  // Cuts

  /** Carries bytes over until #carried is `bytesWanted`; returns where the rest starts. */
  #fill(bytesWanted: number, bytes: Buffer, at: number, to: number): number {
    if (this.#carry === null || this.#carry.length < bytesWanted) this.#growCarry(bytesWanted);
    const end = Math.min(to, at + bytesWanted - this.#carried);
    bytes.copy(this.#carry!, this.#carried, at, end);
    this.#carried += end - at;
    return end;
  }

  /** Only a verified length gets here, and only between two things to carry. */
  #growCarry(bytesWanted: number): void {
    assert(bytesWanted <= LIMITS.controlBytesMax && this.#carried === 0);
    this.#carry = Buffer.allocUnsafeSlow(Math.max(bytesWanted, CARRY_BYTES_MIN));
  }

  #fail(code: WireErrorCode, detail: string): never {
    throw new WireError(code, `${detail} (frame at byte ${this.#frameAt} of the stream)`);
  }
}

function headBytesOf(type: number): number {
  if (type === FRAME.batch) return BATCH_HEAD_BYTES;
  return type === FRAME.chunk ? CHUNK_HEAD_BYTES : FRAME_HEAD_BYTES;
}

function hex(value: number): string {
  return value.toString(16).padStart(8, "0");
}
