/**
 * levelState(): a database of abstract-level 3 (classic-level, memory-level, a sublevel of either) as a
 * replicated state.
 *
 *   const db = new ClassicLevel("./data");
 *   const state = levelState(db);
 *   const node = await replicate(state, { listen: 16380 });
 *   await node.write([state.put("a", "1"), state.delete("b")]);
 *   await db.get("a");
 *
 * Keys and values stay where and as they are: any code reads the database as before, with its encodings.
 * Only `!hawser!...` is new, as the keys of a sublevel with that name would be; its values are JSON texts,
 * so that a reader of the whole database stumbles over none of them.
 *
 * Records carry keys and values as the bytes that are stored. What a batch of the log changes, and its mark,
 * is one `batch()`; LevelDB gives no order between writes in parallel, so one is awaited before the next.
 *
 * Owns: the database as an OrderedStore, records and reads with its encodings. Does not own: the state
 * (ordered-state.ts), the database.
 */
import { ArgumentError } from "../errors.ts";
import type { ReplicatedState, StateDurability } from "../bridge/seam.ts";
import { clearRecord, deleteRecord, keyFrom, keyTo, OP, putRecord } from "./key-value-records.ts";
import { OrderedState } from "./ordered-state.ts";
import {
  type Changes,
  type Entry,
  NO_BYTES,
  type OrderedStore,
  type Pin,
  type Range,
} from "./ordered-store.ts";

/**
 * What is needed of a database. Loose, so that each class and each choice of encodings fits; what is
 * missing at run time is refused by levelState().
 */
export interface LevelDatabase<K = unknown, V = unknown> {
  readonly supports: object;
  open(): Promise<void>;
  keyEncoding(): { encode(key: K): unknown; decode(stored: never): K };
  valueEncoding(): { encode(value: V): unknown; decode(stored: never): V };
  get(key: never, options: never): Promise<unknown>;
  batch(operations: never, options: never): Promise<void>;
  iterator(options: never): unknown;
  snapshot(): unknown;
}

/** What levelState() takes beside the database. */
export interface LevelStateOptions {
  /** The name of the sublevel that hawser keeps its own in: letters, digits, "-", "_", ".". */
  readonly sublevel?: string;
  /**
   * What outlives the answer of a write: "process" (the default for a database that is kept), or "power":
   * every write is synced to the disk. A database in memory has "none".
   */
  readonly durability?: StateDurability;
}

/** The state of a Level, with records and reads in the database's own keys and values. */
export interface LevelState<K, V> extends ReplicatedState {
  /** A record that sets a key. Nothing is changed by it before a node has written it. */
  put(key: K, value: V): Uint8Array;
  /** A record that removes a key. */
  delete(key: K): Uint8Array;
  /** A record that removes all keys. */
  clear(): Uint8Array;
  /**
   * The value of a key, or undefined. As `db.get()`, but in the moments in which a full sync is put in
   * place it sees all of it, where `db` still has entries of the state before.
   */
  get(key: K): Promise<V | undefined>;
}

const NAME = /^[\w.-]+$/;
const IN_BYTES = { keyEncoding: "buffer", valueEncoding: "buffer" } as const;
/** Entries and bytes of one read. */
const READ_ENTRIES = 250;
const READ_BYTES = 65_536;

/**
 * @throws {ArgumentError} ERR_ARGUMENT when the database has no explicit snapshots (abstract-level 3 and a
 *   class that supports them), or no binary keys; for a name or a durability that is not allowed.
 */
export function levelState<K, V>(
  db: LevelDatabase<K, V>,
  options: LevelStateOptions = {},
): LevelState<K, V> {
  const { sublevel = "hawser" } = options;
  if (!NAME.test(sublevel))
    throw new ArgumentError(
      "ERR_ARGUMENT",
      `sublevel is "${sublevel}"; letters, digits, "-", "_" and "." are allowed`,
    );
  const store = new LevelStore(db as unknown as Level, options.durability);
  return new LevelStateOf<K, V>(store, Buffer.from(`!${sublevel}!`, "latin1"));
}

