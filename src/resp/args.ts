/**
 * The arguments of one command, as offsets into the bytes they arrived in; argument 0 is its name.
 *
 * One object per server is pointed at each command in turn, so a command costs no allocation.
 * Owns: reading arguments. Does not own: parsing requests (parser.ts), replies.
 */

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

  /** One byte a character: exact for keys. */
  latin1(index: number): string {
    return this.bytes.toString("latin1", this.from(index), this.to(index));
  }

  text(index: number): string {
    return this.bytes.toString("utf8", this.from(index), this.to(index));
  }

  /** A copy of its own. */
  copy(index: number): Buffer {
    return Buffer.from(this.bytes.subarray(this.from(index), this.to(index)));
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

  /** Arguments and their bytes in buffers of their own: what MULTI queues. */
  detach(): Args {
    const detached = new Args();
    const start = this.from(0);
    const bytes = Buffer.from(this.bytes.subarray(start, this.to(this.count - 1)));
    const from = new Uint32Array(this.count);
    const to = new Uint32Array(this.count);
    for (let i = 0; i < this.count; i++) {
      from[i] = this.from(i) - start;
      to[i] = this.to(i) - start;
    }
    detached.point(bytes, from, to, 0, this.count);
    return detached;
  }
}
