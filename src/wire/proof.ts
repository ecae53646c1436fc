/**
 * Proofs that both ends know the same password, without sending it.
 *
 *   proof = HMAC-SHA256(key: password, "hawser link proof 1" 00 who 00 feederNonce replicaNonce)
 *
 * Both nonces are in it, so that neither end can be made to repeat an old proof; `who` is in it, so
 * that an end's own proof cannot be mirrored back to it. The link itself is not encrypted.
 *
 * Owns: making and comparing. Does not own: when a proof is required (primary/, replica/).
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import type { Id } from "./messages.ts";

const DOMAIN = "hawser link proof 1";

/** Hex digits of a proof. */
const PROOF_DIGITS = 64;

/** The proof that `who` sends, as 64 hex digits. */
export function hmacProof(
  password: string,
  who: "replica" | "feeder",
  feederNonce: Id,
  replicaNonce: Id,
): string {
  return createHmac("sha256", password)
    .update(`${DOMAIN}\0${who}\0`)
    .update(Buffer.from(feederNonce, "hex"))
    .update(Buffer.from(replicaNonce, "hex"))
    .digest("hex");
}

/** Whether two proofs are equal, in a time that does not say where they differ. "" never matches. */
export function proofMatches(a: string, b: string): boolean {
  if (a.length !== PROOF_DIGITS || b.length !== PROOF_DIGITS) return false;
  return timingSafeEqual(Buffer.from(a, "latin1"), Buffer.from(b, "latin1"));
}
