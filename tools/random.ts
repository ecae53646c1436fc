/** A seeded generator (mulberry32): the same seed gives the same test. */
export class Random {
  #state: number;
  constructor(seed: number) {
    this.#state = seed >>> 0;
  }
  /** u32. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }
  /** In [0, 1). */
  fraction(): number {
    return this.next() / 0x1_0000_0000;
  }
  /** An integer in [from, to). */
  between(from: number, to: number): number {
    return from + Math.floor(this.fraction() * (to - from));
  }
  pick<T>(list: readonly T[]): T {
    return list[this.between(0, list.length)]!;
  }
  /** `length` bytes that do not compress. */
  bytes(length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    let at = 0;
    for (; at + 4 <= length; at += 4) bytes.writeUInt32LE(this.next(), at);
    for (; at < length; at++) bytes[at] = this.next() & 0xff;
    return bytes;
  }
}
