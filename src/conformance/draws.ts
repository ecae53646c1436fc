/**
 * Draws from a seed (mulberry32): the same seed gives the same checks.
 * Tested in: test/unit/conformance/suite.test.ts.
 */
export class Draws {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** u32. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  }

  /** A whole number in [from, to). */
  between(from: number, to: number): number {
    return from + Math.floor((this.next() / 0x1_0000_0000) * (to - from));
  }
}
