/**
 * A Map's changes as records: those of every key-value store here (key-value-records.ts), with keys and values
 * as a codec makes them.
 *
 *   set("a", "bc") with the codecs utf8 and plain:  01 01000000 61 00 6263
 *   delete("a")                                     02 61
 *   clear()                                         03
 *
 * Owns: what a codec is. Does not own: codecs (map-codecs.ts), effects (map.ts).
 * Tested in: test/unit/adapters/map.test.ts.
 */
import { writePutHead } from "./key-value-records.ts";
import type { Codec } from "./map-codecs.ts";

/** A Map's keys and values as bytes, under a name: both ends of a link must have the same. */
export interface MapCodec<K, V> {
  /** Up to 255 bytes of UTF-8. */
  readonly name: string;
  /** Goes up with every change of the bytes. */
  readonly version: number;
  /** Keys are compared as a Map compares them: strings, numbers, bigints, not objects. */
  readonly key: Codec<K>;
  readonly value: Codec<V>;
}

/** Writes a put of `keyBytes` and the value's bytes at `at`. */
export function writeEntry<K, V>(
  codec: MapCodec<K, V>,
  key: K,
  keyBytes: number,
  value: V,
  into: Buffer,
  at: number,
): void {
  const keyAt = writePutHead(into, at, keyBytes);
  codec.key.write(key, into, keyAt);
  codec.value.write(value, into, keyAt + keyBytes);
}
