/** A seeded generator: the same seed gives the same test. */
import { Draws } from "../src/conformance/draws.ts";

export class Random extends Draws {
  /** In [0, 1). */
  fraction(): number {
    return this.next() / 0x1_0000_0000;
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
