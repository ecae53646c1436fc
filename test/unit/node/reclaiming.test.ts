/** How a restarted leader asks, is fed, and gives up: told by turns and clocks. */
import { expect, test } from "vitest";
import { type LogEnd, rankText } from "../../../src/log/history.ts";
import type { ReclaimSelf } from "../../../src/node/reclaim-choice.ts";
import { ReclaimRun, type RoundPlan } from "../../../src/node/reclaiming.ts";
import type { PromiseSaid } from "../../../src/replica/inquiry.ts";
import type { SeedAnswer } from "../../../src/node/seed-choice.ts";
import type { Peer } from "../../../src/node/node-memory.ts";
import type { Address } from "../../../src/net/address.ts";
import type { Rank, StateAnswer } from "../../../src/wire/messages.ts";

const id = (n: number): string => n.toString(16).padStart(32, "0");
const A: Peer = { storeId: id(70), host: "a", port: 1, awaited: true };
const B: Peer = { storeId: id(71), host: "b", port: 2, awaited: true };
/** B, when no start waits for it. */
const SPARE: Peer = { ...B, awaited: false };
const NONE = { term: 0, run: 0 };

function stateOf(offset: number, more: Partial<StateAnswer> = {}): StateAnswer {
  return {
    type: "state",
    storeId: id(7),
    clusterId: null,
    durable: 0,
    complete: true,
    intact: true,
    promised: { term: 0, run: 0 },
    rank: { term: 1, run: 0 },
    proof: "",
    nodeId: id(8),
    role: "replica",
    hasData: true,
    rootLives: false,
    upstream: { host: "me", port: 1 },
    path: [id(9), id(8)],
    position: { history: id(2), offset, chain: 1 },
    lineage: [],
    ...more,
  };
}

const said = (rank: Rank): PromiseSaid => ({
  type: "promise",
  storeId: id(5),
  clusterId: id(6),
  rank,
  position: { history: id(2), offset: 0, chain: 0 },
  lineage: [],
});

/** A run whose node, answers and time are the test's. */
class Rig {
  nowMs = 0;
  readonly did: string[] = [];
  readonly lines: string[] = [];
  readonly counts: Record<string, number> = {};
  /** What each answers; null for silence. */
  readonly said = new Map<Address, StateAnswer | null>();
  /** What each answers to PROMISE, when that is something else. */
  readonly later = new Map<Address, StateAnswer>();
  /** The highest term. */
  heard = 0;
  readonly asks: { withinMs: number; whom: string }[] = [];
  /** Their answers are late. */
  readonly late: string[] = [];
  readonly run: ReclaimRun;
  readonly node: ConstructorParameters<typeof ReclaimRun>[0] & {
    next: number;
    records: number;
    isDurable: boolean;
    connected: boolean;
    isRefused: boolean;
    isTorn: boolean;
  };
  promised: Rank = { term: 0, run: 0 };
  private readonly laters: { atMs: number; run: () => void }[] = [];
  private readonly waits = new Set<{ holds: () => boolean; done: () => void }>();

