/**
 * The seam: all that a node, its feeder, its session and its verifier know of the state that they
 * replicate. The built-in one is behind it (arena-state.ts), and so can any other be.
 *
 *   feeding     freeze() --> FrozenState --read(n)--> chunks n, n + 1, ... of a bounded ring, totals
 *                                        --digest()--> one sum, equal for equal states
 *   following   applyRange(): records of the log;   stage() --> Staging --swap()--> the state
 *               or, of a state that answers later, runs of whole batches, one call at a time
 *
 * A frozen state is read by whoever has it: it knows nothing of links, ships or files. Its chunks are
 * a function of the state at the freeze and numbered from 0, so that a reading may stop anywhere and
 * another one may go on from there, with the same bytes.
 *
 * Owns: the interfaces, the room before a payload. It imports types of the wire alone, so every layer above
 * the wire may import it, and of src/store nothing else (.dependency-cruiser.mjs). Does not own: any implementation, what chunks and
 * records have in them, frames and what END says of all chunks (primary/reading.ts).
 */
import type { SnapshotBegin } from "../wire/messages.ts";

/** A replicated state. Nothing is called while another call runs. */
export type State = StateSource & StateTarget & StateFormat;

export interface RecordsFormat {
  readonly name: string;
  /** What it writes. */
  readonly version: number;
  /** Further versions that it can apply and load. */
  readonly reads?: readonly number[];
}

export interface StateFormat {
  /** The format of its records and chunks: both ends of a link must have the same, or one that it reads. */
  readonly format: RecordsFormat;
}

// --- feeding -------------------------------------------------------------------------------------

/** A state as its feeding side needs it. */
export interface StateSource {
  /** Nothing is in it. */
  isEmpty(): boolean;
  /**
   * Pins the state as it is now, O(1). Called between two batches. One that needs longer to pin answers
   * at once all the same, with the state of this moment, and its readings begin when it has.
   */
  freeze(): FrozenState;
  /** What it takes, and what open snapshots keep of that. */
  memory(): StateMemory;
  /** Bytes that closing these together would give back: less than what each of them pins. */
  reclaimableBytes(frozen: readonly FrozenState[]): number;
}

export interface StateMemory {
  /** Of live records. */
  readonly dataBytes: number;
  /** Of what is dead, and only open snapshots keep. */
  readonly pinnedBytes: number;
}

