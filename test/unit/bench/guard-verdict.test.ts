/** What the bench guard calls a loss. */
import { expect, test } from "vitest";
import { judge, least, LOSS_MAX, relative } from "../../../bench/guard-verdict.ts";

test("guard: up to the limit is kept, above it is a loss, less is no loss", () => {
  const recorded = { a: 100, b: 100, c: 100 };
  const found = judge({ a: 100 * (1 + LOSS_MAX), b: 100 * (1.01 + LOSS_MAX), c: 10 }, recorded);
  expect(found.map(({ kind }) => kind)).toEqual(["kept", "lost", "kept"]);
});

test("guard: what only one side knows is neither kept nor lost", () => {
  expect(judge({ a: 1 }, { b: 1 })).toEqual([
    { kind: "unknown", name: "a" },
    { kind: "missing", name: "b" },
  ]);
});

test("guard: minimums are taken of the operation and of the calibration, not of their quotient", () => {
  const disturbed = {
    a: { cpuNs: 10, calibrationNs: 4_000 },
    b: { cpuNs: 20, calibrationNs: 2_000 },
  };
  const quiet = { a: { cpuNs: 12, calibrationNs: 2_000 } };
  const both = least(least({}, disturbed), quiet);
  expect(both).toEqual({
    a: { cpuNs: 10, calibrationNs: 2_000 },
    b: { cpuNs: 20, calibrationNs: 2_000 },
  });
  expect(relative(both)).toEqual({ a: 5_000, b: 10_000 });
});
