import { describe, expect, test } from "vitest";
import {
  readToken,
  standingOf,
  TOKEN_CHARS_MAX,
  tokenAt,
  tokenText,
} from "../../../src/log/token.ts";
import type { LogName } from "../../../src/log/history.ts";
import { LIMITS } from "../../../src/limits.ts";

const [H0, H1, H2, H9] = ["0", "1", "2", "9"].map((digit) => digit.repeat(32)) as [
  string,
  string,
  string,
  string,
];

/** H0 left at 100, H1 left at 300, now H2. */
const LOG: LogName = {
  history: H2,
  rank: { term: 5, run: 1 },
  lineage: [
    { history: H0, left: 100, term: 1, run: 0 },
    { history: H1, left: 300, term: 3, run: 2 },
  ],
};

describe("the text", () => {
  test.each([
    { history: H1, rank: { term: 3, run: 1 }, offset: 8192 },
    { history: H0, rank: { term: 0, run: 0 }, offset: 0 },
    {
      history: "f".repeat(32),
      rank: { term: LIMITS.termMax, run: 0xffff_ffff },
      offset: Number.MAX_SAFE_INTEGER,
    },
  ])("$rank $offset => there and back, within the limit", (token) => {
    const text = tokenText(token);
    expect(text.length).toBeLessThanOrEqual(TOKEN_CHARS_MAX);
    expect(readToken(text)).toEqual(token);
  });

  test.each([
    "",
    "x",
    `${H1}-1-0`,
    `${H1}-1-0-5-5`,
    `${H1}-01-0-5`,
    `${H1}-1-0--5`,
    `${H1}-1-0-5 `,
    `${H1} -1-0-5`,
    `${H1.slice(1)}-1-0-5`,
    `${H1.slice(1)}G-1-0-5`,
    `${H1}-1-4294967296-5`,
    `${H1}-1-0-9007199254740992`,
    `${H1}-9007199254740993-0-5`,
    `${H1}-1-0-${"9".repeat(100)}`,
  ])("%j => no token", (text) => {
    expect(readToken(text)).toBeNull();
  });
});

describe("where a log is", () => {
  test.each([
    [0, H0, { term: 1, run: 0 }],
    [100, H0, { term: 1, run: 0 }],
    [101, H1, { term: 3, run: 2 }],
    [300, H1, { term: 3, run: 2 }],
    [301, H2, { term: 5, run: 1 }],
  ])("offset %i => the history of the byte before it", (offset, history, rank) => {
    expect(tokenAt(LOG, offset)).toEqual({ history, rank, offset });
  });
});

describe("how a node stands to a place", () => {
  const at = (history: string, offset: number, term = 1, run = 0) => ({
    history,
    offset,
    rank: { term, run },
  });

  test.each([
    // Its own, and what led to it.
    [400, at(H2, 400), "reached"],
    [399, at(H2, 400), "ahead"],
    [400, at(H1, 300), "reached"],
    [400, at(H1, 301), "lost"],
    [400, at(H0, 100), "reached"],
    [400, at(H0, 101), "lost"],
    // Named by a lineage that was heard of, and not applied yet.
    [280, at(H1, 290), "ahead"],
    [290, at(H1, 290), "reached"],
    [50, at(H0, 101), "lost"],
    // Unknown: the rank decides, then the id.
    [400, at(H9, 10, 5, 0), "lost"],
    [400, at(H9, 10, 4, 9), "lost"],
    [400, at(H9, 10, 5, 1), "ahead"],
    [400, at("1".repeat(31) + "0", 10, 5, 1), "lost"],
    [400, at(H9, 10, 5, 2), "ahead"],
    [400, at(H9, 10, 6, 0), "ahead"],
    // Without a rank nobody can tell.
    [400, { history: H9, offset: 10 }, "ahead"],
  ] as const)("applied %i, %j => %s", (next, place, standing) => {
    expect(standingOf(LOG, next, place)).toBe(standing);
  });

  test("whatever is given of a log is reached there, at once", () => {
    for (let offset = 0; offset <= 400; offset++)
      expect(standingOf(LOG, 400, tokenAt(LOG, offset))).toBe("reached");
  });
});
