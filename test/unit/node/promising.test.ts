/** A promise to follow nobody below a rank: who gets one, in which order, and what stands in the way. */
import { beforeEach, expect, test } from "vitest";
import { Promising, type PromisingNode } from "../../../src/node/promising.ts";
import { startFollowing, startLeading, type Role } from "../../../src/node/roles.ts";
import type { PromiseAsked, Rank } from "../../../src/wire/messages.ts";

const id = (n: number): string => n.toString(16).padStart(32, "0");
const [CLUSTER, H1, H2, SELF] = [id(0xc), id(1), id(2), id(5)];
const rank = (term: number): Rank => ({ term, run: 0 });

let did: string[];
let role: Role;
let promised: Rank;
let next: number;
let isDiskFull: boolean;
let promising: Promising;

beforeEach(() => {
  did = [];
  role = startFollowing({ host: "up", port: 1 }, "none");
  promised = rank(0);
  next = 500;
  isDiskFull = false;
  const node: PromisingNode = {
    identity: {
      storeId: SELF,
      history: H1,
      rank: rank(1),
      lineage: [],
      clusterId: CLUSTER,
      get promised() {
        return promised;
      },
      promise: (given) => {
        did.push(`synced ${given.term}`);
        if (!isDiskFull) promised = given;
        return !isDiskFull;
      },
    },
    backlog: {
      get next() {
        return next;
      },
    },
    roles: {
      get now() {
        return role;
      },
      leaveLower: () => did.push("left"),
    },
  };
  promising = new Promising(node, (_level, event) => did.push(event));
});

const ask = (term: number, given: Partial<PromiseAsked> = {}): boolean => {
  return promising.asked(
    {
      type: "promise",
      version: 1,
      nonce: id(8),
      proof: "",
      storeId: id(70),
      clusterId: CLUSTER,
      rank: rank(term),
      position: { history: H1, offset: 400, chain: 0 },
      lineage: [],
      ...given,
    },
    "remote",
  );
};

test("its session with the lower leader ends, then the promise is synced", () => {
  ask(2);
  expect(did).toEqual(["left", "synced 2", "promised"]);
  expect(promised).toEqual(rank(2));
});

test("the same one asks again => it has the promise; another one with that rank => none", () => {
  ask(2);
  ask(2);
  expect(promising.isTo(id(70))).toBe(true);
  ask(2, { storeId: id(71) });
  expect(promising.isTo(id(70))).toBe(true);
  ask(3, { storeId: id(71) });
  expect(promising.isTo(id(71))).toBe(true);
  ask(2);
  expect(did).toEqual(["left", "synced 2", "promised", "left", "synced 3", "promised"]);
});

test("a rank that a third one has is taken; its own and another one are not", () => {
  expect(ask(2)).toBe(false);
  expect(ask(2)).toBe(false);
  expect(ask(2, { storeId: id(71) })).toBe(true);
  expect(ask(1, { storeId: id(71) })).toBe(false);
  promising.promisedSelf(SELF);
  expect(ask(2, { storeId: id(71) })).toBe(false);
});

test("a disk that cannot keep it => no promise", () => {
  isDiskFull = true;
  ask(2);
  expect(did).toEqual(["left", "synced 2"]);
  expect([promised, promising.isTo(id(70))]).toEqual([rank(0), false]);
});

test.each<readonly [string, () => void]>([
  ["of another cluster", () => ask(2, { clusterId: id(0xd) })],
  ["a stranger", () => ask(2, { position: { history: H2, offset: 9, chain: 0 } })],
  ["with the rank that its log has", () => ask(1)],
  [
    "and it leads",
    () => {
      role = startLeading("none");
      ask(2);
    },
  ],
  [
    "with less than was promised",
    () => {
      promised = rank(4);
      ask(3);
    },
  ],
])("who asks is %s => nothing happens", (_name, asks) => {
  asks();
  expect(did).toEqual([]);
});

test("one that follows this node has promised a rank => so does this node, once, to nobody", () => {
  promising.spread(rank(3), "remote");
  promising.spread(rank(3), "remote");
  expect(did).toEqual(["left", "synced 3", "promised"]);
  ask(3);
  expect(promising.isTo(id(70))).toBe(false);
  role = startLeading("none");
  promising.spread(rank(4), "remote");
  expect(promised).toEqual(rank(3));
});

test("a node without a log promises to anybody of its cluster", () => {
  next = 0;
  ask(2, { position: { history: H2, offset: 9, chain: 0 } });
  expect(promised).toEqual(rank(2));
});
