/**
 * A node's present role: where it is kept, how it becomes another, and what the session finds out within one (a sync,
 * a swap, a torn batch, who the upstream is), which changes fields of the role.
 *
 * Owns: the present role, what the session found out. Does not own: which moves there are (roles.ts), the moves that
 * somebody asks for, and their effects (role-moves.ts).
 * Tested in: test/unit/node/role-moves.test.ts.
 */
import { wordsOf } from "../errors.ts";
import type { LogName } from "../log/history.ts";
import type { Id } from "../wire/messages.ts";
import type { Promoted } from "./api.ts";
import type { ConsentMemory } from "./consent.ts";
import { KeptConsent } from "./kept-consent.ts";
import type { RoleMemory } from "./role-memory.ts";
import type { RoleDeps, RoleParts } from "./role-parts.ts";
import * as roles from "./roles.ts";
import { assertRoleMove, isConfirming, type Role } from "./roles.ts";

/** A lead round of a node that was not started in it: what it goes back to, who waits. */
export interface RoundUnderWay {
  readonly from: roles.RoundStart | null;
  readonly done: Promoted | null;
}

export class PresentRole {
  /** Count of swaps: nothing that was read before one goes on after it. */
  swaps = 0;
  protected role: Role;
  protected round: RoundUnderWay | null = null;
  protected readonly parts: RoleParts;
  protected readonly deps: RoleDeps;
  readonly #consent: KeptConsent;

  /** The parts are used from start() on. */
  constructor(role: Role, parts: RoleParts, deps: RoleDeps) {
    this.role = role;
    this.parts = parts;
    this.deps = deps;
    this.#consent = new KeptConsent(deps);
  }

  /** The present role; a value, which no later move changes. */
  get now(): Role {
    return this.role;
  }

  get isStopped(): boolean {
    return this.role.kind === "stopped";
  }

  /** Before a role takes effect: a restart must find it. @returns why it cannot be kept; else null */
  protected remember(memory: RoleMemory, consent: ConsentMemory | null = null): string | null {
    try {
      this.deps.remember(memory, consent);
      this.#consent.gaveWithRole(consent);
      return null;
    } catch (error) {
      const why = wordsOf(error);
      this.deps.journal("error", "role_not_remembered", { why });
      return `the role cannot be kept in --dir, and nothing was changed: ${why}`;
    }
  }

  /** The one place where a node gets another role. */
  protected become(next: Role): void {
    const before = this.role;
    assertRoleMove(before.kind, next.kind);
    this.role = next;
    if (isConfirming(before) && !isConfirming(next)) this.parts.synchronous.ended();
    if ("rounds" in before && next.kind !== before.kind) before.rounds.stop();
    if (before.kind !== "reclaiming" || next.kind === "reclaiming") return;
    // Why not as refused: something else was asked for.
    this.round?.done?.(null);
    this.round = null;
  }

  // --- what the session found out ----------------------------------------------------------------

  /** The upstream is the node `nodeId`; `path` leads to us from the root, which is unknown where null. */
  welcomed(nodeId: Id, path: readonly Id[], rootId: Id | null): void {
    const { identity } = this.parts;
    this.role = roles.withUpstreamId(this.role, nodeId);
    this.#consent.bound(roles.consentOf(this.role));
    if (identity.setPath(path, rootId)) this.dropLinks("the path to the root changed");
  }

  /** The upstream and this node do not suit each other. */
  refused(): void {
    this.role = roles.withoutConsent(this.role);
    this.#consent.over();
  }

  /** Our log is a part of the upstream's: its history is ours. */
  adopted(log: LogName, clusterId: Id | null): void {
    const { identity, backlog } = this.parts;
    if (identity.adopt(log, clusterId)) {
      backlog.rename();
      this.dropLinks("the upstream's history changed");
    }
    this.role = roles.withHolding(roles.withoutConsent(this.role), "whole");
    this.#consent.over();
  }

  /** The upstream's snapshot will be our state, whatever else this node is told meanwhile. */
  swapping(): void {
    this.#consent.swapping(roles.consentOf(this.role), roles.upstreamOf(this.role));
    this.role = roles.withoutConsent(this.role);
  }

  /**
   * The upstream's snapshot is our state, and the log begins anew next. Consent that was given since is
   * for somebody else.
   */
  swapped(log: LogName, clusterId: Id | null): void {
    const { identity, feeder, turn } = this.parts;
    identity.adopt(log, clusterId);
    this.#consent.swapped(this.parts);
    this.swaps += 1;
    turn.dropReplies();
    feeder.upstreamResync();
    this.role = roles.withHolding(this.role, "whole");
  }

  /** A batch was applied in part, and its rest cannot be; on a node that leads: nobody knows. */
  torn(): void {
    this.role = roles.withHolding(this.role, "torn");
    this.parts.feeder.stateTorn();
    this.parts.turn.changed();
  }

  /** Who follows this node comes back at once, and hears of its new history or path. */
  protected dropLinks(why: string): void {
    this.parts.feeder.dropAll("history_changed", "history_changed", why);
  }
}
