/**
 * The sealed part of the log segments that the loop has named, as whoever writes it takes it.
 *
 * Owns: which bytes are next. Does not own: memory: it is not used again below what was taken.
 * Tested in: test/unit/log/disk/disk-log.test.ts.
 */
import type { SealedBytes, SealedRange } from "./log-task.ts";

interface Segment {
  readonly start: number;
  readonly bytes: Buffer;
}

export class SealedSegments implements SealedBytes {
  readonly #segments: Segment[] = [];
  #sealed: number;
  #taken: number;

  constructor(start: number) {
    this.#sealed = start;
    this.#taken = start;
  }

  /**
   * Bytes up to `sealed` may be taken. Read it before the messages: the loop names a segment first and
   * seals then, so that every segment below `sealed` is known; of the one above, the memory before it
   * would be taken for the log.
   */
  sealTo(sealed: number): void {
    this.#sealed = sealed;
  }

  add(start: number, memory: ArrayBufferLike): void {
    this.#segments.push({ start, bytes: Buffer.from(memory) });
  }

  next(limit: number): SealedRange | null {
    const to = Math.min(this.#sealed, limit);
    if (to <= this.#taken) return null;
    while (this.#segments.length > 1 && this.#segments[1]!.start <= this.#taken)
      this.#segments.shift();
    const { start, bytes } = this.#segments[0]!;
    const end = this.#segments[1]?.start ?? Number.POSITIVE_INFINITY;
    return { bytes, from: this.#taken - start, to: Math.min(to, end) - start };
  }

  took(count: number): void {
    this.#taken += count;
  }
}
