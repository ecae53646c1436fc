/**
 * The keys as commands see them: reads judge expiry, writes go into the log and the store.
 *
 * Invariant: a write is one synchronous step: reserve room in the log, fill it, apply the same bytes
 * to the store, append. The store checks the record whole and takes it or changes nothing; what it
 * does not take never gets into the log, and what it took cannot fail there any more.
 * Between beginGroup() and endGroup() records are applied at once and gathered, and logged as one
 * GROUP at the end: atomic on replicas.
 * An expired key is deleted by a DEL in the log when a primary meets it; a replica only hides it.
 * Owns: expiry on access, record encoding, groups. Does not own: commands, WATCH's verdict.
 */
import { HawserError, LogError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { logMemory } from "../log/log-memory.ts";
import { transcribe } from "../store/copy.ts";
import {
  delBytes,
  encodeDelHead,
  encodeExpireHead,
  encodeFlush,
  encodeGroupHead,
  encodeMoveHead,
  encodePatchHead,
  encodeSetHead,
  expireBytes,
  FLUSH_BYTES,
  GROUP_HEAD_BYTES,
  moveBytes,
  OP,
  patchBytes,
  setBytes,
} from "../store/record.ts";
import type { Store } from "../store/store.ts";
import type { HawserNode, WritableLog, WriteRefusal } from "./api.ts";
import { WatchTable } from "./watch.ts";

const GROUP_BYTES_MIN = 16 * 1024;
/** A group buffer larger than this is given back. */
const GROUP_BYTES_KEPT = 1024 * 1024;

export interface KeyspaceCounters {
  hits: number;
  misses: number;
  expired: number;
  /** Records logged or gathered since the process began. */
  changes: number;
}

/** What a keyspace needs of its node. */
export type KeyspaceNode = Pick<HawserNode, "store" | "log" | "writeRefusal" | "relieveMemory">;

/** Read at every write, never copied: they may change. */
export interface KeyspaceLimits {
  readonly maxmemory: number;
}

export class Keyspace {
  /** This turn's store; find() leaves its hit there. */
  store: Store;
  /** ms since 1970, fixed during a run of commands. */
  now: number = Date.now();
  /** Why writes are refused in this run. */
  refusal: WriteRefusal = null;
  /** Grows with every record that the state takes: equal before and after, nothing was touched. */
  steps = 0;
  /** Commands in transactions of all clients, and requests that are still arriving. */
  queuedBytes = 0;
  inputBytes = 0;
  readonly counters: KeyspaceCounters = { hits: 0, misses: 0, expired: 0, changes: 0 };
  readonly watches: WatchTable = new WatchTable();

  readonly #node: KeyspaceNode;
  readonly #limits: KeyspaceLimits;
  readonly #log: WritableLog;
  #into: Buffer;
  #grouping = false;
  #group: Buffer = Buffer.allocUnsafeSlow(GROUP_BYTES_MIN);
  #groupAt = 0;
  #groupRecords = 0;
  /** Bytes of a GROUP for which there is room in the log. */
  #groupRoom = 0;

  constructor(node: KeyspaceNode, limits: KeyspaceLimits = { maxmemory: 0 }) {
    this.#node = node;
    this.#limits = limits;
    this.#log = node.log;
    this.store = node.store;
    this.#into = this.#group;
  }

  /** Call at the beginning of a run of commands, and when the node's role may have changed. */
  refresh(now: number): void {
    this.now = now;
    this.store = this.#node.store;
    this.refusal = this.#node.writeRefusal();
  }

  /** Whether the key is there and not expired; then store.hit... is its value. */
  find(bytes: Buffer, from: number, to: number): boolean {
    const store = this.store;
    if (!store.find(bytes, from, to)) return false;
    const expireAt = store.hitExpireAt;
    if (expireAt === 0 || expireAt >= this.now) return true;
    if (this.refusal === null) this.dropExpired(bytes, from, to);
    return false;
  }

  /** find() for a reading command: counted as hit or miss. */
  read(bytes: Buffer, from: number, to: number): boolean {
    const found = this.find(bytes, from, to);
    if (found) this.counters.hits++;
    else this.counters.misses++;
    return found;
  }

  /** Deletes a key that has expired; only on a primary. */
  dropExpired(bytes: Buffer, from: number, to: number): void {
    this.counters.expired++;
    this.#delete(bytes, from, to);
    if (this.watches.size > 0) this.watches.touchExpired(bytes, from, to);
  }

  /** What clients make this process keep beside the keys: transactions, watched keys, large requests. */
  get clientBytes(): number {
    return this.queuedBytes + this.inputBytes + this.watches.bytes;
  }

  /** Bytes above which growing writes are refused; 0 is unlimited. */
  get maxmemory(): number {
    return this.#limits.maxmemory;
  }

  /** True when memory is at --maxmemory: growing writes are refused. */
  isOverMemory(): boolean {
    if (this.maxmemory === 0) return false;
    const over = this.store.committedBytes + this.clientBytes - this.maxmemory;
    // Why not counted: what a ship pins is not the clients' doing, has a cap of its own, and is released now.
    return over >= 0 && over >= this.#node.relieveMemory(over);
  }

  /** Sets a key. `expireAt` 0 is none. */
  set(
    keys: Buffer,
    keyFrom: number,
    keyTo: number,
    values: Buffer,
    valueFrom: number,
    valueTo: number,
    expireAt: number,
  ): void {
    const length = setBytes(keyTo - keyFrom, valueTo - valueFrom, expireAt);
    const at = this.#reserve(length);
    const into = this.#into;
    const keyAt = encodeSetHead(into, at, keyTo - keyFrom, expireAt);
    const valueAt = transcribe(into, keyAt, keys, keyFrom, keyTo);
    transcribe(into, valueAt, values, valueFrom, valueTo);
    this.#commit(at, length);
    if (this.watches.size > 0) this.watches.touch(keys, keyFrom, keyTo);
  }

  /** Deletes a key that is there. */
  remove(bytes: Buffer, from: number, to: number): void {
    this.#delete(bytes, from, to);
    if (this.watches.size > 0) this.watches.touch(bytes, from, to);
  }

  /** Changes the expiry of a key that is there; 0 takes it away. */
  expire(bytes: Buffer, from: number, to: number, expireAt: number): void {
    const length = expireBytes(to - from);
    const at = this.#reserve(length);
    transcribe(this.#into, encodeExpireHead(this.#into, at, to - from, expireAt), bytes, from, to);
    this.#commit(at, length);
    if (this.watches.size > 0) this.watches.touch(bytes, from, to);
  }

  /** Writes `data` into the value at `valueAt`; creates the key, pads with zeros. */
  patch(
    keys: Buffer,
    keyFrom: number,
    keyTo: number,
    valueAt: number,
    data: Buffer,
    dataFrom: number,
    dataTo: number,
  ): void {
    const length = patchBytes(keyTo - keyFrom, dataTo - dataFrom);
    const at = this.#reserve(length);
    const into = this.#into;
    const keyAt = encodePatchHead(into, at, keyTo - keyFrom, valueAt);
    transcribe(into, transcribe(into, keyAt, keys, keyFrom, keyTo), data, dataFrom, dataTo);
    this.#commit(at, length);
    if (this.watches.size > 0) this.watches.touch(keys, keyFrom, keyTo);
  }

  /** RENAME or COPY of a key that is there over another one. */
  move(
    op: "rename" | "copy",
    bytes: Buffer,
    keyFrom: number,
    keyTo: number,
    newFrom: number,
    newTo: number,
  ): void {
    const length = moveBytes(keyTo - keyFrom, newTo - newFrom);
    const at = this.#reserve(length);
    const into = this.#into;
    const keyAt = encodeMoveHead(into, at, OP[op], keyTo - keyFrom);
    transcribe(into, transcribe(into, keyAt, bytes, keyFrom, keyTo), bytes, newFrom, newTo);
    this.#commit(at, length);
    if (this.watches.size === 0) return;
    if (op === "rename") this.watches.touch(bytes, keyFrom, keyTo);
    this.watches.touch(bytes, newFrom, newTo);
  }

  /** Deletes everything. */
  flush(): void {
    if (this.watches.size > 0) {
      this.watches.touchExisting((key) => this.store.find(key, 0, key.length));
    }
    const at = this.#reserve(FLUSH_BYTES);
    encodeFlush(this.#into, at);
    this.#commit(at, FLUSH_BYTES);
  }

  /** Records from here to endGroup() become one. Does not nest: see grouping. */
  beginGroup(): void {
    this.#grouping = true;
    this.#groupAt = GROUP_HEAD_BYTES;
    this.#groupRecords = 0;
    this.#groupRoom = 0;
  }

  /** Whether a group is open: then a command of many keys is part of it already. */
  get grouping(): boolean {
    return this.#grouping;
  }

  /** Logs what was gathered; nothing when there was nothing. */
  endGroup(): void {
    this.#grouping = false;
    if (this.#groupRecords === 0) {
      if (this.#groupRoom > 0) this.#log.unreserve();
      return;
    }
    // A group of one is that one.
    const from = this.#groupRecords === 1 ? GROUP_HEAD_BYTES + 4 : 0;
    const at = this.#log.append(this.#groupAt - from);
    if (from === 0) encodeGroupHead(this.#group, 0);
    transcribe(this.#log.bytes, at, this.#group, from, this.#groupAt);
    if (this.#group.length > GROUP_BYTES_KEPT) {
      this.#group = Buffer.allocUnsafeSlow(GROUP_BYTES_MIN);
    }
  }

  /**
   * Room in the open group and in the log for records of `bytes` in all, 4 more for each: then none of
   * them fails for want of it.
   * @throws LogError as reserve() does
   */
  secureGroup(bytes: number): void {
    const need = this.#groupAt + bytes;
    if (need > LIMITS.recordBytesMax)
      throw new LogError("ERR_LOG_RECORD_SIZE", `a group of ${need} bytes`);
    if (need > this.#groupRoom) this.#growGroupRoom(need);
    if (need <= this.#group.length) return;
    const grown = logMemory(Math.max(need, this.#group.length * 2));
    this.#group.copy(grown, 0, 0, this.#groupAt);
    this.#group = grown;
  }

  #delete(bytes: Buffer, from: number, to: number): void {
    const length = delBytes(to - from);
    const at = this.#reserve(length);
    transcribe(this.#into, encodeDelHead(this.#into, at, to - from), bytes, from, to);
    this.#commit(at, length);
  }

  #reserve(length: number): number {
    if (this.#grouping) return this.#reserveInGroup(length);
    const at = this.#log.reserve(length);
    this.#into = this.#log.bytes;
    return at;
  }

  #reserveInGroup(length: number): number {
    this.secureGroup(length + 4);
    this.#group.writeUInt32LE(length, this.#groupAt);
    this.#into = this.#group;
    return this.#groupAt + 4;
  }

  /** Room in the log for the whole group, before the record is applied that needs it. */
  #growGroupRoom(need: number): void {
    const room = Math.min(Math.max(need, this.#groupRoom * 2), LIMITS.recordBytesMax);
    this.#log.reserve(room);
    this.#groupRoom = room;
  }

  /** Applies the record at `at` of #into, and appends it when the store took it. */
  #commit(at: number, length: number): void {
    this.steps++;
    try {
      this.store.apply(this.#into, at, at + length);
    } catch (error) {
      if (!this.#grouping) this.#log.unreserve();
      // The store's own errors say that it changed nothing.
      if (error instanceof HawserError) this.steps--;
      throw error;
    }
    this.counters.changes++;
    if (this.#grouping) {
      this.#groupAt = at + length;
      this.#groupRecords++;
    } else this.#log.append(length);
  }
}
