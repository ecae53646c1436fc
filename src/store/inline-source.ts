/** FrozenState without a worker: the caller steps the serializer. Skeleton: final signatures. */
import type { ChunkEvents, ChunkReader } from "./chunks.ts";
import type { FrozenSnapshot } from "./pool.ts";
import type { Snapshot } from "./snapshot.ts";

export interface InlineOptions {
  readonly slots?: number;
  readonly slotBytes?: number;
}

export class InlineSource implements FrozenSnapshot {
  readonly records: number;
  readonly bytes: number;

  constructor(snapshot: Snapshot, _options: InlineOptions = {}) {
    this.records = snapshot.records;
    this.bytes = snapshot.bytes;
  }
  read(_fromChunk: number, _events: ChunkEvents): ChunkReader {
    throw new Error("not built yet");
  }
  /**
   * Produces at most one chunk, for one of the open readers in turn, and calls its events.
   * @returns false when there was nothing to do (all done, or every ring is full)
   */
  step(): boolean {
    throw new Error("not built yet");
  }
  close(): void {
    throw new Error("not built yet");
  }
}
