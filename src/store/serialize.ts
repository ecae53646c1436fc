/**
 * A frozen arena as the payloads of chunks: the visible records in the order of arena segments and
 * slots, in arena layout with both stamps zero (layout.ts), one after the other.
 *
 *   chunk n     | record | record | record |          whole records, as many as fit
 *   chunk n+1   | record | record |
 *   chunk n+2   | first part of a record ..|          larger than a chunk: starts a chunk of its
 *   chunk n+3   | .. last part | record |             own and goes on in the next ones
 *
 * Chunks are a function of the frozen arena and of the chunk size alone: stamps and expiry by the
 * clock do not show, and a visible record never changes but for its death, from 0 to a value that
 * leaves it visible. So a second read, from any chunk on, brings the same bytes, and it may run in
 * another thread beside the writer (docs/decisions/D10-arena.md has the argument).
 *
 * Owns: what is in a chunk. Does not own: where it lies (ring.ts, inline-source.ts), threads.
 * Tested in: test/unit/store/store.test.ts.
 */
import { BIRTH, DEATH, recordBytesAt } from "./layout.ts";
import type { ChunkStart } from "./chunk-map.ts";
import type { FrozenSegment } from "./snapshot.ts";

/** What of a snapshot a serializer needs; segments may arrive while it works. */
export interface FrozenArena {
  readonly epoch: number;
  readonly segmentCount: number;
  /** The segment, or null when the reader must stop. */
  segment(index: number): FrozenSegment | null;
}

/** Live slots copied in one piece at most, so that one step is bounded. */
const RUN_BYTES_MAX = 64 * 1024;

export class ChunkWriter {
  /** Records that begin in the chunk that was filled last. */
  records = 0;
  readonly #arena: FrozenArena;
  #segment: number;
  /** Where in the segment the next record starts, or the next part of a large one. */
  #byte: number;
  #stopped = false;

  constructor(arena: FrozenArena, start: ChunkStart) {
    this.#arena = arena;
    this.#segment = start.segment;
    this.#byte = start.byte;
  }

  /** Where the next chunk starts. */
  get next(): ChunkStart {
    return { segment: this.#segment, byte: this.#byte };
  }

  /** The arena gave no segment: the last chunk is not complete and the reader must stop. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /**
   * Fills out[at, at + capacity) with the next chunk's payload.
   * @param at       a multiple of 4
   * @param capacity a multiple of 8, the same for all chunks of a snapshot
   * @returns bytes of payload; 0 when there are no more records
   */
  fill(out: Buffer, at: number, capacity: number): number {
    this.records = 0;
    let filled = 0;
    while (this.#segment < this.#arena.segmentCount) {
      const segment = this.#arena.segment(this.#segment);
      if (segment === null) {
        this.#stopped = true;
        return 0;
      }
      const room = capacity - filled;
      const copied = this.#fromSegment(segment, out, at + filled, room, filled === 0);
      filled += copied;
      if (this.#byte < segment.slots * segment.slotBytes) break; // The chunk is full.
      this.#segment++;
      this.#byte = 0;
    }
    return filled;
  }

  /** Copies what fits of the segment from #byte on; leaves #byte at the first that does not. */
  #fromSegment(
    segment: FrozenSegment,
    out: Buffer,
    at: number,
    room: number,
    isFirst: boolean,
  ): number {
    const { words, bytes, slotBytes } = segment;
    const end = segment.slots * slotBytes;
    const inside = this.#byte % slotBytes;
    if (inside !== 0) return this.#part(segment, this.#byte - inside, out, at, room);
    let filled = 0;
    while (this.#byte < end) {
      const word = this.#byte >>> 2;
      if (!isVisible(words, word, this.#arena.epoch)) {
        this.#byte += slotBytes;
        continue;
      }
      const size = recordBytesAt(words, word);
      if (size > room - filled) {
        // Only a record that no chunk holds is split, and it starts a chunk.
        if (isFirst && filled === 0) return this.#part(segment, this.#byte, out, at, room);
        break;
      }
      let run = size;
      if (size === slotBytes)
        run = this.#runFrom(segment, Math.min(room - filled, end - this.#byte));
      out.set(bytes.subarray(this.#byte, this.#byte + run), at + filled);
      for (let i = 0; i < run; i += size) zeroStamps(out, at + filled + i);
      this.records += run / size;
      filled += run;
      this.#byte += run === size ? slotBytes : run;
    }
    return filled;
  }

  /** Bytes of the run of visible records at #byte that fill their slots, within `limit`. */
  #runFrom(segment: FrozenSegment, limit: number): number {
    const { words, slotBytes } = segment;
    const most = Math.min(limit, RUN_BYTES_MAX);
    let run = slotBytes;
    while (run + slotBytes <= most) {
      const word = (this.#byte + run) >>> 2;
      if (!isVisible(words, word, this.#arena.epoch)) break;
      if (recordBytesAt(words, word) !== slotBytes) break;
      run += slotBytes;
    }
    return run;
  }

  /** Copies the next part of the record at `start`, of which #byte - start bytes are out. */
  #part(segment: FrozenSegment, start: number, out: Buffer, at: number, room: number): number {
    const done = this.#byte - start;
    const left = recordBytesAt(segment.words, start >>> 2) - done;
    const size = Math.min(left, room);
    out.set(segment.bytes.subarray(this.#byte, this.#byte + size), at);
    if (done === 0) {
      zeroStamps(out, at);
      this.records++;
    }
    this.#byte = size === left ? start + segment.slotBytes : this.#byte + size;
    return size;
  }
}

/** Is the record at `word` in the snapshot of `epoch`? birth 0 is a slot that was never used. */
export function isVisible(words: Uint32Array, word: number, epoch: number): boolean {
  const birth = words[word + BIRTH]!;
  if (birth === 0 || birth >= epoch) return false;
  const death = words[word + DEATH]!;
  return death === 0 || death >= epoch;
}

function zeroStamps(out: Buffer, at: number): void {
  for (let i = at; i < at + 8; i++) out[i] = 0;
}
