/** Patterns of KEYS and SCAN. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { matchesGlob } from "../../../src/node/glob.ts";

describe("glob", () => {
  test.each([
    ["*", "", true],
    ["*", "abc", true],
    ["a*c", "abc", true],
    ["a*c", "abd", false],
    ["a?c", "abc", true],
    ["a?c", "ac", false],
    ["[a-c]x", "bx", true],
    ["[c-a]x", "bx", true],
    ["[^a-c]x", "bx", false],
    ["[a", "a", true],
    ["\\*", "*", true],
    ["\\*", "a", false],
    ["a\\", "a\\", true],
    ["**b", "ab", true],
    ["h[\\]]x", "h]x", true],
    ["", "", true],
    ["", "a", false],
  ])("%s on %j => %s", (pattern, text, expected) => {
    const bytes = Buffer.from(`__${text}__`);
    expect(matchesGlob(Buffer.from(pattern), bytes, 2, 2 + text.length)).toBe(expected);
  });

  test("many stars against a long key => quick", () => {
    const text = Buffer.alloc(5000, "a");
    const pattern = Buffer.from(`${"a*".repeat(40)}b`);
    const started = performance.now();
    expect(matchesGlob(pattern, text, 0, text.length)).toBe(false);
    expect(performance.now() - started).toBeLessThan(1000);
  });

  test("any pattern on any text => no throw", () => {
    const part = fc.constantFrom("*", "?", "[", "]", "^", "-", "\\", "a", "b");
    fc.assert(
      fc.property(fc.array(part), fc.string({ maxLength: 20 }), (parts, text) => {
        const bytes = Buffer.from(text);
        matchesGlob(Buffer.from(parts.join("")), bytes, 0, bytes.length);
      }),
    );
  });
});
