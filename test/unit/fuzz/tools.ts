/** Damage for fuzzers: byte flips, truncation, splices, length bombs. */
import type { Random } from "../../../tools/random.ts";

/** A damaged copy; `other` is a second valid stream to splice with. */
export function damage(random: Random, whole: Buffer, other: Buffer): Buffer {
  const bytes = Buffer.from(whole);
  const at = random.between(0, Math.max(1, bytes.length));
  switch (random.between(0, 6)) {
    case 0:
      bytes[at]! ^= 1 << random.between(0, 8);
      return bytes;
    case 1:
      return bytes.subarray(0, at);
    case 2:
      return Buffer.concat([
        bytes.subarray(0, at),
        other.subarray(random.between(0, other.length)),
      ]);
    case 3:
      // A length bomb: some u32 becomes huge.
      if (bytes.length >= 4)
        bytes.writeUInt32LE(
          random.pick([0xffff_ffff, 0x7fff_ffff, 1 << 24]),
          at & ~3 & (bytes.length - 4),
        );
      return bytes;
    case 4:
      return Buffer.concat([
        bytes.subarray(0, at),
        random.bytes(random.between(0, 40)),
        bytes.subarray(at),
      ]);
    default:
      return Buffer.concat([
        bytes.subarray(0, at),
        bytes.subarray(Math.min(bytes.length, at + random.between(1, 20))),
      ]);
  }
}
