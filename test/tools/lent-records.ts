/** Records and batches as a node lends them, for tests of states: one memory, overwritten when told to. */
import type { Batch, Mark, Records, ReplicatedState } from "../../src/bridge/seam.ts";

const GAP = 4;

type AnyState = Omit<ReplicatedState, "transact">;

class Lent implements Records {
  readonly count: number;
  readonly bytes: number;
  private readonly memory: Buffer;
  private readonly edges: [number, number][] = [];

  constructor(records: readonly Uint8Array[], isShared: boolean) {
    this.count = records.length;
    this.bytes = records.reduce((sum, { length }) => sum + length, 0);
    const size = this.bytes + GAP * (records.length + 1);
    // A log that a thread writes to the disk is in memory that both see.
    this.memory = isShared ? Buffer.from(new SharedArrayBuffer(size)) : Buffer.alloc(size);
    let at = GAP;
    for (const record of records) {
      this.memory.set(record, at);
      this.edges.push([at, at + record.length]);
      at += record.length + GAP;
    }
  }

  each(visit: (bytes: Buffer, from: number, to: number) => void): void {
    for (const [from, to] of this.edges) visit(this.memory, from, to);
  }

  *[Symbol.iterator](): Generator<Buffer, undefined> {
    for (const [from, to] of this.edges) yield this.memory.subarray(from, to);
  }

  overwrite(): void {
    this.memory.fill(0xa5);
  }
}

class LentBatch extends Lent implements Batch {
  readonly clockMs = 1_767_225_600_000;
  readonly end: Mark;

  constructor(records: readonly Uint8Array[], isShared: boolean, end: Mark) {
    super(records, isShared);
    this.end = end;
  }
}

/** Applies records as one batch, and overwrites what it lent. */
export async function apply(
  state: AnyState,
  records: readonly Uint8Array[],
  end: string,
  isShared = false,
): Promise<void> {
  const batch = new LentBatch(records, isShared, Buffer.from(end));
  try {
    await state.apply(batch);
  } finally {
    batch.overwrite();
  }
}

/** Stages records, one call for each list. @returns what commits them, or takes them back. */
export async function stage(
  state: AnyState,
  lists: readonly (readonly Uint8Array[])[],
): Promise<{ commit(end: string): Promise<void>; abort(): Promise<void> }> {
  const staging = await state.stage({ records: 0, bytes: 0 });
  for (const list of lists) {
    const lent = new Lent(list, false);
    await staging.load(lent);
    lent.overwrite();
  }
  return {
    commit: async (end) => staging.commit(Buffer.from(end)),
    abort: async () => staging.abort(),
  };
}

/** Copies of the records of a snapshot of now, in order. */
export async function snapshotOf(state: AnyState): Promise<Buffer[]> {
  const frozen = await state.freeze();
  try {
    const records: Buffer[] = [];
    for await (const part of frozen.read(null))
      for (const record of part.records) records.push(Buffer.from(record));
    return records;
  } finally {
    await frozen.close();
  }
}

/** The mark that is stored, as text. */
export async function markOf(state: AnyState): Promise<string | null> {
  const mark = await state.mark!();
  return mark === null ? null : Buffer.from(mark).toString();
}
