/**
 * Texts of a peer: hostile until shown otherwise.
 *
 * Owns: making them fit for a log line, and fit for a frame. Does not own: where they are shown.
 */

/** Control and format characters (escape sequences, text direction), line and paragraph separators,
 * halves of surrogate pairs, private and unassigned code points. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/gu;

/** `text` with every character that a terminal or log might act on as \u{hex}. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, (found) => `\\u{${found.codePointAt(0)!.toString(16)}}`);
}

/** The longest beginning of `text` that has at most `bytesMax` bytes of utf-8. */
export function clipText(text: string, bytesMax: number): string {
  if (Buffer.byteLength(text) <= bytesMax) return text;
  const bytes = Buffer.from(text);
  let end = bytesMax;
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end -= 1; // Not inside a character.
  return bytes.toString("utf8", 0, end);
}