class LevelStateOf<K, V> extends OrderedState<LevelPin> implements LevelState<K, V> {
  private readonly level: Level;

  constructor(store: LevelStore, reservedPrefix: Buffer) {
    super(store, reservedPrefix);
    this.level = store.level;
  }

  put(key: K, value: V): Uint8Array {
    return putRecord(this.keyBytes(key), toBytes("a value", this.level.valueEncoding(), value));
  }

  delete(key: K): Uint8Array {
    return deleteRecord(this.keyBytes(key));
  }

  clear(): Uint8Array {
    return clearRecord();
  }

  async get(key: K): Promise<V | undefined> {
    const bytes = this.keyBytes(key);
    while (true) {
      const { swap } = this;
      const at = swap === null ? bytes : this.stagedKey(swap.generation, bytes);
      const value = await this.store.get(at);
      // It may have been put in place, and tidied away, meanwhile.
      if (swap !== this.swap) continue;
      return value === null ? undefined : (fromBytes(this.level.valueEncoding(), value) as V);
    }
  }

  private stagedKey(generation: number, key: Buffer): Buffer {
    return Buffer.concat([this.keys.stagedPrefix(generation), key]);
  }

  private keyBytes(key: K): Buffer {
    return toBytes("a key", this.level.keyEncoding(), key);
  }
}

/** An encoding of level-transcoder. */
interface Encoding {
  readonly format: string;
  encode(data: unknown): unknown;
  decode(stored: unknown): unknown;
}

function toBytes(what: string, encoding: Encoding, data: unknown): Buffer {
  if (data === undefined || data === null)
    throw new ArgumentError("ERR_ARGUMENT", `${what} is ${data}, which no Level can keep`);
  const stored = encoding.encode(data);
  if (typeof stored === "string") return Buffer.from(stored, "utf8");
  if (stored instanceof Uint8Array)
    return Buffer.from(stored.buffer, stored.byteOffset, stored.length);
  throw new ArgumentError("ERR_ARGUMENT", `${what} is encoded as ${typeof stored}, not as bytes`);
}

function fromBytes(encoding: Encoding, bytes: Buffer): unknown {
  return encoding.decode(encoding.format === "utf8" ? bytes.toString("utf8") : bytes);
}

// --- the database as an ordered store ---------------------------------------------------------------

/** As much of abstract-level 3 as is used here. */
interface Level {
  readonly supports: {
    readonly explicitSnapshots?: boolean;
    readonly permanence?: boolean;
    readonly encodings?: { readonly buffer?: boolean; readonly view?: boolean };
  };
  open(): Promise<void>;
  keyEncoding(): Encoding;
  valueEncoding(): Encoding;
  get(key: Buffer, options: object): Promise<Buffer | undefined>;
  batch(operations: readonly object[], options?: object): Promise<void>;
  iterator(options: object): LevelIterator;
  snapshot(): LevelSnapshot;
}

interface LevelIterator {
  nextv(size: number): Promise<[Buffer, Buffer][]>;
  close(): Promise<void>;
}

interface LevelSnapshot {
  close(): Promise<void>;
}

class LevelPin implements Pin {
  readonly snapshot: LevelSnapshot;

  constructor(snapshot: LevelSnapshot) {
    this.snapshot = snapshot;
  }

  close(): Promise<void> {
    return this.snapshot.close();
  }
}

class LevelStore implements OrderedStore<LevelPin> {
  readonly level: Level;
  readonly durability: StateDurability;
  /** A database in memory keeps the very buffers that it is given. */
  private readonly isKeeping: boolean;
  /** Of a batch(); undefined for those of the class. */
  private readonly writing: { readonly sync: true } | undefined;

