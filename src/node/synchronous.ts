/**
 * Synchronous mode on a node that leads: how far its log is confirmed by others, whether enough of them are
 * good for a write to be taken, and changes of the rule. The table of its states: docs/decisions/D30.
 *
 *   it begins to lead      the rule of its log, or of its settings when that has none, is written as its node
 *                          batch at once: nothing below the end of that counts as confirmed
 *   a turn ends            what waits is confirmed up to here; a change that is, under both rules, is over
 *   ten times a second     who is good; S fills itself. While too few are, in each turn: after a planned failover
 *                          everybody waits for that
 *   it leads no more       what waits is UNCONFIRMED
 *
 * What is confirmed stays so, whoever goes: those who had it have it. But a read is answered only when as many
 * have said since it ran that they still follow this node: another may lead by then, and be ahead.
 *
 * Owns: that. Does not own: the arithmetic (members.ts), replies that wait (confirm-queues.ts), links (primary/).
 */
import type { NodeRecord } from "../wire/node-record.ts";
import { formatAddress } from "../net/address.ts";
import type {
  Id,
  NodeAddress,
  PeerAddress,
  SyncLevel,
  SyncRule,
  SyncState,
} from "../wire/messages.ts";
import type { LinkedHolder } from "../primary/feeder.ts";
import type { Journal } from "../primary/journal.ts";
import type { TurnConfirmer } from "./confirm-queues.ts";
import {
  changed,
  changeTo,
  confirmedTo,
  fillsUpTo,
  rulesOf,
  type Shortage,
  shortageOf,
  withMember,
  withoutMember,
} from "./members.ts";
import { type MemberPlace, MemberPlaces } from "./member-places.ts";
import { type MemberLink, type SyncStatus, syncStatusOf } from "./member-status.ts";

export interface SynchronousOptions {
  /** Copies that confirm; 0 for off. */
  readonly sync: number;
  readonly syncLevel: SyncLevel;
  readonly syncTimeoutMs: number;
}

/** What is there without settings. */
const NOT_SYNCHRONOUS: SynchronousOptions = {
  sync: 0,
  syncLevel: "applied",
  syncTimeoutMs: 5_000,
};

export interface SynchronousParts {
  readonly options: SynchronousOptions;
  readonly identity: {
    readonly storeId: Id;
    readonly sync: SyncState;
    /** Other stores that this one remembers, and was told of. */
    readonly followers: readonly PeerAddress[];
    readonly siblings: readonly PeerAddress[];
    /** Kept before it is in the log. */
    ruled(sync: SyncState): void;
    /** Of the present history, or of a rule that changes inside it at `end`. */
    ruleRecord(end: { readonly next: number; readonly chain: number } | null): NodeRecord;
  };
  readonly log: {
    readonly next: number;
    readonly tail: number;
    readonly chain: number;
    readonly durable: number;
    /** The history has begun in the log. */
    readonly hasBegun: boolean;
    seal(): boolean;
    beginHistory(record: NodeRecord): void;
    writeHistory(): void;
  };
  readonly links: {
    holders(): readonly LinkedHolder[];
    askMembers(): void;
    askToSync(offset: number): void;
  };
  /** Nothing that could append is under way, and this node may. */
  readonly isQuiet: () => boolean;
  readonly turn: {
    confirmer: TurnConfirmer | null;
    /** Replies that wait for it. */
    readonly repliesConfirming: number;
    until(holds: () => boolean, done: () => void): () => void;
    appended(): void;
    want(): void;
    endConfirming(): void;
  };
  readonly journal: Journal;
  readonly now: () => number;
}

const NOTHING = -1;
const NOT_LEADING = "this node does not lead";

