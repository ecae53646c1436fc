/** How fast a sync drains, over all its connections. */
import { describe, expect, test } from "vitest";
import { SyncRate } from "../../../src/primary/sync-rate.ts";

describe("the rate of a sync", () => {
  test("believed after a second; a cut and its pause change nothing", () => {
    const rate = new SyncRate(256 * 1024);
    for (let ms = 0; ms <= 900; ms += 100) rate.observeStream(rate, ms * 1_000, ms, true);
    expect(rate.perSecond).toBe(-1);
    for (let ms = 1_000; ms <= 3_000; ms += 100) rate.observeStream(rate, ms * 1_000, ms, true);
    expect(rate.perSecond).toBeCloseTo(1_000_000, 0);
    const other = {};
    for (let ms = 9_000; ms <= 9_500; ms += 100) rate.observeStream(other, ms, ms, false);
    expect(rate.perSecond).toBeCloseTo(1_000_000, 0);
    for (let ms = 10_000; ms <= 30_000; ms += 100) rate.observeStream(other, ms * 100, ms, true);
    expect(rate.perSecond).toBeCloseTo(100_000, -4);
  });
});
