/**
 * A plain Map as clients' commands use a store, copied when it is written after a freeze; and its records,
 * in the form of the store, for sizes and sums.
 */
import { StoreError } from "../../src/errors.ts";
import { type ArenaDigestOptions, digestArena } from "../../src/store/digest.ts";
import * as layout from "../../src/store/layout.ts";
import { checkRecord } from "../../src/store/mutations.ts";
import { OP } from "../../src/store/record.ts";
import type { FrozenArena } from "../../src/store/serialize.ts";
import type { FrozenSegment } from "../../src/store/snapshot.ts";
import type { Digest, StateMemory } from "../../src/store/state.ts";
import type { KeyVisitor } from "../../src/store/store.ts";
import { applyToModel, type Entry, type Model } from "../../tools/map-model.ts";

/** Records that need no memory. */
const SHRINKS: ReadonlySet<number> = new Set([OP.del, OP.flush]);

const NO_BYTES = Buffer.alloc(0);

export abstract class ModelStore {
  /** After a find() that returned true, as the store has it. */
  hitBytes: Buffer = NO_BYTES;
  hitFrom = 0;
  hitTo = 0;
  hitExpireAt = 0;
  /** What its records may take. */
  limitBytes: number = Number.POSITIVE_INFINITY;
  protected map: Model = new Map();
  /** A snapshot has the same map. */
  protected isShared = false;

  abstract memory(): StateMemory;
  /** Throws when it is not the time for that. */
  protected abstract demandIdle(what: string): void;

  digest(options: ArenaDigestOptions = {}): Digest {
    if (options.seed !== undefined) return digestArena(asArena(this.map), options)!;
    let sum = 0n;
    for (const [key, entry] of this.map) sum += recordOf(key, entry).sum;
    const hex = (sum & 0xffff_ffff_ffff_ffffn).toString(16).padStart(16, "0");
    return { records: this.map.size, sum: hex, buckets: new Uint32Array(0) };
  }

  get committedBytes(): number {
    const { dataBytes, pinnedBytes } = this.memory();
    return dataBytes + pinnedBytes;
  }

  get size(): number {
    return this.map.size;
  }

  find(key: Uint8Array, from: number, to: number): boolean {
    const entry = this.map.get(Buffer.from(key.subarray(from, to)).toString("latin1"));
    if (entry === undefined) return false;
    this.hitBytes = entry.value;
    this.hitFrom = 0;
    this.hitTo = entry.value.length;
    this.hitExpireAt = entry.expireAt;
    return true;
  }

  apply(bytes: Buffer, from: number, to: number): void {
    this.demandIdle("written");
    this.change(bytes, from, to);
  }

  /** One record, whole or not at all. */
  protected change(bytes: Buffer, from: number, to: number): void {
    checkRecord(bytes, from, to);
    const isLimited = Number.isFinite(this.limitBytes) && !SHRINKS.has(bytes[from]!);
    if (isLimited && bytesOf(this.map) + to - from > this.limitBytes)
      throw new StoreError("ERR_STORE_FULL", "no memory, says a fault");
    if (this.isShared) this.map = new Map(this.map);
    this.isShared = false;
    applyToModel(this.map, bytes.subarray(from, to));
  }

  expired(nowMs: number, limit: number, visit: KeyVisitor): number {
    const keys = [...this.map]
      .filter(([, { expireAt }]) => expireAt !== 0 && expireAt <= nowMs)
      .slice(0, limit);
    for (const [text] of keys) {
      const key = Buffer.from(text, "latin1");
      visit(key, 0, key.length);
    }
    return keys.length;
  }
}

// --- records as the store has them ---------------------------------------------------------------

interface Recorded {
  readonly key: string;
  /** As layout.ts has it, born in epoch 1. */
  readonly segment: FrozenSegment;
  /** Its part of the sum over all records, with the usual seed. */
  readonly sum: bigint;
}

const recorded = new WeakMap<Entry, Recorded>();

/** Made once for each entry, which never changes; a key that was renamed has its entry under another. */
export function recordOf(key: string, entry: Entry): Recorded {
  const known = recorded.get(entry);
  if (known?.key === key) return known;
  const { value, expireAt } = entry;
  const words = new Uint32Array(layout.recordBytes(key.length, value.length, expireAt) / 4);
  const bytes = Buffer.from(words.buffer);
  words[layout.BIRTH] = 1;
  const keyAt = layout.writeLengths(words, 0, key.length, value.length, expireAt);
  bytes.write(key, keyAt, "latin1");
  value.copy(bytes, keyAt + key.length);
  const segment = { words, bytes, slotBytes: bytes.length, slots: 1 };
  const alone = { epoch: 2, segmentCount: 1, segment: () => segment };
  const record = { key, segment, sum: BigInt(`0x${digestArena(alone)!.sum}`) };
  recorded.set(entry, record);
  return record;
}

export function sizeOf(key: string, { value, expireAt }: Entry): number {
  return layout.recordBytes(key.length, value.length, expireAt);
}

export function bytesOf(map: Model): number {
  let bytes = 0;
  for (const [key, entry] of map) bytes += sizeOf(key, entry);
  return bytes;
}

/** Each record as a segment of one slot: what sums an arena sums these. */
export function asArena(map: Model): FrozenArena {
  const all = [...map];
  return {
    epoch: 2,
    segmentCount: all.length,
    segment: (index) => recordOf(...all[index]!).segment,
  };
}
