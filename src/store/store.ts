/** The built-in key-value state. Skeleton: final signatures. */
import { StagedStore } from "./loader.ts";
import { Snapshot } from "./snapshot.ts";

/** Sizes for tests; the defaults are what was measured. */
export interface StoreOptions {
  readonly arenaSegmentBytes?: number;
  readonly indexPageEntries?: number;
  /** Key of the index's hash; random by default. */
  readonly hashSeed?: readonly [number, number];
}

export interface StoreStats {
  /** Bytes of arena segments held (free ones too) and of index chunks. */
  readonly usedBytes: number;
  /** Bytes of live records, slots whole. */
  readonly datasetBytes: number;
  /** Bytes of dead records whose slots are not yet free. */
  readonly deadBytes: number;
  readonly arenaSegments: number;
  readonly freeSegments: number;
  readonly indexBytes: number;
  readonly keys: number;
  /** Keys with an expiry. */
  readonly expires: number;
  readonly snapshotsOpen: number;
  /** Bytes of dead records that only open snapshots keep. */
  readonly snapshotPinnedBytes: number;
}

/** Calls back with bytes that are valid during the call only. */
export type KeyVisitor = (bytes: Buffer, keyFrom: number, keyTo: number) => void;
export type ScanVisitor = (bytes: Buffer, keyFrom: number, keyTo: number, expireAt: number) => void;

function notYet(): never {
  throw new Error("not built yet");
}

export class Store {
  /** After a find() that returned true: the value is hitBytes[hitFrom, hitTo). */
  hitBytes: Buffer = Buffer.alloc(0);
  hitFrom = 0;
  hitTo = 0;
  /** ms since 1970, 0 for none. */
  hitExpireAt = 0;

  constructor(_options: StoreOptions = {}) {}

  get size(): number {
    return notYet();
  }
  isEmpty(): boolean {
    return this.size === 0;
  }
  find(_keyBytes: Uint8Array, _from: number, _to: number): boolean {
    return notYet();
  }
  apply(_bytes: Buffer, _from: number, _to: number): void {
    notYet();
  }
  applyRange(_bytes: Buffer, _from: number, _to: number): void {
    notYet();
  }
  touch(
    _keyBytes: Uint8Array,
    _froms: ArrayLike<number>,
    _tos: ArrayLike<number>,
    _n: number,
  ): void {
    notYet();
  }
  scan(_cursor: number, _count: number, _visit: ScanVisitor): number {
    return notYet();
  }
  randomKey(_visit: ScanVisitor): boolean {
    return notYet();
  }
  freeze(): Snapshot {
    return notYet();
  }
  stage(_estimate: { readonly records: number; readonly bytes: number }): StagedStore {
    return notYet();
  }
  swap(_staging: StagedStore): void {
    notYet();
  }
  expired(_nowMs: number, _limit: number, _visit: KeyVisitor): number {
    return notYet();
  }
  maintain(): boolean {
    return notYet();
  }
  stats(): StoreStats {
    return notYet();
  }
}
