/**
 * The records of writes that wait, one behind the other in memory that many of them share: what becomes one
 * batch is then one copy, and a write needs no memory of its own.
 *
 *   memory    | u32 record | u32 record | u32 record | ...      | nothing yet   |
 *             ^-- one write -------------^-- the next one --^
 *
 * Memory that is full is left to the writes that are in it, and goes with the last of them.
 * Owns: where records lie while they wait, and how long they may be. Does not own: what waits
 * (write-jobs.ts), batches (write-groups.ts).
 * Tested in: test/unit/bridge/waiting-records.test.ts.
 */
import { LogError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { PAYLOAD_BYTES_MAX } from "../log/draft.ts";
import { RECORD_LENGTH_BYTES } from "../wire/frame.ts";

/** Memory that writes share. */
export const SHARED_BYTES: number = 64 * 1024;
/** Writes above this have memory of their own, so that little is left unused of what they would not fit into. */
const SHARED_WRITE_BYTES_MAX = SHARED_BYTES / 8;
/** Up to here a loop over bytes is faster than a call of the runtime. */
const LOOP_BYTES_MAX = 32;

/** Records, each a u32le length and its bytes: `bytes[from, to)`. */
export interface WaitingSpan {
  readonly bytes: Buffer;
  readonly from: number;
  readonly to: number;
}

export class WaitingRecords {
  #shared: Buffer = Buffer.alloc(0);
  #end = 0;

  /**
   * A copy of `records`.
   * @throws {LogError} ERR_LOG_RECORD_SIZE for a record, or records together, that no batch may have
   */
  copyOf(records: readonly Uint8Array[]): WaitingSpan {
    let length = 0;
    for (const record of records) length += checkedBytes(record.length);
    checkPayload(length);
    if (length > SHARED_WRITE_BYTES_MAX) {
      const bytes = Buffer.allocUnsafe(length);
      putRecords(bytes, 0, records);
      return { bytes, from: 0, to: length };
    }
    if (this.#end + length > this.#shared.length) {
      this.#shared = Buffer.allocUnsafeSlow(SHARED_BYTES);
      this.#end = 0;
    }
    const from = this.#end;
    this.#end = putRecords(this.#shared, from, records);
    return { bytes: this.#shared, from, to: this.#end };
  }
}

/** The bytes of a record in a batch. @throws {LogError} ERR_LOG_RECORD_SIZE */
export function checkedBytes(length: number): number {
  if (length > LIMITS.recordBytesMax)
    throw new LogError(
      "ERR_LOG_RECORD_SIZE",
      `a record of ${length} bytes, at most ${LIMITS.recordBytesMax} are allowed`,
    );
  return RECORD_LENGTH_BYTES + length;
}

/** @throws {LogError} ERR_LOG_RECORD_SIZE */
export function checkPayload(bytes: number): void {
  if (bytes <= PAYLOAD_BYTES_MAX) return;
  throw new LogError(
    "ERR_LOG_RECORD_SIZE",
    `${bytes} bytes in one write, 4 for each record counted; at most ${PAYLOAD_BYTES_MAX} are allowed`,
  );
}

/** @returns where it ends */
export function putRecord(bytes: Buffer, at: number, record: Uint8Array): number {
  const { length } = record;
  // Four writes, since Buffer's own checks cost 8 ns a word.
  bytes[at] = length;
  bytes[at + 1] = length >>> 8;
  bytes[at + 2] = length >>> 16;
  bytes[at + 3] = length >>> 24;
  const from = at + RECORD_LENGTH_BYTES;
  if (length > LOOP_BYTES_MAX) bytes.set(record, from);
  else for (let i = 0; i < length; i++) bytes[from + i] = record[i]!;
  return from + length;
}

function putRecords(bytes: Buffer, at: number, records: readonly Uint8Array[]): number {
  let to = at;
  for (const record of records) to = putRecord(bytes, to, record);
  return to;
}
