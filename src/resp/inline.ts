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

interface Place {
  /** Next byte to read. */
  at: number;
  /** Next byte to write; never ahead of `at`. */
  out: number;
}

function readWord(bytes: Buffer, to: number, place: Place): boolean {
  while (place.at < to) {
    const byte = bytes[place.at]!;
    if (isSpace(byte) || byte === 0) break;
    if (byte === DOUBLE || byte === SINGLE) {
      place.at++;
      const closed = byte === DOUBLE ? readDouble(bytes, to, place) : readSingle(bytes, to, place);
      if (!closed) return false;
      // A closing quote must be followed by a space or the end.
      return place.at >= to || isSpace(bytes[place.at]!);
    }
    bytes[place.out++] = byte;
    place.at++;
  }
  // A NUL ends the line, as it ends a C string.
  if (place.at < to && bytes[place.at] === 0) place.at = to;
  return true;
}

function readDouble(bytes: Buffer, to: number, place: Place): boolean {
  while (place.at < to) {
    const byte = bytes[place.at++]!;
    if (byte === DOUBLE) return true;
    if (byte !== BACKSLASH || place.at >= to) {
      bytes[place.out++] = byte;
      continue;
    }
    const next = bytes[place.at]!;
    const high = next === 0x78 && place.at + 2 < to ? hexDigit(bytes[place.at + 1]!) : -1;
    const low = high >= 0 ? hexDigit(bytes[place.at + 2]!) : -1;
    if (high >= 0 && low >= 0) {
      bytes[place.out++] = high * 16 + low;
      place.at += 3;
    } else {
      bytes[place.out++] = ESCAPES[next] ?? next;
      place.at++;
    }
  }
  return false;
}

function readSingle(bytes: Buffer, to: number, place: Place): boolean {
  while (place.at < to) {
    const byte = bytes[place.at++]!;
    if (byte === SINGLE) return true;
    if (byte === BACKSLASH && bytes[place.at] === SINGLE && place.at < to) {
      bytes[place.out++] = SINGLE;
      place.at++;
    } else {
      bytes[place.out++] = byte;
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
