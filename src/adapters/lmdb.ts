/**
 * lmdbState(): a database of lmdb 3 (lmdb-js), the root of an environment or a named one, as a replicated
 * state.
 *
 *   const db = open({ path: "./data" });
 *   const state = lmdbState(db);
 *   const node = await replicate(state, { listen: 16380 });
 *   await node.write([state.put("a", 1), state.delete("b")]);
 *   db.get("a");
 *
 * Keys and values stay where and as they are. Hawser's own keys begin with the byte 2, as symbols do, so
 * that getRange() without a start does not bring them.
 *
 * Each write is one batch(), and transact() a child transaction: transaction() would commit what a callback
 * did before it threw. A write is answered when it is committed, which outlives the process; what outlives
 * the machine is flushed, later.
 *
 * Limit: the root with named databases beside its data cannot be replicated: they are entries of it.
 * Limit: lmdb-js looks for a key in a named database with its default keys by words of four bytes, and
 * takes what is behind the key for zeros. It confuses keys of which one is the other and eight zeros or
 * more; with `keyEncoding: "binary"`, and in the root, any keys will do.
 *
 * Limit: when a commit fails (a full disk), the write rejects and nothing of it is stored. With its default of
 * `eventTurnBatching` lmdb-js then leaves a rejection that nobody can handle, after any write, and Node ends a
 * process for one: whoever wants to go on sets it to false.
 *
 * Owns: the database as an OrderedStore, records with its encodings, transact. Does not own: the state
 * (ordered-state.ts), the database.
 */
import { ArgumentError, StoreError, wordsOf } from "../errors.ts";
import type { Awaitable, Mark, ReplicatedState, StateDurability } from "../bridge/seam.ts";
import { clearRecord, deleteRecord, PUT_HEAD_BYTES, writePutHead } from "./key-value-records.ts";
import { BYTES_AS_KEYS, CollectedChanges, copyKey, type KeyPlace } from "./lmdb-changes.ts";
import { OrderedState } from "./ordered-state.ts";
import {
  type Changes,
  type Entry,
  nextTurn,
  type OrderedStore,
  type Pin,
  type Range,
} from "./ordered-store.ts";

/** What is needed of a database. Loose; what is missing at run time is refused by lmdbState(). */
export interface LmdbDatabase<K = unknown, V = unknown> {
  get(key: never): unknown;
  put(key: K, value: V, version: never, ifVersion: never): unknown;
  childTransaction(action: never): Promise<unknown>;
  useReadTransaction(): unknown;
  readonly flushed: unknown;
}

/** What lmdbState() takes beside the environment. */
export interface LmdbStateOptions {
  /**
   * What outlives the answer of a write: "process" (the default), as it is committed, or "power": it is
   * flushed.
   */
  readonly durability?: "process" | "power";
}

/**
 * The state of an LMDB, with records in the database's own keys and values.
 *
 * @typeParam D the database: what transact() hands to its body, which must not wait for anything else
 */
export interface LmdbState<K, V, D> extends ReplicatedState<D> {
  /** A record that sets a key. Nothing is changed by it before a node has written it. */
  put(key: K, value: V): Uint8Array;
  /** A record that removes a key. */
  delete(key: K): Uint8Array;
  /** A record that removes all keys. */
  clear(): Uint8Array;
}

/** As symbols of lmdb-js begin. */
const RESERVED = Buffer.from("\u0002hawser\u0000", "latin1");
/** No key is before it: there is no empty one. */
const FIRST_KEY = Buffer.from([0]);
/** Larger than any key; what writes keys needs a multiple of 4. */
const KEY_BUFFER_BYTES = 8192;
/** Entries and bytes of one read. */
const READ_ENTRIES = 500;
const READ_BYTES = 65_536;

/**
 * @throws {ArgumentError} ERR_ARGUMENT for a database that cannot be replicated as it is stored: dupSort,
 *   useVersions, cache, sharedStructuresKey, keys that are uint32.
 */
export function lmdbState<K, V, D extends LmdbDatabase<K, V>>(
  db: D & LmdbDatabase<K, V>,
  options: LmdbStateOptions = {},
): LmdbState<K, V, D> {
  const lmdb = db as unknown as Lmdb;
  refuse(lmdb);
  return new LmdbStateOf<K, V, D>(db, new LmdbStore(lmdb, options.durability ?? "process"));
}

class LmdbStateOf<K, V, D> extends OrderedState<LmdbPin, D> implements LmdbState<K, V, D> {
  private readonly db: D;
  private readonly lmdb: LmdbStore;

  constructor(db: D, lmdb: LmdbStore) {
    super(lmdb, RESERVED);
    this.db = db;
    this.lmdb = lmdb;
    lmdb.keyBytesMax -= this.keys.stagedBytes;
  }

