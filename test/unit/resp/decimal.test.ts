/** Integers that replies have. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { writeDecimal } from "../../../src/resp/decimal.ts";

describe("decimal", () => {
  test("writeDecimal of any safe integer => String", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.maxSafeInteger(), fc.integer(), fc.integer({ min: -200, max: 2000 })),
        (value) => {
          const into = Buffer.alloc(32, "?");
          expect(into.toString("latin1", 3, writeDecimal(into, 3, value))).toBe(String(value));
        },
      ),
    );
  });
});
