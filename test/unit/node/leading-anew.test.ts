/** A primary that is shown that its log went back leads anew, above what the replica has. */
import { expect, test } from "vitest";
import { LeadingAnew, type AnewNode } from "../../../src/node/leading-anew.ts";
import { Identity } from "../../../src/node/identity.ts";
import { startFollowing, startLeading, type Role } from "../../../src/node/roles.ts";
import type { NodeRecord } from "../../../src/wire/node-record.ts";
import type { Hello } from "../../../src/wire/messages.ts";

interface Scene {
  readonly anew: LeadingAnew;
  readonly identity: Identity;
  readonly begun: NodeRecord[];
  readonly done: string[];
  readonly lines: string[];
  role: Role;
  isQuiet: boolean;
  needsRound: boolean;
  nowMs: number;
  settle(): void;
}

function scene(): Scene {
  const identity = new Identity("");
  identity.found();
  const waiting: { holds: () => boolean; done: () => void }[] = [];
  const made: Scene = {
    identity,
    begun: [],
    done: [],
    lines: [],
    role: startLeading("none"),
    isQuiet: true,
    needsRound: false,
    nowMs: 0,
    settle() {
      for (const each of waiting.splice(0)) if (each.holds()) each.done();
    },
    get anew() {
      return anew;
    },
  };
  const node: AnewNode = {
    identity,
    roles: {
      get now() {
        return made.role;
      },
      announce: () => made.done.push("announce"),
      beginRound: () => made.needsRound && made.done.push("round") > 0,
    },
    backlog: {
      next: 500,
      chain: 5,
      durable: 0,
      seal: () => true,
      dropReceived: () => undefined,
      rename: () => made.done.push("rename"),
      beginHistory: (record) => made.begun.push(record),
    },
    feeder: {
      counters: { bump: (name) => made.done.push(name) },
      cutWaiters: () => undefined,
      dropAll: () => made.done.push("drop"),
      upstreamResync: () => undefined,
      stateTorn: () => undefined,
    },
    turn: {
      changed: () => undefined,
      until: (holds, done) => {
        waiting.push({ holds, done });
        return () => undefined;
      },
      dropReplies: () => undefined,
    },
    isQuiet: () => made.isQuiet,
    now: () => made.nowMs,
  };
  const anew = new LeadingAnew(node, (_level, event) => made.lines.push(event));
  return made;
}

const helloOf = ({ identity }: Scene): Hello =>
  ({
    storeId: "store",
    position: { history: identity.history, offset: 530, chain: 9 },
    rank: identity.rank,
    lineage: identity.lineage,
  }) as unknown as Hello;

test("a new history in the next run, where the log ends", () => {
  const at = scene();
  const { history, rank } = at.identity;
  at.anew.rolledBack(helloOf(at), 30);
  at.settle();
  expect(at.identity.rank).toEqual({ term: rank.term, run: rank.run + 1 });
  expect(at.identity.lineage).toEqual([{ history, left: 500, ...rank }]);
  expect(at.begun).toMatchObject([{ parent: { history, offset: 500, chain: 5 } }]);
  expect(at.done).toEqual(["rolled_back", "rename", "drop", "announce"]);
  expect(at.lines).toEqual(["rolled_back", "leads_anew"]);
});

test("not while something is in flight, and once for all who show it meanwhile", () => {
  const at = scene();
  const { history } = at.identity;
  at.isQuiet = false;
  at.anew.rolledBack(helloOf(at), 30);
  at.settle();
  expect(at.identity.history).toBe(history);
  at.isQuiet = true;
  at.anew.rolledBack(helloOf(at), 30);
  at.anew.rolledBack(helloOf(at), 0);
  at.settle();
  expect(at.begun).toHaveLength(1);
});

test("who does not lead, or not any more, only refuses", () => {
  const at = scene();
  at.anew.rolledBack(helloOf(at), 30);
  at.role = startFollowing({ host: "up", port: 1 }, "none");
  at.settle();
  at.anew.rolledBack(helloOf(at), 30);
  at.settle();
  expect(at.begun).toEqual([]);
  expect(at.lines).toEqual(["rolled_back"]);
});

test("replicas promised a higher rank, and nobody leads by it for 2 s => it leads above that", () => {
  const at = scene();
  at.anew.promised({ term: 7, run: 0 });
  at.nowMs = 1_900;
  at.anew.promised({ term: 7, run: 0 });
  at.settle();
  expect(at.begun).toEqual([]);
  at.nowMs = 2_000;
  at.anew.promised({ term: 7, run: 0 });
  at.settle();
  expect(at.identity.rank).toEqual({ term: 8, run: 0 });
  expect(at.lines).toEqual(["leads_anew"]);
});

test("the same in synchronous mode => a lead round", () => {
  const at = scene();
  at.needsRound = true;
  at.anew.promised({ term: 7, run: 0 });
  at.nowMs = 2_000;
  at.anew.promised({ term: 7, run: 0 });
  at.settle();
  expect(at.begun).toEqual([]);
  expect(at.done).toEqual(["round"]);
});
