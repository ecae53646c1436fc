/**
 * What a node does beside commands, in a daemon and embedded: deletes keys that have expired, and
 * lets the store tidy up.
 *
 * Both in slices with a bounded share of the loop: a tick works at most SLICE_MS and the next comes
 * after TICK_MS, sooner while there is a backlog of work. Only a primary deletes: through the log.
 * Owns: pace. Does not own: which keys (store), DEL records (keyspace.ts).
 * Tested in: test/unit/node/check-then-append.test.ts.
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
    const hasTime = (): boolean => performance.now() < untilMs;
    const mayExpire = !node.writersPaused();
    const moreExpired = mayExpire && expireKeys(keys, hasTime);
    if (moreExpired) node.turn.appended();
    let moreTidying = true;
    let nowMs = performance.now();
    while (moreTidying && nowMs < untilMs) {
      moreTidying = node.store.maintain(nowMs);
      nowMs = performance.now();
    }
    return moreExpired || moreTidying;
  }
}

/**
 * Deletes expired keys through the log while `hasTime`; none where clients may not write.
 * @returns true when it deleted any
 */
export function expireKeys(keys: Keyspace, hasTime: () => boolean): boolean {
  if (keys.refusal !== null) return false;
  let deleted = 0;
  const drop = (bytes: Buffer, from: number, to: number): void => {
    keys.dropExpired(bytes, from, to);
    deleted++;
  };
  try {
    while (deleted < DELETES_MAX && hasTime()) {
      // As redis: a key is expired when now > expireAt, so in that very ms it is still there.
      if (keys.store.expired(keys.now - 1, KEYS_PER_STEP, drop) < KEYS_PER_STEP) break;
    }
  } catch (error) {
    // No memory in the log for a DEL: the key stays hidden, and a later tick tries again.
    if (!(error instanceof LogError)) throw error;
  }
  return deleted > 0;
}
