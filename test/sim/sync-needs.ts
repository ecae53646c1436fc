/**
 * What synchronous mode says of itself, counted on the nodes and not by what a leader heard of them (D29, D30):
 *
 *   an answer goes out       as many members as the rule needs have what it shows, durable at that level, and have all
 *                            that they ever acknowledged: any N may be lost, and the rest may lead. What was there before
 *                            a rule took another's place may have been confirmed by the one before alone
 *   a node begins to lead    as many members as a round needs have promised its rank, and count
 *   a rule takes another's   the other counts too, until it was confirmed
 *   place
 *
 * Who died since, or is on no link any more, may have had it: nothing is said of those.
 *
 * Knows nothing of how the nodes count. Owns: that. Does not own: what was told, and who has it later
 * (sync-promises.ts).
 */
import { isDeepStrictEqual } from "node:util";
import { compareRanks } from "../../src/log/history.ts";
import type { NodeCore } from "../../src/node/core.ts";
import type { Id, SyncLevel, SyncRule, SyncState } from "../../src/wire/messages.ts";
import { SimError } from "./clock.ts";
import type { Member } from "./reclaim-member.ts";

/** The nodes that run, by store. */
export type Running = ReadonlyMap<Id, NodeCore>;

/** What was last seen of one that runs. */
interface Seen {
  readonly sinceMs: number;
  sync: SyncState;
  /** When its lead round began; -1 for none. */
  roundMs: number;
  /** Where its log ended when its rule changed last while it led, and by which rule what is before counts. */
  changed: { readonly end: number; readonly rule: SyncRule | null };
}

export class SyncNeeds {
  readonly #members: ReadonlyMap<string, Member>;
  readonly #nowMs: () => number;
  readonly #seen = new Map<NodeCore, Seen>();
  /** Who handed over, and to whom: those lead by the word of one another, without a round. */
  readonly #released = new Set<Id>();

  constructor(members: ReadonlyMap<string, Member>, nowMs: () => number) {
    this.#members = members;
    this.#nowMs = nowMs;
  }

  get running(): Running {
    const running = new Map<Id, NodeCore>();
    for (const { core, dead } of this.#members.values())
      if (!dead) running.set(core.identity.storeId, core);
    return running;
  }

  /** After everything that happens on a node. */
  look(core: NodeCore, name: string): void {
    const role = core.roles.now;
    if (role.kind === "resigned")
      this.#released.add(role.resignation.target).add(core.identity.storeId);
    const { sync } = core.identity;
    const seen = this.#seen.get(core) ?? {
      sinceMs: this.#nowMs(),
      sync,
      roundMs: -1,
      changed: { end: -1, rule: null },
    };
    this.#seen.set(core, seen);
    if (role.kind === "reclaiming" && seen.roundMs < 0) seen.roundMs = this.#nowMs();
    if (role.kind === "following" || role.kind === "fenced") seen.roundMs = -1;
    if (seen.sync === sync) return;
    if (role.kind === "leading") this.#checkChange(name, seen.sync, sync);
    if (!isDeepStrictEqual(seen.sync.now, sync.now))
      seen.changed = { end: core.backlog.tail, rule: seen.sync.now };
    seen.sync = sync;
  }

  #checkChange(name: string, before: SyncState, after: SyncState): void {
    const { now } = before;
    if (now === null || after.was !== null || isDeepStrictEqual(now, after.now)) return;
    if (now.members.length > now.copies)
      throw new SimError(`${name} has another rule, and the one before counts no more`);
  }

  /** Everything up to `end` is told by `leader`; `before` ran when it was asked for. */
  told(leader: NodeCore, name: string, end: number, before: Running): void {
    const { sync, storeId } = leader.identity;
    const { running } = this;
    const changed = this.#seen.get(leader)?.changed;
    const isOlder = changed !== undefined && end <= changed.end;
    for (const rule of isOlder ? [changed.rule] : [sync.now, sync.was]) {
      if (rule === null) continue;
      const { copies, level, members } = rule;
      if (level === "durable" && leader.backlog.durable < end)
        throw new SimError(`${name} tells of ${end}, which is not on its own disk`);
      const others = members.filter(
        (id) => id !== storeId && mayHave(leader, id, end, level, before, running),
      );
      const need = copies + (members.includes(storeId) ? 0 : 1);
      if (others.length < need)
        throw new SimError(`${name} tells of ${end}, which ${others.length} of ${need} have`);
    }
  }

  /** It leads, and not by force. */
  leads(core: NodeCore, name: string): void {
    const seen = this.#seen.get(core);
    const roundMs = seen?.roundMs ?? -1;
    if (seen !== undefined) seen.roundMs = -1;
    const { storeId, sync } = core.identity;
    if (roundMs < 0 && this.#released.has(storeId)) return;
    const sinceMs = roundMs < 0 ? this.#nowMs() : roundMs;
    for (const rule of [sync.now, sync.was])
      if (rule !== null) this.#checkRound(core, name, rule, sinceMs);
  }

  #checkRound(leader: NodeCore, name: string, rule: SyncRule, sinceMs: number): void {
    const { running } = this;
    const { members, copies, level } = rule;
    const there = members.filter((id) => {
      const core = running.get(id);
      if (core === undefined || core === leader) return true;
      if ((this.#seen.get(core)?.sinceMs ?? sinceMs) >= sinceMs) return true;
      const { promised, isIntact } = core.identity;
      const counts = core.completeness.has(core.backlog.next) || (level === "durable" && isIntact);
      return counts && compareRanks(promised, leader.identity.rank) >= 0;
    });
    const need = members.length - copies;
    if (there.length < need)
      throw new SimError(`${name} leads with ${there.length} of ${need} that had to promise`);
  }
}

/** It has it, and counts; or nobody knows. */
function mayHave(
  leader: NodeCore,
  id: Id,
  end: number,
  level: SyncLevel,
  before: Running,
  running: Running,
): boolean {
  const core = running.get(id);
  if (core === undefined || before.get(id) !== core) return true;
  const isLinked = leader.feeder.links.some(
    ({ hello, state }) => hello?.storeId === id && state.kind === "streaming",
  );
  if (!isLinked) return true;
  const { next, durable } = core.backlog;
  return core.completeness.has(core.backlog.next) && (level === "durable" ? durable : next) >= end;
}