  put(key: K, value: V): Uint8Array {
    const { lmdb } = this;
    // Why first: an encoder may call what writes keys too.
    const encoded = lmdb.valueBytes(value);
    const keyBytes = lmdb.writeKey(key);
    const record = Buffer.allocUnsafe(PUT_HEAD_BYTES + keyBytes + encoded.length);
    const valueAt = writePutHead(record, 0, keyBytes) + keyBytes;
    copyKey(record, PUT_HEAD_BYTES, lmdb.keyBuffer, 0, keyBytes);
    record.set(encoded, valueAt);
    return record;
  }

  delete(key: K): Uint8Array {
    const keyBytes = this.lmdb.writeKey(key);
    return deleteRecord(this.lmdb.keyBuffer.subarray(0, keyBytes));
  }

  clear(): Uint8Array {
    return clearRecord();
  }

  async transact(run: (tx: D) => Awaitable<Mark>): Promise<void> {
    await this.ready();
    await this.lmdb.transact(this.keys.mark, () => run(this.db));
  }
}

// --- the database as an ordered store ---------------------------------------------------------------

/** As much of lmdb-js as is used here. */
interface Lmdb {
  readonly name: string | null;
  readonly maxKeySize?: number;
  readonly encoder?: { encode(value: unknown): Uint8Array | string };
  readonly compression?: unknown;
  readonly flushed: PromiseLike<unknown>;
  writeKey(key: unknown, target: Buffer, start: number): number;
  openDB(name: string | null, options: object): Lmdb | undefined;
  get(key: Buffer): Uint8Array | undefined;
  put(key: Buffer | KeyPlace, value: Uint8Array): unknown;
  remove(key: Buffer | KeyPlace): unknown;
  getRange(options: object): Iterable<{ readonly key: Uint8Array; readonly value: Uint8Array }>;
  batch(action: () => void): Promise<unknown>;
  childTransaction<T>(action: () => T): Promise<Awaited<T>>;
  resetReadTxn(): void;
  useReadTransaction(): LmdbTransaction;
  getStats(): { readonly lastPageNumber?: number; readonly pageSize?: number };
}

interface LmdbTransaction {
  done(): void;
}

/** What a database of lmdb-js is called by and cannot be replicated with, and why. */
const REFUSED: Readonly<Record<string, string>> = {
  dupSort: "a key has many values in it",
  useVersions: "versions are not in the values",
  cache: "what is applied would not be in the cache",
  sharedStructuresKey: "values cannot be read without structures that are not in them",
  keyIsUint32: "uint32 keys are in the order of numbers",
};

function refuse(db: Lmdb): void {
  const fields = db as unknown as Readonly<Record<string, unknown>>;
  if (typeof fields["childTransaction"] !== "function" || typeof fields["openDB"] !== "function")
    throw new ArgumentError("ERR_ARGUMENT", "this is no database of lmdb 3");
  for (const [field, why] of Object.entries(REFUSED))
    if (fields[field] !== undefined && fields[field] !== false)
      throw new ArgumentError("ERR_ARGUMENT", `a database with ${field} is not replicated: ${why}`);
}

class LmdbPin implements Pin {
  readonly transaction: LmdbTransaction;
  private readonly pages: () => number;
  private readonly before: number;
  private isOpen = true;

  constructor(transaction: LmdbTransaction, pages: () => number) {
    this.transaction = transaction;
    this.pages = pages;
    this.before = pages();
  }

  /** What the file has grown by: pages that were replaced are not used again while it is open. */
  pinned(): number {
    return this.isOpen ? Math.max(0, this.pages() - this.before) : 0;
  }

  close(): void {
    if (this.isOpen) this.transaction.done();
    this.isOpen = false;
  }
}

class LmdbStore implements OrderedStore<LmdbPin> {
  readonly durability: StateDurability;
  keyBytesMax: number;
  private readonly db: Lmdb;
  /** The same database, of bytes. Never closed: that would close the embedder's. */
  private bytesOrNull: Lmdb | null = null;
  /** A write was given in part. */
  private isTorn = false;
  /** Memory that no write uses now. */
  private spareChanges: CollectedChanges | null = null;
  /** The key that was written last. */
  readonly keyBuffer: Buffer = Buffer.alloc(KEY_BUFFER_BYTES);

  constructor(db: Lmdb, durability: StateDurability) {
    this.db = db;
    this.durability = durability;
    const keyBytesMax = db.maxKeySize ?? 1978;
    this.keyBytesMax = keyBytesMax;
  }

  private get bytes(): Lmdb {
    if (this.bytesOrNull === null)
      throw new ArgumentError("ERR_ARGUMENT", "the state was not opened");
    return this.bytesOrNull;
  }

