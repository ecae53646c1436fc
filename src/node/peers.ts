/**
 * Who follows a node directly, for its next start: a store and where its replication port is.
 *
 *   a store comes again        it is the newest; news only when its address is another
 *   another store at an address  it takes the place of the one that was there
 *   more than are remembered   the one that came longest ago is forgotten
 *
 * Pure. Owns: the list. Does not own: its text (node-memory.ts), when it is written (identity.ts, core.ts).
 */
import { LIMITS } from "../limits.ts";
import type { Peer } from "./node-memory.ts";

export class Peers {
  #list: readonly Peer[];

  constructor(known: readonly Peer[]) {
    this.#list = known;
  }

  /** Newest last. */
  get list(): readonly Peer[] {
    return this.#list;
  }

  /** @returns whether the set is another one now */
  came(peer: Peer): boolean {
    const others = this.#list.filter(
      (other) => other.storeId !== peer.storeId && !isSamePlace(other, peer),
    );
    const isKnown = this.#list.some(
      (other) => other.storeId === peer.storeId && isSamePlace(other, peer),
    );
    const isNews = !isKnown || others.length + 1 < this.#list.length;
    this.#list = [...others, peer].slice(-LIMITS.rememberedPeersMax);
    return isNews;
  }
}

function isSamePlace(a: Peer, b: Peer): boolean {
  return a.host === b.host && a.port === b.port;
}
