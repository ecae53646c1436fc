/**
 * A smoothed rate of a growing count, in units per second: exponential, half life about two seconds.
 */
const HALF_LIFE_MS = 2_000;

export class Rate {
  /** Units per second. */
  perSecond: number;
  private value: number;
  private atMs: number;

  /** `perSecond` is what it is taken to be before it was observed. */
  constructor(value: number, nowMs: number, perSecond = 0) {
    this.perSecond = perSecond;
    this.value = value;
    this.atMs = nowMs;
  }

  /** The count is `value` now. Counts that go back start over. */
  observe(value: number, nowMs: number): void {
    const elapsedMs = nowMs - this.atMs;
    if (elapsedMs <= 0) return;
    const present = (Math.max(0, value - this.value) * 1000) / elapsedMs;
    const keep = 0.5 ** (elapsedMs / HALF_LIFE_MS);
    this.perSecond = value < this.value ? 0 : this.perSecond * keep + present * (1 - keep);
    this.value = value;
    this.atMs = nowMs;
  }
}