  constructor(
    peers: readonly Peer[],
    patienceMs = 5_000,
    missingTo = 0,
    round: RoundPlan | null = null,
  ) {
    const { did } = this;
    this.node = {
      next: 100,
      get log(): LogEnd {
        return { history: id(2), rank: { term: 1, run: 0 }, lineage: [], offset: this.next };
      },
      records: 10,
      isDurable: true,
      connected: false,
      isRefused: false,
      isTorn: false,
      reclaimSelf: (): ReclaimSelf => ({
        nodeId: id(1),
        clusterId: null,
        history: id(2),
        lineage: [],
        offset: this.node.next,
        rank: { term: 1, run: 0 },
      }),
      wantDurable: () => did.push("sync"),
      takeFrom: ({ host }) => did.push(`take ${host}`),
      takeNoMore: () => {
        did.push("hang up");
        this.node.isRefused = false;
      },
      stayBelow: ({ host }) => did.push(`below ${host}`),
      heardOf: ({ term }) => (this.heard = Math.max(this.heard, term)),
      roundRank: { term: 2, run: 0 },
      promiseSelf: (rank) => {
        did.push(`promise ${rankText(rank)}`);
        this.promised = rank;
        return said(rank);
      },
      holds: (rank) => rankText(rank) === rankText(this.promised),
      lead: (rank) => did.push(rank === null ? "lead" : `lead with ${rankText(rank)}`),
      parted: (storeIds, end) => {
        const names = peers.filter(({ storeId }) => storeIds.includes(storeId));
        did.push(`parted ${names.map(({ host }) => host).join()} at ${end}`);
      },
    };
    this.run = new ReclaimRun(
      this.node,
      {
        peers,
        patienceMs,
        refusalOf: ({ offset }) => (offset < missingTo ? `whole up to ${offset}` : null),
        round,
      },
      {
        ask: (sources, withinMs, done, asked) => {
          const whom = sources.map(({ host }) => host).join();
          this.asks.push({ withinMs, whom });
          const rank = asked !== undefined && "type" in asked ? asked.rank : null;
          const answer = (): void => done(sources.map((source) => this.answer(source, rank)));
          const isLate = sources.some(({ host }) => this.late.includes(host));
          if (isLate) this.laters.push({ atMs: this.nowMs + withinMs, run: answer });
          else answer();
        },
        later: (ms, run) => void this.laters.push({ atMs: this.nowMs + ms, run }),
        until: (holds, done) => {
          const wait = { holds, done };
          this.waits.add(wait);
          return () => void this.waits.delete(wait);
        },
        now: () => this.nowMs,
        journal: (_level, event, fields) =>
          this.lines.push(`${event} ${String(fields["choice"] ?? fields["records"])}`),
        counters: {
          bump: (name, by = 1) => (this.counts[name] = (this.counts[name] ?? 0) + by),
        },
        onFailed: () => did.push("failed"),
      },
    );
  }

  private answer(source: Address, asked: Rank | null): SeedAnswer {
    const has = (asked === null ? null : this.later.get(source)) ?? this.said.get(source) ?? null;
    // Who has promised nothing above what it is asked for promises that.
    const promises = has !== null && asked !== null && has.promised.term <= asked.term;
    const state = promises ? { ...has, promised: asked } : has;
    return { source, state, error: state === null ? "connection refused" : "" };
  }

  /** Time passes, in which what is due runs, and turns end. */
  pass(ms: number): void {
    const untilMs = this.nowMs + ms;
    this.turn();
    for (;;) {
      this.laters.sort((a, b) => a.atMs - b.atMs);
      const [due] = this.laters;
      if (due === undefined || due.atMs > untilMs) break;
      this.laters.shift();
      this.nowMs = due.atMs;
      due.run();
      this.turn();
    }
    this.nowMs = untilMs;
  }

  private turn(): void {
    for (let more = true; more;) {
      more = false;
      for (const wait of [...this.waits])
        if (this.waits.has(wait) && wait.holds()) {
          this.waits.delete(wait);
          wait.done();
          more = true;
        }
    }
  }
}

test("all answer, and nobody has more => it leads at once", () => {
  const rig = new Rig([A, B]);
  rig.said.set(A, stateOf(100)).set(B, stateOf(90));
  rig.run.start();
  rig.pass(0);
  expect(rig.did).toEqual(["sync", "lead"]);
  expect([rig.asks.length, rig.nowMs]).toEqual([1, 0]);
});

test("what was taken is durable before it leads", () => {
  const rig = new Rig([A]);
  rig.said.set(A, stateOf(100));
  rig.node.isDurable = false;
  rig.run.start();
  rig.pass(60_000);
  expect(rig.did).toEqual(["sync"]);
  rig.node.isDurable = true;
  rig.pass(0);
  expect(rig.did).toEqual(["sync", "lead"]);
});

test("one is ahead => it feeds the rest, all are asked again, and it is counted", () => {
  const rig = new Rig([A, B]);
  rig.said.set(A, stateOf(100)).set(B, stateOf(300));
  rig.run.start();
  rig.pass(500);
  expect(rig.did).toEqual(["take b"]);
  Object.assign(rig.node, { connected: true, next: 300, records: 15 });
  rig.pass(0);
  expect(rig.did).toEqual(["take b", "hang up", "sync", "lead"]);
  expect(rig.counts).toEqual({ reclaimed_records: 5, reclaimed_bytes: 200 });
  expect(rig.lines).toEqual(["reclaim take", "reclaimed 5", "reclaim open"]);
  expect(rig.asks).toHaveLength(2);
});

test("whoever fed what it had is not taken from again, however its log grows", () => {
  const rig = new Rig([A]);
  rig.said.set(A, stateOf(300));
  rig.run.start();
  rig.node.next = 300;
  rig.said.set(A, stateOf(900));
  rig.pass(0);
  expect(rig.did).toEqual(["take a", "hang up", "sync", "lead"]);
});

