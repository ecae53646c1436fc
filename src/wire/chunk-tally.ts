/**
 * What END says of the chunks of a snapshot: how many, their payload in bytes, and one digest, the
 * SHA-256 over the sums (u32le) of all of them in order.
 *
 * Chunks are a function of the frozen state, so one that was noted before brings nothing new: readings
 * that start at different chunks note into one tally.
 * Owns: the counts. Does not own: the sum of a chunk (frame.ts), chunks.
 */
import { createHash, type Hash } from "node:crypto";

export class ChunkTally {
  #chunks = 0;
  #bytes = 0;
  readonly #sums: Hash = createHash("sha256");
  readonly #sum = Buffer.alloc(4);

  /** Chunks noted, from number 0 on without gaps. */
  get chunks(): number {
    return this.#chunks;
  }

  /** Bytes of their payloads. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Of all chunks noted so far, hex. */
  get digest(): string {
    return this.#sums.copy().digest("hex");
  }

  /** Chunk `number` has `payloadBytes` with the sum `sum`. Counts when it is the next one. */
  note(number: number, payloadBytes: number, sum: number): void {
    if (number !== this.#chunks) return;
    this.#sum.writeUInt32LE(sum);
    this.#sums.update(this.#sum);
    this.#chunks += 1;
    this.#bytes += payloadBytes;
  }
}
