/**
 * What is known of a snapshot's chunks: where each starts in the frozen arena, so that a read can be
 * resumed there, and how many records are in them.
 *
 * Owns: these notes. Does not own: making chunks (serialize.ts).
 * Tested in: test/unit/store/store.test.ts.
 */
const FIELDS = 2;

/** Where a chunk starts: a frozen arena segment's index, and a byte in it. */
export interface ChunkStart {
  readonly segment: number;
  readonly byte: number;
}

export class ChunkMap {
  /** Chunks noted, from number 0 on without gaps. */
  count = 0;
  /** Records that begin in them. */
  records = 0;
  #rows = new Uint32Array(64 * FIELDS);
  #end: ChunkStart = { segment: 0, byte: 0 };

  /** Where chunk `number` starts; number <= count. */
  start(number: number): ChunkStart {
    if (number >= this.count) return this.#end;
    return { segment: this.#rows[number * FIELDS]!, byte: this.#rows[number * FIELDS + 1]! };
  }

  /**
   * Notes chunk `number` if it is new: chunks are a function of the frozen state, so that a second
   * reader brings the same.
   *
   * @param end where the next chunk starts
   */
  note(number: number, records: number, end: ChunkStart): void {
    if (number !== this.count) return;
    if ((number + 1) * FIELDS > this.#rows.length) {
      const larger = new Uint32Array(this.#rows.length * 2);
      larger.set(this.#rows);
      this.#rows = larger;
    }
    this.#rows.set([this.#end.segment, this.#end.byte], number * FIELDS);
    this.#end = end;
    this.count++;
    this.records += records;
  }
}
