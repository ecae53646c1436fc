/**
 * Which of the replies of one connection answer writes that are not durable yet, or show what others have not
 * confirmed: places in the stream of its replies, counted in bytes from its beginning. What cannot be confirmed
 * any more is replaced there by an error, reply by reply, and everything else stays as it is and where it is.
 *
 * Filled only under --fsync always, and in synchronous mode. Three numbers for a reply, no object.
 * Owns: the places. Does not own: the replies (node/reply-queue.ts), when they are given up (node/turn.ts).
 */
import { ERR } from "./commands/command.ts";
import { UNCONFIRMED, type Unconfirmed } from "./unconfirmed.ts";

const TEXTS: readonly Buffer[] = [ERR.unconfirmed, ERR.unconfirmedWrite, ERR.unconfirmedRead].map(
  (text) => Buffer.from(`-${text}\r\n`),
);
/** So many places that are over with are not worth a copy of the rest. */
const OVER_MAX = 1024;

export class HeldWrites {
  /** What one counts for, beside its reply: what may come to stand there, and its three numbers. */
  static readonly BYTES: number = Math.max(...TEXTS.map((text) => text.length)) + 24;

  /** From, to and why of each, in the order of the stream; those before #next are over with. */
  readonly #places: number[] = [];
  #next = 0;

  /** The reply in [from, to) answers a write, or a read. */
  add(from: number, to: number, what: Unconfirmed): void {
    this.#places.push(from, to, what);
  }

  /** Replies before `sent` are on their way. */
  dropTo(sent: number): void {
    const places = this.#places;
    if (places.length === 0) return;
    while (this.#next < places.length && places[this.#next + 1]! <= sent) this.#next += 3;
    if (this.#next === places.length) {
      places.length = 0;
      this.#next = 0;
    } else if (this.#next > OVER_MAX && 2 * this.#next > places.length) {
      places.splice(0, this.#next);
      this.#next = 0;
    }
  }

  /**
   * `bytes` of the stream, which begin at `at`, with the error in place of what answers a write. Of a reply
   * that began in an earlier piece, which said the error, nothing is left.
   */
  unconfirmed(
    bytes: Buffer,
    at: number,
  ): { readonly bytes: Buffer; readonly writes: number; readonly reads: number } {
    const parts: Buffer[] = [];
    const end = at + bytes.length;
    let done = at;
    let writes = 0;
    let reads = 0;
    for (let i = this.#next; i < this.#places.length && this.#places[i]! < end; i += 3) {
      const from = this.#places[i]!;
      const to = this.#places[i + 1]!;
      if (to <= at) continue;
      if (from >= at) {
        const what = this.#places[i + 2]!;
        parts.push(bytes.subarray(done - at, from - at), TEXTS[what]!);
        if (what === UNCONFIRMED.read) reads += 1;
        else writes += 1;
      }
      done = Math.min(to, end);
    }
    parts.push(bytes.subarray(done - at));
    return { bytes: Buffer.concat(parts), writes, reads };
  }
}
