/**
 * Writing the built-in store in a process: every call is one synchronous step, a record or nothing.
 *
 *   arguments are read   ERR_ARGUMENT
 *   may it write?        the node is open, its disk takes, memory is below maxmemory
 *   record               room in the log, the store, the log (node/keyspace.ts)
 *
 * A batch is one GROUP record: what it takes of the log and of the store is found before its first change.
 * Owns: what each call changes. Does not own: arguments (bytes.ts), records (node/keyspace.ts).
 * Tested in: test/unit/embed/key-writer.test.ts.
 */
import { ArgumentError, NodeError } from "../errors.ts";
import type { Keyspace } from "../node/keyspace.ts";
import type { DaemonNode } from "../node/node.ts";
import { copyOut } from "../store/copy.ts";
import { delBytes, setBytes } from "../store/record.ts";
import {
  type Argument,
  type Bytes,
  type Expiry,
  expiryOf,
  keyArgument,
  shown,
  valueArgument,
} from "./bytes.ts";
import type { Waits } from "./waits.ts";
import { refusedBecause } from "./write-refusals.ts";

/** One change of a batch. */
export type Change =
  | ({ readonly type: "set"; readonly key: Bytes; readonly value: Bytes } & Expiry)
  | { readonly type: "delete"; readonly key: Bytes };

/** A change with its arguments read; `value` null deletes. */
interface ReadChange {
  readonly key: Buffer;
  readonly value: Buffer | null;
  readonly expireAt: number;
}

/** Digits that a number always holds exactly. */
const INTEGER = /^(?:0|-?[1-9]\d{0,15})$/;
const INTEGER_CHARS_MAX = 17;

export class KeyWriter {
  readonly #node: DaemonNode;
  readonly #keys: Keyspace;
  readonly #waits: Waits;

  constructor(node: DaemonNode, keys: Keyspace, waits: Waits) {
    this.#node = node;
    this.#keys = keys;
    this.#waits = waits;
  }

  set(key: Bytes, value: Bytes, expiry: Expiry | undefined): void {
    const expireAt = expiry === undefined ? 0 : expiryOf(expiry);
    keyArgument.take(key);
    valueArgument.take(value);
    this.#needRoom();
    this.#set(keyArgument, valueArgument, expireAt);
  }

  delete(key: Bytes): boolean {
    keyArgument.take(key);
    this.#needWritable();
    if (!this.#find(keyArgument)) return false;
    this.#remove(keyArgument);
    return true;
  }

  setIfAbsent(key: Bytes, value: Bytes, expiry: Expiry | undefined): boolean {
    const expireAt = expiryOf(expiry);
    keyArgument.take(key);
    valueArgument.take(value);
    this.#needRoom();
    if (this.#find(keyArgument)) return false;
    this.#set(keyArgument, valueArgument, expireAt);
    return true;
  }

  compareAndSet(
    key: Bytes,
    expected: Bytes | null,
    value: Bytes | null,
    expiry: Expiry | undefined,
  ): boolean {
    const expireAt = expiryOf(expiry);
    keyArgument.take(key);
    const wanted = expected === null ? null : valueArgument.copyOf(expected);
    if (value !== null) valueArgument.take(value);
    if (value === null) this.#needWritable();
    else this.#needRoom();
    const { store } = this.#keys;
    const isThere = this.#find(keyArgument);
    const isSame = wanted === null ? !isThere : isThere && isHit(store, wanted);
    if (!isSame) return false;
    if (value !== null) this.#set(keyArgument, valueArgument, expireAt);
    else if (isThere) this.#remove(keyArgument);
    return true;
  }

  /** `change` may use the node: what it does happens before. */
  update<T extends Bytes | null>(
    key: Bytes,
    change: (value: Buffer | null) => T,
    expiry: Expiry | undefined,
  ): T {
    if (typeof change !== "function")
      throw new ArgumentError("ERR_ARGUMENT", `a change is ${shown(change)}; a function is needed`);
    const given = expiry === undefined ? -1 : expiryOf(expiry);
    const keyBytes = keyArgument.copyOf(key);
    this.#needWritable();
    const value = change(this.#copyOf(keyBytes));
    if (value !== null) valueArgument.take(value);
    keyArgument.take(keyBytes);
    if (value === null) this.#needWritable();
    else this.#needRoom();
    const isThere = this.#find(keyArgument);
    const kept = isThere ? this.#keys.store.hitExpireAt : 0;
    if (value !== null) this.#set(keyArgument, valueArgument, given < 0 ? kept : given);
    else if (isThere) this.#remove(keyArgument);
    return value;
  }

  increment(key: Bytes, by: number): number {
    if (!Number.isSafeInteger(by))
      throw new ArgumentError("ERR_ARGUMENT", `by is ${shown(by)}; a whole number is allowed`);
    keyArgument.take(key);
    this.#needRoom();
    const { store } = this.#keys;
    const isThere = this.#find(keyArgument);
    const expireAt = isThere ? store.hitExpireAt : 0;
    const sum = (isThere ? integerOf(store) : 0) + by;
    if (!Number.isSafeInteger(sum))
      throw new NodeError("ERR_NOT_INTEGER", `the sum would be ${sum}, beyond 2^53 - 1`);
    valueArgument.take(String(sum));
    this.#set(keyArgument, valueArgument, expireAt);
    return sum;
  }

  expire(key: Bytes, expiry: Expiry): boolean {
    const expireAt = expiryOf(expiry);
    keyArgument.take(key);
    this.#needWritable();
    if (!this.#find(keyArgument)) return false;
    const { bytes, length } = keyArgument;
    this.#keys.expire(bytes, 0, length, expireAt);
    this.#node.turn.appended();
    return true;
  }

  batch(changes: readonly Change[]): void {
    const read = readChanges(changes);
    if (read.some(({ value }) => value !== null)) this.#needRoom();
    else this.#needWritable();
    this.#apply(read);
    this.#node.turn.appended();
  }

  clear(): void {
    this.#needWritable();
    if (this.#node.store.isEmpty()) return;
    this.#keys.flush();
    this.#node.turn.appended();
  }

  #apply(changes: readonly ReadChange[]): void {
    const keys = this.#keys;
    if (changes.length > 1) keys.beginGroup();
    try {
      if (changes.length > 1) {
        keys.secureGroup(changes.reduce((sum, each) => sum + 4 + recordBytes(each), 0));
        this.#secure(changes);
      }
      for (const { key, value, expireAt } of changes)
        if (value !== null) keys.set(key, 0, key.length, value, 0, value.length, expireAt);
        // Why whatever expired: what hides is deleted in its place.
        else if (keys.store.find(key, 0, key.length)) keys.remove(key, 0, key.length);
    } finally {
      if (changes.length > 1) keys.endGroup();
      keys.store.room.release();
    }
  }

  /** The store's memory for all of them, each as a record of its own, before the first. */
  #secure(changes: readonly ReadChange[]): void {
    const { room } = this.#keys.store;
    room.clear();
    for (const { key, value, expireAt } of changes)
      if (value !== null) room.want(key.length, value.length, expireAt);
    if (!room.isThere) room.secure();
  }

  #set(key: Argument, value: Argument, expireAt: number): void {
    this.#keys.set(key.bytes, 0, key.length, value.bytes, 0, value.length, expireAt);
    this.#node.turn.appended();
  }

  #remove({ bytes, length }: Argument): void {
    this.#keys.remove(bytes, 0, length);
    this.#node.turn.appended();
  }

  /** Leaves its hit in the store. */
  #find({ bytes, length }: Argument): boolean {
    const { store } = this.#keys;
    if (!store.find(bytes, 0, length)) return false;
    return store.hitExpireAt === 0 || store.hitExpireAt >= Date.now();
  }

