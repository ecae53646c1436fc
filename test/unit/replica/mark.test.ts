/** The offset at which a verification freezes. */
import { describe, expect, test } from "vitest";
import { Mark } from "../../../src/replica/mark.ts";

describe("mark", () => {
  const verify = (offset: number, buckets = 1) =>
    ({
      type: "verify",
      verifyId: "",
      position: { history: "", offset, chain: 0 },
      buckets,
      seed: "",
    }) as const;

  test("reached once at exactly its offset; passed: forgotten; newer: replaces", () => {
    const mark = new Mark(() => undefined);
    mark.set(verify(10));
    expect(mark.reached(9)).toBeNull();
    expect(mark.reached(10)?.position.offset).toBe(10);
    expect(mark.reached(10)).toBeNull();
    mark.set(verify(10));
    expect(mark.reached(11)).toBeNull();
    mark.set(verify(10));
    mark.set(verify(20));
    expect([mark.reached(10), mark.reached(20)?.position.offset]).toEqual([null, 20]);
    expect(() => mark.set(verify(1, 513))).toThrow("ERR_WIRE_BODY");
  });
});
