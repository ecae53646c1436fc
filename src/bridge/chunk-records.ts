/**
 * Chunks of a snapshot as the records that a staging is given, and the other way round: records cut into
 * chunks that are a function of the records alone.
 *
 *   chunk n      [ u32 record | u32 record | u32 record ]
 *   chunk n+1    [ u32 a record that fits into no chu     a record larger than a chunk begins one,
 *   chunk n+2    nk at all | u32 record | ... ]           and goes on in the next
 *
 * What a peer says a record's length is, is not believed: of one that is larger than its chunk so much is
 * kept as has arrived.
 * Owns: this form. Does not own: rings, reading (part-reader.ts), who loads (target.ts).
 */
import { StoreError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { RECORD_LENGTH_BYTES } from "../wire/frame.ts";
import { eachRecord, lengthAt, recordsIn } from "./records.ts";
import type { Records } from "./seam.ts";

const NO_BYTES = Buffer.alloc(0);

/** Takes chunks in order. */
export class ChunkJoiner {
  /** Records that ended so far, and their bytes. */
  records = 0;
  recordBytes = 0;
  /** Of a record whose end is not here: what came of it, its length first. */
  #pieces: Buffer[] = [];
  #have = 0;
  #whole = 0;

  /** A record has begun and not ended. */
  get isInside(): boolean {
    return this.#whole > 0;
  }

  /**
   * The records that end in the chunk bytes[from, to); they are views of it, but for one that began in
   * an earlier chunk.
   * @throws {StoreError} ERR_STORE_CHUNK when it is not in this form
   */
  take(bytes: Buffer, from: number, to: number): Records & { readonly count: number } {
    let at = from;
    let first: Buffer | null = null;
    if (this.isInside) {
      at = Math.min(to, from + this.#whole - this.#have);
      this.#keep(bytes, from, at);
      if (this.#have < this.#whole) return new ChunkRecords(null, bytes, to, to, 0, 0);
      first = this.#joined();
    }
    let end = at;
    let count = 0;
    while (end < to) {
      if (to - end < RECORD_LENGTH_BYTES)
        throw new StoreError("ERR_STORE_CHUNK", "a chunk ends inside a record's length");
      const length = lengthAt(bytes, end);
      if (length > LIMITS.recordBytesMax)
        throw new StoreError("ERR_STORE_CHUNK", `a record of ${length} bytes in a chunk`);
      const next = end + RECORD_LENGTH_BYTES + length;
      if (next > to) {
        this.#whole = next - end;
        this.#keep(bytes, end, to);
        break;
      }
      end = next;
      count += 1;
    }
    const taken = new ChunkRecords(first, bytes, at, end, count, end - at);
    this.records += taken.count;
    this.recordBytes += taken.bytes;
    return taken;
  }

  #keep(bytes: Buffer, from: number, to: number): void {
    this.#pieces.push(Buffer.from(bytes.subarray(from, to)));
    this.#have += to - from;
  }

  #joined(): Buffer {
    const whole = Buffer.concat(this.#pieces, this.#have);
    this.#pieces = [];
    this.#have = 0;
    this.#whole = 0;
    return whole.subarray(RECORD_LENGTH_BYTES);
  }
}

/** Perhaps one record that lies elsewhere, then `count` in bytes[from, to). */
class ChunkRecords implements Records {
  readonly count: number;
  readonly bytes: number;
  readonly #first: Buffer | null;
  readonly #chunk: Buffer;
  readonly #from: number;
  readonly #to: number;

  constructor(
    first: Buffer | null,
    chunk: Buffer,
    from: number,
    to: number,
    count: number,
    bytes: number,
  ) {
    this.count = count + (first === null ? 0 : 1);
    this.bytes = bytes - count * RECORD_LENGTH_BYTES + (first?.length ?? 0);
    this.#first = first;
    this.#chunk = chunk;
    this.#from = from;
    this.#to = to;
  }

  each(visit: (bytes: Buffer, from: number, to: number) => void): void {
    const first = this.#first;
    if (first !== null) visit(first, 0, first.length);
    eachRecord(this.#chunk, this.#from, this.#to, visit);
  }

  *[Symbol.iterator](): Iterator<Buffer> {
    if (this.#first !== null) yield this.#first;
    yield* recordsIn(this.#chunk, this.#from, this.#to);
  }
}

/** Cuts records into chunks of at most `payloadMax` bytes, written into memory that the caller gives. */
export class ChunkCutter {
  /** Bytes of the present chunk. */
  filled = 0;
  /** Of the record that is being put: bytes that earlier chunks have, its length included. */
  done: number;
  readonly #payloadMax: number;
  #bytes: Buffer = NO_BYTES;
  #from = 0;

  /** @param done of the first record, when the first chunk begins inside it */
  constructor(payloadMax: number, done = 0) {
    this.#payloadMax = payloadMax;
    this.done = done;
  }

  /** The next chunk is put into bytes[from, from + payloadMax). */
  begin(bytes: Buffer, from: number): void {
    this.#bytes = bytes;
    this.#from = from;
    this.filled = 0;
  }

  /**
   * Puts `record`, or what fits of it.
   * @returns false: the chunk is full, and the same record is to be put into the next one
   */
  put(record: Uint8Array): boolean {
    const whole = RECORD_LENGTH_BYTES + record.length;
    const left = this.#payloadMax - this.filled;
    if (this.done === 0) {
      // Why: a record is cut only where no chunk could hold it.
      if (whole > left && (this.filled > 0 || left < RECORD_LENGTH_BYTES)) return false;
      this.#bytes.writeUInt32LE(record.length, this.#from + this.filled);
      this.filled += RECORD_LENGTH_BYTES;
      this.done = RECORD_LENGTH_BYTES;
    }
    const start = this.done - RECORD_LENGTH_BYTES;
    const piece = Math.min(record.length - start, this.#payloadMax - this.filled);
    const part = piece === record.length ? record : record.subarray(start, start + piece);
    this.#bytes.set(part, this.#from + this.filled);
    this.filled += piece;
    this.done += piece;
    if (this.done < whole) return false;
    this.done = 0;
    return true;
  }
}
