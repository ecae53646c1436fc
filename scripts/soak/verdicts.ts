/**
 * What the soak has checked: each check by name, how often it held, and what was seen when it did
 * not.
 *
 * Owns: counting and printing. Does not own: what is checked.
 */
const startedAt = performance.now();

/** Seconds since the program began. */
export function seconds(): number {
  return (performance.now() - startedAt) / 1000;
}

/** One line on what happens now. */
export function say(text: string): void {
  console.log(`${seconds().toFixed(1).padStart(7)} s  ${text}`);
}

interface Tally {
  held: number;
  failed: number;
}

export class Verdicts {
  readonly #tallies = new Map<string, Tally>();

  get failures(): number {
    return [...this.#tallies.values()].reduce((sum, { failed }) => sum + failed, 0);
  }

  /** Counts one outcome; a failure is said at once. */
  check(name: string, isTrue: boolean, seen: () => string): void {
    const tally = this.#tallies.get(name) ?? { held: 0, failed: 0 };
    this.#tallies.set(name, tally);
    if (isTrue) {
      tally.held += 1;
      return;
    }
    tally.failed += 1;
    say(`FAILED  ${name}: ${seen()}`);
  }

  rows(): string[][] {
    return [...this.#tallies].map(([name, { held, failed }]) => [
      name,
      String(held),
      String(failed),
      failed === 0 ? "ok" : "FAILED",
    ]);
  }
}
