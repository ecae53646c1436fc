/** Text of peers: without control characters, and of a bounded length. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { clipText, printable } from "../../../src/wire/text.ts";

describe("printable", () => {
  test.each([
    ["plain text, \u00e9 \u4e2d \u{1f6a2}", "plain text, \u00e9 \u4e2d \u{1f6a2}"],
    ["\x1b[31mred", "\\u{1b}[31mred"],
    ["line\r\nforged line", "line\\u{d}\\u{a}forged line"],
    ["\u009b2J", "\\u{9b}2J"],
    ["\u202egnp.exe", "\\u{202e}gnp.exe"],
    ["\u2028\u2029\u200b\ufeff\0", "\\u{2028}\\u{2029}\\u{200b}\\u{feff}\\u{0}"],
    ["\ud800", "\\u{d800}"],
  ])("%j => %j", (text, expected) => {
    expect(printable(text)).toBe(expected);
  });
});

describe("clipText", () => {
  test("never longer than the limit, never inside a character, and a beginning of the text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.nat(20), (text, bytesMax) => {
        const clipped = clipText(text, bytesMax);
        expect(Buffer.byteLength(clipped)).toBeLessThanOrEqual(bytesMax);
        expect(text.startsWith(clipped)).toBe(true);
        if (clipped === text) return;
        const next = String.fromCodePoint(text.codePointAt(clipped.length)!);
        expect(Buffer.byteLength(clipped + next)).toBeGreaterThan(bytesMax);
      }),
    );
  });
});
