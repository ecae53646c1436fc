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
 * control bodies that are cut are copied (carry.ts).
 *
 * A head is checked first (head-checks.ts); then nothing but as many bytes as it says is taken, and
 * the sum is compared at the end. A whole batch in the pushed bytes is checked before the sink hears
 * of it; of one that is cut, and of chunks, the sink gets bytes that only batchEnd or chunkEnd
 * vouches for.
 *
 * Owns: what comes next in the stream, sums of payloads and bodies, the expected offset. Does not own:
 * bodies (codec.ts), which frame is allowed when (primary/, replica/).
 */
import assert from "node:assert/strict";
import type { WireErrorCode } from "../errors.ts";
import { Carry } from "./carry.ts";
import { decodeBody } from "./codec.ts";
import { crc32 } from "./crc.ts";
import {
  AT,
  BATCH_HEAD_BYTES,
  CHUNK_HEAD_BYTES,
  FRAME_HEAD_BYTES,
  batchLength,
  batchOffset,
  chainOf,
} from "./frame.ts";
import { frameError, headBytesOf, HeadChecks, hex, NOWHERE } from "./head-checks.ts";
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

export class Decoder {
  readonly #sink: DecoderSink;
  readonly #checks: HeadChecks;
  readonly #carry = new Carry();
  #state: State = "head";
  /** After an error or stop(), for ever. */
  #dead = false;
  #inPush = false;
  #isSuspended = false;

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

  /** NOWHERE until the first call of expect(). */
  #offset = NOWHERE;
  #chain = 0;
  #batchBytes = 0;

  /** @param accepts types that this end may receive, by number */
  constructor(accepts: ReadonlySet<number>, sink: DecoderSink) {
    this.#sink = sink;
    this.#checks = new HeadChecks(accepts);
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

  /** Bytes of memory this holds for frames that are cut. */
  get carryBytes(): number {
    return this.#carry.bytes.length;
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
    assert(this.#state === "head" && this.#carry.count === 0, "resumeBatch() inside a frame");
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
    if (this.#carry.count > 0) return this.#takeHeadRest(bytes, at, to);
    this.#frameAt = this.#consumed;
    if (to - at < FRAME_HEAD_BYTES) return this.#carry.fill(FRAME_HEAD_BYTES, bytes, at, to);
    const type = bytes[at + AT.type]!;
    const headBytes = headBytesOf(type);
    if (to - at < headBytes) return this.#takeHeadRest(bytes, at, to);
    this.#checks.check(bytes, at, type, this.#offset, this.#frameAt);
    if (type === FRAME.batch) {
      const length = batchLength(bytes, at);
      if (length <= to - at) return this.#wholeBatch(bytes, at, length);
    }
    this.#beginFrame(bytes, at, type);
    return at + headBytes;
  }

  /** Goes on with a head that is cut. */
  #takeHeadRest(bytes: Buffer, at: number, to: number): number {
    const carry = this.#carry;
    let next = at;
    if (carry.count < FRAME_HEAD_BYTES) next = carry.fill(FRAME_HEAD_BYTES, bytes, at, to);
    if (carry.count < FRAME_HEAD_BYTES) return next;
    const type = carry.bytes[AT.type]!;
    // The crc of a batch's head needs 20 bytes more: they may never come.
    if (type === FRAME.batch) this.#checks.checkBatchAllowed(this.#offset, this.#frameAt);
    const headBytes = headBytesOf(type);
    next = carry.fill(headBytes, bytes, next, to);
    if (carry.count < headBytes) return next;
    carry.empty();
    this.#checks.check(carry.bytes, 0, type, this.#offset, this.#frameAt);
    this.#beginFrame(carry.bytes, 0, type);
    return next;
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
    const carry = this.#carry;
    if (carry.count === 0 && bodyBytes <= to - at) {
      this.#endBody(bytes, at, at + bodyBytes);
      return at + bodyBytes;
    }
    const next = carry.fill(bodyBytes, bytes, at, to);
    if (carry.count === bodyBytes) {
      carry.empty();
      this.#endBody(carry.bytes, 0, bodyBytes);
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

  #fail(code: WireErrorCode, detail: string): never {
    throw frameError(code, detail, this.#frameAt);
  }
}
