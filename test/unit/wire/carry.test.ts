/** What is gathered of a thing that was cut. */
import { expect, test } from "vitest";
import { LIMITS } from "../../../src/limits.ts";
import { Carry } from "../../../src/wire/carry.ts";

const TEXT = Buffer.from("a head, then more");

test("nothing was cut => no memory; then every head fits without growing", () => {
  const carry = new Carry();
  expect(carry.bytes.length).toBe(0);
  expect(carry.fill(16, TEXT, 0, 3)).toBe(3);
  const { bytes } = carry;
  expect(bytes.length).toBe(64);
  carry.fill(36, TEXT, 3, 17);
  expect(carry.bytes).toBe(bytes);
  expect(bytes.toString("latin1", 0, carry.count)).toBe("a head, then more");
});

test("more than is wanted => it is left, and told where it starts", () => {
  const carry = new Carry();
  expect(carry.fill(6, TEXT, 0, TEXT.length)).toBe(6);
  expect(carry.count).toBe(6);
  expect(carry.fill(6, TEXT, 6, TEXT.length)).toBe(6);
  carry.empty();
  expect(carry.count).toBe(0);
  expect(carry.bytes.toString("latin1", 0, 6)).toBe("a head");
});

test("the longest body fits, one byte more is an AssertionError, and so is growing in between", () => {
  const carry = new Carry();
  carry.fill(LIMITS.controlBytesMax, TEXT, 0, 1);
  expect(carry.bytes.length).toBe(LIMITS.controlBytesMax);
  carry.empty();
  expect(() => carry.fill(LIMITS.controlBytesMax + 1, TEXT, 0, 1)).toThrow();
  const other = new Carry();
  other.fill(16, TEXT, 0, 1);
  expect(() => other.fill(65, TEXT, 1, 2)).toThrow();
});
