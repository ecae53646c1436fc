/**
 * One run of the pump, which writes at most runBytes, so that it blocks the loop for well under a
 * millisecond however many links there are. What is left over waits for the next turn.
 *
 *   near    at most budgetBytes behind       first: all it wants
 *   far     further behind                   then, in rotation: what is left, as one write of 1 MiB
 *                                            costs a quarter less than four of 256 KiB
 *   shipping                                 with the far ones: budgetBytes
 *
 * Near links leave budgetBytes to the far ones, if there are any, so that neither kind starves.
 * Owns: order, the bytes of one run, PING. Does not own: one link's arithmetic (link-feed.ts).
 * Tested in: test/unit/primary/feeder.test.ts.
 */
import type { Cursor } from "../log/cursor.ts";
import { feed, hasMore, type FeedContext } from "./link-feed.ts";
import type { Link } from "./link.ts";
import { beginShip, fellBehind, finishShip, type ShipOwner } from "./ship-life.ts";

/** What the pump needs of the feeder: the links, and what the ships that it feeds need. */
export interface PumpOwner extends ShipOwner {
  readonly links: readonly Link[];
}

export class Pump implements FeedContext {
  nowMs = 0;
  readonly counters = { streamBytes: 0, storedBytes: 0, chunkBytes: 0, chunks: 0 };
  private readonly owner: PumpOwner;
  /** Where the next run begins, for near links and for far ones. */
  private readonly rotation = { near: 0, far: 0 };

  readonly #wake = (): void => this.owner.wantPump();

  constructor(owner: PumpOwner) {
    this.owner = owner;
  }

  /** @returns true when something could be sent at once in another run */
  run(nowMs: number): boolean {
    const { links, options } = this.owner;
    const count = links.length;
    if (count === 0) return false;
    this.nowMs = nowMs;
    // Why a copy: feeding may close a link, which takes it out of the list.
    const order = count === 1 ? [links[0]!] : links.slice();
    const { budgetBytes, runBytes } = options;
    let anyFar = false;
    for (let i = 0; i < count && !anyFar; i++) anyFar = this.isFar(order[i]!);
    const kept = anyFar ? Math.min(budgetBytes, runBytes >>> 1) : 0;
    let left = this.feedAll("near", order, anyFar, runBytes - kept) + kept;
    if (anyFar) left = this.feedAll("far", order, true, left);
    this.count();
    return left <= 0 || links.some(hasMore);
  }

  private isFar(link: Link): boolean {
    if (link.state.kind === "shipping") return true;
    if (link.state.kind !== "streaming") return false;
    return this.owner.backlog.next - link.sent > this.owner.options.budgetBytes;
  }

  /**
   * Feeds links of one kind until `most` bytes are written; returns what is left of them.
   * @param isMixed there are links of the other kind too, perhaps
   */
  private feedAll(
    kind: "near" | "far",
    order: readonly Link[],
    isMixed: boolean,
    most: number,
  ): number {
    const { budgetBytes, runBytes } = this.owner.options;
    const start = this.rotation[kind] % order.length;
    let left = most;
    let isFirst = true;
    for (let i = 0; i < order.length; i++) {
      const link = order[(start + i) % order.length]!;
      if (link.isClosed || link.hello === null) continue;
      if (isMixed && this.isFar(link) !== (kind === "far")) continue;
      if (left <= 0) break;
      const wanted = kind === "far" && link.state.kind === "streaming" ? runBytes : budgetBytes;
      const budget = Math.min(wanted, left);
      left -= feed(link, budget, this);
      // A link whose budget the others had used up is first in the next run, or it would get the
      // rest of every run; the first of a run has had all there is.
      const cutShort = budget < wanted && !isFirst;
      this.rotation[kind] = start + i + (cutShort ? 0 : 1);
      isFirst = false;
    }
    return left;
  }

  private count(): void {
    const { counters, owner } = this;
    if (counters.streamBytes > 0) owner.counters.bump("stream_bytes_sent", counters.streamBytes);
    if (counters.storedBytes > 0)
      owner.counters.bump("stream_bytes_from_store", counters.storedBytes);
    if (counters.chunks > 0) {
      owner.counters.bump("snapshot_bytes_sent", counters.chunkBytes);
      owner.counters.bump("snapshot_chunks_sent", counters.chunks);
    }
    counters.streamBytes = 0;
    counters.storedBytes = 0;
    counters.chunkBytes = 0;
    counters.chunks = 0;
  }

  // --- as FeedContext --------------------------------------------------------------------------

  ping(link: Link): void {
    const { nowMs, owner } = this;
    const root = owner.deps.node.root();
    const { next } = owner.backlog;
    const ackNow = link.heartbeat.isAckWanted;
    link.heartbeat.pinged(nowMs);
    link.say(
      {
        type: "ping",
        sentUs: Math.round(nowMs * 1000),
        rootClockMs: root.clockMs,
        rootAgeMs: root.ageMs,
        awayMs: root.awayMs,
        next,
        rootNext:
          root.owedBytes < 0 ? null : Math.min(Number.MAX_SAFE_INTEGER, next + root.owedBytes),
        ackNow,
      },
      nowMs,
    );
  }

  shipTokens(): number {
    return this.owner.shipping.tokensNow(this.nowMs);
  }

  takeShipTokens(bytes: number): void {
    this.owner.shipping.takeTokens(bytes);
  }

  beginShip(...[link, ship]: Parameters<FeedContext["beginShip"]>): void {
    beginShip(this.owner, link, ship, this.nowMs);
  }

  finishShip(...[link, ship]: Parameters<FeedContext["finishShip"]>): void {
    finishShip(this.owner, link, ship, this.nowMs);
  }

  readLogStore(cursor: Cursor): void {
    cursor.fetch(this.#wake);
  }

  fellBehind(link: Link): void {
    fellBehind(this.owner, link, this.nowMs);
  }
}
