/**
 * An ordered store of bytes as a replicated state: what levelState and lmdbState are made of.
 *
 *   apply      the records of the batches and the mark in one write; a clear among them is a swap to
 *              what follows it (ordered-swap.ts), as it may be of more entries than a write can hold
 *   freeze     a pin of the store; parts are lists of entries in the order of their keys
 *   stage      a generation beside the live entries
 *
 * After a swap that failed in its second step the state is the new one, but the live entries are not yet:
 * `swap` says so, and every call does that step first. A write of the first step that failed may have been
 * stored all the same: isUnsure, and the next call reads what is there.
 *
 * Owns: the seam over an OrderedStore. Does not own: stores, records' bytes (key-value-records.ts).
 * Tested in: test/unit/adapters/level.test.ts, test/unit/adapters/level-kills.test.ts.
 */
import { ArgumentError, StoreError } from "../errors.ts";
import type {
  Batch,
  Frozen,
  Mark,
  Part,
  RecordFormat,
  Records,
  ReplicatedState,
  Staging,
  StateDurability,
} from "../bridge/seam.ts";
import {
  checkKeyValue,
  KEY_VALUE_FORMAT,
  keyFrom,
  keyTo,
  OP,
  PUT_HEAD_BYTES,
  writePut,
} from "./key-value-records.ts";
import {
  type Entry,
  nextTurn,
  type OrderedStore,
  type Pin,
  readLive,
  ReservedKeys,
  type Swap,
  swapFromBytes,
  swapToBytes,
} from "./ordered-store.ts";
import { freshGeneration, generationsOf, settle, tidy } from "./ordered-swap.ts";

const FORMAT_NOTE = Buffer.from("hawser 1", "latin1");
/** Longer keys are no tokens: a later read then begins before them. */
const TOKEN_BYTES_MAX = 65_536;

export class OrderedState<P extends Pin, Tx = never> implements ReplicatedState<Tx> {
  readonly format: RecordFormat = KEY_VALUE_FORMAT;
  readonly durability: StateDurability;
  protected readonly store: OrderedStore<P>;
  protected readonly keys: ReservedKeys;
  /** It is in place for readers of the adapter, and not yet in the live entries. */
  protected swap: Swap | null = null;
  private isUnsure = false;
  private tidying: Promise<void> = Promise.resolve();
  private isClosed = false;

  constructor(store: OrderedStore<P>, reservedPrefix: Buffer) {
    this.store = store;
    this.durability = store.durability;
    this.keys = new ReservedKeys(reservedPrefix);
  }

  async open(): Promise<{ readonly mark: Mark | null; readonly empty: boolean }> {
    const { store, keys } = this;
    await store.open();
    this.isClosed = false;
    await this.claim();
    this.swap = await this.storedSwap();
    await this.ready();
    for (const generation of await generationsOf(store, keys)) this.tidy(generation);
    const first = await readLive(store, keys, null, null);
    const mark = this.durability === "none" ? null : await this.mark();
    return { mark, empty: first.length === 0 };
  }

  check(bytes: Buffer, from: number, to: number): void {
    checkKeyValue(bytes, from, to);
    if (bytes[from] === OP.clear) return;
    const keyAt = keyFrom(bytes, from);
    const keyEnd = keyTo(bytes, from, to);
    const why = this.keys.has(bytes, keyAt, keyEnd)
      ? `is among those that hawser keeps its own in ("${this.keys.from.toString("latin1")}")`
      : this.store.refuses(bytes, keyAt, keyEnd);
    if (why !== "") throw new StoreError("ERR_STORE_RECORD", `a key ${why}`);
  }

  apply(batch: Batch): Promise<void> {
    // Without a mark only what is thrown at once says that nothing has changed.
    if (this.durability === "none")
      batch.each((bytes, from, to) => {
        this.check(bytes, from, to);
      });
    const clear = lastClear(batch);
    // Why not always by ready(): two promises are much of what a small batch costs.
    if (clear < 0 && this.isSettled) return this.write(batch, batch.end);
    return this.applyWhole(batch, clear);
  }

  private async applyWhole(batch: Batch, clear: number): Promise<void> {
    await this.ready();
    if (clear < 0) return this.write(batch, batch.end);
    const staging = await this.stage();
    try {
      await staging.load(batch, clear + 1);
      await staging.commit(batch.end);
    } catch (error) {
      staging.abort();
      throw error;
    }
  }

  private write(records: Records, end: Mark): Promise<void> {
    const { store, keys } = this;
    return store.write((changes) => {
      records.each((bytes, from, to) => {
        this.check(bytes, from, to);
        changes.record(bytes, from, to);
      });
      changes.put(keys.mark, store.own(end));
    });
  }

  async mark(): Promise<Mark | null> {
    const swap = await this.storedSwap();
    if (swap !== null) return swap.end;
    const bytes = await this.store.get(this.keys.mark);
    return bytes === null ? null : this.store.fromOwn(bytes);
  }

  async freeze(): Promise<Frozen> {
    await this.ready();
    return new FrozenOrdered(this.store, this.keys);
  }

  async stage(): Promise<OrderedStaging<P>> {
    await this.ready();
    const generation = await freshGeneration(this.store, this.keys);
    return new OrderedStaging(this.store, this.keys, generation, {
      check: (bytes, from, to) => this.check(bytes, from, to),
      swapTo: (swap) => this.swapTo(swap),
      isInPlace: () => this.isUnsure || this.swap?.generation === generation,
      left: () => this.tidy(generation),
    });
  }

