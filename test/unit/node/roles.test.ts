/** The roles of a node as values: every move there is, and what follows from a role. */
import { describe, expect, test } from "vitest";
import {
  assertRoleMove,
  fenceOf,
  hasState,
  isReclaiming,
  heldBy,
  type Holding,
  promotionRefusal,
  NEVER_SYNCED,
  ROLE_MOVES,
  roleName,
  type Role,
  seedingOf,
  startFenced,
  startFollowing,
  startLeading,
  startReclaiming,
  startRecovering,
  startSeeding,
  toFailed,
  toFenced,
  toFollowing,
  toLeading,
  toPromoting,
  toRecovered,
  toStaying,
  toStopped,
  toSyncing,
  TORN,
  upstreamOf,
  withHolding,
  withUpstreamId,
  withWaiting,
  writeRefusal,
} from "../../../src/node/roles.ts";

const X = { host: "x", port: 1 };
const Y = { host: "y", port: 2 };
const NODE = "1".repeat(32);
const done = (): void => undefined;
const rounds = { why: "asking", start: done, stop: done };

const leading = startLeading("none");
const following = withHolding(startFollowing(X, "none"), "whole");
const seeding = startSeeding(rounds);
const syncing = withHolding(toSyncing(seeding, Y), "whole");
const reclaiming = startReclaiming(startLeading("reset"), {
  ...rounds,
  refusal: null,
  lacks: null,
  led: () => undefined,
  torn: () => undefined,
});
const promoting = toPromoting(following, [done]);
const opening = toPromoting(reclaiming, []);

const KINDS = Object.keys(ROLE_MOVES) as Role["kind"][];

describe("moves", () => {
  const legal = new Set([
    "recovering -> leading",
    "recovering -> following",
    "recovering -> seeding",
    "recovering -> reclaiming",
    "recovering -> resigned",
    "recovering -> stopped",
    "leading -> following",
    "leading -> paused",
    "recovering -> fenced",
    "leading -> fenced",
    "fenced -> following",
    "fenced -> promoting",
    "fenced -> stopped",
    "leading -> stopped",
    "leading -> reclaiming",
    "following -> reclaiming",
    "fenced -> reclaiming",
    "reclaiming -> fenced",
    "paused -> leading",
    "paused -> resigned",
    "resigned -> following",
    "resigned -> promoting",
    "resigned -> stopped",
    "following -> following",
    "following -> promoting",
    "following -> stopped",
    "seeding -> seeding",
    "seeding -> following",
    "seeding -> promoting",
    "seeding -> reclaiming",
    "reclaiming -> seeding",
    "seeding -> stopped",
    "reclaiming -> reclaiming",
    "reclaiming -> following",
    "reclaiming -> promoting",
    "reclaiming -> stopped",
    "promoting -> leading",
    "promoting -> following",
    "promoting -> stopped",
  ]);
  test.each(KINDS.flatMap((from) => KINDS.map((to) => [from, to] as const)))(
    "%s -> %s",
    (from, to) => {
      const move = (): void => assertRoleMove(from, to);
      if (legal.has(`${from} -> ${to}`)) move();
      else expect(move).toThrow(`role moved ${from} -> ${to}`);
    },
  );

  test("leading => following: what it has is whole", () => {
    expect(toFollowing(leading, X, "replicaof")).toEqual({
      kind: "following",
      upstream: X,
      holds: "whole",
      consent: { kind: "replicaof", nodeId: "" },
    });
  });

  test.each<Holding>(["nothing", "whole", "torn"])(
    "following with %s => another upstream: it holds what it held",
    (holds) => {
      expect(toFollowing(withHolding(following, holds), Y, "none")).toMatchObject({
        upstream: Y,
        holds,
      });
    },
  );

  test("seeding => sync from a source, then below another: it holds what it held", () => {
    expect(syncing).toMatchObject({ kind: "seeding", source: Y, holds: "whole" });
    expect(toFollowing(syncing, X, "none")).toMatchObject({ upstream: X, holds: "whole" });
  });

  test("promoting => leading", () => {
    expect(toLeading(promoting)).toEqual({ kind: "leading", startConsent: "none", holds: "whole" });
    expect(() => toLeading(withHolding(promoting, "torn"))).toThrow("a torn state leads");
  });

  test("reclaiming => what its start consents to is for whom it is told to follow, not for whom it finds", () => {
    expect(toFollowing(reclaiming, X, "replicaof").consent.kind).toBe("reset");
    expect(toStaying(reclaiming, X).consent.kind).toBe("none");
    expect(toLeading(opening)).toMatchObject({ kind: "leading", startConsent: "reset" });
  });

  test("reclaiming => takes from one, and then from none", () => {
    const taking = toSyncing(reclaiming, X);
    expect(taking).toMatchObject({ kind: "reclaiming", source: X, holds: "whole" });
    expect(toSyncing(taking, null)).toEqual(reclaiming);
  });

  test("promoting => failed: below whom it followed, or the source it came from", () => {
    const torn = withHolding(promoting, "torn");
    expect(toFailed(torn)).toMatchObject({ kind: "following", upstream: X, holds: "torn" });
    expect(toFailed(toPromoting(syncing, [done]))).toMatchObject({ upstream: Y });
    expect(() => toFailed(toPromoting(seeding, [done]))).toThrow("nobody sent");
  });

  test("recovering => what it starts in, with what there was", () => {
    expect(toRecovered(startRecovering(leading), "whole")).toBe(leading);
    const never = startFollowing(X, "none");
    expect(toRecovered(startRecovering(never), "whole")).toMatchObject({ holds: "whole" });
    expect(toRecovered(startRecovering(never), "nothing")).toEqual(never);
  });

  test("a role is a value: no move changes the one before", () => {
    const before = JSON.stringify(following);
    withHolding(following, "torn");
    withUpstreamId(toFollowing(following, X, "replicaof"), NODE);
    withWaiting(toPromoting(following, [done]), done);
    expect(JSON.stringify(following)).toBe(before);
  });
});

