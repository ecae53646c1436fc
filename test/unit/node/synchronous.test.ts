/** Synchronous mode on a leader: what is confirmed when, who is good, and changes of the rule. */
import { beforeEach, describe, expect, test } from "vitest";
import {
  Synchronous,
  synchronousOf,
  type SynchronousOptions,
} from "../../../src/node/synchronous.ts";
import type { TurnConfirmer } from "../../../src/node/confirm-queues.ts";
import { withMember, withoutMember } from "../../../src/node/members.ts";
import type { Fields } from "../../../src/primary/journal.ts";
import type { LinkedHolder } from "../../../src/primary/feeder.ts";
import { NO_SYNC, type SyncRule, type SyncState } from "../../../src/wire/messages.ts";
import type { NodeRecord } from "../../../src/wire/node-record.ts";

const SELF = "self";
/** What a node batch takes of the log here. */
const BATCH = 100;

class Rig {
  readonly options: { -readonly [K in keyof SynchronousOptions]: SynchronousOptions[K] } = {
    sync: 1,
    syncLevel: "applied",
    syncTimeoutMs: 5_000,
  };
  holders: LinkedHolder[] = [];
  nowMs = 10_000;
  isQuiet = true;
  asked = 0;
  readonly synced: number[] = [];
  ends = 0;
  wanted = 0;
  readonly events: string[] = [];
  readonly fields: Fields[] = [];
  readonly written: NodeRecord[] = [];
  readonly waits: { holds: () => boolean; done: () => void }[] = [];
  readonly log = {
    next: 0,
    tail: 0,
    chain: 0,
    durable: 0,
    hasBegun: false,
    seal: () => false,
    beginHistory: (record: NodeRecord) => void this.written.push(record),
    writeHistory: () => {
      this.log.hasBegun = true;
      this.append(BATCH);
    },
  };
  readonly identity = {
    storeId: SELF,
    sync: NO_SYNC,
    followers: [{ storeId: "c", host: "remembered", port: 8 }],
    siblings: [],
    ruled: (sync: SyncState) => void (this.identity.sync = sync),
    ruleRecord: () => ({ sync: this.identity.sync }) as NodeRecord,
  };
  readonly turn = {
    confirmer: null as TurnConfirmer | null,
    repliesConfirming: 4,
    until: (holds: () => boolean, done: () => void) => {
      this.waits.push({ holds, done });
      return () => undefined;
    },
    appended: () => undefined,
    want: () => void (this.wanted += 1),
    endConfirming: () => void (this.ends += 1),
  };
  readonly it = new Synchronous({
    options: this.options,
    identity: this.identity,
    log: this.log,
    links: {
      holders: () => this.holders,
      askMembers: () => void (this.asked += 1),
      askToSync: (offset) => void this.synced.push(offset),
    },
    isQuiet: () => this.isQuiet,
    turn: this.turn,
    journal: (_level, event, fields) => {
      this.events.push(event);
      this.fields.push(fields);
    },
    now: () => this.nowMs,
  });

  append(bytes: number): void {
    this.log.tail += bytes;
    this.log.next = this.log.tail;
  }

  /** A replica that has the log up to there. */
  has(storeId: string, applied: number, durable = 0, ackMs = this.nowMs): void {
    this.holders = this.holders.filter((each) => each.storeId !== storeId);
    this.holders.push({ storeId, applied, durable, heardUs: applied, ackMs });
  }

  endTurn(): void {
    this.it.look();
    for (const wait of this.waits.splice(0)) {
      if (wait.holds()) wait.done();
      else this.waits.push(wait);
    }
  }

  get rule(): SyncRule | null {
    return this.identity.sync.now;
  }
}

let rig: Rig;
beforeEach(() => {
  rig = new Rig();
});

/** It leads, and S is itself, b and c. */
function leads(): void {
  rig.it.leads();
  for (const id of ["b", "c"]) rig.has(id, rig.log.tail);
  for (let i = 0; i < 4; i++) {
    rig.it.review();
    rig.endTurn();
    for (const id of ["b", "c"]) rig.has(id, rig.log.tail);
    rig.endTurn();
  }
  expect(rig.identity.sync).toEqual({
    now: { copies: 1, level: "applied", members: [SELF, "b", "c"] },
    was: null,
  });
}

