/**
 * The demo's verdict: named checks, and the steps on the way to them.
 *
 * Owns: printing and counting. Does not own: what is checked (main-job.ts).
 */
export class Checks {
  readonly failed: string[] = [];
  readonly #startedAt = performance.now();

  get seconds(): string {
    return ((performance.now() - this.#startedAt) / 1000).toFixed(1);
  }

  /** One line on what happens now, with the time since the start. */
  step(text: string): void {
    console.log(`${this.seconds.padStart(5)} s  ${text}`);
  }

  /** One line on what must be true. */
  check(name: string, isTrue: boolean, seen: string): void {
    console.log(`  ${isTrue ? "ok    " : "FAILED"}  ${name}: ${seen}`);
    if (!isTrue) this.failed.push(name);
  }
}
