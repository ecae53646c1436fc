/**
 * Copies between byte arrays. A loop wins for short ranges, where a native call costs more than
 * the bytes.
 */

const LOOP_BYTES_MAX = 32;

/** Copies source[from, to) to target[at, ...); correct when both are the same memory. */
export function copyBytes(
  target: Uint8Array,
  at: number,
  source: Uint8Array,
  from: number,
  to: number,
): void {
  if (to - from > LOOP_BYTES_MAX) {
    target.set(source.subarray(from, to), at);
    return;
  }
  for (let i = from; i < to; i++) target[at++] = source[i]!;
}
