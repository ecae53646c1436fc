/**
 * What any replicated state must be able to do: all that feeding, following and verifying know of one.
 * The built-in store is one such state; so can an embedder's be.
 *
 *   following   StateTarget: applies the log of an upstream; stages a snapshot beside itself, and swaps
 *
 * Only interfaces, and it imports nothing of this folder: so src/primary and src/replica may import
 * this file and no other of src/store.
 * Owns: interfaces. Does not own: any implementation (store.ts, test/sim).
 */

/** The state a replica applies records to. */
export interface StateTarget {
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
  stage(estimate: { readonly records: number; readonly bytes: number }): Staging;
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
