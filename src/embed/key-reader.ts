/**
 * Reading the built-in store in a process: what is given back is a copy, a key that has expired is not there.
 *
 * Reads delete nothing: keys that have expired go by the housekeeping of a primary, through the log.
 * Walking takes a slice of keys in a turn of the loop; a cursor is a place on a line on which every key has
 * its own place for good (store/scan.ts), so it stays good while keys come and go, and when a full sync
 * replaces the state.
 * Owns: copies, slices. Does not own: the order (store/scan.ts), arguments (bytes.ts).
 * Tested in: test/unit/embed/key-reader.test.ts.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { ArgumentError, NodeError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { matchesGlob } from "../node/glob.ts";
import { staleText } from "../node/nearness.ts";
import type { HawserNode } from "../node/api.ts";
import { copyOut } from "../store/copy.ts";
import type { Store } from "../store/store.ts";
import { type Bytes, countOf, keyArgument, shown } from "./bytes.ts";

/** How keys and values are given back: as bytes, or as strings of what is taken for utf-8. */
export type Encoding = "buffer" | "utf8";

/** A key or value as it is given back. */
export type Encoded<E extends Encoding> = E extends "utf8" ? string : Buffer;

/** Which keys, and how they are given back. Each is looked at: a pattern does not make a walk shorter. */
export interface WalkOptions<E extends Encoding = "buffer"> {
  /** Keys that begin with this. */
  readonly prefix?: Bytes;
  /** Keys that match this pattern: `*`, `?`, `[a-z]`, `[^a]` and `\` as in redis, on bytes. */
  readonly match?: Bytes;
  /** "buffer" is the default. */
  readonly encoding?: E;
}

/** One step of a walk. */
export interface ScanOptions<E extends Encoding = "buffer"> extends WalkOptions<E> {
  /** About how many keys are looked at, 1 to 10000; default 100. */
  readonly count?: number;
}

/** What a step found, and where the next one begins: 0 when there is none. */
export interface ScanStep<E extends Encoding = "buffer"> {
  readonly cursor: number;
  readonly keys: Encoded<E>[];
}

/** Keys that a walk looks at in a turn of the loop: about 50 us. */
const SLICE_KEYS = 256;
const STEP_KEYS = 100;
const STEP_KEYS_MAX = 10_000;
/** Up to here a loop over bytes is faster than a call of the runtime. */
const LOOP_BYTES_MAX = 48;
const OPTIONS: readonly string[] = ["prefix", "match", "encoding", "count"];

/** Whether a key is one of those that are wanted. */
type Wanted = (bytes: Buffer, from: number, to: number) => boolean;

export class KeyReader {
  readonly #node: Pick<HawserNode, "store" | "isLoading" | "nearness" | "settings">;

  constructor(node: Pick<HawserNode, "store" | "isLoading" | "nearness" | "settings">) {
    this.#node = node;
  }

  /** @throws {NodeError} ERR_NOT_SYNCED on a replica that never had a state */
  needState(): void {
    if (this.#node.isLoading())
      throw new NodeError("ERR_NOT_SYNCED", "this replica has no state yet; await synced() first");
  }

  get size(): number {
    return this.#state().size;
  }

  get(key: Bytes): Buffer | null {
    const store = this.#state();
    if (!this.#find(store, key)) return null;
    return copyOut(store.hitWords, store.hitBytes, store.hitFrom, store.hitTo);
  }

  getString(key: Bytes): string | null {
    const store = this.#state();
    if (!this.#find(store, key)) return null;
    return store.hitBytes.toString("utf8", store.hitFrom, store.hitTo);
  }

  has(key: Bytes): boolean {
    return this.#find(this.#state(), key);
  }

  /** ms since 1970, Infinity for a key that does not expire; null when it is not there. */
  expireAt(key: Bytes): number | null {
    const store = this.#state();
    if (!this.#find(store, key)) return null;
    return store.hitExpireAt === 0 ? Number.POSITIVE_INFINITY : store.hitExpireAt;
  }

  scan<E extends Encoding>(cursor: number, options: ScanOptions<E> = {}): ScanStep<E> {
    const store = this.#state();
    const isWanted = wantedOf(options);
    const encode = encoderOf(options.encoding);
    const { count = STEP_KEYS } = options;
    if (!Number.isSafeInteger(count) || count < 1 || count > STEP_KEYS_MAX)
      throw new ArgumentError(
        "ERR_ARGUMENT",
        `count is ${shown(count)}; a whole number from 1 to ${STEP_KEYS_MAX} is allowed`,
      );
    const keys: Encoded<E>[] = [];
    const next = store.scan(countOf("cursor", cursor), count, pushTo(keys, isWanted, encode));
    return { cursor: next, keys };
  }

  keys<E extends Encoding>(options: WalkOptions<E> = {}): AsyncIterableIterator<Encoded<E>> {
    const encode = encoderOf<E>(options.encoding);
    return this.#walk(options, encode);
  }

  values<E extends Encoding>(options: WalkOptions<E> = {}): AsyncIterableIterator<Encoded<E>> {
    const encode = encoderOf<E>(options.encoding);
    return this.#walkValues(options, (_key, value) => encode(value, 0, value.length));
  }

  entries<E extends Encoding>(
    options: WalkOptions<E> = {},
  ): AsyncIterableIterator<[Encoded<E>, Encoded<E>]> {
    const encode = encoderOf<E>(options.encoding);
    return this.#walkValues(options, (key, value) => [
      encode(key, 0, key.length),
      encode(value, 0, value.length),
    ]);
  }

  #walkValues<E extends Encoding, T>(
    options: WalkOptions<E>,
    give: (key: Buffer, value: Buffer) => T,
  ): AsyncIterableIterator<T> {
    return this.#valuesOf(this.#walk(options, copyOf), give);
  }

  /** A value is read when it is given, so that no more than one of them is held. */
  async *#valuesOf<T>(
    keys: AsyncIterableIterator<Buffer>,
    give: (key: Buffer, value: Buffer) => T,
  ): AsyncGenerator<T, undefined> {
    for await (const key of keys) {
      const value = this.get(key);
      if (value !== null) yield give(key, value);
    }
  }

