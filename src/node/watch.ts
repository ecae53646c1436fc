/**
 * WATCH: which clients wait to hear that a key changed before their EXEC.
 *
 * Three ways to notice, because no one of them sees everything: commands here mark the key
 * (`touch`, and only while anybody watches at all); a swap or FLUSHALL is seen by the node's state
 * generation; changes by the log on a replica and expiry by comparing a fingerprint at EXEC.
 * Owns: watched keys. Does not own: who runs transactions (commands/transactions.ts).
 */
import { crc32 } from "node:zlib";

/** What one client watches. */
export interface Watcher {
  /** Latin-1 key to its fingerprint when it was watched. */
  readonly keys: Map<string, KeyPrint>;
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

/** All watched keys of the process. */
export class WatchTable {
  /** Watched keys; writers ask only when it is not 0. */
  size = 0;
  readonly #watchers = new Map<string, Set<Watcher>>();

  add(key: string, watcher: Watcher, print: KeyPrint): void {
    if (watcher.keys.has(key)) return;
    watcher.keys.set(key, print);
    const others = this.#watchers.get(key);
    if (others === undefined) this.#watchers.set(key, new Set([watcher]));
    else others.add(watcher);
    this.size = this.#watchers.size;
  }

  /** The client watches nothing any more. */
  clear(watcher: Watcher): void {
    for (const key of watcher.keys.keys()) {
      const all = this.#watchers.get(key);
      all?.delete(watcher);
      if (all?.size === 0) this.#watchers.delete(key);
    }
    watcher.keys.clear();
    watcher.touched = false;
    this.size = this.#watchers.size;
  }

  /** The key `bytes[from, to)` changed. */
  touch(bytes: Buffer, from: number, to: number): void {
    const watchers = this.#watchers.get(bytes.toString("latin1", from, to));
    if (watchers === undefined) return;
    for (const watcher of watchers) watcher.touched = true;
  }

  /** Every key that `exists` says is there is about to go. */
  touchExisting(exists: (key: string) => boolean): void {
    for (const [key, watchers] of this.#watchers) {
      if (!exists(key)) continue;
      for (const watcher of watchers) watcher.touched = true;
    }
  }
}
