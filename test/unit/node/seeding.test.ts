/**
 * How a node that seeds waits for its source (told when it has caught up, or after it was away), and what it knows of
 * its sources from one round to the next.
 */
import { beforeEach, describe, expect, test } from "vitest";
import { Dialled } from "../../../src/node/dialled.ts";
import type { SeedAnswer, SeedSelf } from "../../../src/node/seed-choice.ts";
import { LIMITS } from "../../../src/limits.ts";
import { SeedRun } from "../../../src/node/seeding.ts";
import type { StateAnswer } from "../../../src/wire/messages.ts";

const SOURCE = { host: "192.0.2.1", port: 1 };
const id = (n: number): string => n.toString(16).padStart(32, "0");

/** A seeding that has chosen to sync from its one source, and the time around it. */
function syncing() {
  const laters: { ms: number; run: () => void }[] = [];
  const waits = new Set<{ holds: () => boolean; done: () => void }>();
  const node = {
    caughtUp: false,
    connected: false,
    followed: 0,
    seedSelf: () => self,
    dialledMs: () => -1,
    heardOf: () => undefined,
    syncFrom: () => {
      node.followed += 1;
    },
    leadFromSeed: () => null,
    stayBelow: () => undefined,
  };
  const self: SeedSelf = {
    nodeId: id(1),
    clusterId: null,
    history: id(2),
    rank: { term: 0, run: 0 },
    lineage: [],
    offset: 0,
    synced: false,
  };
  let asked = 0;
  const state: StateAnswer = {
    type: "state",
    storeId: "ab".repeat(16),
    clusterId: null,
    durable: 0,
    complete: true,
    intact: true,
    promised: { term: 0, run: 0 },
    rank: { term: 1, run: 0 },
    proof: "",
    nodeId: id(3),
    role: "replica",
    hasData: true,
    rootLives: false,
    upstream: { host: "old", port: 2 },
    path: [id(9), id(3)],
    position: { history: id(4), offset: 100, chain: 1 },
    lineage: [],
  };
  const seeding = new SeedRun(node, {
    sources: [SOURCE],
    mayNotLead: "",
    ask: (_sources, _withinMs, done) => {
      asked += 1;
      if (asked === 1) done([{ source: SOURCE, state, error: "" }]);
    },
    later: (ms, run) => void laters.push({ ms, run }),
    until: (holds, done) => {
      const wait = { holds, done };
      waits.add(wait);
      return () => void waits.delete(wait);
    },
    now: () => 0,
    journal: () => undefined,
  });
  seeding.start();
  expect(node.followed).toBe(1);
  const turn = (): void => {
    for (const wait of [...waits])
      if (wait.holds()) {
        waits.delete(wait);
        wait.done();
      }
  };
  return { seeding, node, laters, waits, turn, asked: () => asked };
}

test("caught up => it asks again, once", () => {
  const { node, laters, waits, turn, asked } = syncing();
  node.connected = true;
  turn();
  node.caughtUp = true;
  turn();
  expect([asked(), waits.size]).toEqual([2, 0]);
  for (const { run } of laters) run();
  expect(asked()).toBe(2);
});

test("away for a second => it asks again; back before that => it waits on", () => {
  const { node, laters, waits, turn, asked } = syncing();
  expect(laters.map(({ ms }) => ms)).toEqual([1_000]);
  node.connected = true;
  turn();
  laters.shift()!.run();
  expect([asked(), waits.size]).toEqual([1, 1]);
  node.connected = false;
  turn();
  expect(laters.map(({ ms }) => ms)).toEqual([1_000]);
  laters.shift()!.run();
  expect([asked(), waits.size]).toEqual([2, 0]);
});

test("somebody else decided => nothing waits any more, and a late clock changes nothing", () => {
  const { seeding, node, laters, waits, turn, asked } = syncing();
  seeding.stop();
  expect(waits.size).toBe(0);
  node.caughtUp = true;
  turn();
  for (const { run } of laters) run();
  expect(asked()).toBe(1);
});

