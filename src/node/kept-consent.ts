/**
 * Consent as node.json keeps it, so that a process that is killed before the new state counts does not have
 * to be told again: the next one goes on with the same upstream, and with nobody else.
 *
 *   REPLICAOF            kept with the role, before OK
 *   WELCOME              kept again with the node id that it is for from now on
 *   before a swap        --allow-reset: kept, and marked as used: the flag counts for one swap
 *   after a swap         kept until a restart would find the new state: its generation is the one that the
 *                        manifest names
 *   continue, a refusal  not kept any more, but for the one of a swap that a restart would not find yet
 *   a promotion,         not kept any more
 *   another REPLICAOF
 *
 * Owns: what is kept, when it is not any more. Does not own: consent within the process (consent.ts), the
 * file (role-file.ts), moves (role-moves.ts).
 * Tested in: test/unit/node/role-moves.test.ts.
 */
import { wordsOf } from "../errors.ts";
import { type Address, isSameAddress } from "../net/address.ts";
import type { Journal } from "../primary/journal.ts";
import type { Id } from "../wire/messages.ts";
import type { ConsentMemory, GivenConsent } from "./consent.ts";

export interface KeptConsentDeps {
  /** What was kept at the start, for the upstream that is followed from it. */
  readonly consent: ConsentMemory | null;
  /** The state outlives the process, once it counts. */
  readonly recovers?: boolean;
  /** Durably. `resetUsed`: --allow-reset counts no more. Throws when it cannot. */
  readonly keepConsent: (consent: ConsentMemory | null, resetUsed: boolean) => void;
  readonly journal: Journal;
}

/** The node, as far as it says when a new state counts. */
export interface CountingNode {
  readonly backlog: { readonly durable: number };
  readonly turn: { until(holds: () => boolean, done: () => void): void };
}

export class KeptConsent {
  #kept: ConsentMemory | null;
  /** The state that it was given for is there, or comes. */
  #isUsed = false;
  readonly #deps: KeptConsentDeps;

  constructor(deps: KeptConsentDeps) {
    this.#deps = deps;
    this.#kept = deps.consent;
  }

  /** It was kept with a role. */
  gaveWithRole(consent: ConsentMemory | null): void {
    this.#kept = consent;
    this.#isUsed = false;
  }

  /** The upstream said who it is. */
  bound({ nodeId }: GivenConsent): void {
    const kept = this.#kept;
    if (kept !== null && kept.nodeId === "" && nodeId !== "") this.#keep({ ...kept, nodeId });
  }

  /**
   * It is refused, or the log goes on without it. Why not when a swap has used it: until that counts, a restart
   * finds the state before, and needs it again.
   */
  over(): void {
    if (!this.#isUsed || this.#deps.recovers !== true) this.#drop();
  }

  /** A snapshot takes the place of the state now. */
  swapping({ kind, nodeId }: GivenConsent, upstream: Address | null): void {
    if (kind === "none" || upstream === null) return;
    this.#isUsed = true;
    if (kind === "reset") this.#keep({ kind, nodeId, upstream }, true);
  }

  /** It has, in memory. */
  swapped({ backlog, turn }: CountingNode): void {
    const kept = this.#kept;
    if (kept === null) return;
    if (this.#deps.recovers !== true) {
      this.#drop();
      return;
    }
    // Nothing is durable before a restart would find it.
    turn.until(
      () => this.#kept !== kept || backlog.durable > 0,
      () => {
        if (this.#kept === kept) this.#drop();
      },
    );
  }

  #drop(): void {
    if (this.#kept !== null) this.#keep(null);
  }

  #keep(consent: ConsentMemory | null, resetUsed = false): void {
    this.#kept = consent;
    if (consent === null) this.#isUsed = false;
    try {
      this.#deps.keepConsent(consent, resetUsed);
    } catch (error) {
      const why = wordsOf(error);
      this.#deps.journal("error", "identity_not_kept", { why });
    }
  }
}

/** What of `given`, for `upstream`, is kept with a role. */
export function keptOf({ kind, nodeId }: GivenConsent, upstream: Address): ConsentMemory | null {
  return kind === "none" ? null : { kind, nodeId, upstream };
}

/** What was kept, for whoever is followed from the start on. */
export function keptFor(
  kept: ConsentMemory | null,
  upstream: Address | null,
): ConsentMemory | null {
  const isFor = isSameAddress(kept?.upstream ?? null, upstream);
  return isFor ? kept : null;
}

/** Of a start. `allowReset`: the flag is given, and not used yet. */
export function startConsent(
  kept: ConsentMemory | null,
  allowReset: boolean,
): {
  readonly kind: GivenConsent["kind"];
  readonly nodeId: Id;
} {
  if (allowReset) return { kind: "reset", nodeId: "" };
  return kept ?? { kind: "none", nodeId: "" };
}