test("one is silent => it waits for the bound, and no longer", () => {
  const rig = new Rig([A, B]);
  rig.said.set(A, stateOf(100));
  rig.run.start();
  rig.pass(4_999);
  expect(rig.did).toEqual([]);
  rig.pass(1);
  expect(rig.did).toEqual(["sync", "lead"]);
  expect(rig.asks.length).toBe(5);
  expect(rig.asks.map(({ withinMs }) => withinMs)).toEqual([1_000, 2_000, 4_000, 5_000, 5_000]);
});

test("it comes back before the bound => it is asked, and feeds", () => {
  const rig = new Rig([A]);
  rig.run.start();
  rig.pass(2_500);
  rig.said.set(A, stateOf(300));
  rig.pass(1_000);
  expect(rig.did).toEqual(["take a"]);
});

test("one that feeds is waited for as long as it sends", () => {
  const rig = new Rig([A]);
  rig.said.set(A, stateOf(100_000_000));
  rig.run.start();
  rig.node.connected = true;
  for (let second = 0; second < 60; second++) {
    rig.node.next += 100_000;
    rig.pass(1_000);
  }
  expect(rig.did).toEqual(["take a"]);
  rig.pass(6_000);
  expect(rig.did).toEqual(["take a", "hang up", "sync", "lead"]);
});

test("one that sends next to nothing is given up, and what it sent stays", () => {
  const rig = new Rig([A]);
  rig.said.set(A, stateOf(100_000_000));
  rig.run.start();
  rig.node.connected = true;
  for (let second = 0; second < 8; second++) {
    rig.node.next += 100;
    rig.pass(1_000);
  }
  expect(rig.did).toEqual(["take a", "hang up", "sync", "lead"]);
  expect(rig.counts["reclaimed_bytes"]).toBeGreaterThan(0);
});

test("one that would not go on is done with at once, the next feeds", () => {
  const rig = new Rig([A, B]);
  rig.said.set(A, stateOf(300)).set(B, stateOf(200));
  rig.run.start();
  rig.node.isRefused = true;
  rig.pass(0);
  expect(rig.did).toEqual(["take a", "hang up", "take b"]);
});

test("gone in the middle of it => it may come back within the patience, and goes on", () => {
  const rig = new Rig([A]);
  rig.said.set(A, stateOf(1_000_000));
  rig.run.start();
  rig.node.connected = true;
  for (let second = 0; second < 10; second++) {
    rig.node.next += 70_000;
    rig.pass(1_000);
  }
  rig.node.connected = false;
  rig.said.set(A, null);
  rig.pass(4_000);
  expect(rig.did).toEqual(["take a", "hang up", "take a", "hang up", "take a"]);
  rig.node.next = 1_000_000;
  rig.pass(0);
  expect(rig.did.slice(5)).toEqual(["hang up", "sync", "lead"]);
  expect(rig.counts["reclaimed_bytes"]).toBe(999_900);
});

test("gone in the middle of it for longer => what it sent stays, and it leads with that", () => {
  const rig = new Rig([A]);
  rig.said.set(A, stateOf(1_000_000));
  rig.run.start();
  rig.node.next += 70_000;
  rig.said.set(A, null);
  rig.pass(60_000);
  expect(rig.did.at(-1)).toBe("lead");
  expect(rig.counts["reclaimed_bytes"]).toBe(70_000);
});

test("one that answers and never connects => given up after the patience", () => {
  const rig = new Rig([A]);
  rig.said.set(A, stateOf(300));
  rig.run.start();
  rig.pass(4_000);
  expect(rig.did).not.toContain("lead");
  rig.pass(2_000);
  expect(rig.did.at(-1)).toBe("lead");
});

test("asked at a bad moment, and again => the newest answer counts, silence takes none back", () => {
  const rig = new Rig([A, B]);
  rig.said.set(B, stateOf(90));
  rig.run.start();
  rig.said.set(A, stateOf(300)).set(B, null);
  rig.pass(1_000);
  rig.node.next = 300;
  rig.pass(0);
  expect(rig.did).toEqual(["take a", "hang up", "sync", "lead"]);
});

