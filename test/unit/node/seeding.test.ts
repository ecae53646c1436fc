/** How a node that seeds waits for its source: told when it has caught up, or after it was away. */
import { expect, test } from "vitest";
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
    seedSelf: () => ({ nodeId: id(1), history: id(2), lineage: [], offset: 0, synced: false }),
    syncFrom: () => {
      node.followed += 1;
    },
    leadFromSeed: () => null,
    stayBelow: () => undefined,
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
