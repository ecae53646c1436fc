/**
 * What the adapters for stores on disk share: an ordered store of bytes as the state needs it, and where
 * hawser keeps its own in it.
 *
 *   every other key        the live entries: keys and values as the embedder has them, where he has them
 *   <reserved>format       which adapter wrote what is here
 *   <reserved>mark         the mark
 *   <reserved>sync         nothing: what a store writes that syncs by a write
 *   <reserved>swap         a snapshot is being put in place: its generation, the mark that it brings
 *   <reserved>staged<g><k> entry k of the snapshot of generation g
 *
 * The live entries stay where they are, so that whoever has the store reads it as before. A snapshot is
 * therefore not live by a switch from one range to another; ordered-swap.ts has how it gets there.
 *
 * Owns: the interface and the reserved keys. Does not own: any store (level.ts, lmdb.ts), steps over it.
 * Tested in: test/unit/adapters/level.test.ts.
 */
import { StoreError } from "../errors.ts";
import type { Awaitable, Mark, StateDurability } from "../bridge/seam.ts";

export interface Entry {
  readonly key: Buffer;
  readonly value: Buffer;
}

/** Keys in the order of their bytes. */
export interface Range {
  readonly from: Buffer;
  /** `from` itself is not in it. */
  readonly isAfter: boolean;
  /** The first key that is not in it; null: there is none. */
  readonly to: Buffer | null;
}

/** Changes of one write, in order. Keys and values are lent until the write has answered. */
export interface Changes {
  /** A put or a delete that was checked, as key-value-records.ts has it in `bytes[from, to)`. */
  record(bytes: Buffer, from: number, to: number): void;
  put(key: Buffer, value: Buffer): void;
  delete(key: Buffer): void;
}

/** The entries of one moment. */
export interface Pin {
  close(): Awaitable<void>;
  /** Bytes that only it keeps, where the store can tell. */
  pinned?(): number;
}

/** A store of bytes in the order of its keys. */
export interface OrderedStore<P extends Pin> {
  readonly durability: StateDurability;
  /** Opens it when it is not open. Refuses one that cannot be used, with ERR_ARGUMENT. */
  open(): Awaitable<void>;
  /** All of what `fill` says, or nothing; `fill` is called once, now or later. */
  write(fill: (changes: Changes) => void): Promise<void>;
  get(key: Buffer): Awaitable<Buffer | null>;
  /** The first entries of a range, about 64 KiB of them, in order; none: it has no more. */
  read(range: Range, at: P | null): Awaitable<readonly Entry[]>;
  pin(): P;
  /** All writes that were answered outlive a loss of power. `key` is for a store that syncs by a write. */
  sync(key: Buffer): Promise<void>;
  /** Why this key cannot be in it; "" when it can. */
  refuses(bytes: Buffer, keyFrom: number, keyTo: number): string;
  /** Values of the reserved keys, as whoever reads all of the store should find them. */
  own(bytes: Uint8Array): Buffer;
  /** The opposite. */
  fromOwn(bytes: Buffer): Buffer;
}

/** A snapshot that is being put in place. */
export interface Swap {
  /** A u32 that no other snapshot of the store has. */
  readonly generation: number;
  readonly end: Mark;
}

/** Where hawser keeps its own. */
export class ReservedKeys {
  /** The range of all of them: [from, to). */
  readonly from: Buffer;
  readonly to: Buffer;
  readonly format: Buffer;
  readonly mark: Buffer;
  readonly swap: Buffer;
  readonly sync: Buffer;
  private readonly staged: Buffer;

  /** @param prefix of all of them; its last byte is below 255. */
  constructor(prefix: Buffer) {
    this.from = prefix;
    this.to = Buffer.from(prefix);
    this.to[prefix.length - 1]! += 1;
    this.format = this.key("format");
    this.mark = this.key("mark");
    this.swap = this.key("swap");
    this.sync = this.key("sync");
    this.staged = this.key("staged");
  }

  /** How many bytes a staged key is longer than its key. */
  get stagedBytes(): number {
    return this.staged.length + GENERATION_DIGITS;
  }

  has(bytes: Buffer, from: number, to: number): boolean {
    // Why first: nearly all keys are others, and a comparison is a call of the runtime.
    if (bytes[from] !== this.from[0]) return false;
    const end = from + this.from.length;
    return end <= to && this.from.compare(bytes, from, end) === 0;
  }

  /** What the entries of a generation begin with. */
  stagedPrefix(generation: number): Buffer {
    const digits = generation.toString(16).padStart(GENERATION_DIGITS, "0");
    return Buffer.concat([this.staged, Buffer.from(digits, "latin1")]);
  }

  /** Of all generations, and what is behind them. */
  get stagedFrom(): Range {
    return { from: this.staged, isAfter: false, to: this.to };
  }

  /** Of a generation. */
  stagedRange(generation: number): Range {
    const from = this.stagedPrefix(generation);
    const to = Buffer.from(from);
    // The next text after the last digit: "0" to "9" and "a" to "f" are below 255.
    to[to.length - 1]! += 1;
    return { from, isAfter: false, to };
  }

  generationOf(stagedKey: Buffer): number {
    const at = this.staged.length;
    return Number.parseInt(stagedKey.toString("latin1", at, at + GENERATION_DIGITS), 16);
  }

  isStaged(key: Buffer): boolean {
    return key.subarray(0, this.staged.length).equals(this.staged);
  }

  private key(name: string): Buffer {
    return Buffer.concat([this.from, Buffer.from(name, "latin1")]);
  }
}

/** ASCII, as a store of texts has its keys in the order of their bytes and reads them as texts. */
const GENERATION_DIGITS = 8;

/** The first live entries after a key, or from the beginning; none: there are no more. */
export async function readLive<P extends Pin>(
  store: OrderedStore<P>,
  keys: ReservedKeys,
  after: Buffer | null,
  at: P | null,
): Promise<readonly Entry[]> {
  if (after !== null && after.compare(keys.to) >= 0)
    return store.read({ from: after, isAfter: true, to: null }, at);
  const from = after ?? NO_BYTES;
  const before = await store.read({ from, isAfter: after !== null, to: keys.from }, at);
  if (before.length > 0) return before;
  return store.read({ from: keys.to, isAfter: false, to: null }, at);
}

export const NO_BYTES: Buffer = Buffer.alloc(0);

/** Stores in memory answer in the same turn: a walk over all of one would hold the loop. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A swap as it is stored. */
export function swapToBytes({ generation, end }: Swap): Buffer {
  const bytes = Buffer.alloc(4 + end.length);
  bytes.writeUInt32LE(generation, 0);
  bytes.set(end, 4);
  return bytes;
}

/** @throws {StoreError} ERR_STORE_FAILED when it is none. */
export function swapFromBytes(bytes: Buffer): Swap {
  if (bytes.length < 4)
    throw new StoreError("ERR_STORE_FAILED", `a swap is ${bytes.length} bytes, not 4 and more`);
  return { generation: bytes.readUInt32LE(0), end: bytes.subarray(4) };
}