  sync(): Promise<void> {
    return this.store.sync(this.keys.sync);
  }

  async close(): Promise<void> {
    this.isClosed = true;
    await this.tidying;
  }

  private get isSettled(): boolean {
    return this.swap === null && !this.isUnsure;
  }

  /** What every call begins with: nothing is left of an earlier one. */
  protected async ready(): Promise<void> {
    if (this.isUnsure) {
      this.swap = await this.storedSwap();
      this.isUnsure = false;
    }
    if (this.swap === null) return;
    const { generation } = this.swap;
    await settle(this.store, this.keys, this.swap);
    this.swap = null;
    this.tidy(generation);
  }

  private async swapTo(swap: Swap): Promise<void> {
    const { store, keys } = this;
    this.isUnsure = true;
    await store.write((changes) => changes.put(keys.swap, store.own(swapToBytes(swap))));
    this.isUnsure = false;
    this.swap = swap;
    await this.ready();
  }

  private async storedSwap(): Promise<Swap | null> {
    const bytes = await this.store.get(this.keys.swap);
    return bytes === null ? null : swapFromBytes(this.store.fromOwn(bytes));
  }

  /** Makes sure that what is in the reserved keys is hawser's. */
  private async claim(): Promise<void> {
    const { store, keys } = this;
    const note = await store.get(keys.format);
    if (note !== null && store.fromOwn(note).equals(FORMAT_NOTE)) return;
    const [other] = await store.read({ from: keys.from, isAfter: false, to: keys.to }, null);
    if (other !== undefined)
      throw new ArgumentError(
        "ERR_ARGUMENT",
        `the store has a key "${other.key.toString("utf8", 0, 80)}" that is not hawser's; ` +
          `keys that begin with "${keys.from.toString("latin1")}" must be left to it`,
      );
    await store.write((changes) => changes.put(keys.format, store.own(FORMAT_NOTE)));
  }

  /** Behind whatever is called meanwhile; what fails is left to the next process. */
  private tidy(generation: number): void {
    this.tidying = this.tidying
      .then(() => tidy(this.store, this.keys, generation, () => this.isClosed))
      .catch(() => undefined);
  }
}

/** @returns the index of the last clear, -1 when there is none. */
function lastClear(records: Records): number {
  let at = -1;
  let index = 0;
  records.each((bytes, from) => {
    if (bytes[from] === OP.clear) at = index;
    index += 1;
  });
  return at;
}

/** What a staging needs of its state. */
interface StagingHost {
  check(bytes: Buffer, from: number, to: number): void;
  swapTo(swap: Swap): Promise<void>;
  /** Its entries are the state's now, or may be. */
  isInPlace(): boolean;
  left(): void;
}

class OrderedStaging<P extends Pin> implements Staging {
  private readonly store: OrderedStore<P>;
  private readonly generation: number;
  private readonly prefix: Buffer;
  private readonly host: StagingHost;

  constructor(store: OrderedStore<P>, keys: ReservedKeys, generation: number, host: StagingHost) {
    this.store = store;
    this.generation = generation;
    this.prefix = keys.stagedPrefix(generation);
    this.host = host;
  }

  /** @param first the records before this one count for nothing. */
  load(records: Records, first = 0): Promise<void> {
    return this.store.write((changes) => {
      let index = 0;
      records.each((bytes, from, to) => {
        this.host.check(bytes, from, to);
        if (index++ < first) return;
        const keyEnd = keyTo(bytes, from, to);
        const key = Buffer.concat([this.prefix, bytes.subarray(keyFrom(bytes, from), keyEnd)]);
        if (bytes[from] === OP.put) changes.put(key, bytes.subarray(keyEnd, to));
        else changes.delete(key);
      });
    });
  }

  commit(end: Mark): Promise<void> {
    return this.host.swapTo({ generation: this.generation, end });
  }

  abort(): void {
    if (!this.host.isInPlace()) this.host.left();
  }
}

class FrozenOrdered<P extends Pin> implements Frozen {
  private readonly store: OrderedStore<P>;
  private readonly keys: ReservedKeys;
  private readonly pin: P;

  constructor(store: OrderedStore<P>, keys: ReservedKeys) {
    this.store = store;
    this.keys = keys;
    this.pin = store.pin();
  }

  async *read(after: Uint8Array | null): AsyncGenerator<Part, void, undefined> {
    let last: Buffer | null = after === null ? null : Buffer.from(after);
    while (true) {
      await nextTurn();
      const entries = await readLive(this.store, this.keys, last, this.pin);
      if (entries.length === 0) return;
      const token = entries.at(-1)!.key;
      const records = recordsOf(entries);
      yield token.length <= TOKEN_BYTES_MAX ? { records, token } : { records };
      last = token;
    }
  }

  pinned(): number {
    return this.pin.pinned?.() ?? 0;
  }

  close(): Promise<void> | void {
    return this.pin.close();
  }
}

/** Entries as puts, one after the other in one buffer. */
function recordsOf(entries: readonly Entry[]): Uint8Array[] {
  let bytes = 0;
  for (const { key, value } of entries) bytes += PUT_HEAD_BYTES + key.length + value.length;
  const all = Buffer.allocUnsafe(bytes);
  let at = 0;
  return entries.map(({ key, value }) => {
    const from = at;
    at = writePut(all, at, key, value);
    return all.subarray(from, at);
  });
}
