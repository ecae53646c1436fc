/** The rule of synchronous mode: what is confirmed, what a round needs, which changes there are. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { NO_SYNC, type SyncRule, type SyncState } from "../../../src/wire/messages.ts";
import {
  changed,
  changeTo,
  confirmedTo,
  fillsUpTo,
  type Holder,
  roundLacks,
  roundNeed,
  shortageOf,
  withMember,
  withoutMember,
} from "../../../src/node/members.ts";

const [A, B, C, D, E] = ["a", "b", "c", "d", "e"] as const;

function rule(copies: number, members: readonly string[], level: SyncRule["level"] = "applied") {
  return { copies, level, members };
}
function on(...args: Parameters<typeof rule>): SyncState {
  return { now: rule(...args), was: null };
}
function has(storeId: string, applied: number, durable = 0): Holder {
  return { storeId, applied, durable };
}

describe("confirmed", () => {
  const own = has(A, 100, 60);
  test.each([
    ["off", NO_SYNC, [], 0, 100],
    ["off, somebody asks for one copy", NO_SYNC, [has(D, 40), has(E, 30)], 1, 40],
    ["off, for two", NO_SYNC, [has(D, 40), has(E, 30)], 2, 30],
    ["off, for three", NO_SYNC, [has(D, 40), has(E, 30)], 3, -1],
    ["one of two", on(1, [A, B, C]), [has(B, 10), has(C, 90)], 0, 90],
    ["two of two", on(2, [A, B, C]), [has(B, 10), has(C, 90)], 0, 10],
    ["one that is no member", on(1, [A, B, C]), [has(B, 10), has(D, 90)], 0, 10],
    ["too few", on(2, [A, B, C]), [has(B, 10), has(D, 90)], 0, -1],
    ["durable there", on(1, [A, B, C], "durable"), [has(B, 90, 50), has(C, 90, 40)], 0, 50],
    ["durable there, not here", on(1, [A, B], "durable"), [has(B, 100, 90)], 0, 60],
    ["the leader is no member", on(1, [B, C, D]), [has(B, 90), has(C, 80)], 0, 80],
    ["somebody asks for more", on(1, [A, B, C]), [has(B, 10), has(C, 90)], 2, 10],
    ["somebody asks for less", on(2, [A, B, C]), [has(B, 10), has(C, 90)], 1, 10],
    [
      "a change: under both",
      { now: rule(1, [A, B]), was: rule(1, [A, C]) },
      [has(B, 10), has(C, 90)],
      0,
      10,
    ],
  ] as const)("%s", (_name, sync, others, atLeast, to) => {
    expect(confirmedTo(sync, own, others, atLeast)).toBe(to);
  });
});

test("N + 1 holders meet every round that has what it needs", () => {
  const ids = [A, B, C, D, E];
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5 }),
      fc.subarray(ids, { minLength: 1 }),
      fc.subarray(ids),
      fc.subarray(ids),
      (copies, members, holders, complete) => {
        const sync = on(copies, members);
        const others = holders.filter((id) => id !== A).map((id) => has(id, 7));
        if (confirmedTo(sync, has(A, 7), others) < 7) return;
        if (roundLacks(sync, new Set(complete)) !== null) return;
        const held = new Set([A, ...holders]);
        expect(complete.some((id) => held.has(id) && members.includes(id))).toBe(true);
      },
    ),
  );
});

describe("a round", () => {
  test.each([
    ["off", NO_SYNC, [], null],
    ["all but N", on(1, [A, B, C]), [A, C], null],
    ["one less", on(1, [A, B, C]), [A, D], "1 of the 2 complete members"],
    ["a change: both", { now: rule(1, [A, B]), was: rule(1, [A, B, C]) }, [A], "1 of the 2"],
    ["a rule under which nothing was confirmed", on(2, [A]), [], null],
  ] as const)("%s", (_name, sync, complete, lacks) => {
    const said = roundLacks(sync, new Set(complete));
    if (lacks === null) expect(said).toBeNull();
    else expect(said).toContain(lacks);
  });
  test("needs S - N", () => {
    expect([roundNeed(rule(1, [A, B, C])), roundNeed(rule(3, [A]))]).toEqual([2, 0]);
  });
});

test("too few are good => how many are needed", () => {
  const sync = on(1, [A, B, C]);
  expect(shortageOf(sync, A, new Set([C]))).toBeNull();
  expect(shortageOf(sync, A, new Set([A, D]))).toEqual({ good: 0, needed: 1 });
  expect(shortageOf(sync, D, new Set([A]))).toEqual({ good: 1, needed: 2 });
  expect(shortageOf(NO_SYNC, A, new Set())).toBeNull();
});

describe("changes", () => {
  const sync = on(1, [A, B]);
  test("a member comes => under both, then under the new rule alone", () => {
    const both = withMember(sync, C) as SyncState;
    expect(both).toEqual({ now: rule(1, [A, B, C]), was: sync.now });
    expect(changed(both)).toEqual(on(1, [A, B, C]));
    expect(withMember(both, D)).toContain("not confirmed yet");
    expect(withoutMember(both, B)).toContain("not confirmed yet");
  });
  test("nothing was confirmed under the rule before => it is not asked", () => {
    expect(withMember(on(1, [A]), B)).toEqual(on(1, [A, B]));
    expect(changeTo(NO_SYNC, rule(1, [A]))).toEqual(on(1, [A]));
  });
  test("turned off => the rule before counts until that is confirmed", () => {
    const both = changeTo(sync, null) as SyncState;
    expect(both).toEqual({ now: null, was: sync.now });
    expect(changed(both)).toEqual(NO_SYNC);
  });
  test.each([
    ["a member again", withMember(sync, B), "is a member already"],
    ["when it is off", withMember(NO_SYNC, B), "is off"],
    ["one that is none goes", withoutMember(sync, C), "is no member"],
    ["one goes when it is off", withoutMember(NO_SYNC, C), "is off"],
    ["too few would be left", withoutMember(sync, B), "1 members would be left"],
    ["no copies", changeTo(sync, rule(0, [A])), "no copies"],
    [
      "too many",
      changeTo(
        sync,
        rule(
          1,
          Array.from({ length: 33 }, (_, i) => String(i)),
        ),
      ),
      "at most 32",
    ],
  ])("%s => refused", (_name, result, why) => {
    expect(result).toContain(why);
  });
  test("it fills itself to 2 N + 1", () => {
    expect([fillsUpTo(rule(1, [])), fillsUpTo(rule(2, [])), fillsUpTo(rule(30, []))]).toEqual([
      3, 5, 32,
    ]);
  });
});
