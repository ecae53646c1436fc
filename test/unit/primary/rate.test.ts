/** A rate that follows a growing count. */
import { expect, test } from "vitest";
import { Rate } from "../../../src/primary/rate.ts";

test("rate: half of a change after two seconds; a count that goes back starts over", () => {
  const rate = new Rate(0, 0);
  rate.observe(0, 0);
  rate.observe(2_000, 2_000);
  expect(rate.perSecond).toBe(500);
  rate.observe(0, 2_100);
  expect(rate.perSecond).toBe(0);
  expect(new Rate(0, 0, 7).perSecond).toBe(7);
});
