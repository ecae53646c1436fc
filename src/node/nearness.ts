/**
 * Whether a node is near enough to the others for what it is asked: a primary to its replicas for a write
 * (min-replicas-to-write), a replica to the root for a read (replica-max-staleness).
 *
 *   setting                          refused                              while
 *   minReplicasToWrite, ...MaxLag    writes of clients, NOREPLICAS        fewer replicas stream and have
 *                                                                         acknowledged within so many seconds
 *   replicaMaxStalenessMs            what redis refuses on a stale        what it would show may be older, by
 *                                    replica, STALE                       the root's clock, or nobody knows
 *
 * Looked at ten times a second, when a link ends, and when a setting changes; asked for each command, so
 * that the answer is a field. A node that was near a tenth of a second ago counts as near.
 *
 * Pure. Owns: the two answers. Does not own: the figures (primary/heartbeat.ts, replica/owed.ts), refusals.
 */
import { formatTime } from "./option-values.ts";

export interface NearnessOptions {
  /** 0 for off. */
  readonly minReplicasToWrite: number;
  /** Seconds, as in redis; 0 for off. */
  readonly minReplicasMaxLag: number;
  /** 0 for off. */
  readonly replicaMaxStalenessMs: number;
}

export interface NearnessParts {
  readonly options: NearnessOptions;
  readonly role: "primary" | "replica";
  /** Replicas that stream and have acknowledged within so many ms. */
  goodReplicas(withinMs: number): number;
  /** How old what this replica shows may be at most, ms by the root's clock; -1 unknown. */
  staleMs(): number;
}

/** What commands ask. */
export interface Near {
  /** Too few replicas are near: no write is taken. */
  readonly lacksReplicas: boolean;
  /** The root is too far away: no read is answered. */
  readonly isStale: boolean;
  /** How far, as of the last look; -1 unknown. Only looked at while there is a limit. */
  readonly staleMs: number;
  /** Replicas that count as near; -1 while nobody asks for any. */
  readonly goodReplicas: number;
}

export const NO_LIMITS: NearnessOptions = {
  minReplicasToWrite: 0,
  minReplicasMaxLag: 0,
  replicaMaxStalenessMs: 0,
};

export class Nearness implements Near {
  lacksReplicas = false;
  isStale = false;
  staleMs = -1;
  goodReplicas = -1;
  readonly #parts: NearnessParts;

  constructor(parts: NearnessParts) {
    this.#parts = parts;
    this.review();
  }

  review(): void {
    this.#reviewReplicas();
    this.#reviewStaleness();
  }

  #reviewReplicas(): void {
    const { options, role } = this.#parts;
    const { minReplicasToWrite: wanted, minReplicasMaxLag: seconds } = options;
    const isAsked = wanted > 0 && seconds > 0 && role === "primary";
    this.goodReplicas = isAsked ? this.#parts.goodReplicas(seconds * 1000) : -1;
    this.lacksReplicas = isAsked && this.goodReplicas < wanted;
  }

  #reviewStaleness(): void {
    const { options, role } = this.#parts;
    const { replicaMaxStalenessMs: limitMs } = options;
    if (limitMs === 0 || role === "primary") {
      this.isStale = false;
      return;
    }
    this.staleMs = this.#parts.staleMs();
    this.isStale = this.staleMs < 0 || this.staleMs > limitMs;
  }
}

/** For who is refused a read: both in ms, and the setting as it is written, where a number alone is seconds. */
export function staleText({ staleMs }: Near, limitMs: number): string {
  const old =
    staleMs < 0
      ? "nobody knows how old what this replica would show is"
      : `what this replica would show may be ${staleMs} ms old, by the root's clock`;
  return `${old}; replica-max-staleness is ${limitMs} ms (${formatTime(limitMs)})`;
}
