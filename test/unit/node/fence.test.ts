/** Who is fenced by whom, for every row of the table in fence.ts. */
import { expect, test } from "vitest";
import {
  fenceBy,
  fencedAgain,
  fenceText,
  type Fence,
  type OwnLog,
  reachable,
} from "../../../src/node/fence.ts";
import type { LedLog } from "../../../src/primary/deps.ts";

const id = (n: number): string => n.toString(16).padStart(32, "0");
const X = { host: "x", port: 1 };

/** 500 of H2, which left H1 at 100. */
const own: OwnLog = {
  clusterId: id(9),
  history: id(2),
  rank: { term: 3, run: 1 },
  lineage: [{ history: id(1), left: 100, term: 1, run: 0 }],
};
const left = (history: number, at: number) => ({ history: id(history), left: at, term: 3, run: 1 });

/** H3 in term 4, which left H2 at 400. */
const led: LedLog = {
  clusterId: id(9),
  history: id(3),
  rank: { term: 4, run: 0 },
  lineage: [left(1, 100), left(2, 400)],
  leader: null,
};

test.each<[string, Partial<LedLog>, number | null]>([
  ["a later term", {}, 400],
  ["a later run of the same term", { rank: { term: 3, run: 2 } }, 400],
  ["the same rank, a higher history", { rank: own.rank }, 400],
  ["the same rank, a lower history", { rank: own.rank, history: id(0) }, null],
  ["an earlier run", { rank: { term: 3, run: 0 } }, null],
  ["an earlier term, however late its run", { rank: { term: 2, run: 99 } }, null],
  ["the own history under another rank", { history: id(2) }, null],
  ["one that went apart long ago", { lineage: [left(1, 50)] }, 50],
  ["no history in common", { lineage: [left(7, 50)] }, null],
  ["another cluster", { clusterId: id(8) }, null],
  ["none yet", { clusterId: null }, null],
])("%s", (_what, more, fork) => {
  expect(fenceBy(own, 500, { ...led, ...more })?.fork ?? null).toBe(fork);
});

test("an empty log => fenced by a stranger of its cluster too; without a cluster by nobody", () => {
  const stranger = { ...led, lineage: [] };
  expect(fenceBy(own, 0, stranger)).toMatchObject({ fork: 0, led: own.rank });
  expect(fenceBy({ ...own, clusterId: null }, 500, { ...led, clusterId: null })).toBeNull();
});

test("fenced before => a higher rank counts, and the same one's address; nothing else", () => {
  const fence: Fence = fenceBy(own, 500, led)!;
  expect(fencedAgain(fence, own, 500, led)).toBe(fence);
  const known = fencedAgain(fence, own, 500, { ...led, leader: X });
  expect(known).toEqual({ ...fence, leader: X });
  expect(fencedAgain(known, own, 500, { ...led, leader: { host: "y", port: 2 } })).toBe(known);
  expect(fencedAgain(known, own, 500, { ...led, rank: { term: 3, run: 9 } })).toBe(known);
  const higher = { ...led, history: id(4), rank: { term: 5, run: 0 } };
  expect(fencedAgain(known, own, 500, higher)).toMatchObject({ history: id(4), leader: null });
  expect(fencedAgain(known, own, 500, { ...higher, clusterId: id(8) })).toBe(known);
});

test("a leader that names no host => where it came from, if that is known", () => {
  const nameless = { ...led, leader: { host: "", port: 7 } };
  expect(reachable(nameless, "10.0.0.1:999").leader).toEqual({ host: "10.0.0.1", port: 7 });
  expect(reachable(nameless, "").leader).toBeNull();
  expect(reachable({ ...led, leader: X }, "10.0.0.1:999").leader).toEqual(X);
  expect(reachable(led, "10.0.0.1:999").leader).toBeNull();
});

test("its text has both ranks", () => {
  const fence = fenceBy(own, 500, { ...led, leader: X })!;
  expect(fenceText(fence)).toBe("it led with rank 3.1, and x:1 leads with rank 4.0");
});
