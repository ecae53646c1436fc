/**
 * What a node does beside commands, in a daemon and embedded: deletes keys whose time is over, and
 * lets the store tidy up.
 *
 * Both in slices with a bounded share of the loop: a tick works at most SLICE_MS and the next comes
 * after TICK_MS, sooner while there is a backlog of work. Only a primary deletes: through the log.
 * Owns: pace. Does not own: which keys (store), DEL records (keyspace.ts).
 */
import { LogError } from "../errors.ts";
import type { Keyspace } from "./keyspace.ts";
import type { HawserNode } from "./api.ts";

const TICK_MS = 100;
/** While the last tick ran out of its slice. */
const BUSY_TICK_MS = 10;
/** At most a fifth of the loop when busy. */
const SLICE_MS = 2;
/** Keys of one call into the store. */
const KEYS_PER_STEP = 64;
/** Most deletes of one tick: each costs the replicas, too. */
const DELETES_MAX = 4096;

export class Housekeeping {
  readonly #of: { readonly node: HawserNode; readonly keys: Keyspace };
  #timer: NodeJS.Timeout | null = null;
  #stopped = false;

  constructor(of: { readonly node: HawserNode; readonly keys: Keyspace }) {
    this.#of = of;
  }

  start(): void {
    this.#schedule(TICK_MS);
  }

  stop(): void {
    this.#stopped = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #schedule(delayMs: number): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      const more = this.tick();
      this.#schedule(more ? BUSY_TICK_MS : TICK_MS);
    }, delayMs);
    this.#timer.unref();
  }

  /** One slice; true when there is more to do at once. */
  tick(): boolean {
    const { keys, node } = this.#of;
    const untilMs = performance.now() + SLICE_MS;
    keys.refresh(Date.now());
    const moreExpired = keys.refusal === null && !node.writersPaused() && this.#expire(untilMs);
    if (moreExpired) node.turn.appended();
    let moreTidying = true;
    let nowMs = performance.now();
    while (moreTidying && nowMs < untilMs) {
      moreTidying = node.store.maintain(nowMs);
      nowMs = performance.now();
    }
    return moreExpired || moreTidying;
  }

  #expire(untilMs: number): boolean {
    try {
      return expireSome(this.#of.keys, untilMs);
    } catch (error) {
      // No memory in the log for a DEL: the key stays hidden, and a later tick tries again.
      if (!(error instanceof LogError)) throw error;
      return false;
    }
  }
}

/** Deletes expired keys until `untilMs`; true when it deleted any. */
function expireSome(keys: Keyspace, untilMs: number): boolean {
  let deleted = 0;
  while (deleted < DELETES_MAX && performance.now() < untilMs) {
    // As redis: a key is expired when now > expireAt, so in that very ms it is still there.
    const found = keys.store.expired(keys.now - 1, KEYS_PER_STEP, (bytes, from, to) => {
      keys.dropExpired(bytes, from, to);
    });
    deleted += found;
    if (found < KEYS_PER_STEP) break;
  }
  return deleted > 0;
}
