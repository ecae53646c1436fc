/**
 * Records and batches as a node lends them: one memory, other bytes around each record, overwritten when the
 * suite wants to see who kept some.
 *
 * Owns: that memory. Does not own: what is in a record (subject.ts).
 * Tested in: test/unit/conformance/suite.test.ts.
 */
import type { Batch, Mark, Records } from "../bridge/seam.ts";

/** Before the first record, and between two: what a log has there is no part of a record. */
const HEAD_BYTES = 40;
const GAP_BYTES = 4;
const ELSE = 0xee;
const OVERWRITTEN = 0xa5;

export class LentRecords implements Records {
  readonly count: number;
  readonly bytes: number;
  readonly #memory: Buffer;
  /** Where each starts and ends. */
  readonly #edges: number[] = [];

  constructor(records: readonly Uint8Array[]) {
    this.count = records.length;
    this.bytes = records.reduce((sum, { length }) => sum + length, 0);
    const size = HEAD_BYTES + this.bytes + (this.count + 1) * GAP_BYTES;
    this.#memory = Buffer.alloc(size, ELSE);
    let at = HEAD_BYTES;
    for (const record of records) {
      at += GAP_BYTES;
      this.#memory.set(record, at);
      this.#edges.push(at, at + record.length);
      at += record.length;
    }
  }

  each(visit: (bytes: Buffer, from: number, to: number) => void): void {
    for (let i = 0; i < this.#edges.length; i += 2)
      visit(this.#memory, this.#edges[i]!, this.#edges[i + 1]!);
  }

  *[Symbol.iterator](): Generator<Buffer, undefined> {
    for (let i = 0; i < this.#edges.length; i += 2)
      yield this.#memory.subarray(this.#edges[i], this.#edges[i + 1]);
  }

  /** What a node does with lent bytes once it has its answer. */
  overwrite(): void {
    this.#memory.fill(OVERWRITTEN);
  }
}

export class LentBatch extends LentRecords implements Batch {
  readonly end: Mark;
  readonly clockMs: number;

  constructor(records: readonly Uint8Array[], end: Mark, clockMs: number) {
    super(records);
    this.end = end;
    this.clockMs = clockMs;
  }
}
