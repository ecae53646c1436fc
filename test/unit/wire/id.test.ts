/** Ids: what is one, and that random ones differ. */
import { describe, expect, test } from "vitest";
import { isId, randomId } from "../../../src/wire/id.ts";

describe("id", () => {
  test("random ids are ids and differ", () => {
    const ids = Array.from({ length: 100 }, randomId);
    expect(ids.every(isId)).toBe(true);
    expect(new Set(ids).size).toBe(100);
  });

  test.each(["", "0".repeat(31), "0".repeat(33), "A".repeat(32), `${"0".repeat(32)}\n`])(
    "%j is no id",
    (text) => {
      expect(isId(text)).toBe(false);
    },
  );
});
