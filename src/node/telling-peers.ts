/**
 * A primary in synchronous mode tells its replicas of each other: one that is to lead has to ask the others for their
 * promises (lead-round.ts), and knows nobody but whom it follows.
 *
 *   ten times a second, if it leads and the mode is on    every replica that was not told of the present list is, between
 *                                                         two batches
 *   the list          who is linked directly and has a replication port: store id, host and port as it announced them
 *   its host is ""    where its connection comes from
 *
 * Owns: who was told what. Does not own: what a replica does with it (identity.ts), when it is said (primary/link.ts).
 */
import { addressOf } from "./failover-target.ts";
import { LIMITS } from "../limits.ts";
import type { Hello, PeerAddress, PeersTold } from "../wire/messages.ts";

/** A replica's connection; primary/link.ts. */
export interface ToldLink {
  readonly hello: Pick<Hello, "storeId" | "address"> | null;
  readonly remote: string;
  sayBetween(message: PeersTold): void;
}

export class TellingPeers {
  readonly #told = new WeakMap<ToldLink, string>();

  /** @returns whether anybody is told something */
  tell(links: readonly ToldLink[]): boolean {
    const peers = links.flatMap(peerOf).slice(-LIMITS.peersToldMax);
    const text = JSON.stringify(peers);
    let isNews = false;
    for (const link of links) {
      if (this.#told.get(link) === text) continue;
      this.#told.set(link, text);
      link.sayBetween({ type: "peers", peers });
      isNews = true;
    }
    return isNews;
  }
}

function peerOf(link: ToldLink): PeerAddress[] {
  const { hello } = link;
  if (hello === null || hello.address.replPort === 0) return [];
  return [{ storeId: hello.storeId, ...addressOf(link) }];
}
