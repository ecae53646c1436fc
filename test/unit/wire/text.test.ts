/** Texts, ids and proofs. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isId, randomId } from "../../../src/wire/id.ts";
import { hmacProof, proofMatches } from "../../../src/wire/proof.ts";
import { clipText, printable } from "../../../src/wire/text.ts";
import { FEEDER_NONCE, PASSWORD, REPLICA_NONCE } from "./examples.ts";

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

describe("proof", () => {
  const proof = hmacProof(PASSWORD, "replica", FEEDER_NONCE, REPLICA_NONCE);

  test("golden", () => {
    expect(proof).toBe("f93180027ef9dfa25ba4555e7b99b038733789404db66f5fffacc8ee3e5b5558");
  });

  test("every input counts", () => {
    const others = [
      hmacProof("Sesame", "replica", FEEDER_NONCE, REPLICA_NONCE),
      hmacProof(PASSWORD, "feeder", FEEDER_NONCE, REPLICA_NONCE),
      hmacProof(PASSWORD, "replica", REPLICA_NONCE, FEEDER_NONCE),
      hmacProof(PASSWORD, "replica", FEEDER_NONCE, FEEDER_NONCE),
    ];
    expect(new Set([proof, ...others]).size).toBe(5);
    for (const other of others) expect(proofMatches(proof, other)).toBe(false);
  });

  test("matches itself only, and nothing matches an empty one", () => {
    expect(proofMatches(proof, proof)).toBe(true);
    expect(proofMatches(proof, "")).toBe(false);
    expect(proofMatches("", "")).toBe(false);
    expect(proofMatches(proof, proof.slice(1))).toBe(false);
  });
});
