/**
 * Long work on the loop in slices: of all that is under way one slice runs in one turn.
 *
 * Why not a turn for each: with 200 of them a turn would take 200 slices, and nothing else runs meanwhile.
 * Owns: whose turn it is. Does not own: how long a slice is, what is done in it.
 */
export class Slices {
  readonly #waiting: (() => void)[] = [];
  readonly #later: (run: () => void) => void;

  /** @param later  calls `run` in a later turn of the loop */
  constructor(later: (run: () => void) => void) {
    this.#later = later;
  }

  /** Resolves when the caller may do one slice, in the order in which was asked. */
  readonly next = (): Promise<void> =>
    new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (this.#waiting.length === 1) this.#later(this.#turn);
    });

  readonly #turn = (): void => {
    const resolve = this.#waiting.shift();
    if (this.#waiting.length > 0) this.#later(this.#turn);
    resolve?.();
  };
}
