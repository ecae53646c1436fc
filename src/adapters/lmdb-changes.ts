/**
 * The changes of one write to an LMDB: collected first, and given to lmdb-js in one go.
 *
 *   copies   | key | value | key | value | key | ...    one behind the other; views of them are costly
 *   places     from  to, to                             of each key, and of its value
 *
 * Owns: that memory, keys as lmdb-js asks for them. Does not own: when a write is given (lmdb.ts).
 * Tested in: test/unit/adapters/lmdb.test.ts.
 */
import { keyFrom, keyTo, OP } from "./key-value-records.ts";
import type { Changes } from "./ordered-store.ts";

/** What takes them: a database of lmdb-js whose keys are written by BYTES_AS_KEYS. */
interface Taker {
  put(key: KeyPlace, value: Uint8Array): unknown;
  remove(key: KeyPlace): unknown;
}

/** Of the changes of one write at first. */
const COPIES_BYTES = 8192;
/** More of them is given back when they are written. */
const KEPT_BYTES_MAX = 1024 * 1024;

/** Records that lie so close are copied together, with what is between them: lengths and heads of batches. */
const GAP_BYTES_MAX = 64;

/**
 * Of one write, in order: keys and values copied one after the other, as LMDB asks for the address of a
 * value, which shared memory does not tell. No view of a key, since a view costs more than a copy.
 */
export class CollectedChanges implements Changes {
  private copies: Buffer = Buffer.allocUnsafeSlow(COPIES_BYTES);
  private end = 0;
  /** Where in `copies` each key begins and ends, and its value ends: -1 for a key that is removed. */
  private readonly places: number[] = [];
  private placesEnd = 0;
  /** Records that are to be copied to `end` in one go: `source[from, to)`. */
  private source: Buffer | null = null;
  private sourceFrom = 0;
  private sourceTo = 0;

  record(bytes: Buffer, from: number, to: number): void {
    const gap = from - this.sourceTo;
    if (bytes !== this.source || gap < 0 || gap > GAP_BYTES_MAX) {
      this.copySource();
      this.source = bytes;
      this.sourceFrom = from;
    }
    this.sourceTo = to;
    const moved = this.end - this.sourceFrom;
    const valueEnd = bytes[from] === OP.put ? to + moved : -1;
    this.note(keyFrom(bytes, from) + moved, keyTo(bytes, from, to) + moved, valueEnd);
  }

  put(key: Buffer, value: Buffer): void {
    this.copySource();
    const at = this.reserve(key.length + value.length);
    this.copies.set(key, at);
    this.copies.set(value, at + key.length);
    this.note(at, at + key.length, this.end);
  }

  delete(key: Buffer): void {
    this.copySource();
    const at = this.reserve(key.length);
    this.copies.set(key, at);
    this.note(at, this.end, -1);
  }

  giveTo(db: Taker): void {
    this.copySource();
    const { copies, places, placesEnd } = this;
    const key = new KeyPlace(copies);
    for (let i = 0; i < placesEnd; i += 3) {
      const to = places[i + 2]!;
      key.from = places[i]!;
      key.to = places[i + 1]!;
      if (to < 0) void db.remove(key);
      else void db.put(key, copies.subarray(key.to, to));
    }
  }

  /** Nothing of what was collected is needed any more. @returns whether its memory is worth keeping */
  clear(): boolean {
    this.end = 0;
    this.placesEnd = 0;
    return this.copies.length <= KEPT_BYTES_MAX;
  }

  private note(keyAt: number, keyEnd: number, valueEnd: number): void {
    const { places, placesEnd: at } = this;
    places[at] = keyAt;
    places[at + 1] = keyEnd;
    places[at + 2] = valueEnd;
    this.placesEnd = at + 3;
  }

  private copySource(): void {
    const { source, sourceFrom, sourceTo } = this;
    if (source === null) return;
    this.source = null;
    const at = this.reserve(sourceTo - sourceFrom);
    source.copy(this.copies, at, sourceFrom, sourceTo);
  }

  private reserve(bytes: number): number {
    const at = this.end;
    this.end += bytes;
    if (this.end > this.copies.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(this.end, this.copies.length * 2));
      this.copies.copy(larger, 0, 0, at);
      this.copies = larger;
    }
    return at;
  }
}

/**
 * Keys as they are stored, and zeros behind them, as lmdb-js wants it (the limit above).
 */
export const BYTES_AS_KEYS = {
  writeKey: (key: Uint8Array | KeyPlace, target: Buffer, start: number): number => {
    const end = key instanceof KeyPlace ? key.copyTo(target, start) : start + key.length;
    if (!(key instanceof KeyPlace)) target.set(key, start);
    const zerosEnd = Math.min(target.length, end + ZEROS);
    // Why no fill(): it is asked for every key, and a call of the runtime costs more.
    for (let at = end; at < zerosEnd; at++) target[at] = 0;
    return end;
  },
  readKey: (source: Buffer, start: number, end: number): Buffer =>
    Buffer.from(source.subarray(start, end)),
};

/** A key that lies in other bytes, which LMDB asks for while it is given. */
export class KeyPlace {
  from = 0;
  to = 0;
  private readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** @returns where it ends. */
  copyTo(target: Buffer, start: number): number {
    const { bytes, from, to } = this;
    const end = start + to - from;
    // As a RangeError of set() would be: lmdb-js makes it the error for a key that is too long.
    if (end > target.length) throw new RangeError("a key is longer than its buffer");
    copyKey(target, start, bytes, from, to);
    return end;
  }
}

/** Any bytes; a key is short. */
export function copyKey(target: Buffer, at: number, bytes: Buffer, from: number, to: number): void {
  if (to - from > SHORT_KEY_BYTES) bytes.copy(target, at, from, to);
  else for (let i = from; i < to; i++) target[at + i - from] = bytes[i]!;
}

/** So many bytes are copied faster one by one than by a call of the runtime. */
const SHORT_KEY_BYTES = 48;

/** More are overwritten by it anyhow. */
const ZEROS = 8;