test("another leads above => it follows, and nothing else happens any more", () => {
  const rig = new Rig([A, B]);
  rig.said.set(A, stateOf(300));
  rig.said.set(
    B,
    stateOf(90, {
      role: "primary",
      rank: { term: 2, run: 0 },
      position: { history: id(5), offset: 90, chain: 1 },
      lineage: [{ history: id(2), left: 80, ...NONE }],
    }),
  );
  rig.run.start();
  rig.pass(60_000);
  expect([rig.did, rig.heard]).toEqual([["below b"], 2]);
});

test("a hole that nobody fills => it fails, and says whom it asked", () => {
  const rig = new Rig([A, B], 5_000, 250);
  rig.said.set(A, stateOf(200));
  rig.run.start();
  rig.node.next = 200;
  rig.pass(5_000);
  expect(rig.did).toEqual(["take a", "hang up", "failed"]);
  expect(rig.run.failure?.message).toBe(
    "ERR_DISK_DAMAGED: whole up to 200. Asked: a:1: level, its log ends at 200; b:2: connection refused",
  );
  rig.pass(60_000);
  expect(rig.did).toHaveLength(3);
});

test("a hole that is filled => it leads", () => {
  const rig = new Rig([A], 5_000, 250);
  rig.said.set(A, stateOf(300));
  rig.run.start();
  expect(rig.run.refusal).toBe("whole up to 100");
  rig.node.next = 300;
  rig.pass(0);
  expect([rig.run.refusal, rig.did.at(-1)]).toEqual([null, "lead"]);
});

test("a batch that cannot be applied => it fails: the state is at no position", () => {
  const rig = new Rig([A]);
  rig.said.set(A, stateOf(300));
  rig.run.start();
  rig.node.isTorn = true;
  rig.pass(0);
  expect(rig.did).toEqual(["take a", "failed"]);
  expect(rig.run.failure?.message).toContain("a:1");
});

test("a batch that cannot be applied, found after it hung up => it fails", () => {
  const rig = new Rig([A]);
  rig.said.set(A, stateOf(300));
  rig.run.start();
  rig.node.isRefused = true;
  rig.node.takeNoMore = () => {
    rig.did.push("hang up");
    rig.node.isTorn = true;
  };
  rig.pass(0);
  expect(rig.did).toEqual(["take a", "hang up", "failed"]);
  expect(rig.run.failure?.message).toContain("cannot be applied");
});

test("somebody else decided => late clocks and answers change nothing", () => {
  const rig = new Rig([A]);
  rig.said.set(A, stateOf(300));
  rig.run.start();
  rig.run.stop();
  rig.node.next = 300;
  rig.pass(60_000);
  expect(rig.did).toEqual(["take a"]);
});

test("one was silent for as long as it asked => this node has parted from it, once it leads", () => {
  const rig = new Rig([A, B]);
  rig.said.set(A, stateOf(100));
  rig.run.start();
  rig.pass(5_000);
  expect(rig.did).toEqual(["sync", "lead"]);
  rig.node.next = 150;
  rig.run.led();
  expect(rig.did).toEqual(["sync", "lead", "parted b at 100"]);
});

test("it answered once, and was silent from then on => it has parted from nobody", () => {
  const rig = new Rig([A, B]);
  rig.said.set(A, stateOf(90));
  rig.run.start();
  rig.said.set(A, null).set(B, stateOf(90));
  rig.pass(60_000);
  rig.run.led();
  expect(rig.did).toEqual(["sync", "lead"]);
});

test("REPLICAOF NO ONE ends the asking => it has parted from nobody", () => {
  const rig = new Rig([A]);
  rig.run.start();
  rig.pass(4_000);
  rig.run.stop();
  rig.run.led();
  rig.pass(60_000);
  expect(rig.did).toEqual([]);
});

test("one that is not awaited is silent => it leads after the first round", () => {
  const rig = new Rig([A, SPARE]);
  rig.late.push("b");
  rig.said.set(A, stateOf(100));
  rig.run.start();
  rig.pass(999);
  expect(rig.did).toEqual([]);
  rig.pass(1);
  expect(rig.did).toEqual(["sync", "lead"]);
  rig.run.led();
  expect(rig.did).toHaveLength(2);
});

test("nobody is awaited, and all refuse => it leads at once", () => {
  const rig = new Rig([SPARE]);
  rig.run.start();
  rig.pass(0);
  expect([rig.did, rig.asks.length]).toEqual([["sync", "lead"], 1]);
});

