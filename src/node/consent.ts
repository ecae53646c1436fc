/**
 * Consent to an unrelated state: that a node's data may go, once, for what one upstream has.
 *
 *   given by     for whom                                              used up by
 *   REPLICAOF    the address that was typed                            a sync, a refusal, a promotion,
 *   allow-reset  the upstream of the start; on a primary the first     another REPLICAOF
 *                that it is told to follow
 *
 * With a directory it outlives the process until then (kept-consent.ts).
 *
 * With its first WELCOME the upstream says its node id; from then on the consent is that node's: another
 * process at the same address has another state.
 * Pure values; a following node's role holds one (roles.ts).
 * Owns: for whom there is consent. Does not own: what is unrelated (primary/resume.ts).
 */
import type { Address } from "../net/address.ts";
import type { Consent, Id } from "../wire/messages.ts";

export interface GivenConsent {
  readonly kind: Consent;
  /** Whose it is, "" before an upstream said who it is. */
  readonly nodeId: Id;
}

/** Consent as it is kept for the next process: whom it was told to follow, too. */
export interface ConsentMemory extends GivenConsent {
  readonly upstream: Address;
}

export const NO_CONSENT: GivenConsent = { kind: "none", nodeId: "" };

/** Consent for whoever answers at the address that is followed from here on. */
export function givenConsent(kind: Consent): GivenConsent {
  return kind === "none" ? NO_CONSENT : { kind, nodeId: "" };
}

/** The upstream is the node `nodeId`; the first that says so is the one that the consent is for. */
export function boundTo(given: GivenConsent, nodeId: Id): GivenConsent {
  return given.kind === "none" || given.nodeId !== "" ? given : { kind: given.kind, nodeId };
}

/** What there is for the node `nodeId`. */
export function consentFor(given: GivenConsent, nodeId: Id): Consent {
  return given.nodeId === "" || given.nodeId === nodeId ? given.kind : "none";
}