describe("leading", () => {
  test("without sync it writes nothing and nobody waits", () => {
    rig.options.sync = 0;
    rig.it.leads();
    expect([rig.written, rig.it.isOn, rig.it.lacks]).toEqual([[], false, null]);
    expect(rig.turn.confirmer).toBe(rig.it);
  });

  test("its node batch is in the log at once, and nobody is good yet", () => {
    rig.it.leads();
    expect(rig.written).toHaveLength(1);
    expect(rig.rule).toEqual({ copies: 1, level: "applied", members: [SELF] });
    expect(rig.it.lacks).toEqual({ good: 0, needed: 1 });
  });

  test("S fills itself to 2 N + 1, one change at a time, each confirmed under both", () => {
    leads();
    rig.has("d", rig.log.tail);
    rig.it.review();
    rig.endTurn();
    expect(rig.rule!.members).toEqual([SELF, "b", "c"]);
    expect(rig.events).toEqual(["member_added", "member_added", "members_changed"]);
    expect(rig.it.lacks).toBeNull();
  });

  test("the rule of its log counts, not that of its settings", () => {
    rig.identity.sync = { now: { copies: 2, level: "durable", members: ["b", SELF] }, was: null };
    rig.it.leads();
    expect([rig.rule!.copies, rig.it.needsDurable]).toEqual([2, true]);
  });

  test("it leads no more => what waits is given up, and nobody is asked", () => {
    leads();
    rig.it.ended();
    expect([rig.ends, rig.turn.confirmer, rig.it.isOn]).toEqual([1, null, false]);
  });
});

describe("confirmed", () => {
  test("what a member has, and it stays so when that one goes", () => {
    leads();
    rig.append(50);
    const end = rig.log.tail;
    rig.it.look();
    expect(rig.it.confirmedTo(0)).toBe(end - 50);
    rig.has("c", end);
    rig.it.look();
    expect(rig.it.confirmedTo(0)).toBe(end);
    rig.holders = [];
    rig.it.look();
    expect(rig.it.confirmedTo(0)).toBe(end);
    expect(rig.it.confirmedTo(2)).toBe(-1);
  });

  test("older bytes count only with the leader's own node batch", () => {
    rig.identity.sync = { now: { copies: 1, level: "applied", members: [SELF, "b"] }, was: null };
    rig.append(1_000);
    rig.it.leads();
    rig.has("b", 1_000 + BATCH - 1);
    rig.it.look();
    expect(rig.it.confirmedTo(0)).toBe(-1);
    rig.has("b", 1_000 + BATCH);
    rig.it.look();
    expect(rig.it.confirmedTo(0)).toBe(1_000 + BATCH);
  });

  test("at level durable: there, and here", () => {
    rig.identity.sync = { now: { copies: 1, level: "durable", members: [SELF, "b"] }, was: null };
    rig.it.leads();
    rig.has("b", BATCH, BATCH);
    rig.it.look();
    expect(rig.it.confirmedTo(0)).toBe(-1);
    rig.log.durable = BATCH;
    rig.it.look();
    expect(rig.it.confirmedTo(0)).toBe(BATCH);
  });

  test("a read: as many have answered a PING since", () => {
    leads();
    rig.holders = [];
    rig.has("b", 400);
    rig.has("d", 900);
    expect([rig.it.heardUs(0), rig.it.heardUs(2)]).toEqual([400, -1]);
  });
});

describe("good members", () => {
  test("those who were heard of within the time limit", () => {
    leads();
    rig.nowMs += 5_001;
    rig.it.review();
    expect(rig.it.lacks).toEqual({ good: 0, needed: 1 });
    rig.has("c", 0);
    rig.it.review();
    expect([rig.it.lacks, rig.it.goodReplicas]).toEqual([null, 1]);
  });
});

test("too few are good => one that comes counts from the next turn on; when enough are, once at each review", () => {
  leads();
  rig.holders = [];
  rig.it.review();
  expect(rig.it.lacks).not.toBeNull();
  rig.has("b", rig.log.tail);
  rig.endTurn();
  expect(rig.it.lacks).toBeNull();
  rig.holders = [];
  rig.endTurn();
  expect(rig.it.lacks).toBeNull();
});