  open(): void {
    this.bytesOrNull ??=
      this.db.openDB(this.db.name, {
        keyEncoder: BYTES_AS_KEYS,
        encoding: "binary",
        compression: this.db.compression ?? false,
      }) ?? null;
  }

  /**
   * A batch(): what LMDB's thread does of it, the loop need not. It is all or nothing when all of it is
   * given; what throws in between would leave a part, so `fill` says everything first.
   */
  async write(fill: (changes: Changes) => void): Promise<void> {
    const { bytes } = this;
    const changes = this.spareChanges ?? new CollectedChanges();
    this.spareChanges = null;
    fill(changes);
    const given = bytes.batch(() => {
      this.isTorn = true;
      changes.giveTo(bytes);
      this.isTorn = false;
    });
    await committed(given);
    // Until here its thread reads them. What failed is not used again.
    if (changes.clear()) this.spareChanges = changes;
    if (this.durability === "power") await bytes.flushed;
  }

  async transact(markKey: Buffer, run: () => Awaitable<Mark>): Promise<void> {
    const { bytes } = this;
    const keep = (mark: Mark): void => {
      void bytes.put(markKey, Buffer.from(mark));
    };
    const given = bytes.childTransaction(() => {
      const mark = run();
      if (mark instanceof Promise) return mark.then(keep);
      keep(mark);
      return undefined;
    });
    await committed(given);
    if (this.durability === "power") await bytes.flushed;
  }

  /** @throws {StoreError} ERR_STORE_FAILED when a part of a write may be in it: then its mark means nothing */
  get(key: Buffer): Buffer | null {
    if (this.isTorn)
      throw new StoreError("ERR_STORE_FAILED", "a batch of LMDB has failed while it was given");
    const value = this.bytes.get(key);
    return value === undefined ? null : viewOf(value);
  }

  read({ from, isAfter, to }: Range, at: LmdbPin | null): readonly Entry[] {
    const some: Entry[] = [];
    let size = 0;
    const range = this.bytes.getRange({
      start: from.length === 0 ? FIRST_KEY : from,
      exclusiveStart: isAfter,
      ...(to === null ? {} : { end: to }),
      ...(at === null ? {} : { transaction: at.transaction }),
      limit: READ_ENTRIES,
    });
    for (const { key, value } of range) {
      some.push({ key: viewOf(key), value: viewOf(value) });
      size += key.length + value.length;
      if (size >= READ_BYTES) break;
    }
    return some;
  }

  pin(): LmdbPin {
    const { bytes } = this;
    // One of this turn may be of before the newest commit.
    bytes.resetReadTxn();
    return new LmdbPin(bytes.useReadTransaction(), () => {
      const { lastPageNumber = 0, pageSize = 4096 } = bytes.getStats();
      return lastPageNumber * pageSize;
    });
  }

  async sync(): Promise<void> {
    await this.bytes.flushed;
  }

  refuses(_: Buffer, keyFrom: number, keyTo: number): string {
    const size = keyTo - keyFrom;
    if (size > 0 && size <= this.keyBytesMax) return "";
    return `has ${size} bytes; LMDB takes 1 to ${this.keyBytesMax}`;
  }

  own(bytes: Uint8Array): Buffer {
    return viewOf(bytes);
  }

  fromOwn(bytes: Buffer): Buffer {
    return bytes;
  }

  /** Into `keyBuffer`. @returns how many bytes it has */
  writeKey(key: unknown): number {
    if (key === undefined || key === null)
      throw new ArgumentError("ERR_ARGUMENT", `a key is ${key}, which no LMDB can keep`);
    try {
      return this.db.writeKey(key, this.keyBuffer, 0);
    } catch (error) {
      const words = `a key cannot be written: ${wordsOf(error)}`;
      throw new ArgumentError("ERR_ARGUMENT", words, { cause: error });
    }
  }

  valueBytes(value: unknown): Uint8Array {
    const encoded = this.db.encoder === undefined ? value : this.db.encoder.encode(value);
    if (typeof encoded === "string") return Buffer.from(encoded, "utf8");
    if (encoded instanceof Uint8Array) return encoded;
    throw new ArgumentError("ERR_ARGUMENT", `a value is ${typeof value}, not bytes or a string`);
  }
}

/**
 * A commit that fails rejects with a promise that says why: it is asked, so that the rejection is handled, and
 * for its words.
 */
async function committed(given: Promise<unknown>): Promise<void> {
  try {
    await given;
  } catch (error) {
    const why = (error as { commitError?: unknown }).commitError;
    if (!(why instanceof Promise)) throw error;
    const reason: unknown = await Promise.race([why, nextTurn()]).catch((said: unknown) => said);
    if (reason === undefined) throw error;
    throw new Error(`LMDB has not committed it: ${wordsOf(reason)}`, { cause: error });
  }
}

function viewOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