/** One open snapshot. */
export interface FrozenState {
  /** Estimates, for display; a replica takes no snapshot that is larger by far. */
  readonly records: number;
  readonly bytes: number;
  /** Starts reading at `fromChunk`, which is not beyond the last one. Any number may read at a time. */
  read(fromChunk: number, events: ChunkEvents): ChunkReader;
  /** Sums all records. It may be closed meanwhile. Rejects when it cannot be summed. */
  digest(options: DigestOptions): Promise<Digest>;
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

/** Chunks in order, in a bounded ring: what is not released is not produced again. */
export interface ChunkReader {
  /** The next chunk, or null when none is ready yet or all were taken. */
  take(): ReadyChunk | null;
  /** Its bytes are not read again by whoever took it. */
  release(chunk: ReadyChunk): void;
  /** Set once every chunk has been taken. */
  readonly totals: ChunkTotals | null;
  /** Stops reading; slots not yet released may still be read until they are. Idempotent. */
  close(): void;
}

/**
 * Bytes before a chunk's payload that whoever took it may write: room for the head of a CHUNK frame,
 * so that it is sent from where it was made.
 */
export const CHUNK_ROOM_BYTES = 20;

export interface ReadyChunk {
  readonly number: number;
  /** The payload is bytes[from, to), the room before it bytes[from - CHUNK_ROOM_BYTES, from). */
  readonly bytes: Buffer;
  readonly from: number;
  readonly to: number;
  /**
   * chunkSum() of it (wire/frame.ts): of its number and its payload. Made where the chunk is made,
   * in the thread that has the bytes at hand; the event loop looks at none of them.
   */
  readonly sum: number;
}

/** What all chunks of a snapshot have together. */
export interface ChunkTotals {
  readonly chunks: number;
  readonly records: number;
}

export interface DigestOptions {
  /** 32 hex digits: who does not know it cannot build two states with one sum. */
  readonly seed?: string;
  /** In how many buckets records are summed too, by a hash of their key; 0 by default. */
  readonly buckets?: number;
}

export interface Digest {
  readonly records: number;
  /** 16 hex digits. */
  readonly sum: string;
  /** Sums of the records whose keys fall into each bucket, mod 2^32. */
  readonly buckets: Uint32Array;
}

// --- following -----------------------------------------------------------------------------------

/** The state a replica applies records to: it answers at once, in memory, or later, anywhere. */
export type StateTarget = PromptTarget | LateTarget;

/** What is about to be loaded, as a peer announced it. */
export interface StageEstimate {
  readonly records: number;
  readonly bytes: number;
}

/** Where a state is once a snapshot has replaced it: what SNAPSHOT says of it. */
export type StatePlace = Pick<SnapshotBegin, "position" | "rank" | "lineage">;

/** A state that has done what it was asked when the call returns. */
export interface PromptTarget {
  readonly answers: "at once";
  /** Nothing is in it. */
  isEmpty(): boolean;
  /**
   * Applies the records in `bytes[from, to)`, each a u32le length and that many bytes; the range
   * starts and ends between records. Throws StoreError ERR_STORE_RECORD when one is malformed,
   * ERR_STORE_FULL when there is no memory for one; appliedTo says how far it came.
   */
  applyRange(bytes: Buffer, from: number, to: number): void;
  /** After applyRange() threw: beyond its `from` when the state is not what it was before the call. */
  readonly appliedTo: number;
  /** Begins a second, empty state beside this one. */
  stage(estimate: StageEstimate): Staging;
  /** Replaces the state by the staged one in one step, O(1). */
  swap(staging: Staging): void;
}

/** A snapshot being loaded. */
export interface Staging {
  /** Loads one chunk's payload, in order. Throws StoreError ERR_STORE_CHUNK when malformed. */
  load(bytes: Buffer, from: number, to: number): void;
  /** All chunks are in: checks the totals. Throws StoreError ERR_STORE_CHUNK when they differ. */
  finish(totals: { readonly records: number }): void;
  /** Gives the memory back; idempotent. */
  discard(): void;
}

/**
 * A state that may answer later: on a disk, in a thread, in another process. Each call returns true when
 * it is done, and false when `onAnswer` will be called, once, and never from inside the call. Until then
 * there is no other call; frozen states may be read. Nothing is applied between stage() and the end of
 * what it gave. What it is given is lent until it has answered.
 */
export interface LateTarget {
  readonly answers: "later";
  /** Set by who follows. What failed is a StoreError where the state is still what appliedTo says. */
  onAnswer: (error: Error | null) => void;
  /** Nothing is in it. */
  isEmpty(): boolean;
  /**
   * Applies the batches in `bytes[from, to)`, whole as they are in the log, one or more (a run): each
   * applied whole, in order. The last head has the position that it is at then (wire/frame.ts).
   */
  applyRange(bytes: Buffer, from: number, to: number): boolean;
  /**
   * After applyRange() failed: where it is, as an index into `bytes`. Between two batches, or at one
   * end, it is at that position; anywhere else it is at none (torn).
   */
  readonly appliedTo: number;
  /** Begins a second, empty state beside this one; nothing is staged yet when it throws. */
  stage(estimate: StageEstimate): LateStaging;
}

/** A snapshot being loaded by a state that may answer later; over with commit() or abort(). */
export interface LateStaging {
  /** Loads one chunk's payload, in order. Fails with ERR_STORE_CHUNK when it is malformed. */
  load(bytes: Buffer, from: number, to: number): boolean;
  /**
   * Replaces the state by this one, which is at `place` then. Fails with ERR_STORE_CHUNK when the totals
   * differ; after a StoreError the state is the old one.
   */
  commit(totals: { readonly records: number }, place: StatePlace): boolean;
  /** The state stays as it is. */
  abort(): boolean;
}