describe("changes", () => {
  test("one is confirmed under both rules, then the new one counts alone", () => {
    leads();
    expect(rig.it.change(withoutMember(rig.it.state, "b"), "member_removed")).toBeNull();
    rig.endTurn();
    expect(rig.it.state.was!.members).toEqual([SELF, "b", "c"]);
    rig.has("b", rig.log.tail);
    rig.endTurn();
    // Confirmed by the old rule alone: c counts in both, b in one.
    expect(rig.it.state.was).not.toBeNull();
    rig.has("c", rig.log.tail);
    rig.endTurn();
    expect(rig.it.state).toEqual({
      now: { copies: 1, level: "applied", members: [SELF, "c"] },
      was: null,
    });
  });

  test("it waits for a quiet moment, and a second one is refused meanwhile", () => {
    leads();
    rig.isQuiet = false;
    const next = withMember(rig.it.state, "d");
    expect(rig.it.change(next, "member_added")).toBeNull();
    expect(rig.it.change(next, "member_added")).toContain("under way");
    rig.endTurn();
    expect(rig.rule!.members).toHaveLength(3);
    rig.isQuiet = true;
    rig.endTurn();
    expect(rig.rule!.members).toHaveLength(4);
  });

  test("confirmed under both while it waits for that => one waits, however many turns end", () => {
    leads();
    rig.it.change(withMember(rig.it.state, "d"), "member_added");
    rig.endTurn();
    for (const id of ["b", "c"]) rig.has(id, rig.log.tail);
    rig.isQuiet = false;
    for (let turns = 0; turns < 5; turns++) rig.endTurn();
    expect([rig.waits.length, rig.it.state.was === null]).toEqual([1, false]);
    rig.isQuiet = true;
    rig.endTurn();
    expect(rig.it.state.was).toBeNull();
  });

  test("the node leads no more before that => nothing is changed", () => {
    leads();
    rig.isQuiet = false;
    rig.it.change(withMember(rig.it.state, "d"), "member_added");
    rig.it.ended();
    rig.endTurn();
    expect(rig.rule!.members).toHaveLength(3);
  });

  test("the settings change: copies, level, off", () => {
    leads();
    rig.it.settingsChanged();
    expect(rig.events).not.toContain("sync_changed");
    rig.options.syncLevel = "durable";
    rig.it.settingsChanged();
    rig.endTurn();
    expect(rig.rule!.level).toBe("durable");
    rig.options.sync = 0;
    rig.it.settingsChanged();
    expect(rig.events).toContain("members_not_changed");
  });

  test("FORCE: the rule before counts no more", () => {
    leads();
    expect(rig.it.force()).toContain("no change");
    rig.it.change(withMember(rig.it.state, "d"), "member_added");
    rig.endTurn();
    expect(rig.it.force()).toBeNull();
    rig.endTurn();
    expect(rig.it.state.was).toBeNull();
  });

  test("turned off: nobody waits any more once that is confirmed", () => {
    leads();
    rig.options.sync = 0;
    rig.it.settingsChanged();
    rig.endTurn();
    expect(rig.it.isOn).toBe(true);
    rig.has("b", rig.log.tail);
    rig.endTurn();
    rig.endTurn();
    expect([rig.it.isOn, rig.it.state]).toEqual([false, NO_SYNC]);
  });
});

test("embedders wait => it says so until the last one has ended, which asks for a turn", () => {
  leads();
  const [first, second] = [rig.it.awaits(), rig.it.awaits()];
  first();
  expect(rig.it.isAwaited).toBe(true);
  const { wanted } = rig;
  second();
  expect([rig.it.isAwaited, rig.wanted]).toEqual([false, wanted + 1]);
});

test("a node that is paused has said where its log ends => no rule is written behind that", () => {
  const now: { kind: "leading" | "paused" } = { kind: "leading" };
  const it = synchronousOf(
    {
      identity: rig.identity,
      backlog: Object.assign(rig.log, { hasDraft: false }),
      feeder: {
        holders: () => rig.holders,
        askMembers: () => undefined,
        askToSync: () => undefined,
      },
      turn: rig.turn,
      roles: { now },
      isQuiet: () => true,
      now: () => rig.nowMs,
    },
    () => undefined,
    rig.options,
  );
  it.leads();
  rig.has("b", rig.log.tail);
  now.kind = "paused";
  const { tail } = rig.log;
  it.review();
  const turnEnds = (): void => {
    it.look();
    for (const wait of rig.waits.splice(0)) {
      if (wait.holds()) wait.done();
      else rig.waits.push(wait);
    }
  };
  turnEnds();
  expect(rig.log.tail).toBe(tail);
  now.kind = "leading";
  turnEnds();
  expect(rig.rule!.members).toEqual([SELF, "b"]);
  expect(rig.log.tail).toBe(tail + BATCH);
});

test("disks are asked for the log up to its end", () => {
  leads();
  rig.it.askToSync();
  expect(rig.synced).toEqual([rig.log.next]);
});

