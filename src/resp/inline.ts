/**
 * Inline commands: one line of words as a human types them into telnet, split as redis's
 * sdssplitargs does, with "double quotes" (escapes \n \r \t \b \a \xHH) and 'single quotes' (\').
 *
 * Words are decoded in place: a decoded word is never longer than its text.
 * Owns: splitting a line. Does not own: finding the line (parser.ts).
 * Tested in: test/unit/resp/parser.test.ts, test/unit/fuzz/resp.test.ts.
 */

/** Where words go; may move when it has to grow. */
export interface WordSink {
  /** Records one word, `bytes[from, to)`. */
  addWord(from: number, to: number): void;
}

const SPACE = 0x20;
const DOUBLE = 0x22;
const SINGLE = 0x27;
const BACKSLASH = 0x5c;
const ESCAPES: Readonly<Record<number, number>> = {
  0x6e: 0x0a,
  0x72: 0x0d,
  0x74: 0x09,
  0x62: 0x08,
  0x61: 0x07,
};

/**
 * Splits the line `bytes[from, to)`, decoding in place.
 * @returns false when quotes are unbalanced
 */
export function splitInline(bytes: Buffer, from: number, to: number, sink: WordSink): boolean {
  let at = from;
  while (true) {
    while (at < to && isSpace(bytes[at]!)) at++;
    if (at >= to) return true;
    const word = { at, out: at };
    const start = at;
    if (!readWord(bytes, to, word)) return false;
    sink.addWord(start, word.out);
    at = word.at;
  }
}

interface Cursor {
  /** Next byte to read. */
  at: number;
  /** Next byte to write; never ahead of `at`. */
  out: number;
}

function readWord(bytes: Buffer, to: number, cursor: Cursor): boolean {
  while (cursor.at < to) {
    const byte = bytes[cursor.at]!;
    if (isSpace(byte) || byte === 0) break;
    if (byte === DOUBLE || byte === SINGLE) {
      cursor.at++;
      const closed =
        byte === DOUBLE ? readDouble(bytes, to, cursor) : readSingle(bytes, to, cursor);
      if (!closed) return false;
      // A closing quote must be followed by a space or the end.
      return cursor.at >= to || isSpace(bytes[cursor.at]!);
    }
    bytes[cursor.out++] = byte;
    cursor.at++;
  }
  // A NUL ends the line, as it ends a C string.
  if (cursor.at < to && bytes[cursor.at] === 0) cursor.at = to;
  return true;
}

function readDouble(bytes: Buffer, to: number, cursor: Cursor): boolean {
  while (cursor.at < to) {
    const byte = bytes[cursor.at++]!;
    if (byte === DOUBLE) return true;
    if (byte !== BACKSLASH || cursor.at >= to) {
      bytes[cursor.out++] = byte;
      continue;
    }
    const next = bytes[cursor.at]!;
    const high = next === 0x78 && cursor.at + 2 < to ? hexDigit(bytes[cursor.at + 1]!) : -1;
    const low = high >= 0 ? hexDigit(bytes[cursor.at + 2]!) : -1;
    if (high >= 0 && low >= 0) {
      bytes[cursor.out++] = high * 16 + low;
      cursor.at += 3;
    } else {
      bytes[cursor.out++] = ESCAPES[next] ?? next;
      cursor.at++;
    }
  }
  return false;
}

function readSingle(bytes: Buffer, to: number, cursor: Cursor): boolean {
  while (cursor.at < to) {
    const byte = bytes[cursor.at++]!;
    if (byte === SINGLE) return true;
    if (byte === BACKSLASH && bytes[cursor.at] === SINGLE && cursor.at < to) {
      bytes[cursor.out++] = SINGLE;
      cursor.at++;
    } else {
      bytes[cursor.out++] = byte;
    }
  }
  return false;
}

/** C's isspace. */
function isSpace(byte: number): boolean {
  return byte === SPACE || (byte >= 0x09 && byte <= 0x0d);
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
