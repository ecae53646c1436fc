/**
 * The arguments of one command, as offsets into the bytes they arrived in; argument 0 is its name.
 *
 * One object per server is pointed at each command in turn, so a command costs no allocation.
 * Owns: reading arguments. Does not own: parsing requests (parser.ts), replies.
 * Tested in: test/unit/resp/one-reply.test.ts, test/e2e/beside-redis/connection.test.ts.
 */
import { latin1Within, shownText, utf8Within } from "../node/bounded-text.ts";

const NO_BYTES = Buffer.alloc(0);
const NO_SLOTS = new Uint32Array(0);

export class Args {
  bytes: Buffer = NO_BYTES;
  /** Arguments, the name included. */
  count = 0;
  #from: Uint32Array = NO_SLOTS;
  #to: Uint32Array = NO_SLOTS;
  #base = 0;

  /** Points at the slots `[base, base + count)` of a parser's tables. */
  point(bytes: Buffer, from: Uint32Array, to: Uint32Array, base: number, count: number): void {
    this.bytes = bytes;
    this.#from = from;
    this.#to = to;
    this.#base = base;
    this.count = count;
  }

  from(index: number): number {
    return this.#from[this.#base + index]!;
  }

  to(index: number): number {
    return this.#to[this.#base + index]!;
  }

  length(index: number): number {
    return this.#to[this.#base + index]! - this.#from[this.#base + index]!;
  }

  /** One byte a character; null when it has more than `max` bytes. */
  latin1(index: number, max: number): string | null {
    return latin1Within(this.bytes, this.from(index), this.to(index), max);
  }

  /** latin1() in lower case. */
  word(index: number, max: number): string | null {
    return this.latin1(index, max)?.toLowerCase() ?? null;
  }

  /** As utf-8; null when it has more than `max` bytes. */
  text(index: number, max: number): string | null {
    return utf8Within(this.bytes, this.from(index), this.to(index), max);
  }

  /** What an error repeats of it: its first `max` bytes, 128 when not told. */
  shown(index: number, max?: number): string {
    return shownText(this.bytes, this.from(index), this.to(index), max);
  }

  /** Its bytes where they lie: valid while the command runs. */
  view(index: number): Buffer {
    return this.bytes.subarray(this.from(index), this.to(index));
  }

  /** Whether argument `index` is `upper` ("EX") in any case. */
  is(index: number, upper: string): boolean {
    const from = this.from(index);
    if (this.length(index) !== upper.length) return false;
    for (let i = 0; i < upper.length; i++) {
      const byte = this.bytes[from + i]!;
      const upperByte = byte >= 0x61 && byte <= 0x7a ? byte - 0x20 : byte;
      if (upperByte !== upper.charCodeAt(i)) return false;
    }
    return true;
  }
}
