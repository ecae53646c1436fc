/**
 * For whom the next start of a node waits, of those that followed it directly: for who may have log that
 * this disk lacks then. One is released, and not waited for, when that is proven to be nothing:
 *
 *   what happens                                          proof                          the next start
 *   it links, for the first time                                                         waits for it; written
 *                                                                                        before it is sent anything,
 *                                                                                        or soon after another was
 *   it links, and was released                                                           waits for it; written
 *                                                                                        before it is sent anything
 *   its link ended, and LEFT_MS passed without another    the log is durable up to       asks, and does not wait
 *                                                         where it ended then: it was
 *                                                         sent no more
 *   it was silent through all of a start's asking, and    the log is durable beyond      the same
 *   the node leads by now (reclaiming.ts)                 where it led from: the rest
 *                                                         of the other went another way
 *
 *   what takes a proof back that is waited for   why
 *   it links                                     it is sent more
 *   a swap                                       offsets of before say nothing about this log
 *   another history, after a silence             the node has not parted from it with this one
 *   the node stops                               all links end then
 *
 * Without a log on disk nothing is durable, and nobody is released. What cannot be told: one that moved below
 * another replica is fed there, and is not waited for here.
 *
 * Pure core. Owns: when one is released. Does not own: the list (peers.ts), its file (identity.ts), asking.
 */
import type { Hello, Id } from "../wire/messages.ts";
import { addressOf } from "./failover-target.ts";
import type { Identity } from "./identity.ts";

/** Between two writes of new replicas to node.json, ms: many that come at once are written together. */
const PEERS_WRITE_MS = 200;
/** A write of node.json that failed is tried again after this, ms. */
const PEERS_RETRY_MS = 5_000;
/** A replica that comes back sooner was never away, ms. */
const LEFT_MS = 5_000;

/** A replica's connection; primary/link.ts. */
interface FollowerLink {
  readonly hello: Hello | null;
  readonly remote: string;
}

export interface FollowersDeps {
  readonly identity: Pick<
    Identity,
    "history" | "followedBy" | "arePeersKept" | "keepPeers" | "awaits" | "release"
  >;
  readonly log: {
    readonly next: number;
    readonly durable: number;
    persist(): void;
    wantDurable(): void;
  };
  readonly roles: { readonly swaps: number; readonly isStopped: boolean };
  readonly until: (holds: () => boolean, done: () => void) => void;
  readonly later: (ms: number, run: () => void) => void;
}

export class Followers {
  readonly #deps: FollowersDeps;
  readonly #links = new Set<FollowerLink>();
  /** Whose proof is waited for: the newest of each store counts. */
  readonly #proofs = new Map<Id, object>();
  /** They were written a moment ago. */
  #rests = false;

  constructor(deps: FollowersDeps) {
    this.#deps = deps;
  }

  /** It was welcomed, and has been sent nothing yet. */
  linked(link: FollowerLink): void {
    const { hello } = link;
    if (hello === null || hello.address.replPort === 0) return;
    this.#links.add(link);
    this.#proofs.delete(hello.storeId);
    const { identity } = this.#deps;
    identity.followedBy({ storeId: hello.storeId, ...addressOf(link) });
    this.#keepPeers();
  }

  /** Until it is written: a start that does not know of a replica does not ask it for what the disk lost. */
  #keepPeers(): void {
    const { identity, roles, later } = this.#deps;
    if (this.#rests || identity.arePeersKept || roles.isStopped) return;
    this.#rests = true;
    later(identity.keepPeers() ? PEERS_WRITE_MS : PEERS_RETRY_MS, () => {
      this.#rests = false;
      this.#keepPeers();
    });
  }

  /** Of any link: one that was not welcomed counts for nothing. */
  ended(link: FollowerLink): void {
    if (!this.#links.delete(link)) return;
    const { next } = this.#deps.log;
    this.#prove(link.hello!.storeId, next, () => false, LEFT_MS);
  }

  /** These are silent, and this node leads without them, from `end` on. */
  parted(storeIds: readonly Id[], end: number): void {
    const { identity } = this.#deps;
    const { history } = identity;
    for (const storeId of storeIds)
      this.#prove(storeId, end + 1, () => identity.history !== history, 0);
  }

  /** Released when the log is durable up to `offset`, unless it is `isVoid` by then. */
  #prove(storeId: Id, offset: number, isVoid: () => boolean, afterMs: number): void {
    const { identity, log, roles, until, later } = this.#deps;
    if (roles.isStopped || !identity.awaits(storeId) || this.#isLinked(storeId)) return;
    const proof = {};
    const { swaps } = roles;
    this.#proofs.set(storeId, proof);
    const isNewest = (): boolean => this.#proofs.get(storeId) === proof;
    const isOver = (): boolean =>
      !isNewest() || roles.isStopped || roles.swaps !== swaps || isVoid();
    const end = (): void => {
      if (!isOver()) identity.release([storeId]);
      if (isNewest()) this.#proofs.delete(storeId);
    };
    const want = (): void => {
      if (!isOver() && log.durable < offset) {
        log.persist();
        log.wantDurable();
      }
      until(() => isOver() || log.durable >= offset, end);
    };
    later(afterMs, () => until(() => isOver() || log.next >= offset, want));
  }

  #isLinked(storeId: Id): boolean {
    for (const { hello } of this.#links) if (hello!.storeId === storeId) return true;
    return false;
  }
}