describe("within a role", () => {
  test("one more waits for a promotion", () => {
    expect(withWaiting(promoting, done).waiting).toEqual([done, done]);
  });

  test("only what follows by hand has consent that an upstream can be bound to", () => {
    const given = toFollowing(leading, X, "replicaof");
    expect(withUpstreamId(given, NODE).consent.nodeId).toBe(NODE);
    for (const role of [leading, syncing, promoting])
      expect(withUpstreamId(role, NODE)).toEqual(role);
  });

  test("a leading node's state is whole, or torn by a write that failed; it is there", () => {
    expect(withHolding(leading, "whole")).toBe(leading);
    const torn = withHolding(leading, "torn");
    expect([heldBy(torn), toFollowing(torn, X, "none").holds]).toEqual(["torn", "torn"]);
    expect(() => withHolding(leading, "nothing")).toThrow("a leading node's state is nothing");
  });

  test("promoting and stopped hold what they came from", () => {
    const stopped = toStopped(withHolding(promoting, "torn"));
    expect(heldBy(stopped)).toBe("torn");
    expect(heldBy(withHolding(stopped, "whole"))).toBe("whole");
  });
});

/** Role, then: its name, why a write is refused, whether there is a state, whom it dials, it seeds. */
const TABLE: readonly (readonly [string, Role, readonly unknown[]])[] = [
  ["recovering, to lead", startRecovering(leading), ["primary", "loading", false, null, false]],
  ["recovering, to follow", startRecovering(following), ["replica", "readonly", false, X, false]],
  ["recovering, to seed", startRecovering(seeding), ["replica", "seeding", false, null, true]],
  [
    "recovering, to reclaim",
    startRecovering(reclaiming),
    ["primary", "loading", false, null, false],
  ],
  ["reclaiming", reclaiming, ["primary", "loading", false, null, false]],
  ["reclaiming, fed", toSyncing(reclaiming, X), ["primary", "loading", false, X, false]],
  ["promoting after reclaiming", opening, ["primary", "loading", false, null, false]],
  ["stopped, reclaimed", toStopped(reclaiming), ["primary", "loading", false, null, false]],
  ["leading", leading, ["primary", null, true, null, false]],
  ["following", following, ["replica", "readonly", true, X, false]],
  ["following, never synced", startFollowing(X, "none"), ["replica", "readonly", false, X, false]],
  ["following, torn", withHolding(following, "torn"), ["replica", "readonly", true, X, false]],
  ["seeding", seeding, ["replica", "seeding", false, null, true]],
  ["seeding, synced", syncing, ["replica", "seeding", true, Y, true]],
  ["promoting", promoting, ["replica", "readonly", true, X, false]],
  ["promoting after seeding", toPromoting(syncing, [done]), ["replica", "seeding", true, Y, true]],
  ["stopped, led", toStopped(leading), ["primary", null, true, null, false]],
  ["stopped, followed", toStopped(following), ["replica", "readonly", true, X, false]],
  ["stopped, seeded", toStopped(seeding), ["replica", "seeding", false, null, true]],
  ["stopped, promoting", toStopped(promoting), ["replica", "readonly", true, X, false]],
];

