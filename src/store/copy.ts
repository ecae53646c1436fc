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

/** The array that copyTail() read last, and its memory as words: log and chunk buffers recur. */
const NOTHING = new Uint8Array(0);
let viewOf: Uint8Array = NOTHING;
let view: Uint32Array = new Uint32Array(0);
let viewOffset = 0;

function lookAt(source: Uint8Array): void {
  viewOf = source;
  view = new Uint32Array(source.buffer, 0, source.buffer.byteLength >>> 2);
  viewOffset = source.byteOffset;
}

/** Lets go of the last source. */
export function forgetSource(): void {
  lookAt(NOTHING);
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
  if (start + length + 4 <= view.length << 2) copyWords(words, word, whole, start);
  else copyAssembled(words, word, whole, source, from);
  word = whole;
  if ((end & 3) !== 0) {
    let last = 0;
    for (let i = to - (end & 3), shift = 0; i < to; i++, shift += 8) last |= source[i]! << shift;
    words[word++] = last;
  }
  if ((word & 1) !== 0) words[word] = 0;
}

/** Fills words[word, end) from byte `start` of the view. */
function copyWords(words: Uint32Array, word: number, end: number, start: number): void {
  const from = view;
  const shift = (start & 3) << 3;
  let next = start >>> 2;
  if (shift === 0) {
    while (word < end) words[word++] = from[next++]!;
    return;
  }
  const rest = 32 - shift;
  let low = from[next++]! >>> shift;
  while (word < end) {
    const high = from[next++]!;
    words[word++] = low | (high << rest);
    low = high >>> shift;
  }
}

/** The same from bytes, where the last word of the source's memory is not whole. */
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
