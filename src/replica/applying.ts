/**
 * What a session needs of whoever applies what was received: apply.ts for a state that answers at once,
 * run-applier.ts for one that answers later.
 *
 * Owns: an interface. Does not own: both implementations.
 * Tested in: test/unit/replica/apply.test.ts, test/unit/replica/run-applier.test.ts.
 */

export interface Applying {
  /** The state is at no position, and what is left of its batch cannot be applied: only a swap mends it. */
  readonly torn: boolean;
  /** The state is exactly at the end of the visible log. */
  readonly atBoundary: boolean;
  /** Received batches wait for an answer in such an amount that no more should be read. */
  readonly isFull: boolean;
  /**
   * Applies some of what was received.
   * @returns true when a complete batch is still waiting, and there is something to do for it at once
   * @throws {StoreError} then nothing more is applied
   */
  step(): boolean;
  /** The state was replaced, or was written by others: whatever was half applied is gone. */
  reset(): void;
  /** The state failed at something else, and may be anywhere: torn. */
  tear(): void;
  /** Tries the record again that could not be applied, unless the state is torn. */
  retry(): void;
}
