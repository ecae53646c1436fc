/** What a log loses for another, and with which rank that one has to be led: every row of the table. */
import { describe, expect, test } from "vitest";
import { goesFrom, ranksText, standsAbove } from "../../../src/log/discard.ts";
import type { LogEnd } from "../../../src/log/history.ts";

const id = (n: number): string => n.toString(16).padStart(32, "0");
const [H1, H2, H3, X] = [id(1), id(2), id(3), id(9)];
const rank = (term: number, run = 0): { term: number; run: number } => ({ term, run });
const LEFT = { history: H1, left: 600, term: 1, run: 0 };

const log = (history: string, term: number, offset: number, lineage = [LEFT]): LogEnd => ({
  history,
  rank: rank(term),
  lineage: history === H1 || history === X ? [] : lineage,
  offset,
});

describe("from where on ours is not in theirs", () => {
  test.each([
    ["strangers", log(X, 1, 100), log(H1, 1, 900), null],
    ["ours is a part of theirs", log(H1, 1, 600), log(H2, 2, 900), null],
    ["ours is as long as theirs", log(H1, 1, 900), log(H1, 1, 900), null],
    ["ours goes on where they went apart", log(H1, 1, 700), log(H2, 2, 900), 600],
    ["both went on", log(H2, 2, 700), log(H3, 3, 900), 600],
    ["theirs is a part of ours", log(H1, 1, 700), log(H1, 1, 650), 650],
    ["both went on, and theirs ends before that", log(H2, 2, 700), log(H3, 3, 500), 500],
  ])("%s", (_name, own, theirs, from) => {
    expect(goesFrom(own, theirs)).toBe(from);
  });
});

describe("who may have it discarded", () => {
  test.each([
    ["a higher term", log(H3, 3, 0), log(H2, 2, 700), 1],
    ["a lower term", log(H2, 2, 0), log(H3, 3, 700), -1],
    ["a later run", { ...log(H3, 2, 0), rank: rank(2, 1) }, log(H2, 2, 700), 1],
    ["an equal rank and a higher id", log(H3, 2, 0), log(H2, 2, 700), 1],
    ["an equal rank and a lower id", log(H2, 2, 0), log(H3, 2, 700), -1],
    ["its own history", log(H2, 2, 0), log(H2, 2, 700), 0],
    ["its own history, by another rank", log(H2, 7, 0), log(H2, 2, 700), 0],
    ["a rank above the last byte's, below the history's", log(H3, 3, 0), log(H2, 9, 600), 1],
  ])("%s", (_name, leader, own, order) => {
    expect(Math.sign(standsAbove(leader, own))).toBe(order);
  });
});

test("the text names both ranks", () => {
  const text = ranksText(log(H2, 2, 0), log(H3, 3, 700));
  expect(text).toContain("rank 2.0");
  expect(text).toContain("rank 3.0");
});
