/**
 * What the feeding side needs of a state that it does not own: to freeze it, and to read the frozen
 * state as CHUNK frames. The built-in store satisfies it; so can an embedder's.
 *
 * Owns: interfaces. Does not own: any implementation (store/, test/sim).
 */

/** The live state, frozen on demand. */
export interface StateSource {
  /** Pins the state as it is now, O(1). Called with the open batch sealed. */
  freeze(): FrozenState;
  /** Nothing is in it: no data that a replica could lose or gain. */
  isEmpty(): boolean;
}

/** One open snapshot. */
export interface FrozenState {
  /** Estimates, for display. */
  readonly records: number;
  readonly bytes: number;
  /** What the state calls it; only the state looks into it. */
  readonly snapshot: object;
  /** Starts reading at `fromChunk`; chunks are a function of the frozen state alone. */
  read(fromChunk: number, events: ChunkEvents): ChunkReader;
  /** Unpins. Readers still open fail with "closed"; idempotent. */
  close(): void;
}

/** Called from the event loop, never from inside a call of the reader. */
export interface ChunkEvents {
  /** `take()` has something, or `totals` is set. */
  ready(): void;
  /** The reader is dead: worker crash, snapshot closed. */
  failed(reason: string): void;
}

/** Whole CHUNK frames in order, in a bounded ring: what is not released is not produced again. */
export interface ChunkReader {
  /** The next chunk, or null when none is ready yet or all were taken. */
  take(): ReadyChunk | null;
  /** The chunk's bytes will not be read again by us. */
  release(chunk: ReadyChunk): void;
  /** Set once every chunk has been taken. */
  readonly totals: ChunkTotals | null;
  /** Stops reading; slots not yet released may still be read until they are. Idempotent. */
  close(): void;
}

export interface ReadyChunk {
  readonly number: number;
  /** The complete frame: 16 bytes of header, u32 number, payload. */
  readonly frame: Uint8Array;
}

export interface ChunkTotals {
  readonly chunks: number;
  readonly records: number;
  readonly bytes: number;
  /** SHA-256 over the bodyCrc (u32le) of all chunks, hex. */
  readonly digest: string;
}
