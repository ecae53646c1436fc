/**
 * Records of a Map as changes: decoded first, all of them, and made then, all or none.
 *
 * Owns: what was decoded and is not made yet. Does not own: entries (map-table.ts).
 * Tested in: test/unit/adapters/map.test.ts.
 */
import type { Records } from "../bridge/seam.ts";
import { StoreError } from "../errors.ts";
import { checkKeyValue, keyFrom, keyTo, OP } from "./key-value-records.ts";
import type { MapCodec } from "./map-records.ts";
import type { Changed, MapTable } from "./map-table.ts";

/** Room for so many changes is kept for the next batch. */
const KEPT_MAX = 4096;

export class MapChanges<K, V> {
  /** A change each: its kind, its key, its value. */
  #kinds: number[] = [];
  #keys: (K | undefined)[] = [];
  #values: (V | undefined)[] = [];
  #count = 0;
  #puts = 0;
  readonly #codec: MapCodec<K, V>;

  constructor(codec: MapCodec<K, V>) {
    this.#codec = codec;
  }

  /**
   * Decodes one more.
   * @throws {StoreError} ERR_STORE_RECORD when `bytes[from, to)` is no record of this Map
   */
  readonly add = (bytes: Buffer, from: number, to: number): void => {
    checkKeyValue(bytes, from, to);
    const { key, value } = this.#codec;
    const kind = bytes[from]!;
    const at = this.#count;
    if (kind !== OP.clear) {
      const keyEnd = keyTo(bytes, from, to);
      this.#keys[at] = key.read(bytes, keyFrom(bytes, from), keyEnd);
      if (kind === OP.put) {
        this.#values[at] = value.read(bytes, keyEnd, to);
        this.#puts += 1;
      }
    }
    this.#kinds[at] = kind;
    this.#count = at + 1;
  };

  /** The same of puts alone, as snapshots have them. */
  readonly addPut = (bytes: Buffer, from: number, to: number): void => {
    if (bytes[from] !== OP.put)
      throw new StoreError("ERR_STORE_RECORD", "a snapshot of a Map is puts alone");
    this.add(bytes, from, to);
  };

  /** Decodes all of `records`; none is left of an earlier call. */
  decode(records: Records, add: (bytes: Buffer, from: number, to: number) => void): void {
    this.forget();
    records.each(add);
  }

  /**
   * Makes what was decoded, in `table`, or in the new one that `cleared` gives at a CLEAR.
   * @throws {StoreError} ERR_STORE_FULL with nothing changed
   */
  make(table: MapTable<K, V>, cleared: () => MapTable<K, V>): MapTable<K, V> {
    // Only a Map that is nearly full can refuse one: then what was there is noted, to be put back.
    if (!table.mayRefuse(this.#puts)) return this.#make(table, cleared, null);
    const undo: Changed<K, V>[] = [];
    const layer = table.freeze();
    try {
      return this.#make(table, cleared, undo);
    } catch (error) {
      for (const changed of undo.reverse()) table.putBack(changed);
      throw error;
    } finally {
      table.thaw(layer);
    }
  }

  #make(
    table: MapTable<K, V>,
    cleared: () => MapTable<K, V>,
    undo: Changed<K, V>[] | null,
  ): MapTable<K, V> {
    let now = table;
    for (let i = 0; i < this.#count; i++) {
      const kind = this.#kinds[i]!;
      if (kind === OP.clear) {
        // What it replaces is left as it is by then: of that nothing more needs undoing.
        now = cleared();
        continue;
      }
      const key = this.#keys[i] as K;
      if (undo !== null && now === table) undo.push(now.note(key));
      if (kind === OP.put) now.set(key, this.#values[i] as V);
      else now.delete(key);
    }
    return now;
  }

  /** Lets go of what was decoded. */
  forget(): void {
    const isLarge = this.#count > KEPT_MAX;
    this.#kinds.length = isLarge ? 0 : this.#kinds.length;
    // Why filled: a value that is kept here and nowhere else is memory nobody expects.
    this.#keys = isLarge ? [] : this.#keys.fill(undefined, 0, this.#count);
    this.#values = isLarge ? [] : this.#values.fill(undefined, 0, this.#count);
    this.#count = this.#puts = 0;
  }
}
