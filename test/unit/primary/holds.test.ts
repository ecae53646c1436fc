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

  test("lowest of all; dropped ones do not count; none => Infinity", () => {
    const holds = new Holds();
    expect(holds.lowest()).toBe(Number.POSITIVE_INFINITY);
    const a = holds.add(500);
    const b = holds.add(300);
    expect(holds.lowest()).toBe(300);
    b.moveTo(700);
    expect(holds.lowest()).toBe(500);
    holds.drop(a);
    expect([holds.lowest(), holds.count, holds.has(a), holds.has(b)]).toEqual([
      700,
      1,
      false,
      true,
    ]);
  });

  test("enforce: at the cap stays, one byte more goes", () => {
    const holds = new Holds();
    const at = holds.add(900);
    const beyond = holds.add(899);
    expect(holds.enforce(1000, 100)).toEqual([beyond]);
    expect(holds.has(at)).toBe(true);
  });
});
