/** Reading a FrozenState to its end, with frames as a feeder makes them. */
import type {
  ChunkReader,
  ChunkTotals,
  FrozenState,
  ReadyChunk,
} from "../../../src/store/state.ts";
import { ChunkTally } from "../../../src/wire/chunk-tally.ts";
import { CHUNK_HEAD_BYTES, sealChunkHead } from "../../../src/wire/frame.ts";

export interface ReadAll {
  readonly reader: ChunkReader;
  /** Copies of the frames, by the time the reader ended. */
  readonly frames: Buffer[];
  readonly done: Promise<ChunkTotals>;
}

export function readAll(frozen: FrozenState, from = 0): ReadAll {
  const frames: Buffer[] = [];
  let resolve: (totals: ChunkTotals) => void;
  let reject: (error: Error) => void;
  const done = new Promise<ChunkTotals>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  const reader = frozen.read(from, {
    ready: () => {
      for (let chunk = reader.take(); chunk !== null; chunk = reader.take()) {
        frames.push(Buffer.from(frameOf(chunk)));
        reader.release(chunk);
      }
      if (reader.totals !== null) resolve(reader.totals);
    },
    failed: (reason) => reject(new Error(reason)),
  });
  return { reader, frames, done };
}

/** The chunk's frame, where the chunk lies. */
export function frameOf({ number, bytes, from, to, sum }: ReadyChunk): Buffer {
  const at = from - CHUNK_HEAD_BYTES;
  sealChunkHead(bytes, at, number, to - from, sum);
  return bytes.subarray(at, to);
}

/** A copy of the chunk's payload. */
export function payloadOf({ bytes, from, to }: ReadyChunk): Buffer {
  return Buffer.from(bytes.subarray(from, to));
}

export function payloadsOf(frames: readonly Buffer[]): Buffer[] {
  return frames.map((frame) => frame.subarray(CHUNK_HEAD_BYTES));
}

/** What END says of all these, from chunk 0 on. */
export function digestOf(frames: readonly Buffer[]): string {
  const tally = new ChunkTally();
  frames.forEach((frame, number) =>
    tally.note(number, frame.length - CHUNK_HEAD_BYTES, frame.readUInt32LE(4)),
  );
  return tally.digest;
}