export class Synchronous implements TurnConfirmer {
  /** This node leads, and there is a rule: replies wait. */
  isOn = false;
  /** Too few members are good: no write is taken. */
  lacks: Shortage | null = null;
  /** Replicas that are good, members or not. */
  goodReplicas = 0;
  /** Confirmed by the rule so far. */
  confirmed: number = NOTHING;
  /** Counts how often it began to lead. */
  leadership = 0;
  readonly #parts: SynchronousParts;
  #isLeading = false;
  /** The end of its own node batch. */
  #begins = 0;
  /** The end of the node batch of a change. */
  #changeEnd = 0;
  /** A change waits for a quiet moment. */
  #isChanging = false;
  /** Removed by somebody: not taken again by itself, as long as this node runs. */
  readonly #removed = new Set<Id>();
  readonly #places = new MemberPlaces();
  /** Embedders that wait until what they wrote is confirmed. */
  #awaiting = 0;
  /** As the settings were when they were last looked at. */
  #wished: Pick<SynchronousOptions, "sync" | "syncLevel">;

  constructor(parts: SynchronousParts) {
    this.#parts = parts;
    const { sync, syncLevel } = parts.options;
    this.#wished = { sync, syncLevel };
  }

  get timeoutMs(): number {
    return this.#parts.options.syncTimeoutMs;
  }

  get state(): SyncState {
    return this.#parts.identity.sync;
  }

  /** What it confirms has to be durable on this node. */
  get needsDurable(): boolean {
    return this.isOn && rulesOf(this.state).some(({ level }) => level === "durable");
  }

  // --- leading -----------------------------------------------------------------------------------

