/** Versions of records: which is asked for, which can be read. */
import { expect, test } from "vitest";
import { canRead, Versions } from "../../../src/replica/formats.ts";

test("its own version first, then each that it reads; when all were refused it is a verdict", () => {
  const versions = new Versions({ name: "toy", version: 3, reads: [2, 3, 1] });
  expect(versions.asked).toBe(3);
  expect([versions.refused(), versions.asked]).toEqual([true, 2]);
  expect([versions.refused(), versions.asked]).toEqual([true, 1]);
  expect([versions.refused(), versions.asked]).toEqual([false, 3]);
});

test("what was taken is asked for again; an upstream that is upgraded is asked for all once more", () => {
  const versions = new Versions({ name: "toy", version: 2, reads: [1] });
  versions.refused();
  versions.taken();
  expect(versions.asked).toBe(1);
  expect([versions.refused(), versions.asked]).toEqual([true, 2]);
});

test("a state that reads no other: refused once is a verdict", () => {
  expect(new Versions({ name: "toy", version: 2 }).refused()).toBe(false);
});

test.each([
  [{ name: "toy", version: 2 }, true],
  [{ name: "toy", version: 1 }, true],
  [{ name: "toy", version: 3 }, false],
  [{ name: "other", version: 2 }, false],
])("%j can be read by toy/2 that reads 1: %s", (given, can) => {
  expect(canRead({ name: "toy", version: 2, reads: [1] }, given)).toBe(can);
});