describe("by hand", () => {
  const FIGURES = { host: "h", clientPort: 1, replPort: 2, complete: true };

  test("a good replica is added; one that is not is refused, and those that could be are named", () => {
    expect(rig.it.add("d")).toBe("synchronous mode is off");
    leads();
    rig.has("d", rig.log.tail);
    expect(rig.it.add("e")).toMatch(/^e is no replica that is linked.*no members: d$/);
    rig.has("d", rig.log.tail, 0, rig.nowMs - 6_000);
    expect(rig.it.add("d")).toMatch(/no members: none$/);
    rig.has("d", rig.log.tail);
    expect(rig.it.add("b")).toBe("b is a member already");
    expect(rig.it.add("d")).toBeNull();
    rig.endTurn();
    expect(rig.rule!.members).toEqual([SELF, "b", "c", "d"]);
  });

  test("one that was removed is not taken again by itself, but by hand", () => {
    leads();
    expect(rig.it.remove("b")).toBeNull();
    for (let i = 0; i < 3; i++) {
      rig.endTurn();
      for (const id of ["b", "c"]) rig.has(id, rig.log.tail);
      rig.it.review();
    }
    expect(rig.it.state).toEqual({ now: { ...rig.rule!, members: [SELF, "c"] }, was: null });
    expect(rig.events).toContain("member_removed");
    expect(rig.it.add("b")).toBeNull();
    rig.endTurn();
    expect(rig.rule!.members).toEqual([SELF, "c", "b"]);
  });

  test("the last good member is not removed, the dead one is", () => {
    leads();
    expect(rig.it.remove("x")).toBe(`x is no member; members: ${SELF}, b, c`);
    rig.has("b", rig.log.tail, 0, rig.nowMs - 6_000);
    expect(rig.it.remove("c")).toMatch(/^0 members .* would be left, and 1 have to confirm/);
    expect(rig.it.remove("b")).toBeNull();
    rig.endTurn();
    expect(rig.rule!.members).toEqual([SELF, "c"]);
  });

  test("a node that does not lead changes nothing, and knows of nobody", () => {
    leads();
    rig.it.ended();
    expect([rig.it.add("d"), rig.it.remove("b"), rig.it.force()]).toEqual([
      "this node does not lead",
      "this node does not lead",
      "no change is under way",
    ]);
    const status = rig.it.status([], FIGURES)!;
    expect([status.leads, status.confirmed, status.goodMembers]).toEqual([false, -1, 0]);
    expect(status.members.map(({ good, confirmed }) => [good, confirmed])).toEqual([
      [true, rig.log.tail],
      [false, -1],
      [false, -1],
    ]);
  });

  test("figures: how far each is behind, who is good, and a change with both rules", () => {
    expect(rig.it.status([], FIGURES)).toBeNull();
    leads();
    const { tail } = rig.log;
    rig.has("b", tail - 30, 0, rig.nowMs - 6_000);
    expect(rig.it.remove("b")).toBeNull();
    rig.endTurn();
    const status = rig.it.status([], FIGURES)!;
    expect(status).toMatchObject({ copies: 1, level: "applied", leads: true, goodMembers: 1 });
    expect(status.change).toEqual({
      from: { copies: 1, level: "applied", members: [SELF, "b", "c"] },
      to: { copies: 1, level: "applied", members: [SELF, "c"] },
    });
    const b = status.members.find(({ storeId }) => storeId === "b")!;
    expect([b.good, b.confirmed, b.lagBytes]).toEqual([false, tail - 30, 30 + BATCH]);
    expect(status.members[0]).toMatchObject({
      storeId: SELF,
      host: "h",
      clientPort: 1,
      good: true,
    });
    expect(status.heldReplies).toBe(4);
  });

  test("a member that is not linked is where it was last; another store there is said, once", () => {
    leads();
    const place = { host: "b", clientPort: 6381, replPort: 16_381 };
    rig.it.linked("b", place);
    const placeOf = (storeId: string): unknown[] => {
      const { members } = rig.it.status([], FIGURES)!;
      const { host, clientPort, replPort, linked } = members.find((m) => m.storeId === storeId)!;
      return [host, clientPort, replPort, linked];
    };
    expect(placeOf("b")).toEqual(["b", 6381, 16_381, false]);
    expect(placeOf("c")).toEqual(["remembered", 0, 8, false]);
    rig.events.length = 0;
    rig.it.linked("x", place);
    rig.it.linked("x", place);
    expect(rig.events).toEqual(["member_replaced"]);
    expect(rig.fields.at(-1)).toEqual({ member: "b", replica: "x", at: "b:16381" });
    const link = { replicaId: "x", ...place, state: "streaming", complete: true };
    const b = rig.it.status([link], FIGURES)!.members.find(({ storeId }) => storeId === "b")!;
    expect([b.linked, b.replacedBy]).toEqual([false, "x"]);
    // It came back elsewhere: nobody is in its place.
    rig.it.linked("b", { ...place, host: "b2" });
    const back = { ...link, replicaId: "b", host: "b2" };
    const [, again] = rig.it.status([link, back], FIGURES)!.members;
    expect([again!.linked, again!.replacedBy, again!.host]).toEqual([true, "", "b2"]);
  });

  test("no member comes in the place of no member, or on a node that does not lead => nothing is said", () => {
    const place = { host: "y", clientPort: 1, replPort: 2 };
    rig.it.linked("b", place);
    rig.it.linked("x", place);
    leads();
    rig.events.length = 0;
    rig.it.linked("y", place);
    rig.it.linked("z", { ...place, host: "z" });
    rig.it.linked("w", { ...place, host: "z" });
    expect(rig.events).toEqual(["member_replaced"]);
  });
});
