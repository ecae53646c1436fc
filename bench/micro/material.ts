/** What the questions are asked with: keys, records, batches, memory to copy to. */
import { shipped } from "../lib/shipped.ts";

const record = await shipped("store/record");
const frame = await shipped("wire/frame");

export const KEY_BYTES = 16;
export const VALUE_BYTES = 100;
/** So many keys with their values are in the second-level cache. */
export const STEADY_KEYS_MAX = 1000;
/** Bytes of a SET in a batch, its length included. */
export const SET_BYTES: number = record.setBytes(KEY_BYTES, VALUE_BYTES, 0) + 4;

/** The same sequence in every run. */
export class Sequence {
  // In an array, because a number above 2^31 is boxed.
  private readonly state = new Int32Array([88172645]);

  /** At least 0 and below `end`. */
  below(end: number): number {
    let state = this.state[0]!;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.state[0] = state;
    return (state >>> 0) % end;
  }
}

/** "key:" and 12 digits. */
function writeKey(into: Buffer, at: number, n: number): void {
  into.write(`key:${String(n).padStart(12, "0")}`, at, "latin1");
}

/** SETs, each with its length before it, as in a batch. `keyOf` says the number of each one's key. */
export function setRecords(count: number, keyOf: (i: number) => number): Buffer {
  const bytes = Buffer.alloc(count * SET_BYTES, 120);
  for (let i = 0; i < count; i++) {
    const at = i * SET_BYTES;
    bytes.writeUInt32LE(SET_BYTES - 4, at);
    writeKey(bytes, record.encodeSetHead(bytes, at + 4, KEY_BYTES, 0), keyOf(i));
  }
  return bytes;
}

/** SETs of random keys below `keys`, the same in every run. */
export function randomSets(count: number, keys: number): Buffer {
  const sequence = new Sequence();
  return setRecords(count, () => sequence.below(keys));
}

/** The log of a history whose chain starts at 0: `records` in batches of `perBatch`. */
export function logOf(records: Buffer, perBatch: number): Buffer {
  const parts: Buffer[] = [];
  let [offset, chain] = [0, 0];
  for (let at = 0; at < records.length; at += perBatch * SET_BYTES) {
    const payload = records.subarray(at, at + perBatch * SET_BYTES);
    const batch = Buffer.concat([Buffer.alloc(frame.BATCH_HEAD_BYTES), payload]);
    const count = payload.length / SET_BYTES;
    chain = frame.sealBatchHead(batch, 0, batch.length, count, offset, 1, chain);
    offset += batch.length;
    parts.push(batch);
  }
  return Buffer.concat(parts);
}

/** Memory that is written front to back and again, as a backlog's is. */
export class Ring {
  private readonly bytes: Buffer;
  private at = 0;

  constructor(bytes: number) {
    this.bytes = Buffer.alloc(bytes, 1);
  }

  copy(source: Buffer, from: number, to: number): void {
    if (this.at + to - from > this.bytes.length) this.at = 0;
    source.copy(this.bytes, this.at, from, to);
    this.at += to - from;
  }
}
