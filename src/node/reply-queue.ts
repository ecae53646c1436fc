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
}

/** More than this does not wait. A socket whose peer does not read keeps a page of it. */
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

  /** Copies `bytes`, which follow the log up to `offset`; false when they are too many. */
  hold(out: ReplyOut, bytes: Buffer, offset: number): boolean {
    const at = this.#outs.length === 0 ? 0 : this.#ends[this.#ends.length - 1]!;
    const end = at + bytes.length;
    if (end > PAGE_BYTES) return false;
    bytes.copy(this.#page, at);
    this.#outs.push(out);
    this.#ends.push(end);
    this.#offsets.push(offset);
    out.heldReplies += 1;
    return true;
  }

  /** Writes the replies at the front of the queue that follow the log up to `offset` at most. */
  releaseTo(offset: number): void {
    const outs = this.#outs;
    for (; this.#next < outs.length && this.#offsets[this.#next]! <= offset; this.#next++) {
      const out = outs[this.#next]!;
      const end = this.#ends[this.#next]!;
      out.heldReplies -= 1;
      if (!out.writeNow(this.#page.subarray(this.#from, end))) this.#isFree = false;
      this.#from = end;
    }
    if (outs.length > 0 && this.#next === outs.length) this.#startAgain();
  }

  #startAgain(): void {
    this.#outs.length = 0;
    this.#ends.length = 0;
    this.#offsets.length = 0;
    this.#next = 0;
    this.#from = 0;
    if (!this.#isFree) this.#page = Buffer.allocUnsafeSlow(PAGE_BYTES);
    this.#isFree = true;
  }
}
