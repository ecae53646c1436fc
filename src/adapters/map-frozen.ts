/**
 * A snapshot of a Map, read as parts: puts in the Map's order, which is the same each time, as no entry leaves
 * its place while a snapshot is open.
 *
 *   token = u32le, how many places come before the next part
 *
 * Owns: parts, tokens. Does not own: what an entry was at the freeze (map-table.ts).
 * Tested in: test/unit/adapters/map.test.ts.
 */
import type { Frozen, Part } from "../bridge/seam.ts";
import { ArgumentError, StoreError } from "../errors.ts";
import { PUT_HEAD_BYTES } from "./key-value-records.ts";
import { type MapCodec, writeEntry } from "./map-records.ts";
import { GONE, type Layer, type MapTable, type Slot } from "./map-table.ts";

const PART_BYTES = 65_536;
const TOKEN_BYTES = 4;

/** A read under way. */
interface Reader<K, V> {
  readonly rest: Iterator<[K, Slot<V>], unknown>;
  /** Places that are behind it. */
  at: number;
  /** The entry at `at`, where it was taken already and did not fit. */
  taken: [K, Slot<V>] | null;
}

export class MapFrozen<K, V> implements Frozen {
  readonly records: number;
  readonly bytes: number;
  readonly #table: MapTable<K, V>;
  readonly #codec: MapCodec<K, V>;
  readonly #layer: Layer<K, V>;
  /** Places that there were. */
  readonly #places: number;
  readonly #recordBytes: number;
  /** A read that was given up: who goes on there need not begin anew. */
  #givenUp: Reader<K, V> | null = null;
  #isClosed = false;

  /** @param recordBytes of one record, about */
  constructor(table: MapTable<K, V>, codec: MapCodec<K, V>, recordBytes: number) {
    this.#table = table;
    this.#codec = codec;
    this.#layer = table.freeze();
    this.#places = table.map.size;
    this.#recordBytes = recordBytes;
    this.records = table.size;
    this.bytes = Math.round(table.size * recordBytes);
  }

  *read(after: Uint8Array | null): Generator<Part, undefined> {
    const reader = this.#readerAt(after === null ? 0 : placeOf(after));
    const part = new PartBuffer();
    const token = Buffer.alloc(TOKEN_BYTES);
    try {
      while (reader.at < this.#places) {
        this.#fill(part, reader);
        token.writeUInt32LE(reader.at);
        if (part.records.length > 0) yield { records: part.records, token };
        part.clear();
      }
    } finally {
      this.#givenUp = this.#isClosed ? null : reader;
    }
  }

  #readerAt(place: number): Reader<K, V> {
    this.#demandOpen();
    const before = this.#givenUp;
    if (before?.at === place) {
      this.#givenUp = null;
      return before;
    }
    const rest = this.#table.map.entries();
    for (let at = Math.min(place, this.#places); at > 0; at--) rest.next();
    return { rest, at: place, taken: null };
  }

  /** Entries until a part is full. */
  #fill(part: PartBuffer, reader: Reader<K, V>): void {
    this.#demandOpen();
    const [table, layer] = [this.#table, this.#layer];
    for (; reader.at < this.#places; reader.at += 1) {
      const next = reader.taken ?? (reader.rest.next().value as [K, Slot<V>]);
      const slot = table.slotOf(layer, next[0], next[1]);
      reader.taken = null;
      if (slot === GONE) continue;
      if (!part.add(this.#codec, next[0], slot)) {
        reader.taken = next;
        return;
      }
    }
  }

  #demandOpen(): void {
    if (this.#isClosed)
      throw new StoreError("ERR_STORE_SNAPSHOT_CLOSED", "this snapshot of a Map is closed");
  }

  /** About: entries that were changed since, as large as others. */
  pinned(): number {
    return this.#isClosed ? 0 : Math.round(this.#table.keptFrom(this.#layer) * this.#recordBytes);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#givenUp = null;
    this.#table.thaw(this.#layer);
  }
}

/** Records of one part, one behind the other. */
class PartBuffer {
  records: Buffer[] = [];
  #bytes: Buffer = Buffer.allocUnsafeSlow(PART_BYTES);
  #used = 0;

  /** False when it does not fit beside those that there are. */
  add<K, V>(codec: MapCodec<K, V>, key: K, value: V): boolean {
    const keyBytes = codec.key.bytes(key);
    const length = PUT_HEAD_BYTES + keyBytes + codec.value.bytes(value);
    if (length > PART_BYTES - this.#used) {
      if (this.#used > 0) return false;
      // One that is larger than a part is one alone.
      this.#bytes = Buffer.allocUnsafeSlow(length);
    }
    writeEntry(codec, key, keyBytes, value, this.#bytes, this.#used);
    this.records.push(this.#bytes.subarray(this.#used, this.#used + length));
    this.#used += length;
    return true;
  }

  clear(): void {
    this.records = [];
    this.#used = 0;
    if (this.#bytes.length > PART_BYTES) this.#bytes = Buffer.allocUnsafeSlow(PART_BYTES);
  }
}

function placeOf(token: Uint8Array): number {
  if (token.length === TOKEN_BYTES)
    return new DataView(token.buffer, token.byteOffset).getUint32(0, true);
  throw new ArgumentError(
    "ERR_ARGUMENT",
    `a token of ${token.length} bytes; ${TOKEN_BYTES} are allowed`,
  );
}
