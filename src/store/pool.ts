/** Worker pool that serializes and digests snapshots. Skeleton: final signatures. */
import type { ChunkEvents, ChunkReader } from "./chunks.ts";
import type { Snapshot } from "./snapshot.ts";

export interface PoolOptions {
  /** Workers, each serving one job at a time; default 2. */
  readonly size?: number;
  /** Ring slots of a reader; default 16. */
  readonly slots?: number;
  /** Bytes of one ring slot; default 256 KiB. */
  readonly slotBytes?: number;
  /** Where serializer-worker.js is, for bundlers. */
  readonly workerUrl?: URL | string;
}

export interface DigestOptions {
  /** 32 hex digits; a fixed seed by default. */
  readonly seed?: string;
  /** Number of buckets; 0 by default. */
  readonly buckets?: number;
  /** Leave out records expired at this time, ms; by default all are in. */
  readonly excludeExpiredAt?: number;
}

export interface Digest {
  readonly records: number;
  /** 16 hex digits. */
  readonly sum: string;
  readonly buckets: Uint32Array;
}

/** A FrozenState (primary/source.ts) over one snapshot. */
export interface FrozenSnapshot {
  readonly records: number;
  readonly bytes: number;
  read(fromChunk: number, events: ChunkEvents): ChunkReader;
  /** Closes the snapshot too. */
  close(): void;
}

export class SerializerPool {
  constructor(_options: PoolOptions = {}) {}

  frozen(_snapshot: Snapshot): FrozenSnapshot {
    throw new Error("not built yet");
  }
  digest(_snapshot: Snapshot, _options: DigestOptions = {}): Promise<Digest> {
    return Promise.reject(new Error("not built yet"));
  }
  close(): Promise<void> {
    return Promise.resolve();
  }
}
