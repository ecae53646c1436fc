/**
 * A Map that can be replicated: mapState() has the Map's own interface, and each change is in the log in
 * the same turn, or does not happen.
 *
 *   free      before it is replicated: changes are its own matter, and the state before the first log
 *   log       on a primary: a change is reserved in the log, written there, made
 *   read only on a replica: ERR_READONLY
 *   closed    after that node was closed: ERR_CLOSED; reads go on
 *
 * Values are immutable: what was set is given back as it is, and a snapshot encodes it again. Whoever changes
 * an object that is in the Map changes this copy alone.
 *
 * Owns: the interface, what is refused when. Does not own: entries and freezing (map-table.ts), bytes
 * (key-value-records.ts, map-codecs.ts), order and sending (the node).
 */
import type {
  Batch,
  Frozen,
  RecordFormat,
  Records,
  ReplicatedState,
  Staging,
  StateLog,
} from "../bridge/seam.ts";
import { NodeError } from "../errors.ts";
import { DELETE_HEAD_BYTES, KEY_VALUE_FORMAT, OP, PUT_HEAD_BYTES } from "./key-value-records.ts";
import { MapChanges } from "./map-changes.ts";
import { bytes, plain, utf8 } from "./map-codecs.ts";
import { MapFrozen } from "./map-frozen.ts";
import { type MapCodec, writeEntry } from "./map-records.ts";
import { ENTRIES_MAX, GONE, MapTable } from "./map-table.ts";

/** Strings to strings, Buffers, or what JSON can say. */
const DEFAULT_CODEC: MapCodec<string, unknown> = {
  name: "hawser-map",
  version: 1,
  key: utf8,
  value: plain,
};

/**
 * Strings to bytes, as they are: the records of levelState() and lmdbState(), which a Map with this codec can
 * follow, and they it. Keys that are no UTF-8 are refused.
 */
export const keyValueCodec: MapCodec<string, Uint8Array> = {
  ...KEY_VALUE_FORMAT,
  key: utf8,
  value: bytes,
};

/** Before anything is known of the sizes of records. */
const RECORD_BYTES_GUESS = 64;

type Mode = "free" | "log" | "read only" | "closed";

/**
 * A Map to be replicated, with `entries` in it: `replicate(mapState())`. Keys are strings, and values are
 * strings, Buffers (a Uint8Array comes back as one) or what JSON can say.
 *
 * @throws {ArgumentError} ERR_ARGUMENT for an entry that has no bytes
 * @throws {StoreError} ERR_STORE_FULL for more than 16,777,216 entries
 */
export function mapState<K extends string = string, V = unknown>(
  codec?: undefined,
  entries?: Iterable<readonly [K, V]>,
): MapState<K, V>;
/** The same with other keys and values: `codec` says what their bytes are. */
export function mapState<K, V>(
  codec: MapCodec<K, V>,
  entries?: Iterable<readonly [K, V]>,
): MapState<K, V>;
export function mapState<K, V>(
  codec: MapCodec<K, V> = DEFAULT_CODEC as unknown as MapCodec<K, V>,
  entries: Iterable<readonly [K, V]> = [],
): MapState<K, V> {
  return new MapState(codec, entries);
}

/**
 * What mapState() gives. A class that extends it may add methods and override those of a Map; on a replica
 * changes arrive past them.
 */
export class MapState<K, V> implements Map<K, V>, ReplicatedState {
  readonly format: RecordFormat;
  readonly durability = "none";
  readonly [Symbol.toStringTag] = "MapState";
  readonly #codec: MapCodec<K, V>;
  readonly #entriesMax: number;
  readonly #changes: MapChanges<K, V>;
  #table: MapTable<K, V>;
  #mode: Mode = "free";
  #log: StateLog | null = null;
  // For estimates.
  #writtenBytes = RECORD_BYTES_GUESS;
  #written = 1;

  /** @param entriesMax for tests: as many as a Map has room for */
  constructor(
    codec: MapCodec<K, V>,
    entries: Iterable<readonly [K, V]>,
    entriesMax: number = ENTRIES_MAX,
  ) {
    this.#codec = codec;
    this.#entriesMax = entriesMax;
    this.format = { name: codec.name, version: codec.version };
    this.#table = new MapTable(entriesMax);
    this.#changes = new MapChanges(codec);
    for (const [key, value] of entries) {
      this.#note(codec.key.bytes(key) + codec.value.bytes(value));
      this.#table.set(key, value);
    }
  }

  // --- as a Map ------------------------------------------------------------------------------------

  get size(): number {
    return this.#table.size;
  }

  get(key: K): V | undefined {
    return this.#table.get(key);
  }

  has(key: K): boolean {
    return this.#table.has(key);
  }