  #copyOf(key: Buffer): Buffer | null {
    const { store } = this.#keys;
    keyArgument.take(key);
    if (!this.#find(keyArgument)) return null;
    return copyOut(store.hitWords, store.hitBytes, store.hitFrom, store.hitTo);
  }

  /** Why: after close() a write would reach nobody, and a disk that takes nothing would never have it. */
  #needWritable(): void {
    this.#waits.needOpen();
    const refusal = this.#node.writeRefusal();
    if (refusal !== null) throw refusedBecause(this.#node, refusal);
  }

  /** For what makes the state grow. */
  #needRoom(): void {
    this.#needWritable();
    const keys = this.#keys;
    if (keys.maxmemory > 0 && keys.isOverMemory())
      throw new NodeError(
        "ERR_MAXMEMORY",
        `memory is at ${keys.store.committedBytes} bytes, maxmemory is ${keys.maxmemory}`,
      );
  }
}

function recordBytes({ key, value, expireAt }: ReadChange): number {
  return value === null ? delBytes(key.length) : setBytes(key.length, value.length, expireAt);
}

function readChanges(changes: readonly Change[]): ReadChange[] {
  if (!Array.isArray(changes))
    throw new ArgumentError("ERR_ARGUMENT", `a batch is ${shown(changes)}; an array is allowed`);
  return changes.map((change: unknown, index) => {
    try {
      return readChange(change);
    } catch (error) {
      if (!(error instanceof ArgumentError)) throw error;
      const why = error.message.replace(`${error.code}: `, "");
      throw new ArgumentError("ERR_ARGUMENT", `change ${index} of the batch: ${why}`);
    }
  });
}

function readChange(change: unknown): ReadChange {
  if (typeof change !== "object" || change === null)
    throw new ArgumentError("ERR_ARGUMENT", `it is ${shown(change)}; an object is allowed`);
  // What is given for each is looked at below.
  const { type, key, value, ...expiry } = change as Record<"type" | "key" | "value", unknown>;
  if (type === "delete") return { key: keyArgument.copyOf(key as Bytes), value: null, expireAt: 0 };
  if (type === "set")
    return {
      key: keyArgument.copyOf(key as Bytes),
      value: valueArgument.copyOf(value as Bytes),
      expireAt: expiryOf(expiry),
    };
  const given = typeof type === "string" ? `"${type.slice(0, 40)}"` : shown(type);
  throw new ArgumentError("ERR_ARGUMENT", `type is ${given}; "set" or "delete" is allowed`);
}

/** The value that find() found is `expected`. */
function isHit(
  store: { readonly hitBytes: Buffer; readonly hitFrom: number; readonly hitTo: number },
  expected: Buffer,
): boolean {
  const { hitBytes, hitFrom, hitTo } = store;
  return hitBytes.compare(expected, 0, expected.length, hitFrom, hitTo) === 0;
}

function integerOf(store: {
  readonly hitBytes: Buffer;
  readonly hitFrom: number;
  readonly hitTo: number;
}): number {
  const { hitBytes, hitFrom, hitTo } = store;
  const text =
    hitTo - hitFrom > INTEGER_CHARS_MAX ? "" : hitBytes.toString("latin1", hitFrom, hitTo);
  const value = Number(text);
  if (INTEGER.test(text) && Number.isSafeInteger(value)) return value;
  throw new NodeError("ERR_NOT_INTEGER", "the value is no whole number between -2^53 and 2^53");
}
