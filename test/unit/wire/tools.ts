/** What the tests of wire/ share: streams to feed and a sink that writes down what it hears. */
import { decodeBody, encode } from "../../../src/wire/codec.ts";
import { Decoder, type DecoderSink } from "../../../src/wire/decoder.ts";
import {
  BATCH_FLAG,
  BATCH_HEAD_BYTES,
  CHUNK_HEAD_BYTES,
  chunkSum,
  FRAME_HEAD_BYTES,
  batchChain,
  batchClockMs,
  batchCount,
  batchHeadCrc,
  batchOffset,
  chainStart,
  sealBatchHead,
  sealChunkHead,
} from "../../../src/wire/frame.ts";
import { FRAME, type Control } from "../../../src/wire/messages.ts";
import { EXAMPLES, HISTORY } from "./examples.ts";

export const ALL_TYPES: ReadonlySet<number> = new Set(Object.values(FRAME));

/** The chain at offset 0 in these tests. */
export const START: number = chainStart(HISTORY);

/** A sealed batch of these records. */
export function makeBatch(
  records: readonly Buffer[],
  offset: number,
  chainBefore: number,
  clockMs = 1_767_225_600_000,
  flags: number = BATCH_FLAG.none,
): { readonly bytes: Buffer; readonly chain: number } {
  const parts = records.flatMap((record) => {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(record.length);
    return [length, record];
  });
  const bytes = Buffer.concat([Buffer.alloc(BATCH_HEAD_BYTES), ...parts]);
  const count = records.length;
  const chain = sealBatchHead(bytes, 0, bytes.length, count, offset, clockMs, chainBefore, flags);
  return { bytes, chain };
}

/** A sealed CHUNK frame. */
export function makeChunk(
  number: number,
  payload: Buffer,
): { readonly bytes: Buffer; readonly digest: number } {
  const bytes = Buffer.concat([Buffer.alloc(CHUNK_HEAD_BYTES), payload]);
  const digest = chunkSum(bytes, CHUNK_HEAD_BYTES, bytes.length, number);
  sealChunkHead(bytes, 0, number, payload.length, digest);
  return { bytes, digest };
}

/** One frame of every kind, batches in sequence from offset 0, as they would be on the wire. */
export function makeStream(): readonly Buffer[] {
  const controls = Object.values(EXAMPLES).map((message) => encode(message));
  const first = makeBatch([Buffer.from("one")], 0, START);
  const second = makeBatch(
    [Buffer.alloc(300, 7), Buffer.alloc(0)],
    first.bytes.length,
    first.chain,
  );
  const chunks = [Buffer.from("abc"), Buffer.alloc(0), Buffer.alloc(250, 9)];
  return [
    ...controls.slice(0, 3),
    first.bytes,
    ...chunks.map((payload, number) => makeChunk(number, payload).bytes),
    ...controls.slice(3),
    second.bytes,
  ];
}

/** What a decoder told its sink; pieces of a payload are joined, so splits do not show. */
export type Heard =
  | Control
  | {
      readonly type: "batch";
      readonly offset: number;
      readonly count: number;
      readonly clockMs: number;
      readonly length: number;
      readonly headCrc: number;
      readonly chain: number;
      readonly payload: string;
    }
  | {
      readonly type: "chunk";
      readonly number: number;
      readonly payload: string;
      readonly digest: number;
    };

type Batch = Omit<Extract<Heard, { type: "batch" }>, "payload">;

export class Recorder implements DecoderSink {
  readonly heard: Heard[] = [];
  /** Calls of batchHead and chunkHead, also of frames that failed later. */
  heads = 0;
  /** Payload bytes, also of frames that failed later. */
  payloadBytes = 0;
  #batch: Batch | null = null;
  #chunk = { number: 0, payloadBytes: 0 };
  #parts: Buffer[] = [];

  control(message: Control): void {
    this.heard.push(message);
  }

  batchHead(head: Buffer, at: number, length: number): void {
    this.heads += 1;
    this.#batch = {
      type: "batch",
      offset: batchOffset(head, at),
      count: batchCount(head, at),
      clockMs: batchClockMs(head, at),
      length,
      headCrc: batchHeadCrc(head, at),
      chain: batchChain(head, at),
    };
  }

  batchBytes(bytes: Buffer, from: number, to: number): void {
    this.#take(bytes, from, to);
  }

  batchEnd(): void {
    this.heard.push({ ...this.#batch!, payload: this.#joined() });
  }

  chunkHead(number: number, payloadBytes: number): void {
    this.heads += 1;
    this.#chunk = { number, payloadBytes };
  }

  chunkBytes(bytes: Buffer, from: number, to: number): void {
    this.#take(bytes, from, to);
  }

  chunkEnd(digest: number): void {
    const payload = this.#joined();
    if (payload.length !== 2 * this.#chunk.payloadBytes) throw new Error("chunkHead's length");
    this.heard.push({ type: "chunk", number: this.#chunk.number, payload, digest });
  }

  #take(bytes: Buffer, from: number, to: number): void {
    if (from >= to) throw new Error("an empty range");
    this.payloadBytes += to - from;
    this.#parts.push(Buffer.from(bytes.subarray(from, to)));
  }

  #joined(): string {
    const joined = Buffer.concat(this.#parts).toString("hex");
    this.#parts = [];
    return joined;
  }
}

/** A decoder that may receive everything and expects the first batch of HISTORY, and its sink. */
export function makeDecoder(accepts: ReadonlySet<number> = ALL_TYPES): {
  readonly decoder: Decoder;
  readonly sink: Recorder;
} {
  const sink = new Recorder();
  const decoder = new Decoder(accepts, sink);
  decoder.expect(0, START);
  return { decoder, sink };
}

/** Pushes pieces that lie somewhere inside a larger buffer, as those of a socket may. */
export function pushPieces(decoder: Decoder, pieces: readonly Buffer[]): void {
  for (const piece of pieces) {
    const around = Buffer.concat([Buffer.from("##"), piece, Buffer.from("###")]);
    decoder.push(around, 2, 2 + piece.length);
    around.fill(0xee); // Whoever kept a reference would see this.
  }
}

/** `bytes` cut at these places. */
export function cut(bytes: Buffer, ...places: readonly number[]): Buffer[] {
  const bounds = [0, ...places, bytes.length];
  return bounds.slice(1).map((to, index) => bytes.subarray(bounds[index], to));
}

/** Decodes one whole control frame. */
export function decodeFrame(frame: Buffer): Control {
  return decodeBody(frame[8]!, frame[9]!, frame, FRAME_HEAD_BYTES, frame.length);
}