test("one that is not awaited has more => it feeds", () => {
  const rig = new Rig([SPARE]);
  rig.said.set(SPARE, stateOf(300));
  rig.run.start();
  rig.pass(0);
  expect(rig.did).toEqual(["take b"]);
});

test("one that is awaited is silent => later rounds do not wait for one that is not, and hear it", () => {
  const rig = new Rig([A, SPARE]);
  rig.late.push("b");
  rig.run.start();
  rig.pass(2_000);
  expect(rig.asks.map(({ whom }) => whom)).toEqual(["a,b", "a", "b"]);
  rig.said.set(SPARE, stateOf(300));
  rig.late.length = 0;
  rig.pass(3_000);
  // What it says counts, whoever waited for it.
  expect(rig.did).toEqual(["take b"]);
});

// --- the lead round of synchronous mode -----------------------------------------------------------

/** It needs promises of so many. */
const needing = (most: number, giveUp: RoundPlan["giveUp"] = null): RoundPlan => ({
  needOf: (promised) => (promised.length >= most ? null : `${promised.length} of ${most}`),
  giveUp,
});

test("enough promise => what it has is synced, and it leads with the rank that they promised", () => {
  const rig = new Rig([A, B], 5_000, 0, needing(2));
  rig.said.set(A, stateOf(100));
  rig.said.set(B, stateOf(80, { storeId: id(8) }));
  rig.run.start();
  rig.pass(100);
  expect(rig.did).toEqual(["promise 2.0", "sync", "lead with 2.0"]);
});

test("one has more by the time it promises => that is taken, and all are asked again", () => {
  const rig = new Rig([A], 5_000, 0, needing(1));
  rig.said.set(A, stateOf(100));
  rig.later.set(A, stateOf(140));
  rig.run.start();
  rig.pass(0);
  expect(rig.did).toEqual(["promise 2.0", "take a"]);
  rig.node.next = 140;
  rig.pass(1_000);
  expect(rig.did.slice(2)).toEqual(["hang up", "promise 2.0", "sync", "lead with 2.0"]);
});

test("too few, after a start => it asks on, whatever the bound is, and says what is missing", () => {
  const rig = new Rig([SPARE], 0, 0, needing(1));
  rig.said.set(SPARE, null);
  rig.run.start();
  rig.pass(60_000);
  expect(rig.did.every((step) => step === "promise 2.0")).toBe(true);
  expect(rig.run.lacks).toBe("0 of 1");
  rig.said.set(SPARE, stateOf(100));
  rig.pass(10_000);
  expect(rig.did.slice(-2)).toEqual(["sync", "lead with 2.0"]);
});

test("nobody has answered yet => it says already what is missing", () => {
  const rig = new Rig([SPARE], 0, 0, needing(1));
  expect(rig.run.lacks).toBe("0 of 1");
  expect(new Rig([SPARE]).run.lacks).toBeNull();
});

test("too few, and somebody waits => given up after the bound, and never again", () => {
  const told: string[] = [];
  const rig = new Rig(
    [SPARE],
    5_000,
    0,
    needing(2, (why) => told.push(why)),
  );
  rig.said.set(SPARE, stateOf(100));
  rig.run.start();
  rig.pass(4_000);
  expect(told).toEqual([]);
  rig.pass(60_000);
  expect(told).toEqual(["1 of 2"]);
  expect(rig.did).not.toContain("sync");
});

test("one has promised a higher rank to another => that is heard of, and the next round is above it", () => {
  const rig = new Rig([A], 5_000, 0, needing(1));
  rig.said.set(A, stateOf(100, { promised: { term: 9, run: 0 } }));
  rig.run.start();
  rig.pass(0);
  expect(rig.heard).toBe(9);
  expect(rig.did).toEqual(["promise 2.0"]);
});

test("one that leads promises nothing, whatever its answer says", () => {
  const rig = new Rig([A], 5_000, 0, needing(1));
  rig.said.set(A, stateOf(100, { role: "primary" }));
  rig.run.start();
  rig.pass(3_000);
  expect(rig.did).not.toContain("sync");
});

test("somebody asked it for a higher promise meanwhile => it does not lead by the lower one", () => {
  const rig = new Rig([A], 5_000, 0, needing(1));
  rig.late.push("a");
  rig.said.set(A, stateOf(100));
  rig.run.start();
  rig.pass(1_000);
  expect(rig.did).toEqual(["promise 2.0"]);
  rig.promised = { term: 5, run: 0 };
  rig.pass(2_000);
  expect(rig.did).not.toContain("sync");
});
