/**
 * The built-in key-value state: records of the log in, keys and values out, frozen in O(1).
 *
 *              apply, applyRange                 freeze                 SerializerPool (pool.ts)
 *   log -----> Store -> KeySpace = Arena + KeyIndex ------> Snapshot -> InlineSource (inline-source.ts)
 *                          ^                                                |
 *                          +--- swap --- StagedStore (loader.ts) <--chunks--+
 *
 * Nothing here judges expiry: a record expired by the clock is there until the log deletes it. FLUSH
 * and swap replace the key space as a whole; open snapshots of the old one stay readable.
 *
 * Owns: the current key space and its replacement. Does not own: the parts (see their headers).
 */
import { randomBytes } from "node:crypto";
import { StoreError } from "../errors.ts";
import type { Arena } from "./arena.ts";
import { compact } from "./compaction.ts";
import { ExpirySearch } from "./expiry.ts";
import { type HashSeed, KeySpace } from "./key-space.ts";
import { DEATH } from "./layout.ts";
import { StagedStore } from "./loader.ts";
import { TOUCH_MAX } from "./key-index.ts";
import { applyKeyed, checkRecord, eachOfGroup, keyEnd, keyStart } from "./mutations.ts";
import { OP } from "./record.ts";
import { Room } from "./room.ts";
import { scanIndex } from "./scan.ts";
import { type ArenaBounds, SegmentPool } from "./segment-memory.ts";
import type { Snapshot } from "./snapshot.ts";

/** Sizes for tests; the defaults are what was measured. */
export interface StoreOptions extends Partial<ArenaBounds> {
  /** Bytes of an arena segment, a power of two; default 1 MiB. */
  readonly arenaSegmentBytes?: number;
  /** Entries of a page of the index, a power of two; default 1024. */
  readonly indexPageEntries?: number;
  /** Key of the index's hash; random by default. */
  readonly hashSeed?: HashSeed;
}

export interface StoreStats {
  /** Bytes of arena segments held (free ones too) and of the index. */
  readonly usedBytes: number;
  /** Bytes of the slots of live records. */
  readonly datasetBytes: number;
  /** Bytes of slots that were used and hold no live record. */
  readonly deadBytes: number;
  readonly arenaSegments: number;
  /** Arena segments' memory ready for reuse. */
  readonly freeSegments: number;
  readonly indexBytes: number;
  readonly keys: number;
  /** Keys with an expiry. */
  readonly expires: number;
  readonly snapshotsOpen: number;
  /** Bytes of dead records, and of whole replaced arenas, that only open snapshots keep. */
  readonly snapshotPinnedBytes: number;
}

/** Called with bytes that are valid during the call only. It may delete the key it is given. */
export type KeyVisitor = (bytes: Buffer, keyFrom: number, keyTo: number) => void;
export type ScanVisitor = (bytes: Buffer, keyFrom: number, keyTo: number, expireAt: number) => void;

/** Records handled together, so that the waits for memory overlap (D20). */
const GROUP = TOUCH_MAX;
/**
 * Entries that a staged index is made for at once, whatever is announced. Not more: with pages for
 * a million entries the first chunk took 22 ms, every record touching a fresh page of memory.
 */
const PRESIZE_MAX = 100_000;
/** Keys below which touching costs more than the waits for memory that it hides: 20 ns for each key. */
const TOUCH_KEYS_MIN = 100_000;
const NO_BYTES = Buffer.alloc(0);
const NO_WORDS = new Uint32Array(0);

export class Store {
  /** After a find() that returned true: the value is hitBytes[hitFrom, hitTo). */
  hitBytes: Buffer = NO_BYTES;
  /** The memory of hitBytes, as words. */
  hitWords: Uint32Array = NO_WORDS;
  hitFrom = 0;
  hitTo = 0;
  /** ms since 1970, 0 for none. */
  hitExpireAt = 0;
  /** After applyRange() threw: the end of the last record that it applied, `from` for none. */
  appliedTo = 0;

