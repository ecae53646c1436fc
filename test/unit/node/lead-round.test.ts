/** Which lead round a node has: whom it asks, what it needs, and when it needs nobody. */
import { beforeEach, expect, test } from "vitest";
import { askedBy, planRound, type RoundNode, roundOf } from "../../../src/node/lead-round.ts";
import { startFollowing, type Role, withHolding } from "../../../src/node/roles.ts";
import { NO_SYNC, type StateAnswer, type SyncState } from "../../../src/wire/messages.ts";

const id = (n: number): string => n.toString(16).padStart(32, "0");
const UP = { host: "up", port: 1 };
const on = (copies: number, members: number): SyncState => ({
  now: {
    copies,
    level: "applied",
    members: Array.from({ length: members }, (_, n) => id(n)),
  },
  was: null,
});

let sync: SyncState;
let isComplete: boolean;
let role: Role;
let node: RoundNode;

beforeEach(() => {
  sync = on(1, 3);
  isComplete = true;
  role = withHolding(startFollowing(UP, "none"), "whole");
  node = {
    identity: {
      get sync() {
        return sync;
      },
      storeId: id(0),
      isIntact: true,
      history: id(0x11),
      rank: { term: 1, run: 0 },
      lineage: [],
      followers: [{ storeId: id(1), host: "a", port: 5, awaited: true }],
      siblings: [
        { storeId: id(1), host: "a", port: 5 },
        { storeId: id(2), host: "b", port: 6 },
      ],
    },
    completeness: { has: () => isComplete },
    sources: [],
    backlog: { next: 700 },
    roles: {
      get now() {
        return role;
      },
    },
  };
});

const answer = (storeId: string): StateAnswer =>
  ({
    storeId,
    complete: true,
    intact: true,
    position: { history: id(0x11), offset: 700, chain: 1 },
    rank: { term: 1, run: 0 },
    lineage: [],
  }) as unknown as StateAnswer;

test("everybody whom it knows is asked, once, and nobody's silence delays it", () => {
  expect(askedBy(node)).toEqual([
    { storeId: id(1), host: "a", port: 5, awaited: false },
    { storeId: id(2), host: "b", port: 6, awaited: false },
    { storeId: "", host: "up", port: 1, awaited: false },
  ]);
});

test("off => no round", () => {
  sync = NO_SYNC;
  expect([roundOf(node), planRound(node, null)]).toEqual([null, null]);
});

test("1 of 3 => one promise beside its own; as many members as it needs alone => no round", () => {
  expect(roundOf(node)!.needOf([])).toMatch(/1 of the 2/);
  expect(roundOf(node)!.needOf([answer(id(2))])).toBe(null);
  sync = on(2, 3);
  expect(roundOf(node)).toBe(null);
});

test("an incomplete node, and one whose state is not whole, does not count", () => {
  sync = on(2, 3);
  isComplete = false;
  expect(roundOf(node)!.needOf([])).toMatch(/0 of the 1/);
  isComplete = true;
  role = withHolding(role, "torn");
  expect(roundOf(node)!.needOf([])).toMatch(/0 of the 1/);
});

test("who waits for it is told, after 5 s", () => {
  const giveUp = (): void => undefined;
  expect(planRound(node, giveUp)).toMatchObject({ patienceMs: 5_000, round: { giveUp } });
});
