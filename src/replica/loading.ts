/**
 * How a snapshot's chunks get into a staged state, in order, and the staged state into its place.
 *
 * Owns: an interface, and the one for a state that answers at once. Does not own: the one for a state that
 * answers later (late-loading.ts), sums and counts (restore.ts).
 * Tested in: test/unit/replica/session.test.ts.
 */
import type { PromptTarget, StageEstimate, Staging, StatePlace } from "../store/state.ts";

export interface Loading {
  /** Something is staged, or is being given up: nothing may be applied. */
  readonly holdsState: boolean;
  /** Payload bytes that wait to be loaded. */
  readonly waitingBytes: number;
  /**
   * Loads the next chunk's payload.
   * @param loaded called when it is loaded later, or never will be
   * @returns true: it is loaded; false: `bytes` belong to this until `loaded` is called
   * @throws {StoreError} when it does not parse
   */
  load(bytes: Buffer, from: number, to: number, loaded: (isLoaded: boolean) => void): boolean;
  /** The state may be called: does what is next of what waits. Throws StoreError what fails at once. */
  advance(): void;
  /** All is loaded. Throws StoreError when the totals differ, as far as that is known before swap(). */
  finish(totals: { readonly records: number }): void;
  /**
   * Replaces the state, in one step, by one that is at `place`.
   * @returns true: it is replaced; false: the state answers later
   */
  swap(totals: { readonly records: number }, place: StatePlace): boolean;
  /** Nothing of it is wanted any more; idempotent. */
  discard(): void;
}

export class PromptLoading implements Loading {
  readonly holdsState = false;
  readonly waitingBytes = 0;
  private readonly target: PromptTarget;
  private readonly staging: Staging;

  constructor(target: PromptTarget, estimate: StageEstimate) {
    this.target = target;
    this.staging = target.stage(estimate);
  }

  load(bytes: Buffer, from: number, to: number): boolean {
    this.staging.load(bytes, from, to);
    return true;
  }

  advance(): void {
    // Nothing ever waits.
  }

  finish(totals: { readonly records: number }): void {
    this.staging.finish(totals);
  }

  swap(): boolean {
    this.target.swap(this.staging);
    return true;
  }

  discard(): void {
    this.staging.discard();
  }
}
