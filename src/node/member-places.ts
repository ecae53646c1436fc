/**
 * Where each store was linked from last: so that a member that is gone can be looked for, and one in whose place
 * another store has come is seen.
 *
 *   it was linked in this process       its host, client port and replication port
 *   it is remembered, or was told of    its host and replication port (node.json, PEERS)
 *   else                                unknown
 *
 * A replica without a directory is another store after each start, in the same place: it is no member any more until
 * somebody adds it (or the primary takes it, when there are too few), and the one that it was stays one until somebody
 * removes it.
 *
 * Pure. Owns: those places. Does not own: who is a member (synchronous.ts).
 * Tested in: test/unit/node/member-places.test.ts.
 */
import { LIMITS } from "../limits.ts";
import { hostOf } from "../net/address.ts";
import type { Id, NodeAddress, PeerAddress } from "../wire/messages.ts";
import { printable } from "../wire/text.ts";

/** As a replica announced it; a port is 0 when it is unknown, and the host then may be "". */
export type MemberPlace = NodeAddress;

export const NOWHERE: MemberPlace = { host: "", clientPort: 0, replPort: 0 };

/** `remote`: where its connection comes from, "host:port". */
export function placeOf({ host, clientPort, replPort }: NodeAddress, remote: string): MemberPlace {
  return { host: printable(host) || hostOf(remote), clientPort, replPort };
}

/** Nobody else can be there at the same time. */
export function isSamePlace(a: MemberPlace, b: MemberPlace): boolean {
  return a.replPort !== 0 && a.replPort === b.replPort && a.host === b.host;
}

export class MemberPlaces {
  /** The newest last. */
  readonly #places = new Map<Id, MemberPlace>();

  /**
   * A store is linked from there.
   * @returns the other stores that were there before, when that is news
   */
  came(storeId: Id, place: MemberPlace): readonly Id[] {
    const before = this.#places.get(storeId);
    const isNews = before === undefined || !isSamePlace(before, place);
    this.#places.delete(storeId);
    this.#places.set(storeId, place);
    if (this.#places.size > LIMITS.linksMax) this.#forgetOldest();
    if (!isNews) return [];
    const others = [...this.#places].filter(([id, at]) => id !== storeId && isSamePlace(at, place));
    return others.map(([id]) => id);
  }

  #forgetOldest(): void {
    for (const oldest of this.#places.keys()) {
      this.#places.delete(oldest);
      return;
    }
  }

  /** Where it was last; `told` is what this node remembers of others. */
  of(storeId: Id, told: readonly PeerAddress[]): MemberPlace {
    const seen = this.#places.get(storeId);
    if (seen !== undefined) return seen;
    const peer = told.find((each) => each.storeId === storeId);
    if (peer === undefined) return NOWHERE;
    return { host: printable(peer.host), clientPort: 0, replPort: peer.port };
  }
}
