/** Integers that clients send. */
import { describe, expect, test } from "vitest";
import { readInteger } from "../../../src/resp/numbers.ts";

describe("numbers", () => {
  test.each([
    ["0", 0],
    ["-1", -1],
    ["999999999999999", 999999999999999],
    ["9223372036854775807", 9223372036854775807n],
    ["-9223372036854775808", -9223372036854775808n],
    ["9223372036854775808", null],
    ["", null],
    ["-", null],
    ["-0", null],
    ["01", null],
    ["+1", null],
    [" 1", null],
    ["1.0", null],
  ])("readInteger(%j) => %s", (text, expected) => {
    const bytes = Buffer.from(text);
    expect(readInteger(bytes, 0, bytes.length)).toBe(expected);
  });
});
