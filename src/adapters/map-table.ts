/**
 * The entries of a Map, which can be frozen in no time: what a snapshot needs of an entry is kept when that is
 * changed, and an entry that is deleted meanwhile keeps its place.
 *
 *   map    a  b  c* d  e  f          c* deleted: its place is kept, as open snapshots count places
 *          <---- count ---->         of the newest snapshot: what is added later lies behind
 *
 *   layers  oldest {b: old}  -->  newest {c: old, d: old}  -->  map
 *           an entry as an older one has it is in the first layer from its own on that has the key, or
 *           in the map
 *
 * While nothing is frozen nothing is kept, and a write is one of the Map's. Once nothing is frozen any more
 * the places of deleted entries are given back, some in each turn of the loop.
 *
 * Owns: entries, layers, what is deleted and still has a place. Does not own: records (key-value-records.ts), reading a
 * snapshot as parts (map-frozen.ts).
 * Tested in: test/unit/adapters/map.test.ts.
 */
import { StoreError } from "../errors.ts";

/** As many entries as a Map of V8 has room for. */
export const ENTRIES_MAX = 16_777_216;

/** An entry that was deleted, and has a place still. */
export const GONE: unique symbol = Symbol("gone");
export type Slot<V> = V | typeof GONE;

/** Places given back in one turn. */
const TIDY_A_TURN = 2000;

/** What changed since a freeze, until the next one: what was there before. */
export interface Layer<K, V> {
  readonly old: Map<K, Slot<V>>;
  /** Snapshots that begin here and are open. */
  open: number;
  next: Layer<K, V> | null;
}

/** An entry before a change of it. */
export interface Changed<K, V> {
  readonly key: K;
  readonly isThere: boolean;
  readonly value: V | undefined;
}

export class MapTable<K, V> {
  readonly map: Map<K, Slot<V>> = new Map();
  /** Entries that are not deleted. */
  size = 0;
  readonly #entriesMax: number;
  readonly #gone = new Set<K>();
  #oldest: Layer<K, V> | null = null;
  #newest: Layer<K, V> | null = null;
  #isTidying = false;
  /** Entries that were taken out of the Map, which may count them still. */
  #takenOut = 0;

  constructor(entriesMax: number) {
    this.#entriesMax = entriesMax;
  }

  get(key: K): V | undefined {
    const value = this.map.get(key);
    return value === GONE ? undefined : value;
  }

  has(key: K): boolean {
    return this.#gone.size === 0
      ? this.map.has(key)
      : this.map.has(key) && this.map.get(key) !== GONE;
  }

  /** @throws {StoreError} ERR_STORE_FULL with nothing changed */
  set(key: K, value: V): void {
    if (this.#newest !== null || this.#gone.size > 0) this.#setBeside(key, value);
    else {
      this.#put(key, value);
      this.size = this.map.size;
    }
  }

  /** False when there was none. */
  delete(key: K): boolean {
    if (this.#newest === null) {
      if (this.#gone.size > 0 && this.#gone.has(key)) return false;
      if (!this.map.delete(key)) return false;
      this.#takenOut += 1;
    } else {
      const old = this.map.get(key);
      if (old === GONE || (old === undefined && !this.map.has(key))) return false;
      this.#keep(this.#newest, key, old as V);
      this.#gone.add(key);
      this.map.set(key, GONE);
    }
    this.size -= 1;
    return true;
  }

  #setBeside(key: K, value: V): void {
    const old = this.map.get(key);
    const isThere = old !== undefined || this.map.has(key);
    if (isThere && this.#newest !== null) this.#keep(this.#newest, key, old as Slot<V>);
    this.#put(key, value);
    if (!isThere || old === GONE) this.size += 1;
    if (old === GONE) this.#gone.delete(key);
  }

  #put(key: K, value: V): void {
    const { map } = this;
    if (map.size >= this.#entriesMax && !map.has(key)) full(this.#entriesMax, null);
    try {
      map.set(key, value);
    } catch (cause) {
      // Why so early: a Map counts deleted entries too, until it is rebuilt.
      full(map.size, cause);
    }
  }

  #keep(layer: Layer<K, V>, key: K, old: Slot<V>): void {
    if (layer.old.has(key)) return;
    try {
      layer.old.set(key, old);
    } catch (cause) {
      full(layer.old.size, cause);
    }
  }

  // --- several changes, all or none ----------------------------------------------------------------

  /** Whether `sets` more entries might be too many. */
  mayRefuse(sets: number): boolean {
    return this.map.size + this.#takenOut + sets > this.#entriesMax;
  }

  /** What `key` has, for putBack(). */
  note(key: K): Changed<K, V> {
    return { key, isThere: this.has(key), value: this.get(key) };
  }

  /** While frozen since note(): then every entry has its place still, and this cannot fail. */
  putBack({ key, isThere, value }: Changed<K, V>): void {
    if (isThere) this.set(key, value as V);
    else this.delete(key);
  }

  // --- freezing ------------------------------------------------------------------------------------

  /** Fixes what is there; thaw() ends that. */
  freeze(): Layer<K, V> {
    let layer = this.#newest;
    if (layer === null || layer.old.size > 0) {
      layer = { old: new Map(), open: 0, next: null };
      if (this.#newest === null) this.#oldest = layer;
      else this.#newest.next = layer;
      this.#newest = layer;
    }
    layer.open += 1;
    return layer;
  }

  /** Entries as they were when `layer` was frozen; GONE for those that were deleted then. */
  slotOf(layer: Layer<K, V>, key: K, now: Slot<V>): Slot<V> {
    for (let at: Layer<K, V> | null = layer; at !== null; at = at.next) {
      const { old } = at;
      if (old.size === 0) continue;
      const found = old.get(key);
      if (found !== undefined || old.has(key)) return found as Slot<V>;
    }
    return now;
  }

  /** How many entries are kept for `layer` and those after it. */
  keptFrom(layer: Layer<K, V>): number {
    let kept = 0;
    for (let at: Layer<K, V> | null = layer; at !== null; at = at.next) kept += at.old.size;
    return kept;
  }

  thaw(layer: Layer<K, V>): void {
    layer.open -= 1;
    while (this.#oldest !== null && this.#oldest.open === 0) this.#oldest = this.#oldest.next;
    if (this.#oldest !== null) return;
    this.#newest = null;
    this.#tidySoon();
  }

  /** Deleted entries that have a place still. */
  get goneCount(): number {
    return this.#gone.size;
  }

  #tidySoon(): void {
    if (this.#gone.size === 0 || this.#isTidying) return;
    this.#isTidying = true;
    // Why unref: nobody waits for it.
    setImmediate(() => {
      this.#isTidying = false;
      this.#tidy();
    }).unref();
  }

  #tidy(): void {
    // Frozen again: it goes on when that is over.
    if (this.#newest !== null) return;
    let left = TIDY_A_TURN;
    for (const key of this.#gone) {
      this.map.delete(key);
      this.#takenOut += 1;
      this.#gone.delete(key);
      if (--left === 0) break;
    }
    this.#tidySoon();
  }
}

function full(entries: number, cause: unknown): never {
  throw new StoreError("ERR_STORE_FULL", `a Map has no room beyond ${entries} entries`, { cause });
}