describe("from round to round", () => {
  const OTHER = { host: "192.0.2.2", port: 1 };
  let nowMs: number;
  let dialled: Dialled;
  let replies: ((answers: readonly SeedAnswer[]) => void)[];
  let laters: (() => void)[];
  let did: string[];
  let seeding: SeedRun;

  beforeEach(() => {
    nowMs = 0;
    dialled = new Dialled();
    replies = [];
    laters = [];
    did = [];
    const self: SeedSelf = {
      nodeId: id(1),
      clusterId: id(7),
      history: id(4),
      rank: { term: 1, run: 0 },
      lineage: [],
      offset: 100,
      synced: true,
    };
    seeding = new SeedRun(
      {
        caughtUp: true,
        connected: true,
        seedSelf: () => self,
        dialledMs: (nodeId) => dialled.lastMs(nodeId),
        heardOf: ({ term }) => void did.push(`heard of ${term}`),
        syncFrom: ({ host }) => void did.push(`sync from ${host}`),
        stayBelow: ({ host }) => void did.push(`stay below ${host}`),
        leadFromSeed: () => {
          did.push("lead");
          return null;
        },
      },
      {
        sources: [SOURCE, OTHER],
        mayNotLead: "",
        ask: (_sources, _withinMs, done) => void replies.push(done),
        later: (_ms, run) => void laters.push(run),
        until: (_holds, done) => {
          laters.push(done);
          return () => undefined;
        },
        now: () => nowMs,
        journal: (_level, event, { choice, why }) =>
          void did.push(`${event} ${String(choice)}: ${String(why)}`),
      },
    );
    seeding.start();
  });

  const said = (
    source: typeof SOURCE,
    node: number,
    change: Partial<StateAnswer> = {},
  ): SeedAnswer => ({
    source,
    error: "",
    state: {
      type: "state",
      storeId: id(90 + node),
      clusterId: id(7),
      durable: 0,
      complete: true,
      intact: true,
      promised: { term: 0, run: 0 },
      rank: { term: 1, run: 0 },
      proof: "",
      nodeId: id(node),
      role: "replica",
      hasData: true,
      rootLives: false,
      upstream: { host: "me", port: 2 },
      path: [id(node)],
      position: { history: id(4), offset: 100, chain: 1 },
      lineage: [],
      ...change,
    },
  });
  const silent = (source: typeof SOURCE): SeedAnswer => ({
    source,
    state: null,
    error: "connection refused",
  });
  const round = (...answers: SeedAnswer[]): string[] => {
    nowMs += 10;
    replies.shift()!(answers);
    for (const run of laters.splice(0)) run();
    return did.splice(0);
  };
  const NOT_OURS = /follows me:2, not this node: REPLICAOF NO ONE leads all the same$/;

  test("a source leads nobody by its word: it dials this node after that => promoted, above its rank", () => {
    expect(round(said(SOURCE, 3), silent(OTHER)).join()).toMatch(NOT_OURS);
    nowMs += 10;
    dialled.came(id(3), nowMs);
    const adopted = {
      rank: { term: 6, run: 1 },
      position: { history: id(8), offset: 100, chain: 1 },
      lineage: [{ history: id(4), left: 100, term: 1, run: 0 }],
    };
    expect(round(said(SOURCE, 3, adopted), silent(OTHER))).toEqual([
      "seed_choice promote: no source lives, and none has more",
      "heard of 6",
      "lead",
    ]);
  });

  test("it dialled before it said whom it follows => that tells nothing", () => {
    dialled.came(id(3), nowMs);
    expect(round(said(SOURCE, 3), silent(OTHER)).join()).toMatch(NOT_OURS);
    dialled.came(id(3), nowMs);
    const elsewhere = said(SOURCE, 3, { upstream: { host: "other", port: 2 } });
    expect(round(elsewhere, silent(OTHER)).join()).toContain("follows other:2, not this node");
    expect(round(elsewhere, silent(OTHER))).toEqual([]);
  });

  test("it was another node's replica and is silent now => its word stays", () => {
    round(said(SOURCE, 3), said(OTHER, 5));
    nowMs += 10;
    dialled.came(id(3), nowMs);
    expect(round(said(SOURCE, 3), silent(OTHER)).join()).toMatch(
      /^seed_choice .*192.0.2.2:1 follows/,
    );
    expect(round(silent(SOURCE), silent(OTHER))).toEqual([
      expect.stringContaining("192.0.2.2:1 follows me:2"),
    ]);
  });

  test("it had more, and is silent now => nobody leads with less", () => {
    const more = { position: { history: id(4), offset: 300, chain: 1 } };
    expect(round(said(SOURCE, 3), said(OTHER, 5, more))).toContain("sync from 192.0.2.2");
    expect(round(said(SOURCE, 3), silent(OTHER)).join()).toContain(
      "192.0.2.2:1 has log that counts for more, and does not answer",
    );
  });

  test("it came back as another process, empty => what it had is nobody's any more", () => {
    round(said(SOURCE, 3), said(OTHER, 5));
    nowMs += 10;
    dialled.came(id(3), nowMs);
    const empty = { hasData: false, position: { history: id(8), offset: 0, chain: 0 } };
    expect(round(said(SOURCE, 3), said(OTHER, 6, empty))).toContain("lead");
  });

  test("its lead round was given up => it asks anew; what an earlier start waits for is over", () => {
    seeding.stop();
    seeding.start();
    expect(replies).toHaveLength(2);
    replies.shift()!([silent(SOURCE), silent(OTHER)]);
    expect(did.splice(0)).toEqual([]);
    expect(round(silent(SOURCE), silent(OTHER))).toContain("lead");
  });
});

test("who dialled: the newest of as many as may be linked", () => {
  const dialled = new Dialled();
  for (let n = 0; n <= LIMITS.linksMax; n++) dialled.came(id(n), n);
  expect([dialled.lastMs(id(0)), dialled.lastMs(id(1)), dialled.lastMs(id(99_999))]).toEqual([
    -1, 1, -1,
  ]);
});
