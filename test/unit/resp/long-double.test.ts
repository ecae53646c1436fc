/** INCRBYFLOAT's sums. */
import { describe, expect, test } from "vitest";
import { addLongDoubles } from "../../../src/resp/long-double.ts";

describe("long double", () => {
  test.each([
    ["10.5", "0.1", "10.6"],
    ["5.0e3", "2.0e2", "5200"],
    ["3", "1.1", "4.1"],
    ["0", "-0", "0"],
    ["1", "inf", "infinite"],
    ["1", "nan", "not a float"],
    ["1", "", "not a float"],
    ["1", " 1", "not a float"],
    ["1", "1e99999", "not a float"],
    ["1", "0x10", "17"],
    ["-0.00000000000000001", "0", "-0.00000000000000001"],
  ])("addLongDoubles(%s, %s) => %s", (a, b, sum) => {
    expect(addLongDoubles(a, b)).toBe(sum);
  });
});
