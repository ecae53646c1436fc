/** Proofs of the password: every input counts, nothing matches an empty one. */
import { describe, expect, test } from "vitest";
import { hmacProof, proofMatches } from "../../../src/wire/proof.ts";
import { FEEDER_NONCE, PASSWORD, REPLICA_NONCE } from "./examples.ts";

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
