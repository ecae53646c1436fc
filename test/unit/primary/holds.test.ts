/** Pins on the log: the lowest, and the cap. */
import { describe, expect, test } from "vitest";
import { Holds } from "../../../src/primary/holds.ts";

describe("holds", () => {
  test("the cap drops what pins too much, and nothing else", () => {
    const holds = new Holds();
    const [low, high] = [holds.add(10), holds.add(50)];
    expect(holds.lowest()).toBe(10);
    expect(holds.enforce(100, 90)).toEqual([]);
    expect(holds.enforce(101, 90)).toEqual([low]);
    expect([holds.has(low), holds.has(high), holds.lowest()]).toEqual([false, true, 50]);
    holds.drop(high);
    expect([holds.count, holds.lowest()]).toEqual([0, Infinity]);
  });
});
