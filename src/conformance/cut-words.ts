/**
 * Errors of others, as words of bounded length.
 * Tested in: test/unit/conformance/suite.test.ts.
 */
import { wordsOf } from "../errors.ts";

const WORDS_MAX = 400;

/** What the error says, cut. */
export function cutWords(error: unknown): string {
  const words = wordsOf(error);
  return words.length > WORDS_MAX ? `${words.slice(0, WORDS_MAX)}...` : words;
}
