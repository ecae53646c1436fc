/**
 * One run of the pump: links are fed in rotation from where the last run ended, each up to its
 * budget, until runBytes are written. What is left over waits for the next turn, so that a run
 * blocks the loop for well under a millisecond however many links there are.
 *
 * Owns: rotation, the bytes of one run, PING. Does not own: one link's arithmetic (link-feed.ts).
 */
import type { Feeder } from "./feeder.ts";
import { feed, hasMore, type FeedContext } from "./link-feed.ts";
import type { Link } from "./link.ts";
import { beginShip, fellBehind, finishShip } from "./ship-life.ts";

export class Pump implements FeedContext {
  nowMs = 0;
  readonly counters = { streamBytes: 0, chunkBytes: 0, chunks: 0 };
  private readonly feeder: Feeder;
  private rotation = 0;

  constructor(feeder: Feeder) {
    this.feeder = feeder;
  }

  /** @returns true when something could be sent at once in another run */
  run(nowMs: number): boolean {
    const { links, options } = this.feeder;
    const count = links.length;
    if (count === 0) return false;
    this.nowMs = nowMs;
    let left = options.runBytes;
    // Why a copy: feeding may close a link, which takes it out of the list.
    const order = count === 1 ? [links[0]!] : links.slice();
    const start = this.rotation % count;
    // Why more for few: four writes of 256 KiB cost a third more than one of 1 MiB.
    const share = Math.max(options.budgetBytes, Math.floor(options.runBytes / count));
    for (let i = 0; i < count && left > 0; i++) {
      const link = order[(start + i) % count]!;
      if (link.isClosed || link.hello === null) continue;
      const budget = Math.min(share, left);
      left -= feed(link, budget, this);
      // A link whose budget the others had used up is first in the next run, or it would get the
      // rest of every run; the first of a run has had all there is.
      const cutShort = budget < share && i > 0;
      this.rotation = start + i + (cutShort ? 0 : 1);
    }
    this.count();
    return left <= 0 || links.some(hasMore);
  }

  private count(): void {
    const { counters, feeder } = this;
    if (counters.streamBytes > 0) feeder.counters.bump("stream_bytes_sent", counters.streamBytes);
    if (counters.chunks > 0) {
      feeder.counters.bump("snapshot_bytes_sent", counters.chunkBytes);
      feeder.counters.bump("snapshot_chunks_sent", counters.chunks);
    }
    counters.streamBytes = 0;
    counters.chunkBytes = 0;
    counters.chunks = 0;
  }

  // --- as FeedContext --------------------------------------------------------------------------

  ping(link: Link): void {
    const { nowMs, feeder } = this;
    const { node } = feeder.deps;
    const { ackWanted: ackNow } = link;
    link.pingDue = false;
    link.ackWanted = false;
    link.lastPingMs = nowMs;
    link.say(
      {
        type: "ping",
        sentUs: Math.round(nowMs * 1000),
        rootClockMs: node.rootClockMs(),
        awayMs: Math.round(node.awayMs()),
        next: feeder.backlog.next,
        ackNow,
      },
      nowMs,
    );
  }

  shipTokens(): number {
    return this.feeder.shipping.tokensNow(this.nowMs);
  }

  takeShipTokens(bytes: number): void {
    this.feeder.shipping.takeTokens(bytes);
  }

  beginShip(...[link, ship]: Parameters<FeedContext["beginShip"]>): void {
    beginShip(this.feeder, link, ship, this.nowMs);
  }

  finishShip(...[link, ship]: Parameters<FeedContext["finishShip"]>): void {
    finishShip(this.feeder, link, ship, this.nowMs);
  }

  fellBehind(link: Link): void {
    fellBehind(this.feeder, link, this.nowMs);
  }
}
