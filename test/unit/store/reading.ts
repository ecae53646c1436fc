/** Reading a FrozenState to its end, as a ship does. */
import type { ChunkReader, ChunkTotals, FrozenState } from "../../../src/store/state.ts";
import { CHUNK_HEAD_BYTES } from "../../../src/wire/frame.ts";

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
        frames.push(Buffer.from(chunk.frame));
        reader.release(chunk);
      }
      if (reader.totals !== null) resolve(reader.totals);
    },
    failed: (reason) => reject(new Error(reason)),
  });
  return { reader, frames, done };
}

export function payloadsOf(frames: readonly Buffer[]): Buffer[] {
  return frames.map((frame) => frame.subarray(CHUNK_HEAD_BYTES));
}
