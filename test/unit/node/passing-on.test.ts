/** A word on a higher leader goes up: to whom, when, and how often. */
import { expect, test } from "vitest";
import type { LedLog } from "../../../src/primary/deps.ts";
import type { Announcement } from "../../../src/replica/inquiry.ts";
import { PassingOn, type PassingSelf } from "../../../src/node/passing-on.ts";

const id = (n: number): string => n.toString(16).padStart(32, "0");
const CLUSTER = id(0xc);
const UPSTREAM = { host: "up", port: 1 };
const LEFT = { history: id(1), left: 600, term: 1, run: 0 };
const self: PassingSelf = {
  nodeId: id(7),
  clusterId: CLUSTER,
  history: id(2),
  rank: { term: 2, run: 0 },
  lineage: [LEFT],
};
const led: LedLog = {
  clusterId: CLUSTER,
  history: id(3),
  rank: { term: 3, run: 0 },
  lineage: [LEFT],
  leader: { host: "there", port: 9 },
};

function passing(): { on: PassingOn; told: Announcement[]; clock: { nowMs: number } } {
  const told: Announcement[] = [];
  const clock = { nowMs: 0 };
  const on = new PassingOn({ tell: (_upstream, word) => told.push(word), now: () => clock.nowMs });
  return { on, told, clock };
}

test("a higher rank is told, without an address: nobody knows who says it where it leads", () => {
  const { on, told } = passing();
  on.heard(self, UPSTREAM, led);
  expect(told).toEqual([
    {
      nodeId: self.nodeId,
      clusterId: CLUSTER,
      address: { host: "", clientPort: 0, replPort: 0 },
      position: { history: id(3), offset: 0, chain: 0 },
      rank: led.rank,
      lineage: led.lineage,
    },
  ]);
});

test("the same is not told again within a second: what goes in a circle ends", () => {
  const { on, told, clock } = passing();
  on.heard(self, UPSTREAM, led);
  clock.nowMs = 999;
  on.heard(self, UPSTREAM, led);
  expect(told).toHaveLength(1);
  on.heard(self, UPSTREAM, { ...led, history: id(4) });
  expect(told).toHaveLength(2);
  clock.nowMs = 2_000;
  on.heard(self, UPSTREAM, { ...led, history: id(4) });
  expect(told).toHaveLength(3);
});

test.each([
  ["of another cluster", { ...led, clusterId: id(0xd) }],
  ["of no cluster", { ...led, clusterId: null }],
  ["of a stranger", { ...led, lineage: [] }],
  ["of a lower rank", { ...led, rank: { term: 1, run: 9 } }],
  ["of its own history", { ...led, history: self.history, rank: self.rank }],
])("what is %s is not told", (_name, word) => {
  const { on, told } = passing();
  on.heard(self, UPSTREAM, word);
  expect(told).toEqual([]);
});
