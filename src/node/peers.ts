/**
 * Who follows a node directly, for its next start: a store, where its replication port is, and whether that
 * start waits for it.
 *
 *   a store comes again          it is the newest; news only when its address is another, or it is awaited again
 *   another store at an address  it takes the place of the one that was there
 *   more than are remembered     the one that came longest ago is forgotten
 *   it is released               it stays, and is not awaited
 *
 * Pure. Owns: the list. Does not own: its text (node-memory.ts), when it is written (identity.ts), who is
 * released (followers.ts, reclaiming.ts).
 */
import { isSameAddress } from "../net/address.ts";
import { LIMITS } from "../limits.ts";
import type { Id } from "../wire/messages.ts";
import type { Peer } from "./node-memory.ts";

/** What the list lacked before: nothing, a peer where it is now, or that a start waits for it. */
export type PeerNews = "none" | "place" | "awaited";

export class Peers {
  #list: readonly Peer[];

  constructor(known: readonly Peer[]) {
    this.#list = known;
  }

  /** Newest last. */
  get list(): readonly Peer[] {
    return this.#list;
  }

  came(peer: Omit<Peer, "awaited">): PeerNews {
    const before = this.#list.find(({ storeId }) => storeId === peer.storeId);
    const others = this.#list.filter((other) => other !== before && !isSameAddress(other, peer));
    const isMoved = before === undefined || !isSameAddress(before, peer);
    const isNews = isMoved || others.length + 1 < this.#list.length;
    this.#list = [...others, { ...peer, awaited: true }].slice(-LIMITS.rememberedPeersMax);
    if (before?.awaited === false) return "awaited";
    return isNews ? "place" : "none";
  }

  isAwaited(storeId: Id): boolean {
    return this.#list.some((peer) => peer.storeId === storeId && peer.awaited);
  }

  /** Nobody waits for these. @returns whether that is news */
  release(storeIds: readonly Id[]): boolean {
    if (!storeIds.some((storeId) => this.isAwaited(storeId))) return false;
    this.#list = this.#list.map((peer) =>
      storeIds.includes(peer.storeId) ? { ...peer, awaited: false } : peer,
    );
    return true;
  }
}
