/**
 * Copies into the arena. A native call costs 70 to 80 ns before the first byte (a view is made for the
 * source), so that short ranges go faster in JavaScript: as whole words, shifted together when the
 * source is not aligned. Measured, ns for a copy to an aligned place:
 *
 *   bytes        16    64   116   200   400  1000
 *   native set   79    85    97   118   167   327
 *   byte loop    28    97   179   308   841
 *   words        22    37    53    81   146   346
 */

const WORDS_BYTES_MAX = 512;
const LOOP_BYTES_MAX = 32;
/** A key is rarely longer: views would cost more. */
const TRANSCRIBE_LOOP_BYTES_MAX = 24;

/** The array that copyTail() read last, and its memory as words: log and chunk buffers recur. */
const NOTHING = new Uint8Array(0);
let viewOf: Uint8Array = NOTHING;
let view: Uint32Array = new Uint32Array(0);
let viewOffset = 0;

/** The whole memory that `bytes` lies in, as words; without what is no whole word at its end. */
function wordsOf(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(bytes.buffer, 0, bytes.buffer.byteLength >>> 2);
}

function lookAt(source: Uint8Array): void {
  viewOf = source;
  view = wordsOf(source);
  viewOffset = source.byteOffset;
}

/** Lets go of the memory that is only remembered from the last calls. */
export function forgetSource(): void {
  lookAt(NOTHING);
  seen = sourceOf = targetOf = NOTHING;
  sourceWords = targetWords = new Uint32Array(0);
}

/**
 * Copies source[from, to) to byte `at`, a multiple of 4, of `words` (`bytes` is the same memory), and
 * zeros what follows up to a multiple of 8: the end of a record.
 */
export function copyTail(
  words: Uint32Array,
  bytes: Uint8Array,
  at: number,
  source: Uint8Array,
  from: number,
  to: number,
): void {
  const length = to - from;
  const end = at + length;
  let word = at >>> 2;
  if (length > WORDS_BYTES_MAX) {
    bytes.set(source.subarray(from, to), at);
    for (let i = end; (i & 7) !== 0; i++) bytes[i] = 0;
    return;
  }
  const whole = end >>> 2;
  if (source !== viewOf) lookAt(source);
  const start = viewOffset + from;
  // A word that is not aligned is put together from two: the second must be inside, too.
  const safe = Math.min(whole, word + view.length - (start >>> 2) - 1);
  if (safe > word) {
    copyWords(words, word, safe, view, start);
    from += (safe - word) << 2;
    word = safe;
  }
  if (word < whole) copyAssembled(words, word, whole, source, from);
  word = whole;
  if ((end & 3) !== 0) {
    let last = 0;
    for (let i = to - (end & 3), shift = 0; i < to; i++, shift += 8) last |= source[i]! << shift;
    words[word++] = last;
  }
  if ((word & 1) !== 0) words[word] = 0;
}

/** Fills into[word, end) from byte `start` of `source`. */
function copyWords(
  into: Uint32Array,
  word: number,
  end: number,
  source: Uint32Array,
  start: number,
): void {
  const shift = (start & 3) << 3;
  let next = start >>> 2;
  if (shift === 0) {
    while (word < end) into[word++] = source[next++]!;
    return;
  }
  const rest = 32 - shift;
  let low = source[next++]! >>> shift;
  while (word < end) {
    const high = source[next++]!;
    into[word++] = low | (high << rest);
    low = high >>> shift;
  }
}

/** The same from bytes: for the last words of the source's memory. */
function copyAssembled(
  words: Uint32Array,
  word: number,
  end: number,
  source: Uint8Array,
  from: number,
): void {
  for (let i = from; word < end; i += 4) {
    words[word++] =
      source[i]! | (source[i + 1]! << 8) | (source[i + 2]! << 16) | (source[i + 3]! << 24);
  }
}

/** Copies source[from, to) to target[at, ...), any alignment; they may be the same memory. */
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

/** Both ends of the last transcribe(), as words of their whole memory. */
let sourceOf: Uint8Array = NOTHING;
let sourceWords: Uint32Array = new Uint32Array(0);
let sourceOffset = 0;
/** The source before, when it came once. */
let seen: Uint8Array = NOTHING;
let targetOf: Uint8Array = NOTHING;
let targetWords: Uint32Array = new Uint32Array(0);
let targetOffset = 0;

/**
 * Copies source[from, to) to target[at, ...), which is other memory, any alignment: from what a
 * client sent to the log. Both ends should recur: a view is made when one changes.
 * @returns where the copy ends in target
 */
export function transcribe(
  target: Uint8Array,
  at: number,
  source: Uint8Array,
  from: number,
  to: number,
): number {
  const end = at + (to - from);
  const length = to - from;
  if (length <= TRANSCRIBE_LOOP_BYTES_MAX) {
    while (from < to) target[at++] = source[from++]!;
    return end;
  }
  if (length > WORDS_BYTES_MAX) {
    target.set(source.subarray(from, to), at);
    return end;
  }
  if (source !== sourceOf) {
    if (source !== seen) {
      // A view pays only for a source that comes again: an embedder's values do not.
      seen = source;
      target.set(source.subarray(from, to), at);
      return end;
    }
    sourceOf = source;
    sourceWords = wordsOf(source);
    sourceOffset = source.byteOffset;
  }
  if (target !== targetOf) {
    targetOf = target;
    targetWords = wordsOf(target);
    targetOffset = target.byteOffset;
  }
  while (((at + targetOffset) & 3) !== 0) target[at++] = source[from++]!;
  const words = (to - from) >>> 2;
  const start = from + sourceOffset;
  // The last word is read whole, beyond what is wanted of it.
  if (start + (words << 2) + 4 > sourceWords.length << 2) {
    while (from < to) target[at++] = source[from++]!;
    return end;
  }
  const word = (at + targetOffset) >>> 2;
  copyWords(targetWords, word, word + words, sourceWords, start);
  at += words << 2;
  from += words << 2;
  while (from < to) target[at++] = source[from++]!;
  return end;
}
