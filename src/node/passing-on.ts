/**
 * A replica that hears of a leader with a higher rank than the one that it follows tells its own upstream of it: so
 * the word gets to whoever leads at the top, which is fenced by it (fence.ts), though nobody below knows where.
 *
 *   what it hears                                 then
 *   a rank above its own, of the same cluster     its upstream is told, as by ANNOUNCE, without an address
 *   the same again within a second                nothing: words that go in a circle end here
 *   anything else, or it follows nobody           nothing
 *
 * Pure core: connections are its owner's. Owns: what is passed on. Does not own: what the receiver does with it
 * (role-moves.ts).
 */
import { compareLeaders, latestCommon, type LogName } from "../log/history.ts";
import type { Address } from "../net/address.ts";
import type { LedLog } from "../primary/deps.ts";
import type { Announcement } from "../replica/inquiry.ts";
import type { Id } from "../wire/messages.ts";

/** The same word is passed on no more often, ms. */
const AGAIN_MS = 1_000;

/** This node, as far as it decides. */
export interface PassingSelf extends LogName {
  readonly nodeId: Id;
  readonly clusterId: Id | null;
}

export interface PassingDeps {
  readonly tell: (upstream: Address, announcement: Announcement) => void;
  readonly now: () => number;
}

export class PassingOn {
  readonly #deps: PassingDeps;
  /** What was passed on last, and when. */
  #history: Id = "";
  #atMs = Number.NEGATIVE_INFINITY;

  constructor(deps: PassingDeps) {
    this.#deps = deps;
  }

  /** `self`, a replica of `upstream`, has heard of `led`. */
  heard(self: PassingSelf, upstream: Address, led: LedLog): void {
    const { clusterId, history, rank, lineage } = led;
    if (clusterId === null || clusterId !== self.clusterId) return;
    if (latestCommon(led, self) === null || compareLeaders(led, self) <= 0) return;
    const nowMs = this.#deps.now();
    if (history === this.#history && nowMs - this.#atMs < AGAIN_MS) return;
    this.#history = history;
    this.#atMs = nowMs;
    this.#deps.tell(upstream, {
      nodeId: self.nodeId,
      clusterId,
      address: { host: "", clientPort: 0, replPort: 0 },
      position: { history, offset: 0, chain: 0 },
      rank,
      lineage,
    });
  }
}