  /** It takes writes from now on. */
  leads(): void {
    if (this.#isLeading) return;
    const { identity, turn } = this.#parts;
    this.#isLeading = true;
    this.leadership += 1;
    turn.confirmer = this;
    const { sync, syncLevel } = this.#parts.options;
    if (rulesOf(identity.sync).length === 0 && sync > 0)
      identity.ruled({ now: this.#firstRule(sync, syncLevel), was: null });
    if (rulesOf(identity.sync).length > 0) this.#write();
  }

  #firstRule(copies: number, level: SyncLevel): SyncRule {
    return { copies, level, members: [this.#parts.identity.storeId] };
  }

  /** It takes none any more. */
  ended(): void {
    if (!this.#isLeading) return;
    const { turn } = this.#parts;
    turn.endConfirming();
    turn.confirmer = null;
    this.#isLeading = false;
    this.isOn = false;
    this.lacks = null;
    this.#isChanging = false;
    this.confirmed = NOTHING;
  }

  /** The rule that counts is in the log. */
  #write(): void {
    const { identity, log, turn } = this.#parts;
    log.seal();
    const isFirst = !log.hasBegun;
    log.beginHistory(identity.ruleRecord(isFirst ? null : log));
    log.writeHistory();
    if (isFirst || !this.isOn) this.#begins = log.next;
    this.#changeEnd = log.next;
    this.isOn = rulesOf(identity.sync).length > 0;
    this.review();
    turn.appended();
    turn.want();
  }

  // --- what is confirmed -------------------------------------------------------------------------

  confirmedTo(copies: number): number {
    if (copies === 0) return this.confirmed;
    return this.#above(this.#confirmedBy(copies));
  }

  #confirmedBy(copies: number): number {
    const { identity, links, log } = this.#parts;
    const own = { storeId: identity.storeId, applied: log.tail, durable: log.durable };
    return confirmedTo(identity.sync, own, links.holders(), copies);
  }

  /** Older bytes count with the node batch alone. */
  #above(offset: number): number {
    return offset >= this.#begins ? offset : NOTHING;
  }

  heardUs(copies: number): number {
    const { identity, links } = this.#parts;
    const heard = links.holders().map(({ storeId, heardUs }) => {
      return { storeId, applied: heardUs, durable: heardUs };
    });
    const always = Number.POSITIVE_INFINITY;
    const own = { storeId: identity.storeId, applied: always, durable: always };
    return confirmedTo(identity.sync, own, heard, copies);
  }

  look(): void {
    if (!this.isOn) return;
    this.confirmed = Math.max(this.confirmed, this.#above(this.#confirmedBy(0)));
    if (this.state.was !== null && !this.#isChanging && this.confirmed >= this.#changeEnd)
      this.#become(changed(this.state), "members_changed");
    if (this.lacks !== null) this.review();
  }

  /** Whoever embeds the node waits until what it wrote is confirmed. */
  get isAwaited(): boolean {
    return this.#awaiting > 0;
  }

  /** One more does. @returns what to call when it waits no more */
  awaits(): () => void {
    this.#awaiting += 1;
    return () => {
      this.#awaiting -= 1;
      this.#parts.turn.want();
    };
  }

  ask(): void {
    this.#parts.links.askMembers();
  }

  askToSync(): void {
    this.#parts.links.askToSync(this.#parts.log.next);
  }

  // --- who is good -------------------------------------------------------------------------------

  /** Ten times a second, and when a link ends. */
  review(): void {
    if (!this.#isLeading) return;
    const { identity } = this.#parts;
    const good = this.#good();
    this.goodReplicas = good.length;
    this.lacks = this.isOn
      ? shortageOf(identity.sync, identity.storeId, new Set(good.map(({ storeId }) => storeId)))
      : null;
    if (this.isOn) this.#fill(good);
  }

  /** A replica is welcomed from there. */
  linked(replica: Id, place: MemberPlace): void {
    const before = this.#places.came(replica, place);
    if (!this.isOn || before.length === 0) return;
    const ids = rulesOf(this.state).flatMap(({ members }) => members);
    if (ids.includes(replica)) return;
    const at = formatAddress({ host: place.host, port: place.replPort });
    for (const member of before.filter((id) => ids.includes(id)))
      this.#parts.journal("warn", "member_replaced", { member, replica, at });
  }

  #good(): readonly LinkedHolder[] {
    const sinceMs = this.#parts.now() - this.timeoutMs;
    return this.#parts.links.holders().filter(({ ackMs }) => ackMs >= sinceMs);
  }

  /** Null when the mode is off. `links` are the node's. */
  status(
    links: readonly MemberLink[],
    { host, clientPort, replPort, complete }: NodeAddress & { readonly complete: boolean },
  ): SyncStatus | null {
    const { identity, log, now, turn } = this.#parts;
    if (rulesOf(identity.sync).length === 0) return null;
    const { storeId, sync, followers, siblings } = identity;
    const told = [...followers, ...siblings];
    const { tail: applied, durable } = log;
    return syncStatusOf({
      sync,
      isLeading: this.#isLeading,
      confirmed: this.confirmed,
      heardSinceMs: now() - this.timeoutMs,
      heldReplies: turn.repliesConfirming,
      placeOf: (id) => this.#places.of(id, told),
      own: { storeId, host, clientPort, replPort, complete, applied, durable },
      holders: this.#parts.links.holders(),
      links,
    });
  }

  /** S takes complete replicas by itself until any N of it may be lost, and most are left. */
  #fill(good: readonly LinkedHolder[]): void {
    const { now, was } = this.state;
    if (now === null || was !== null || this.#isChanging) return;
    if (now.members.length >= fillsUpTo(now)) return;
    const next = good.find(
      ({ storeId }) => !now.members.includes(storeId) && !this.#removed.has(storeId),
    );
    if (next === undefined) return;
    const state = withMember(this.state, next.storeId);
    if (typeof state !== "string") this.#become(state, "member_added");
  }

  // --- changes -----------------------------------------------------------------------------------

  /** The settings may have changed. */
  settingsChanged(): void {
    const { sync, syncLevel } = this.#parts.options;
    if (sync === this.#wished.sync && syncLevel === this.#wished.syncLevel) return;
    this.#wished = { sync, syncLevel };
    const { now } = this.state;
    if (!this.#isLeading || (now === null && sync === 0)) return;
    const why = this.change(changeTo(this.state, this.#wishedRule(now)), "sync_changed");
    if (why !== null) this.#parts.journal("warn", "members_not_changed", { why });
  }

  #wishedRule(now: SyncRule | null): SyncRule | null {
    const { sync, syncLevel } = this.#wished;
    if (sync === 0) return null;
    return now === null
      ? this.#firstRule(sync, syncLevel)
      : { ...now, copies: sync, level: syncLevel };
  }

  /** @param made a state, or why there is none @returns why not */
  change(made: SyncState | string, event: string): string | null {
    if (typeof made === "string") return made;
    if (!this.#isLeading) return NOT_LEADING;
    if (this.#isChanging) return "a change of the members is under way";
    this.#become(made, event);
    return null;
  }

  /** A good replica becomes a member. @returns why not */
  add(id: Id): string | null {
    const made = withMember(this.state, id);
    if (typeof made === "string") return made;
    if (!this.#isLeading) return NOT_LEADING;
    const good = this.#good().map(({ storeId }) => storeId);
    if (!good.includes(id)) {
      const others = good.filter((each) => this.state.now?.members.includes(each) !== true);
      return `${id} is no replica that is linked, complete and heard of; those that are, and no members: ${others.join(", ") || "none"}`;
    }
    const why = this.change(made, "member_added");
    if (why === null) this.#removed.delete(id);
    return why;
  }

  /** A member, gone or not, is one no more. @returns why not */
  remove(id: Id): string | null {
    const made = withoutMember(this.state, id);
    if (typeof made === "string")
      return `${made}; members: ${this.state.now?.members.join(", ") ?? "none"}`;
    if (!this.#isLeading) return NOT_LEADING;
    // Why: such a change could not be confirmed either, and no write while it is under way.
    const good = new Set(this.#good().map(({ storeId }) => storeId));
    const short = shortageOf({ ...made, was: null }, this.#parts.identity.storeId, good);
    if (short !== null)
      return `${short.good} members that are linked, complete and heard of would be left, and ${short.needed} have to confirm: add one first`;
    const why = this.change(made, "member_removed");
    if (why === null) this.#removed.add(id);
    return why;
  }

  /** The rule before counts no more, confirmed or not: its members are known to be gone. */
  force(): string | null {
    if (this.state.was === null) return "no change is under way";
    return this.change(changed(this.state), "members_forced");
  }

  #become(next: SyncState, event: string): void {
    const { identity, isQuiet, turn, journal } = this.#parts;
    const before = identity.sync;
    this.#isChanging = true;
    turn.until(
      () => isQuiet() || !this.#isLeading,
      () => {
        if (!this.#isLeading || !this.#isChanging || identity.sync !== before) return;
        this.#isChanging = false;
        identity.ruled(next);
        this.#write();
        const { now, was } = next;
        journal("info", event, {
          copies: now?.copies ?? 0,
          // Not "level": that is the line's own.
          sync_level: now?.level ?? "off",
          members: now?.members.join(" ") ?? "",
          confirmed: was === null,
        });
      },
    );
  }
}

/** The parts of a node that it acts on; core.ts. */
interface SynchronousNode {
  readonly identity: SynchronousParts["identity"];
  readonly backlog: SynchronousParts["log"] & { readonly hasDraft: boolean };
  readonly feeder: SynchronousParts["links"];
  readonly turn: SynchronousParts["turn"];
  readonly roles: { readonly now: { readonly kind: string } };
  readonly isQuiet: () => boolean;
  readonly now: () => number;
}

/** That of `node`. */
export function synchronousOf(
  node: SynchronousNode,
  journal: Journal,
  options: SynchronousOptions = NOT_SYNCHRONOUS,
): Synchronous {
  const { identity, backlog: log, feeder: links, turn, now } = node;
  // Why the role: one that is paused has said where its log ends.
  const isQuiet = (): boolean =>
    node.roles.now.kind === "leading" && node.isQuiet() && !log.hasDraft;
  return new Synchronous({ options, identity, log, links, isQuiet, turn, journal, now });
}

/** For who is refused a write. */
export function shortageText({ good, needed }: Shortage): string {
  return `Not enough members to confirm a write: ${good} of the ${needed} that are needed are linked, complete and heard of`;
}
