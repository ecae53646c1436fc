/**
 * What an upstream last said of itself and of the root, and how long ago.
 *
 *   PING  root's clock, how old that word is, whether all links above stand, where the root's log ends
 *
 * What is handed on to the next replica is this, grown older. Every figure is bounded, because it
 * goes on the wire again.
 * Owns: the newest word on the root, over connections. Does not own: what this node itself lacks
 * (owed.ts).
 * Tested in: test/unit/replica/owed.test.ts.
 */
import { LIMITS } from "../limits.ts";
import type { Id, Ping, Welcome } from "../wire/messages.ts";

/** The root, as PING tells of it. */
export interface RootNews {
  /** Its wall clock, ms since 1970. */
  readonly clockMs: number;
  /** How old the word on its end is, ms. */
  readonly ageMs: number;
  /** For how long some link on the way to it has been down, ms; 0 while all stand. */
  readonly awayMs: number;
}

export class RootView {
  /** Where the upstream's own log ends, as last heard; -1 unknown. */
  upstreamNext = -1;
  /** Where the root's log ends, as last heard; -1 unknown. */
  end = -1;
  private word: RootNews | null = null;
  private heardAtMs = 0;
  /** The root, and the history that `end` belongs to. */
  private rootId: Id | null = null;
  /** The upstream is the root. */
  isUpstream = false;
  history: Id = "";

  /** Another upstream is followed from now on. */
  forget(): void {
    this.upstreamNext = -1;
    this.end = -1;
    this.word = null;
    this.rootId = null;
    this.isUpstream = false;
    this.history = "";
  }

  onWelcome(welcome: Welcome): void {
    const { history, offset } = welcome.position;
    this.upstreamNext = offset;
    const { rootId } = welcome;
    if (rootId === welcome.nodeId) this.end = offset;
    // The first PING says it, should the upstream know.
    else if (rootId === null || rootId !== this.rootId || history !== this.history) this.end = -1;
    // Why not lower: another way to the same root may have less than what was heard of before.
    else if (this.end >= 0) this.end = Math.max(this.end, offset);
    this.rootId = rootId;
    this.isUpstream = rootId === welcome.nodeId;
    this.history = history;
  }

  onPing(ping: Ping, nowMs: number): void {
    const { rootClockMs: clockMs, rootAgeMs: ageMs, awayMs } = ping;
    this.word = { clockMs, ageMs, awayMs };
    this.heardAtMs = nowMs;
    this.upstreamNext = Math.max(this.upstreamNext, ping.next);
    this.end = ping.rootNext ?? -1;
  }

  /** The newest word, as old as it is now; null before the first. `downForMs`: our own link's, 0 while up. */
  wordAt(nowMs: number, downForMs: number): RootNews | null {
    const { word } = this;
    if (word === null) return null;
    const sinceMs = Math.max(0, nowMs - this.heardAtMs);
    return {
      clockMs: bounded(word.clockMs + sinceMs),
      ageMs: bounded(word.ageMs + sinceMs),
      awayMs: bounded(word.awayMs > 0 ? word.awayMs + sinceMs : downForMs),
    };
  }
}

/** Whole, and what a time on the wire may be. */
function bounded(value: number): number {
  return Math.min(LIMITS.timeMsMax, Math.max(0, Math.round(value)));
}
