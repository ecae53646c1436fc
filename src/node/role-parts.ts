/**
 * What the moves of a node's role act on, and what they need of their owner.
 *
 * Owns: interfaces. Does not own: any implementation (core.ts), the moves (role-moves.ts).
 * Tested in: test/unit/node/role-moves.test.ts.
 */
import type { NodeRecord } from "../wire/node-record.ts";
import type { ConsentMemory } from "./consent.ts";
import type { Identity } from "./identity.ts";
import type { KeptConsentDeps } from "./kept-consent.ts";
import type { Address } from "../net/address.ts";
import type { Promoted } from "./api.ts";
import type { RoleMemory } from "./role-memory.ts";
import type { ReclaimRounds, SeedRounds } from "./roles.ts";

/** The parts of the node that a move acts on, in full: core.ts. */
export interface RoleParts {
  readonly identity: Identity;
  readonly backlog: {
    /** Where its log ends, and the chain there. */
    readonly next: number;
    readonly chain: number;
    readonly durable: number;
    seal(): boolean;
    dropReceived(): void;
    /** `done`: nothing from here on can be under the name before, also after a crash. */
    rename(done?: () => void): void;
    beginHistory(record: NodeRecord): void;
  };
  readonly completeness: { leads(): void };
  /** What it is answered waits for others, or not. */
  readonly synchronous: {
    leads(): void;
    ended(): void;
  };
  readonly session: {
    /** `isSame`: the upstream is the one of before. */
    start(nowMs: number, isSame?: boolean): void;
    stop(why: string, nowMs: number, keep?: boolean): void;
    /** Applies some of what was received. @returns whether there is more */
    step(nowMs: number): boolean;
    resetToLog(): void;
    /** The state may be anywhere: only a snapshot mends it. */
    tear(): void;
    forgetKept(): void;
    /** A state that answers later has not yet. */
    readonly isBusy: boolean;
  };
  readonly feeder: {
    readonly counters: { bump(name: string): void };
    cutWaiters(): void;
    dropAll(bye: "history_changed", reason: "history_changed", why: string): void;
    upstreamResync(): void;
    stateTorn(): void;
  };
  /** --seed-from: whom it may ask, and tells who leads. */
  readonly sources: readonly Address[];
  /** The rounds of a node that seeds; null without sources. */
  makeSeeding(): SeedRounds | null;
  readonly announcer: { leads(peers: readonly Address[]): void };
  /** What a promotion has to ask others first, as `done` waits for it; null for nothing. */
  planRound(done: Promoted | null): ReclaimRounds | null;
  /** Tells who waits for something of the node. */
  readonly turn: {
    changed(): void;
    until(holds: () => boolean, done: () => void): () => void;
    dropReplies(): void;
  };
}

export interface RoleDeps extends KeptConsentDeps {
  /** Keeps a role and the consent with it for the next start, durably. Throws when it cannot, and has kept the old ones. */
  readonly remember: (role: RoleMemory, consent: ConsentMemory | null) => void;
  /** It is fenced, and that is kept: its clients are to look for whoever leads. */
  readonly onFenced: () => void;
  /** Runs something in a later loop turn. */
  readonly nextTurn: (run: () => void) => void;
  readonly later: (ms: number, run: () => void) => void;
  /** Monotonic, ms. */
  readonly now: () => number;
}