  readonly #pool: SegmentPool;
  readonly #pageEntries: number;
  readonly #seed: HashSeed;
  #space: KeySpace;
  #room: Room | null = null;
  /** Arenas that were replaced and are still pinned by snapshots. */
  #retired: Arena[] = [];
  readonly #expirySearch = new ExpirySearch();
  readonly #tags = new Int32Array(GROUP);
  readonly #froms = new Uint32Array(GROUP);
  readonly #tos = new Uint32Array(GROUP);

  constructor(options: StoreOptions = {}) {
    this.#pool = new SegmentPool(options.arenaSegmentBytes ?? 1024 * 1024, options);
    this.#pageEntries = options.indexPageEntries ?? 1024;
    this.#seed = options.hashSeed ?? randomSeed();
    this.#space = this.#newSpace();
  }

  /** Keys, those expired by the clock and not deleted yet included. */
  get size(): number {
    return this.#space.index.size;
  }

  isEmpty(): boolean {
    return this.#space.index.size === 0;
  }

  /** Bytes of arena segments held (free ones too) and of the index; stats() has the parts. */
  get usedBytes(): number {
    return this.#pool.heldBytes + this.#space.index.bytes;
  }

  /**
   * usedBytes without what the next writes can take without growing: what a memory limit is
   * compared with, so that deleting makes room at once.
   */
  get committedBytes(): number {
    const arena = this.#space.arena;
    const reusable = this.#pool.freeCount * this.#pool.segmentBytes;
    const held = arena.heldBytes - arena.liveBytes - arena.deadBytes;
    return this.usedBytes - reusable - (arena.pin === 0 ? held : 0);
  }

  /**
   * Looks key[from, to) up. When it is there, hitBytes, hitFrom, hitTo and hitExpireAt describe its
   * value until the next call of any method. Does not judge expiry.
   */
  find(key: Uint8Array, from: number, to: number): boolean {
    const space = this.#space;
    const address = space.index.find(space.tagOf(key, from, to), key, from, to);
    if (address === 0) return false;
    space.read(address);
    this.hitBytes = space.bytes;
    this.hitWords = space.words;
    this.hitFrom = space.valueFrom;
    this.hitTo = space.valueTo;
    this.hitExpireAt = space.expireAt;
    return true;
  }

