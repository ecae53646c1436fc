/**
 * Replies that wait for the turn's answer step, in the order in which they were given.
 *
 * Each carries the end of the log when it was given, so that a condition on the log can release the
 * front of the queue: releaseTo(offset) answers what came before. One queue for all connections
 * keeps the order of each. Copies lie in one page: no object or closure for a reply.
 * Owns: the copies that wait. Does not own: sockets (resp/), when a reply may go (turn.ts).
 */

/** Where the bytes go in the end. */
export interface ReplyOut {
  /** How many of its replies wait here: what it writes next must wait behind them. */
  heldReplies: number;
  /** False when it keeps the bytes. */
  writeNow(bytes: Buffer): boolean;
  /** The same, with UNCONFIRMED in place of what answers a write. */
  writeUnconfirmed(bytes: Buffer): void;
  /** Its replies here will never be written: nobody knows what came of what they answer. */
  drop(): void;
}

/** More than this waits only when it must. A socket whose peer does not read keeps a page of it. */
const PAGE_BYTES = 64 * 1024;

export class ReplyQueue {
  #page: Buffer = Buffer.allocUnsafeSlow(PAGE_BYTES);
  /** The page may be written again: nobody keeps a part of it. */
  #isFree = true;
  readonly #outs: ReplyOut[] = [];
  readonly #ends: number[] = [];
  readonly #offsets: number[] = [];
  /** The first of those arrays that still waits, and where in the page its bytes begin. */
  #next = 0;
  #from = 0;
  /** Only when they are timed: which PING others must have answered, us, 0 for none; since when it waits, ms. */
  readonly #hears: number[] = [];
  readonly #since: number[] = [];
  readonly #isTimed: boolean;

  constructor(isTimed = false) {
    this.#isTimed = isTimed;
  }

  /** Replies that were ever given to wait. */
  queued = 0;

  /** What the newest that waits follows: an end of the log. */
  get newestOffset(): number {
    return this.#offsets.at(-1) ?? 0;
  }

  /** Replies that wait. */
  get length(): number {
    return this.#outs.length - this.#next;
  }

  /**
   * Copies `bytes`, which follow the log up to `offset`; false when they are too many, unless they
   * `must` wait: then whoever asks bounds them, connection by connection.
   */
  hold(
    out: ReplyOut,
    bytes: Buffer,
    offset: number,
    must = false,
    hearUs = 0,
    sinceMs = 0,
  ): boolean {
    let at = this.#outs.length === 0 ? 0 : this.#ends[this.#ends.length - 1]!;
    if (at + bytes.length > this.#page.length) {
      if (!must) return false;
      at = this.#makeRoom(at, bytes.length);
    }
    const end = at + bytes.length;
    bytes.copy(this.#page, at);
    this.#outs.push(out);
    this.#ends.push(end);
    this.#offsets.push(offset);
    if (this.#isTimed) {
      this.#hears.push(hearUs);
      this.#since.push(sinceMs);
    }
    out.heldReplies += 1;
    this.queued += 1;
    return true;
  }

  /**
   * Writes the replies at the front of the queue that follow the log up to `offset` at most, and need no
   * answer to a later PING than `heardUs`.
   */
  releaseTo(offset: number, heardUs = 0): void {
    const outs = this.#outs;
    for (; this.#next < outs.length && this.#offsets[this.#next]! <= offset; this.#next++) {
      if (this.#isTimed && this.#hears[this.#next]! > heardUs) break;
      const out = outs[this.#next]!;
      const end = this.#ends[this.#next]!;
      out.heldReplies -= 1;
      if (!out.writeNow(this.#page.subarray(this.#from, end))) this.#isFree = false;
      this.#from = end;
    }
    if (outs.length > 0 && this.#next === outs.length) this.#startAgain();
  }

  /** Writes what waits, since `sinceMs` or longer: whether what it answers is durable, nobody says any more. */
  giveUp(sinceMs: number = Number.POSITIVE_INFINITY): void {
    for (; this.#next < this.#outs.length; this.#next++) {
      if (this.#isTimed && this.#since[this.#next]! > sinceMs) return;
      const out = this.#outs[this.#next]!;
      const end = this.#ends[this.#next]!;
      out.heldReplies -= 1;
      out.writeUnconfirmed(this.#page.subarray(this.#from, end));
      this.#from = end;
    }
    this.#startAgain();
  }

  /** All that waits is for a log that is no more. */
  drop(): void {
    const outs = this.#outs.slice(this.#next);
    this.#startAgain();
    for (const out of outs) out.heldReplies = 0;
    for (const out of new Set(outs)) out.drop();
  }

  /** What waits goes to the front of a page that has room for `more`. @returns where the free part begins */
  #makeRoom(end: number, more: number): number {
    const from = this.#from;
    const held = end - from;
    const page = Buffer.allocUnsafeSlow(Math.max(PAGE_BYTES, 2 * (held + more)));
    this.#page.copy(page, 0, from, end);
    this.#page = page;
    this.#isFree = true;
    for (const list of [this.#outs, this.#offsets, this.#ends, this.#hears, this.#since])
      list.splice(0, this.#next);
    for (let i = 0; i < this.#ends.length; i++) this.#ends[i]! -= from;
    this.#next = 0;
    this.#from = 0;
    return held;
  }

  #startAgain(): void {
    this.#outs.length = 0;
    this.#ends.length = 0;
    this.#offsets.length = 0;
    this.#hears.length = 0;
    this.#since.length = 0;
    this.#next = 0;
    this.#from = 0;
    if (!this.#isFree || this.#page.length > PAGE_BYTES)
      this.#page = Buffer.allocUnsafeSlow(PAGE_BYTES);
    this.#isFree = true;
  }
}