  /**
   * @throws {ArgumentError} ERR_ARGUMENT for a key or value that has no bytes
   * @throws {LogError} ERR_LOG_RECORD_SIZE, ERR_LOG_FULL
   * @throws {StoreError} ERR_STORE_FULL
   * @throws {NodeError} ERR_READONLY on a replica, ERR_CLOSED after close(). Each with nothing changed.
   */
  set(key: K, value: V): this {
    if (this.#mode !== "log" && this.#mode !== "free") this.#refuse();
    const codec = this.#codec;
    const keyBytes = codec.key.bytes(key);
    const length = PUT_HEAD_BYTES + keyBytes + codec.value.bytes(value);
    this.#note(length);
    const log = this.#log;
    if (log === null) {
      this.#table.set(key, value);
      return this;
    }
    const at = log.reserve(length);
    try {
      writeEntry(codec, key, keyBytes, value, log.memory, at);
      this.#table.set(key, value);
    } catch (error) {
      log.undo();
      throw error;
    }
    return this;
  }

  /** False when there was no such entry: then nothing is logged. Throws as set() does. */
  delete(key: K): boolean {
    if (this.#mode !== "log" && this.#mode !== "free") this.#refuse();
    const log = this.#log;
    if (log !== null) {
      if (!this.#table.has(key)) return false;
      const codec = this.#codec.key;
      const at = log.reserve(DELETE_HEAD_BYTES + codec.bytes(key));
      try {
        log.memory[at] = OP.delete;
        codec.write(key, log.memory, at + DELETE_HEAD_BYTES);
        return this.#table.delete(key);
      } catch (error) {
        log.undo();
        throw error;
      }
    }
    return this.#table.delete(key);
  }

  /** Throws as set() does. */
  clear(): void {
    if (this.#mode !== "log" && this.#mode !== "free") this.#refuse();
    if (this.size === 0) return;
    const log = this.#log;
    if (log !== null) {
      const at = log.reserve(1);
      log.memory[at] = OP.clear;
    }
    this.#table = this.#fresh();
  }

  forEach(visit: (value: V, key: K, map: Map<K, V>) => void, thisArg?: unknown): void {
    for (const [key, value] of this.entries()) visit.call(thisArg, value, key, this);
  }

  /**
   * As a Map's, in the order in which keys were set first; a key that is deleted and set again while a snapshot is
   * open keeps its place. One that is under way when the Map is replaced (clear(), a full sync of a replica)
   * goes on with all entries of the new one.
   */
  *entries(): Generator<[K, V], undefined> {
    for (let table: MapTable<K, V> | null = null; table !== this.#table;) {
      table = this.#table;
      for (const entry of table.map) {
        if (entry[1] !== GONE) yield entry as [K, V];
        if (table !== this.#table) break;
      }
    }
  }

  *keys(): Generator<K, undefined> {
    for (const [key] of this.entries()) yield key;
  }

  *values(): Generator<V, undefined> {
    for (const [, value] of this.entries()) yield value;
  }

  [Symbol.iterator](): Generator<[K, V], undefined> {
    return this.entries();
  }

  #note(recordBytes: number): void {
    this.#writtenBytes += recordBytes;
    this.#written += 1;
  }

  #refuse(): never {
    if (this.#mode === "closed")
      throw new NodeError(
        "ERR_CLOSED",
        "the node of this Map was closed: a change would reach nobody",
      );
    throw new NodeError("ERR_READONLY", "this Map is a replica's: the primary changes it");
  }

  #fresh(): MapTable<K, V> {
    return new MapTable(this.#entriesMax);
  }

  // --- as a replicated state -----------------------------------------------------------------------

  open(): { readonly mark: null; readonly empty: boolean } {
    this.#mode = "read only";
    return { mark: null, empty: this.size === 0 };
  }

  bind(log: StateLog | null): void {
    this.#log = log;
    this.#mode = log === null ? "read only" : "log";
  }

  /** @throws {StoreError} ERR_STORE_RECORD */
  check(bytes: Buffer, from: number, to: number): void {
    const changes = this.#changes;
    try {
      changes.add(bytes, from, to);
    } finally {
      changes.forget();
    }
  }

  /** @throws {StoreError} ERR_STORE_RECORD, ERR_STORE_FULL; with nothing changed */
  apply(batch: Batch): void {
    const changes = this.#changes;
    try {
      changes.decode(batch, changes.add);
      this.#table = changes.make(this.#table, () => this.#fresh());
      this.#writtenBytes += batch.bytes;
      this.#written += batch.count;
    } finally {
      changes.forget();
    }
  }

  freeze(): Frozen {
    return new MapFrozen(this.#table, this.#codec, this.#writtenBytes / this.#written);
  }

  stage(): Staging {
    const table = this.#fresh();
    const changes = new MapChanges(this.#codec);
    return {
      load: (records: Records) => {
        changes.decode(records, changes.addPut);
        changes.make(table, () => table);
      },
      commit: () => {
        this.#table = table;
      },
      abort: () => undefined,
    };
  }

  close(): void {
    this.#log = null;
    this.#mode = "closed";
  }
}