  /** What is wrong with the options is said at once, not by the first step. */
  #walk<T>(
    options: WalkOptions<Encoding>,
    give: (bytes: Buffer, from: number, to: number) => T,
  ): AsyncIterableIterator<T> {
    this.#state();
    return this.#slices(wantedOf(options), give);
  }

  async *#slices<T>(
    isWanted: Wanted,
    give: (bytes: Buffer, from: number, to: number) => T,
  ): AsyncGenerator<T, undefined> {
    let cursor = 0;
    do {
      const found: T[] = [];
      cursor = this.#state().scan(cursor, SLICE_KEYS, pushTo(found, isWanted, give));
      yield* found;
      if (cursor !== 0) await nextTurn();
    } while (cursor !== 0);
  }

  #state(): Store {
    const { nearness, settings, store } = this.#node;
    this.needState();
    if (nearness.isStale)
      throw new NodeError("ERR_STALE", staleText(nearness, settings.replicaMaxStalenessMs));
    return store;
  }

  /** Leaves its hit in the store. */
  #find(store: Store, key: Bytes): boolean {
    keyArgument.take(key);
    if (!store.find(keyArgument.bytes, 0, keyArgument.length)) return false;
    const { hitExpireAt } = store;
    // As redis: in the ms of its end a key is still there.
    return hitExpireAt === 0 || hitExpireAt >= Date.now();
  }
}

function pushTo<T>(
  found: T[],
  isWanted: Wanted,
  give: (bytes: Buffer, from: number, to: number) => T,
): (bytes: Buffer, from: number, to: number, expireAt: number) => void {
  const now = Date.now();
  return (bytes, from, to, expireAt) => {
    if (expireAt !== 0 && expireAt < now) return;
    if (isWanted(bytes, from, to)) found.push(give(bytes, from, to));
  };
}

function wantedOf(options: ScanOptions<Encoding>): Wanted {
  for (const name in options)
    if (!OPTIONS.includes(name))
      throw new ArgumentError(
        "ERR_ARGUMENT",
        `unknown option ${name}; allowed: ${OPTIONS.join(" ")}`,
      );
  const { prefix, match } = options;
  if (prefix !== undefined && match !== undefined)
    throw new ArgumentError("ERR_ARGUMENT", "prefix and match; one of them is allowed");
  if (prefix !== undefined) {
    const start = keyArgument.copyOf(prefix);
    return (bytes, from, to) =>
      to - from >= start.length &&
      bytes.compare(start, 0, start.length, from, from + start.length) === 0;
  }
  if (match === undefined) return () => true;
  const pattern = keyArgument.copyOf(match);
  if (pattern.length > LIMITS.patternBytesMax)
    throw new ArgumentError(
      "ERR_ARGUMENT",
      `match has ${pattern.length} bytes; at most ${LIMITS.patternBytesMax} are allowed`,
    );
  return (bytes, from, to) => matchesGlob(pattern, bytes, from, to);
}

function encoderOf<E extends Encoding>(
  encoding: E | undefined,
): (bytes: Buffer, from: number, to: number) => Encoded<E> {
  if (encoding !== undefined && encoding !== "buffer" && encoding !== "utf8")
    throw new ArgumentError(
      "ERR_ARGUMENT",
      `encoding is ${shown(encoding)}; "buffer" or "utf8" is allowed`,
    );
  const encode: (bytes: Buffer, from: number, to: number) => Buffer | string =
    encoding === "utf8" ? (bytes, from, to) => bytes.toString("utf8", from, to) : copyOf;
  return encode as (bytes: Buffer, from: number, to: number) => Encoded<E>;
}

/** Of memory that later writes use again. */
function copyOf(bytes: Buffer, from: number, to: number): Buffer {
  const length = to - from;
  const copy = Buffer.allocUnsafe(length);
  if (length > LOOP_BYTES_MAX) copy.set(bytes.subarray(from, to));
  else for (let at = 0; at < length; at++) copy[at] = bytes[from + at]!;
  return copy;
}
