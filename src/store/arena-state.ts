/**
 * The built-in store as a replicated state (state.ts).
 *
 *   feeder, verifier --freeze--> Store.freeze --> what `reads` the snapshot: the pool's threads, or
 *                                                 one step after the other in the simulator
 *   session --applyRange, stage, swap--> Store
 *
 * Owns: which open snapshot is behind which frozen state. Does not own: the store, its threads, keys
 * and values for clients (node/keyspace.ts).
 * Tested in: test/unit/store/state.test.ts, test/unit/store/arena-conformance.test.ts.
 */
import assert from "node:assert/strict";
import { StagedStore } from "./loader.ts";
import { FORMAT } from "./record.ts";
import type { Snapshot } from "./snapshot.ts";
import type {
  FrozenState,
  PromptTarget,
  Staging,
  StateFormat,
  StateMemory,
  StateSource,
} from "./state.ts";
import type { Store } from "./store.ts";

export class ArenaState implements StateSource, PromptTarget, StateFormat {
  readonly answers = "at once";
  readonly format: { readonly name: string; readonly version: number } = FORMAT;
  readonly #store: Store;
  readonly #reads: (snapshot: Snapshot) => FrozenState;
  readonly #snapshots = new WeakMap<FrozenState, Snapshot>();

  /** @param reads makes a snapshot readable; closing what it returns closes the snapshot */
  constructor(store: Store, reads: (snapshot: Snapshot) => FrozenState) {
    this.#store = store;
    this.#reads = reads;
  }

  isEmpty(): boolean {
    return this.#store.isEmpty();
  }

  freeze(): FrozenState {
    const snapshot = this.#store.freeze();
    const frozen = this.#reads(snapshot);
    this.#snapshots.set(frozen, snapshot);
    return frozen;
  }

  memory(): StateMemory {
    const { datasetBytes: dataBytes, snapshotPinnedBytes: pinnedBytes } = this.#store.stats();
    return { dataBytes, pinnedBytes };
  }

  reclaimableBytes(frozen: readonly FrozenState[]): number {
    const closing = new Set<Snapshot>();
    for (const each of frozen) {
      const snapshot = this.#snapshots.get(each);
      if (snapshot !== undefined) closing.add(snapshot);
    }
    return this.#store.reclaimableBytes(closing);
  }

  applyRange(bytes: Buffer, from: number, to: number): void {
    this.#store.applyRange(bytes, from, to);
  }

  get appliedTo(): number {
    return this.#store.appliedTo;
  }

  stage(estimate: { readonly records: number; readonly bytes: number }): Staging {
    return this.#store.stage(estimate);
  }

  swap(staging: Staging): void {
    assert(staging instanceof StagedStore, "only what stage() gave comes back");
    this.#store.swap(staging);
  }
}
