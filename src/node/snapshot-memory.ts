/**
 * What snapshots keep of a state's memory from being used again, and letting go of one when clients
 * need that memory.
 *
 * Owns: how much is allowed, how often one is released. Does not own: which one (primary/relief.ts).
 * Tested in: test/sim/sim.test.ts.
 */
import type { Pinned } from "../primary/deps.ts";
import type { Feeder } from "../primary/feeder.ts";
import { relieve } from "../primary/relief.ts";
import type { StateSource } from "../store/state.ts";

/** Snapshots are released one by one, this far apart. */
const RELIEF_EVERY_MS = 100;
const PINNED_BYTES_MIN = 64 * 1024 * 1024;

export class SnapshotMemory {
  readonly #state: Pick<StateSource, "memory">;
  /** Snapshots may always pin this much. */
  readonly #bytesMin: number;
  /** When a snapshot was last looked for. */
  #relievedMs = Number.NEGATIVE_INFINITY;

  constructor(state: Pick<StateSource, "memory">, bytesMin: number = PINNED_BYTES_MIN) {
    this.#state = state;
    this.#bytesMin = bytesMin;
  }

  /** What snapshots pin; half of the live data is allowed, and what never matters. */
  pinned(): Pinned {
    const { pinnedBytes: bytes, dataBytes } = this.#state.memory();
    return { bytes, capBytes: Math.max(this.#bytesMin, dataBytes / 2) };
  }

  /**
   * Memory is `overBytes` above what clients may use: releases a snapshot, if snapshots pin more
   * than that and it frees what is needed. @returns bytes that they pin, which are not the clients' fault
   */
  relieve(feeder: Feeder, overBytes: number, nowMs: number): number {
    const pinned = this.pinned();
    // Why not at every write: the memory comes back when its reader has stopped.
    if (overBytes < pinned.bytes && nowMs - this.#relievedMs >= RELIEF_EVERY_MS) {
      this.#relievedMs = nowMs;
      relieve(feeder, pinned, overBytes, nowMs);
    }
    return pinned.bytes;
  }
}
