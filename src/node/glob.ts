/**
 * Glob patterns as redis matches them: * ? [abc] [^abc] [a-z] and \ to take a character literally.
 *
 * Port of stringmatchlen: bytes, not characters. A pattern with many stars is cut short the way
 * redis does it: once a star was tried to the end of the string, outer stars give up too.
 * Owns: matching. Does not own: what is matched.
 */

const STAR = 0x2a;
const QUESTION = 0x3f;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const BACKSLASH = 0x5c;
const CARET = 0x5e;
const DASH = 0x2d;

/** Depth of nested stars, as redis 7.0.15 limits it. Threat: stack exhaustion. */
const DEPTH_MAX = 1000;

interface Progress {
  /** A deeper star reached the end of the string: trying further is useless. */
  skip: boolean;
}

/** Whether all of `text[from, to)` matches all of `pattern`. */
export function matchesGlob(pattern: Buffer, text: Buffer, from: number, to: number): boolean {
  return match(pattern, 0, text, from, to, { skip: false }, 0);
}

function match(
  pattern: Buffer,
  patternFrom: number,
  text: Buffer,
  from: number,
  to: number,
  progress: Progress,
  depth: number,
): boolean {
  if (depth > DEPTH_MAX) return false;
  let p = patternFrom;
  let t = from;
  const patternEnd = pattern.length;
  while (p < patternEnd && t < to) {
    const byte = pattern[p]!;
    if (byte === STAR) {
      while (p + 1 < patternEnd && pattern[p + 1] === STAR) p++;
      if (p + 1 === patternEnd) return true;
      for (; t < to; t++) {
        if (match(pattern, p + 1, text, t, to, progress, depth + 1)) return true;
        if (progress.skip) return false;
      }
      progress.skip = true;
      return false;
    }
    if (byte === OPEN) {
      const end = matchClass(pattern, p + 1, text[t]!);
      if (end < 0) return false;
      p = end;
    } else if (byte !== QUESTION) {
      if (byte === BACKSLASH && p + 1 < patternEnd) p++;
      if (pattern[p] !== text[t]) return false;
    }
    p++;
    t++;
  }
  if (t === to) while (p < patternEnd && pattern[p] === STAR) p++;
  return p === patternEnd && t === to;
}

/** Matches the class after "[" at `from`; index of its last byte when `byte` is in it, else -1. */
function matchClass(pattern: Buffer, from: number, byte: number): number {
  const end = pattern.length;
  let p = from;
  const negated = pattern[p] === CARET;
  if (negated) p++;
  let found = false;
  while (true) {
    if (p < end && pattern[p] === BACKSLASH && end - p >= 2) {
      p++;
      if (pattern[p] === byte) found = true;
    } else if (pattern[p] === CLOSE) {
      break;
    } else if (p >= end) {
      p--;
      break;
    } else if (end - p >= 3 && pattern[p + 1] === DASH) {
      const a = pattern[p]!;
      const b = pattern[p + 2]!;
      p += 2;
      if (byte >= Math.min(a, b) && byte <= Math.max(a, b)) found = true;
    } else if (pattern[p] === byte) {
      found = true;
    }
    p++;
  }
  return found !== negated ? p : -1;
}
