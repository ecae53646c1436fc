/** Promotion: what becomes of a lineage. */
import { describe, expect, test } from "vitest";
import { LIMITS } from "../../../src/limits.ts";
import {
  compareLogs,
  compareRanks,
  leftAt,
  type LogEnd,
  nextRun,
  nextTerm,
  NO_RANK,
  promoted,
  rankIn,
} from "../../../src/log/history.ts";

const id = (n: number): string => n.toString(16).padStart(32, "0");

const RANK = { term: 7, run: 2 };
const entry = (n: number, left: number) => ({ history: id(n), left, term: n, run: 0 });

test("promoted at 280, an entry left at 300 => lowered to 280; one left at 120 => unchanged", () => {
  const state = { history: id(3), rank: RANK, lineage: [entry(1, 120), entry(2, 300)] };
  const rank = { term: 8, run: 0 };
  expect(promoted(state, 280, id(4), rank)).toEqual({
    history: id(4),
    rank,
    lineage: [entry(1, 120), entry(2, 280), { history: id(3), left: 280, ...RANK }],
  });
  expect(state.lineage[1]!.left).toBe(300);
});

test("promoted at 0 => the history it never wrote in is left at 0", () => {
  const after = promoted({ history: id(1), rank: RANK, lineage: [] }, 0, id(2), RANK);
  expect(after.lineage).toEqual([{ history: id(1), left: 0, ...RANK }]);
});

describe("a full lineage", () => {
  const MAX = LIMITS.lineageEntriesMax;
  const full = (leftOf: (n: number) => number) => ({
    history: id(900),
    rank: RANK,
    lineage: Array.from({ length: MAX }, (_, n) => entry(n + 1, leftOf(n))),
  });

  test("=> the shortest history goes", () => {
    const after = promoted(
      full((n) => (n < 20 ? n * 10 : n * 10 - 5)),
      900,
      id(901),
      RANK,
    );
    expect(after.lineage).toHaveLength(MAX);
    // It began at 190 and was left at 195.
    expect(after.lineage.some((each) => each.history === id(21))).toBe(false);
  });

  test("of equal ones => the older, but never the oldest, which is shorter", () => {
    const after = promoted(
      full((n) => 1 + n * 10),
      900,
      id(901),
      RANK,
    );
    expect(after.lineage.slice(0, 2).map((each) => each.history)).toEqual([id(1), id(3)]);
  });

  test("the newest was left at once => it stays: all replicas are in it", () => {
    const after = promoted(
      full((n) => n * 10),
      (MAX - 1) * 10,
      id(901),
      RANK,
    );
    expect(after.lineage.at(-1)!.history).toBe(id(900));
    expect(after.lineage).toHaveLength(MAX);
  });

  test("a start that fails again and again => what came before all of them is still known", () => {
    let log = promoted(
      full((n) => n * 1000),
      64_000,
      id(1000),
      RANK,
    );
    for (let n = 1; n <= 500; n++) log = promoted(log, 64_000 + n, id(1000 + n), nextRun(log.rank));
    const long = log.lineage.filter((each) => each.left <= 64_000);
    expect(long).toHaveLength(MAX - 1);
    expect(log.rank).toEqual({ term: 7, run: 502 });
  });
});

test("ranks: by term, then by run", () => {
  const ranks = [RANK, { term: 7, run: 0 }, { term: 8, run: 0 }, NO_RANK];
  expect(ranks.sort(compareRanks)).toEqual([
    NO_RANK,
    { term: 7, run: 0 },
    RANK,
    { term: 8, run: 0 },
  ]);
  expect(compareRanks(RANK, { ...RANK })).toBe(0);
});

test("the next rank: of a promotion, of a restart, at their limits", () => {
  expect(nextTerm(RANK)).toEqual({ term: 8, run: 0 });
  expect(nextRun(RANK)).toEqual({ term: 7, run: 3 });
  expect(nextRun({ term: 7, run: 0xffff_ffff })).toEqual({ term: 8, run: 0 });
  expect(nextTerm({ term: LIMITS.termMax, run: 3 })).toEqual({ term: LIMITS.termMax, run: 0 });
});

test("leftAt: the current one is not left, a stranger was never lived in", () => {
  const state = { history: id(2), lineage: [{ history: id(1), left: 7, term: 1, run: 0 }] };
  expect(leftAt(state, id(2))).toBe(Number.POSITIVE_INFINITY);
  expect(leftAt(state, id(1))).toBe(7);
  expect(leftAt(state, id(9))).toBe(-1);
});

test("the rank of a history => of the present one, of one that led to it, of another none", () => {
  const name = { history: id(9), rank: RANK, lineage: [entry(1, 120), entry(2, 300)] };
  expect(rankIn(name, id(9))).toEqual(RANK);
  expect(rankIn(name, id(2))).toMatchObject({ term: 2, run: 0 });
  expect(rankIn(name, id(3))).toBeNull();
});

describe("which of two logs counts for more", () => {
  const LEFT = { history: id(1), left: 300, term: 1, run: 0 };
  const led = (offset: number): LogEnd => ({
    history: id(2),
    rank: { term: 2, run: 0 },
    lineage: [LEFT],
    offset,
  });
  const old = (offset: number, run = 0, n = 1): LogEnd => ({
    history: id(n),
    rank: { term: 1, run },
    lineage: [],
    offset,
  });

  test.each([
    ["a shorter one of a higher rank", led(301), old(900), 1],
    ["the same one, shorter", old(200), old(300), -1],
    ["the same end", led(400), led(400), 0],
    // Its leader has written nothing yet: the last byte is of the history before.
    ["an end where a history was left", led(300), old(400), -1],
    ["the same, as long as the other", led(300), old(300), 0],
    ["before that end", led(250), old(200), 1],
    ["a later run of the same term", old(100, 1, 3), old(900), 1],
    ["two of one rank: by their histories, whatever their length", old(100, 0, 3), old(900), 1],
  ])("%s", (_what, a, b, order) => {
    expect(Math.sign(compareLogs(a, b))).toBe(order);
    expect(Math.sign(compareLogs(b, a))).toBe(order === 0 ? 0 : -order);
  });
});
