/**
 * What a feeder remembers of the stores that followed it, so that a copy of a store, or one that lost what
 * it had confirmed, is not taken for the store that it says it is:
 *
 *   incarnation  another process, and its incarnation is not above the highest that was seen
 *   lost         it holds less than it once said would outlive a crash: an older disk, or none
 *
 * Either is a new store under an old id: what was confirmed under it counts no more.
 * Pure. Owns: that memory, which is bounded. Does not own: what links confirm (flow.ts), the log line and
 * the counter (admission.ts).
 */
import { leftAt, type HistoryState } from "../log/history.ts";
import type { Hello, Id } from "../wire/messages.ts";

/** Stores remembered at most; the one that came longest ago is forgotten first. */
const STORES_MAX = 2_000;

/** What of a HELLO is compared. */
export type StoreClaim = Pick<
  Hello,
  "storeId" | "instanceId" | "incarnation" | "position" | "lineage"
>;

/** What was known of a store that is a new one, and what tells. */
export interface Replaced {
  readonly why: "incarnation" | "lost";
  readonly incarnation: number;
  readonly durable: number;
}

export class Store {
  /** Of the process that came last. */
  instanceId: Id = "";
  /** The highest that was seen. */
  incarnation = -1;
  /** The feeder's when `durable` was confirmed. */
  history: Id = "";
  /** The most that it said would outlive a crash; 0 for nothing. */
  durable = 0;

  /** It is another store than was known under its id, since this node began. */
  isReplaced = false;

  /** An ACK said so. */
  confirmed(durable: number): void {
    if (durable > this.durable) this.durable = durable;
  }
}

export class Stores {
  readonly #stores = new Map<Id, Store>();

  /**
   * A store is welcomed into `history`; `goesOn`: its log is a part of that one, else it gets a snapshot.
   * @returns what is kept of it, and what it was when it is a new one
   */
  welcomed(
    claim: StoreClaim,
    history: Id,
    goesOn: boolean,
  ): { readonly store: Store; readonly replaced: Replaced | null } {
    const store = this.#stores.get(claim.storeId) ?? new Store();
    const replaced = replacedBy(store, claim);
    if (replaced !== null || !goesOn) store.durable = 0;
    if (replaced !== null) store.isReplaced = true;
    store.history = history;
    store.instanceId = claim.instanceId;
    store.incarnation = Math.max(store.incarnation, claim.incarnation);
    this.#keep(claim.storeId, store);
    return { store, replaced };
  }

  /** As the newest. */
  #keep(storeId: Id, store: Store): void {
    this.#stores.delete(storeId);
    this.#stores.set(storeId, store);
    const oldest = this.#stores.keys().next().value;
    if (this.#stores.size > STORES_MAX && oldest !== undefined) this.#stores.delete(oldest);
  }

  get size(): number {
    return this.#stores.size;
  }
}

/** Null for one that was never seen, and for one that comes back as itself. */
function replacedBy(store: Store, claim: StoreClaim): Replaced | null {
  const { incarnation, durable } = store;
  const isOther = claim.instanceId !== store.instanceId;
  if (isOther && claim.incarnation <= incarnation)
    return { why: "incarnation", incarnation, durable };
  if (heldOf(claim, store.history) < durable) return { why: "lost", incarnation, durable };
  return null;
}

/** Up to where it holds the log of `history`. */
function heldOf({ position, lineage }: StoreClaim, history: Id): number {
  const state: HistoryState = { history: position.history, lineage };
  const left = leftAt(state, history);
  return left < 0 ? 0 : Math.min(left, position.offset);
}