test.each(TABLE)("%s => what follows from it", (_, role, expected) => {
  const seeds = seedingOf(role) !== null;
  const told = [roleName(role), writeRefusal(role), hasState(role), upstreamOf(role), seeds];
  expect(told).toEqual(expected);
});

test.each([
  ["whole", false, null],
  ["whole", true, null],
  ["nothing", false, NEVER_SYNCED],
  ["nothing", true, null],
  ["torn", false, TORN],
  ["torn", true, TORN],
] as const)("a promotion with %s, forced %s => %s", (holds, force, expected) => {
  for (const role of [following, syncing, reclaiming])
    expect(promotionRefusal(withHolding(role, holds), force)).toBe(expected);
});

test("a log with a hole does not lead, by force neither", () => {
  const role = startReclaiming(leading, {
    ...rounds,
    refusal: "a hole",
    lacks: null,
    led: () => undefined,
    torn: () => undefined,
  });
  expect([promotionRefusal(role, false), promotionRefusal(role, true)]).toEqual([
    "a hole",
    "a hole",
  ]);
});

test("reclaiming lasts until it leads, follows or is gone", () => {
  const all = [reclaiming, opening, toStopped(opening), following, leading, promoting];
  expect(all.map(isReclaiming)).toEqual([true, true, true, false, false, false]);
});

describe("fenced", () => {
  const fence = {
    history: NODE,
    rank: { term: 4, run: 0 },
    led: { term: 3, run: 0 },
    fork: 7,
    leader: null,
  };
  const fenced = toFenced(startLeading("reset"), fence);

  test("a replica to all who ask, with a state to read, and of nobody", () => {
    expect([roleName(fenced), writeRefusal(fenced), hasState(fenced)]).toEqual([
      "replica",
      "fenced",
      true,
    ]);
    expect([upstreamOf(fenced), fenceOf(fenced)]).toEqual([null, fence]);
    expect(upstreamOf(toFenced(startLeading("none"), { ...fence, leader: X }))).toEqual(X);
  });

  test("while it recovers, is promoted, and is stopped => still", () => {
    const recovering = startRecovering(startFenced(fence));
    for (const role of [recovering, toPromoting(fenced, []), toStopped(fenced)])
      expect([writeRefusal(role), fenceOf(role)]).toEqual(["fenced", fence]);
    expect(toRecovered(recovering, "whole")).toMatchObject({ kind: "fenced", holds: "whole" });
  });

  test("promoted => it leads; without a state only by force; told to follow => by the consent of its start", () => {
    expect(toLeading(toPromoting(fenced, []))).toEqual(startLeading("reset"));
    expect(promotionRefusal(startFenced(fence), false)).toBe(NEVER_SYNCED);
    expect(promotionRefusal(startFenced(fence), true)).toBeNull();
    expect(toFollowing(fenced, X, "none")).toMatchObject({ consent: { kind: "reset" } });
    expect(fenceOf(following)).toBeNull();
  });
});
