/** How long a replica waits before its next attempt. */
import { describe, expect, test } from "vitest";
import { Backoff } from "../../../src/replica/backoff.ts";

describe("backoff", () => {
  test("doubles from the least to the most, with jitter; a planned return is short and free", () => {
    const backoff = new Backoff({ backoffMinMs: 100, backoffMaxMs: 1_000 }, () => 1);
    expect([1, 2, 3, 4, 5, 6].map(() => backoff.next())).toEqual([100, 200, 400, 800, 1000, 1000]);
    expect(backoff.planned()).toBe(100);
    backoff.reset();
    expect(backoff.next()).toBe(100);
    expect(new Backoff({ backoffMinMs: 100, backoffMaxMs: 1_000 }, () => 0).next()).toBe(50);
    const long = new Backoff({ backoffMinMs: 1, backoffMaxMs: 15_000 }, () => 1);
    for (let n = 0; n < 5000; n++) long.next();
    expect(long.next()).toBe(15_000);
  });
});

describe("planned returns", () => {
  test("one after the other with nothing between => the second is a failure like any", () => {
    const backoff = new Backoff({ backoffMinMs: 100, backoffMaxMs: 1_000 }, () => 1);
    const planned = (): number => {
      backoff.isPlanned = true;
      return backoff.delay();
    };
    expect([1, 2, 3, 4, 5, 6].map(planned)).toEqual([100, 100, 200, 400, 800, 1_000]);
    backoff.gotTo(70);
    expect([planned(), planned(), planned()]).toEqual([100, 100, 200]);
    backoff.reset();
    expect([planned(), planned(), planned()]).toEqual([100, 100, 200]);
  });
});
