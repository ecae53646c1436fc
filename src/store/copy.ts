/**
 * Copies into the arena and into the log. A native call costs 70 to 80 ns before the first byte (a
 * view is made for the source), so that short ranges go faster in JavaScript: words written through
 * an array that is aligned, read through a DataView that need not be. Measured, ns for a copy to an
 * aligned place:
 *
 *   bytes        64   116   200   400   600   800  1000
 *   native set   75    87   107   150   199   243   302
 *   byte loop    97   179   308   841
 *   words        13    31    49    89   132   184   332
 * Tested in: test/unit/store/layout.test.ts.
 */

const WORDS_BYTES_MAX = 768;
const LOOP_BYTES_MAX = 32;
/** A key is rarely longer: views would cost more. */
const TRANSCRIBE_LOOP_BYTES_MAX = 24;

/** Shorter copies are made byte by byte: a look at the memory of what they are put into costs more. */
const COPY_OUT_LOOP_BYTES_MAX = 24;

const NOTHING = new Uint8Array(0);
const NO_VIEW = new DataView(NOTHING.buffer);
const NO_WORDS = new Uint32Array(0);

/** The array that copyTail() read last, and a view of it: log and chunk buffers recur. */
let viewOf: Uint8Array = NOTHING;
let view: DataView = NO_VIEW;

/** Both ends of the last transcribe(): a view of the source, the target's whole memory as words. */
let sourceOf: Uint8Array = NOTHING;
let sourceView: DataView = NO_VIEW;
/** The source before, when it came once. */
let seen: Uint8Array = NOTHING;
let targetOf: Uint8Array = NOTHING;
let targetWords: Uint32Array = NO_WORDS;
let targetOffset = 0;

/** The memory of the last copyOut(), which Buffer shares among many, as words. */
let outMemory: ArrayBufferLike = NOTHING.buffer;
let outWords: Uint32Array = NO_WORDS;

function viewAs(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** Lets go of the memory that is only remembered from the last calls. */
export function forgetSource(): void {
  viewOf = seen = sourceOf = targetOf = NOTHING;
  view = sourceView = NO_VIEW;
  targetWords = NO_WORDS;
}

/** Fills into[word, end) from byte `from` of `source`. */
function copyWords(
  into: Uint32Array,
  word: number,
  end: number,
  source: DataView,
  from: number,
): void {
  for (; word + 4 <= end; word += 4, from += 16) {
    into[word] = source.getInt32(from, true);
    into[word + 1] = source.getInt32(from + 4, true);
    into[word + 2] = source.getInt32(from + 8, true);
    into[word + 3] = source.getInt32(from + 12, true);
  }
  for (; word < end; word++, from += 4) into[word] = source.getInt32(from, true);
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
  if (length > WORDS_BYTES_MAX) {
    bytes.set(source.subarray(from, to), at);
    for (let i = at + length; (i & 7) !== 0; i++) bytes[i] = 0;
    return;
  }
  if (source !== viewOf) {
    viewOf = source;
    view = viewAs(source);
  }
  let word = (at + length) >>> 2;
  copyWords(words, at >>> 2, word, view, from);
  const rest = length & 3;
  if (rest !== 0) {
    let last = 0;
    for (let i = to - rest, shift = 0; i < to; i++, shift += 8) last |= source[i]! << shift;
    words[word++] = last;
  }
  if ((word & 1) !== 0) words[word] = 0;
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
    sourceView = viewAs(source);
  }
  if (target !== targetOf) {
    targetOf = target;
    targetWords = new Uint32Array(target.buffer, 0, target.buffer.byteLength >>> 2);
    targetOffset = target.byteOffset;
  }
  while (((at + targetOffset) & 3) !== 0) target[at++] = source[from++]!;
  const word = (at + targetOffset) >>> 2;
  const words = (to - from) >>> 2;
  copyWords(targetWords, word, word + words, sourceView, from);
  at += words << 2;
  from += words << 2;
  while (from < to) target[at++] = source[from++]!;
  return end;
}

/**
 * A copy of bytes[from, to), in memory of its own; `words` is the memory of `bytes`, from its beginning. Words are
 * read where they are aligned, and put together when the range is not: a view of it costs more than all of that.
 */
export function copyOut(words: Uint32Array, bytes: Buffer, from: number, to: number): Buffer {
  const length = to - from;
  const copy = Buffer.allocUnsafe(length);
  if (length <= COPY_OUT_LOOP_BYTES_MAX) {
    for (let at = 0; at < length; at++) copy[at] = bytes[from + at]!;
    return copy;
  }
  const offset = copy.byteOffset;
  if (length > WORDS_BYTES_MAX || (offset & 3) !== 0) {
    copy.set(bytes.subarray(from, to));
    return copy;
  }
  if (copy.buffer !== outMemory) {
    outMemory = copy.buffer;
    outWords = new Uint32Array(outMemory, 0, outMemory.byteLength >>> 2);
  }
  const rest = length & 3;
  readWords(outWords, offset >>> 2, length >>> 2, words, from);
  for (let at = length - rest; at < length; at++) copy[at] = bytes[from + at]!;
  return copy;
}

/** Fills into[word, word + count) from byte `from` of `source`. */
function readWords(
  into: Uint32Array,
  word: number,
  count: number,
  source: Uint32Array,
  from: number,
): void {
  let at = from >>> 2;
  const shift = (from & 3) << 3;
  if (shift === 0) {
    for (let i = 0; i < count; i++) into[word + i] = source[at + i]!;
    return;
  }
  let low = source[at++]!;
  for (let i = 0; i < count; i++) {
    const high = source[at + i]!;
    into[word + i] = (low >>> shift) | (high << (32 - shift));
    low = high;
  }
}
