/**
 * WATCH: which clients wait to hear that a key changed before their EXEC.
 *
 * Three ways to notice, because no one of them sees everything: commands here mark the key
 * (`touch`, and only while anybody watches at all); a swap or FLUSHALL is seen by the node's state
 * generation; changes by the log on a replica and expiry by comparing a fingerprint at EXEC.
 * Owns: watched keys. Does not own: who runs transactions (commands/transactions.ts).
 * Tested in: test/unit/resp/commands/transactions.test.ts.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { latin1Within } from "./bounded-text.ts";

/** A longer key is watched under its SHA-256 instead of under itself. */
const NAME_BYTES_MAX = 1024;

/** What watching one key costs beside the key. */
export const WATCHED_KEY_BYTES = 256;

/** What one client watches. */
export interface Watcher {
  /** Name of the key (WatchTable.keyOf) to its fingerprint when it was watched. */
  readonly keys: Map<string, KeyPrint>;
  /** Of all these keys, each with WATCHED_KEY_BYTES. */
  bytes: number;
  /** A watched key was changed by a command. */
  touched: boolean;
  /** Node's state generation at the first WATCH. */
  generation: number;
}

/** Enough of a key's state to see that it changed. */
export interface KeyPrint {
  readonly exists: boolean;
  readonly expireAt: number;
  readonly length: number;
  readonly crc: number;
}

export const ABSENT: KeyPrint = { exists: false, expireAt: 0, length: 0, crc: 0 };

export function printOf(value: Buffer, from: number, to: number, expireAt: number): KeyPrint {
  return { exists: true, expireAt, length: to - from, crc: crc32(value.subarray(from, to)) };
}

export function samePrint(a: KeyPrint, b: KeyPrint): boolean {
  return (
    a.exists === b.exists && a.expireAt === b.expireAt && a.length === b.length && a.crc === b.crc
  );
}

interface WatchedKey {
  readonly watchers: Set<Watcher>;
  readonly bytes: Buffer;
}

/** All watched keys of the process. */
export class WatchTable {
  /** Watched keys; writers ask only when it is not 0. */
  size = 0;
  /** What all clients watch together, as Watcher.bytes. */
  bytes = 0;
  readonly #watched = new Map<string, WatchedKey>();

  /** `watcher` watches `key`, whose bytes are copied. */
  add(key: Buffer, watcher: Watcher, print: KeyPrint): void {
    const name = nameOf(key, 0, key.length);
    if (watcher.keys.has(name)) return;
    watcher.keys.set(name, print);
    watcher.bytes += key.length + WATCHED_KEY_BYTES;
    this.bytes += key.length + WATCHED_KEY_BYTES;
    const known = this.#watched.get(name);
    if (known === undefined) {
      this.#watched.set(name, { watchers: new Set([watcher]), bytes: Buffer.from(key) });
    } else known.watchers.add(watcher);
    this.size = this.#watched.size;
  }

  /** The key that is watched as `name`. */
  keyOf(name: string): Buffer {
    const known = this.#watched.get(name);
    assert(known !== undefined, "a name of a watcher is in the table");
    return known.bytes;
  }

  /** The client watches nothing any more. */
  clear(watcher: Watcher): void {
    for (const name of watcher.keys.keys()) {
      const watchers = this.#watched.get(name)?.watchers;
      watchers?.delete(watcher);
      if (watchers?.size === 0) this.#watched.delete(name);
    }
    watcher.keys.clear();
    this.bytes -= watcher.bytes;
    watcher.bytes = 0;
    watcher.touched = false;
    this.size = this.#watched.size;
  }

  /** The key `bytes[from, to)` changed. */
  touch(bytes: Buffer, from: number, to: number): void {
    const known = this.#watched.get(nameOf(bytes, from, to));
    if (known === undefined) return;
    for (const watcher of known.watchers) watcher.touched = true;
  }

  /** The key `bytes[from, to)` was deleted because its time was over. */
  touchExpired(bytes: Buffer, from: number, to: number): void {
    const name = nameOf(bytes, from, to);
    const known = this.#watched.get(name);
    if (known !== undefined) touchThatSaw(name, known.watchers);
  }

  /** Every key that `exists` says is there, expired or not, is about to go. */
  touchExisting(exists: (key: Buffer) => boolean): void {
    for (const [name, { watchers, bytes }] of this.#watched)
      if (exists(bytes)) touchThatSaw(name, watchers);
  }
}

/** As in redis: who found the key expired at WATCH sees no change when it goes at last. */
function touchThatSaw(name: string, watchers: ReadonlySet<Watcher>): void {
  for (const watcher of watchers)
    if (watcher.keys.get(name)?.exists === true) watcher.touched = true;
}

/** The key itself as latin-1; of a long one length and hash, which no key of its own is: it has a letter beyond. */
function nameOf(bytes: Buffer, from: number, to: number): string {
  const name = latin1Within(bytes, from, to, NAME_BYTES_MAX);
  if (name !== null) return name;
  const hash = createHash("sha256").update(bytes.subarray(from, to)).digest("hex");
  return `\u0100${to - from} ${hash}`;
}
