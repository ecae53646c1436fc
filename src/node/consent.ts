/**
 * Consent to an unrelated state: that a node's data may go, once, for what one upstream has.
 *
 *   given by     for whom                                              used up by
 *   REPLICAOF    the address that was typed                            a sync, a refusal, a promotion,
 *   allow-reset  the upstream of the start; on a primary the first     another REPLICAOF
 *                that it is told to follow
 *
 * With its first WELCOME the upstream says its node id; from then on the consent is that node's: another
 * process at the same address has another state.
 * Owns: whether and for whom there is consent. Does not own: what is unrelated (primary/resume.ts).
 */
import type { Consent, Id } from "../wire/messages.ts";

export class GivenConsent {
  private given: Consent;
  /** It was given before anybody was to be followed. */
  private early: boolean;
  /** Whose it is, "" before an upstream said who it is. */
  private nodeId: Id = "";

  constructor(given: Consent) {
    this.given = given;
    this.early = given !== "none";
  }

  /** What there is, for whoever it was given. */
  get kind(): Consent {
    return this.given;
  }

  /** A node is followed from its start: what was given with it is for that upstream alone. */
  onStartedFollowing(): void {
    this.early = false;
  }

  /** Another upstream is to be followed, with `kind`. What was given for an earlier one is void. */
  give(kind: Consent): void {
    if (!this.early) this.given = kind;
    this.early = false;
    this.nodeId = "";
  }

  /** What there is for the node `nodeId`. */
  for(nodeId: Id): Consent {
    return this.nodeId === "" || this.nodeId === nodeId ? this.given : "none";
  }

  /** The upstream is the node `nodeId`. */
  bind(nodeId: Id): void {
    if (this.nodeId === "") this.nodeId = nodeId;
  }

  useUp(): void {
    this.given = "none";
    this.early = false;
    this.nodeId = "";
  }
}
