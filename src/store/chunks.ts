/**
 * How the frozen state is handed out: CHUNK frames in a bounded ring. Structurally the interfaces of
 * primary/source.ts, repeated here because the store imports neither side of the replication
 * (a type test pins that they agree).
 *
 * Owns: types. Does not own: their implementations (pool.ts, inline-source.ts).
 */

/** Called from the event loop, never from inside a call of the reader. */
export interface ChunkEvents {
  /** `take()` has something, or `totals` is set. */
  ready(): void;
  /** The reader is dead: worker crash, snapshot closed. */
  failed(reason: string): void;
}

export interface ReadyChunk {
  readonly number: number;
  /** The complete CHUNK frame: 16 bytes of header, u32 number, payload. */
  readonly frame: Uint8Array;
}

export interface ChunkTotals {
  readonly chunks: number;
  readonly records: number;
  readonly bytes: number;
  /** SHA-256 over the body crc (u32le) of all chunks, hex. */
  readonly digest: string;
}

export interface ChunkReader {
  take(): ReadyChunk | null;
  release(chunk: ReadyChunk): void;
  /** Set once every chunk has been taken. */
  readonly totals: ChunkTotals | null;
  close(): void;
}

/** A FrozenState (primary/source.ts) over one snapshot. */
export interface FrozenSnapshot {
  readonly records: number;
  readonly bytes: number;
  /** The snapshot, for whoever asks the store about it. */
  readonly snapshot: object;
  read(fromChunk: number, events: ChunkEvents): ChunkReader;
  /** Closes the snapshot too; readers still open fail with "closed". Idempotent. */
  close(): void;
}