  /**
   * Reads index and record headers of `n` keys, keyBytes[froms[i], tos[i]), so that the find()s that
   * follow do not wait for memory one by one. Best with n = 64.
   */
  touch(keyBytes: Uint8Array, froms: ArrayLike<number>, tos: ArrayLike<number>, n: number): void {
    const space = this.#space;
    for (let done = 0; done < n; done += GROUP) {
      const count = Math.min(GROUP, n - done);
      for (let i = 0; i < count; i++) {
        this.#tags[i] = space.tagOf(keyBytes, froms[done + i]!, tos[done + i]!);
      }
      space.touch(this.#tags, count);
    }
  }

  /**
   * Applies one record, bytes[from, to) (record.ts).
   * @throws StoreError ERR_STORE_RECORD when it is malformed, ERR_STORE_FULL when there is no memory
   * for it; then nothing changed, but of a GROUP without memory the records before that one
   */
  apply(bytes: Buffer, from: number, to: number): void {
    checkRecord(bytes, from, to);
    const start = keyStart(bytes, from);
    if (start === 0) {
      this.#applyKeyless(bytes, from, to);
      return;
    }
    const tag = this.#space.tagOf(bytes, start, keyEnd(bytes, from, start));
    applyKeyed(this.#space, tag, bytes, from, to);
  }

  /**
   * Applies records in order, each a u32le length and that many bytes, in groups of 64 whose memory
   * is touched before use.
   * @throws StoreError ERR_STORE_RECORD at a malformed one, ERR_STORE_FULL at one that there is no
   *   memory for; those before appliedTo are applied
   */
  applyRange(bytes: Buffer, from: number, to: number): void {
    let at = from;
    this.appliedTo = from;
    while (at < to) {
      let n = 0;
      for (; n < GROUP && at < to; n++) {
        if (to - at < 4) throw new StoreError("ERR_STORE_RECORD", "the range ends in a length");
        const length = bytes.readUInt32LE(at);
        const start = at + 4;
        if (length > to - start) throw new StoreError("ERR_STORE_RECORD", "the range is cut");
        checkRecord(bytes, start, start + length);
        this.#froms[n] = start;
        this.#tos[n] = start + length;
        at = start + length;
      }
      this.#applyGroup(bytes, n);
    }
  }

  /** Memory for several SETs ahead of them; of this state, so used at once. */
  get room(): Room {
    return (this.#room ??= new Room(this.#space));
  }

  /**
   * SCAN: visits about `count` keys from `cursor` on; 0 starts, and 0 returned is the end. A key that
   * is there from the first call to the last is visited exactly once.
   */
  scan(cursor: number, count: number, visit: ScanVisitor): number {
    const space = this.#space;
    return scanIndex(space.index, cursor, count, (address) => {
      if (this.#space === space) this.#visit(address, visit); // The visitor may have flushed.
    });
  }

  /** Visits one key, any with about the same chance; false when there is none. */
  randomKey(visit: ScanVisitor): boolean {
    if (this.size === 0) return false;
    const chosen: number[] = [];
    let cursor = Math.floor(Math.random() * 0x1_0000_0000);
    while (chosen.length === 0) {
      cursor = scanIndex(this.#space.index, cursor, 1, (address) => chosen.push(address));
    }
    this.#visit(chosen[Math.floor(Math.random() * chosen.length)]!, visit);
    return true;
  }

  /** Pins the state as it is now. */
  freeze(): Snapshot {
    return this.#space.arena.freeze();
  }

  /** A second, empty store for a snapshot's chunks; the estimate comes from a peer. */
  stage(estimate: { readonly records: number; readonly bytes: number }): StagedStore {
    const space = this.#newSpace();
    try {
      space.index.presize(Math.min(estimate.records, PRESIZE_MAX));
    } catch (error) {
      space.retire();
      throw error;
    }
    return new StagedStore(space);
  }

  /** Takes the staged state; what was here goes when its last snapshot closes. */
  swap(staging: StagedStore): void {
    this.#replace(staging.takeSpace());
  }

  /**
   * Active expiry: visits up to `limit` keys that expired at or before `nowMs`, with bounded work
   * (some thousand slots looked at); goes on where the last call stopped.
   * @returns how many were visited; the caller deletes them through the log
   */
  expired(nowMs: number, limit: number, visit: KeyVisitor): number {
    const space = this.#space;
    return this.#expirySearch.run(space.arena, nowMs, limit, (address) => {
      if (this.#space === space) this.#visit(address, visit);
    });
  }

  /**
   * One bounded slice of housekeeping: freeing what closed snapshots pinned, emptying sparse arena
   * segments, giving memory back. Below 1 ms, but for a collection (4 to 8 ms) after memory was
   * given back, which is the only way to return it to the system.
   * @param nowMs of a clock that only goes forward: memory that is free is given back when it was so
   *   for 10 s; by default at once
   * @returns true when there is more to do now
   */
  maintain(nowMs: number = Number.POSITIVE_INFINITY): boolean {
    const arena = this.#space.arena;
    this.hitBytes = NO_BYTES;
    this.hitWords = NO_WORDS;
    this.#space.forget();
    this.#retired = this.#retired.filter((retired) => retired.open.length > 0);
    if (arena.sweep(8)) return true;
    if (compact(this.#space)) return true;
    if (this.#space.index.shrink(16)) return true;
    return this.#pool.release(arena.segments.length, nowMs);
  }

  stats(): StoreStats {
    const arena = this.#space.arena;
    const index = this.#space.index;
    let snapshotsOpen = arena.open.length;
    let pinned = arena.pin === 0 ? 0 : arena.deadBytes;
    for (const retired of this.#retired) {
      snapshotsOpen += retired.open.length;
      pinned += retired.heldBytes;
    }
    return {
      usedBytes: this.usedBytes,
      datasetBytes: arena.liveBytes,
      deadBytes: arena.deadBytes + arena.freeBytes,
      arenaSegments: arena.segments.length,
      freeSegments: this.#pool.freeCount,
      indexBytes: index.bytes,
      keys: index.size,
      expires: arena.expires,
      snapshotsOpen,
      snapshotPinnedBytes: pinned,
    };
  }

  /**
   * Bytes that could be used again if these snapshots were closed and read no more. Less than what
   * each pins: what another one needs too stays.
   */
  reclaimableBytes(closing: ReadonlySet<Snapshot>): number {
    let bytes = this.#space.arena.reclaimableBytes(closing);
    for (const { open, heldBytes } of this.#retired)
      if (open.length > 0 && open.every((each) => closing.has(each))) bytes += heldBytes;
    return bytes;
  }

  /** The parts, for invariant checks in tests. */
  get parts(): { readonly space: KeySpace; readonly pool: SegmentPool } {
    return { space: this.#space, pool: this.#pool };
  }

  #newSpace(): KeySpace {
    return new KeySpace(this.#pool, this.#pageEntries, this.#seed);
  }

  #replace(space: KeySpace): void {
    const old = this.#space;
    this.#space = space;
    this.#room = null;
    if (old.arena.open.length > 0) this.#retired.push(old.arena);
    old.retire();
  }

  #applyGroup(bytes: Buffer, n: number): void {
    const tags = this.#tags;
    for (let i = 0; i < n; i++) {
      const from = this.#froms[i]!;
      const start = keyStart(bytes, from);
      tags[i] = start === 0 ? 0 : this.#space.tagOf(bytes, start, keyEnd(bytes, from, start));
    }
    if (this.size > TOUCH_KEYS_MIN) this.#space.touch(tags, n);
    for (let i = 0; i < n; i++) {
      const from = this.#froms[i]!;
      if (bytes[from]! >= OP.flush) this.#applyKeyless(bytes, from, this.#tos[i]!);
      else applyKeyed(this.#space, tags[i]!, bytes, from, this.#tos[i]!);
      this.appliedTo = this.#tos[i]!;
    }
  }

  /** FLUSH or GROUP, checked. */
  #applyKeyless(bytes: Buffer, from: number, to: number): void {
    if (bytes[from] === OP.flush) {
      this.#replace(this.#newSpace());
      return;
    }
    eachOfGroup(bytes, from, to, (recordFrom, recordTo) => {
      const start = keyStart(bytes, recordFrom);
      if (start === 0) {
        this.#applyKeyless(bytes, recordFrom, recordTo);
        this.appliedTo = recordTo;
        return;
      }
      const tag = this.#space.tagOf(bytes, start, keyEnd(bytes, recordFrom, start));
      applyKeyed(this.#space, tag, bytes, recordFrom, recordTo);
      this.appliedTo = recordTo;
    });
  }

  #visit(address: number, visit: ScanVisitor): void {
    const space = this.#space;
    const arena = space.arena;
    const words = arena.addresses.wordsOf(address);
    // A visitor may have deleted it meanwhile.
    if (words.length === 0 || words[arena.addresses.wordAt(address) + DEATH] !== 0) return;
    space.read(address);
    visit(space.bytes, space.keyFrom, space.valueFrom, space.expireAt);
  }
}

function randomSeed(): HashSeed {
  const bytes = randomBytes(8);
  return [bytes.readUInt32LE(0), bytes.readUInt32LE(4)];
}