  constructor(level: Level, durability?: StateDurability) {
    const { supports } = level;
    if (supports.explicitSnapshots !== true)
      throw new ArgumentError(
        "ERR_ARGUMENT",
        "the database has no explicit snapshots; abstract-level 3 is needed, as of classic-level 3",
      );
    if (supports.encodings?.buffer !== true && supports.encodings?.view !== true)
      throw new ArgumentError("ERR_ARGUMENT", "the database keeps texts only, not bytes");
    this.level = level;
    this.isKeeping = supports.permanence !== true;
    this.durability = durability ?? (this.isKeeping ? "none" : "process");
    // Why not always options: with some, abstract-level copies each operation at three times the cost.
    this.writing = this.durability === "power" ? { sync: true } : undefined;
  }

  open(): Promise<void> {
    return this.level.open();
  }

  async write(fill: (changes: Changes) => void): Promise<void> {
    const operations = new Operations(this.isKeeping);
    fill(operations);
    await this.level.batch(operations.list, this.writing);
  }

  async get(key: Buffer): Promise<Buffer | null> {
    return (await this.level.get(key, IN_BYTES)) ?? null;
  }

  async read({ from, isAfter, to }: Range, at: LevelPin | null): Promise<readonly Entry[]> {
    const iterator = this.level.iterator({
      ...IN_BYTES,
      ...(isAfter ? { gt: from } : { gte: from }),
      ...(to === null ? {} : { lt: to }),
      ...(at === null ? {} : { snapshot: at.snapshot }),
      highWaterMarkBytes: READ_BYTES,
    });
    try {
      return upTo(READ_BYTES, await iterator.nextv(READ_ENTRIES));
    } finally {
      await iterator.close();
    }
  }

  pin(): LevelPin {
    return new LevelPin(this.level.snapshot());
  }

  /** LevelDB syncs with a write, and what it syncs is its log up to there. */
  async sync(key: Buffer): Promise<void> {
    if (this.durability !== "process") return;
    const note = { type: "put", key, value: this.own(NO_BYTES) };
    await this.level.batch([note], { ...IN_BYTES, sync: true });
  }

  refuses(): string {
    return "";
  }

  /** A JSON text. */
  own(bytes: Uint8Array): Buffer {
    const own = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    return Buffer.from(`"${own.toString("base64")}"`, "latin1");
  }

  fromOwn(bytes: Buffer): Buffer {
    return Buffer.from(bytes.toString("latin1", 1, bytes.length - 1), "base64");
  }
}

/** As many entries as have so many bytes; of one in memory nextv() brings a thousand of any size. */
function upTo(bytesMax: number, entries: readonly (readonly [Buffer, Buffer])[]): Entry[] {
  const some: Entry[] = [];
  let bytes = 0;
  for (const [key, value] of entries) {
    if (bytes >= bytesMax) break;
    bytes += key.length + value.length;
    some.push({ key, value });
  }
  return some;
}

class Operations implements Changes {
  readonly list: object[] = [];
  private readonly isCopying: boolean;

  constructor(isCopying: boolean) {
    this.isCopying = isCopying;
  }

  record(bytes: Buffer, from: number, to: number): void {
    const keyEnd = keyTo(bytes, from, to);
    const key = bytes.subarray(keyFrom(bytes, from), keyEnd);
    if (bytes[from] === OP.put) this.put(key, bytes.subarray(keyEnd, to));
    else this.delete(key);
  }

  put(key: Buffer, value: Buffer): void {
    this.list.push({
      type: "put",
      key: this.kept(key),
      value: this.kept(value),
      keyEncoding: "buffer",
      valueEncoding: "buffer",
    });
  }

  delete(key: Buffer): void {
    this.list.push({ type: "del", key: this.kept(key), keyEncoding: "buffer" });
  }

  private kept(bytes: Buffer): Buffer {
    return this.isCopying ? Buffer.from(bytes) : bytes;
  }
}
