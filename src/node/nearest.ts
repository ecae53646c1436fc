/**
 * The right word that a wrong one is nearest to: for "did you mean".
 *
 * Owns: the distance. Does not own: which words there are.
 */

/** Longer ones were not mistyped. */
const WORD_CHARS_MAX = 64;

/** ": did you mean --backlog?", or "" when no right word is near. */
export function didYouMean(word: string, right: readonly string[]): string {
  const near = nearest(word, right);
  return near === null ? "" : `: did you mean ${near}?`;
}

/** The nearest, at most a third of its letters away; null when there is none. */
export function nearest(word: string, right: readonly string[]): string | null {
  if (word.length > WORD_CHARS_MAX) return null;
  let best: string | null = null;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (const candidate of right) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance >= bestDistance || distance > candidate.replace(/^--/, "").length / 3) continue;
    best = candidate;
    bestDistance = distance;
  }
  return best;
}

/** Letters to insert, delete, replace or swap with the next. */
function editDistance(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, n) => n);
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= to.length; j++) {
      const same = from[i - 1] === to[j - 1];
      let least = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      const swapped = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      if (swapped) least = Math.min(least, beforeLast[j - 2]! + 1);
      row.push(least);
    }
    beforeLast = last;
    last = row;
  }
  return last[to.length]!;
}
