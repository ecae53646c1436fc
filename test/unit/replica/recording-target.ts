/** A state for tests that writes down what is applied to it. */
import type { PromptTarget } from "../../../src/store/state.ts";

export function recordingTarget(): PromptTarget & { readonly ranges: number[]; failAt: number } {
  const ranges: number[] = [];
  return {
    answers: "at once",
    ranges,
    failAt: -1,
    appliedTo: 0,
    isEmpty: () => false,
    applyRange: (_bytes, from, to) => void ranges.push(to - from),
    stage: () => ({ load: () => undefined, finish: () => undefined, discard: () => undefined }),
    swap: () => undefined,
  };
}
