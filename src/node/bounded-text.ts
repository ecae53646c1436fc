/**
 * Bytes of a client or of the store as strings, never longer than the caller says.
 *
 * Threat: a bulk may have 512 MB, a string of the engine a little less, and one that is longer throws.
 * Only here bytes from outside become strings (test/unit/node/bounded-text.test.ts looks at every
 * file of src/node, src/resp and src/daemon). Owns: the bounds' enforcement. Does not own: how long a thing may be (its reader).
 */

/** Bytes of a client's words that an error repeats, as redis's. */
const SHOWN_BYTES_MAX = 128;

/** `bytes[from, to)` with one byte a character; null when it has more than `max` bytes. */
export function latin1Within(bytes: Buffer, from: number, to: number, max: number): string | null {
  return to - from > max ? null : bytes.toString("latin1", from, to);
}

/** `bytes[from, to)` as utf-8; null when it has more than `max` bytes. */
export function utf8Within(bytes: Buffer, from: number, to: number, max: number): string | null {
  return to - from > max ? null : bytes.toString("utf8", from, to);
}

/** What an error repeats of `bytes[from, to)`: up to the first NUL, as %s prints it, and `max` bytes. */
export function shownText(
  bytes: Buffer,
  from: number,
  to: number,
  max: number = SHOWN_BYTES_MAX,
): string {
  const text = bytes.toString("latin1", from, Math.min(to, from + max));
  const end = text.indexOf("\0");
  return end === -1 ? text : text.slice(0, end);
}
