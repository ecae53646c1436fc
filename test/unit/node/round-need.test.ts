/** What a lead round needs, by mode, level, and what those who promised say: every row of the table. */
import { describe, expect, test } from "vitest";
import type { LogEnd } from "../../../src/log/history.ts";
import { roundNeed, type RoundVoice } from "../../../src/node/round-need.ts";
import { NO_SYNC, type SyncLevel, type SyncState } from "../../../src/wire/messages.ts";

const id = (n: number): string => n.toString(16).padStart(32, "0");
const [H1, H2] = [id(0x11), id(0x12)];
const LEFT = { history: H1, left: 600, term: 1, run: 0 };
const at = (offset: number): LogEnd => ({
  history: H1,
  rank: { term: 1, run: 0 },
  lineage: [],
  offset,
});
const forked = (offset: number, term: number): LogEnd => ({
  history: H2,
  rank: { term, run: 0 },
  lineage: [LEFT],
  offset,
});

const rule = (copies: number, of: number, level: SyncLevel = "applied") => ({
  copies,
  level,
  members: Array.from({ length: of }, (_, n) => id(n)),
});
const on = (copies: number, of: number, level: SyncLevel = "applied"): SyncState => ({
  now: rule(copies, of, level),
  was: null,
});
const voice = (n: number, given: Partial<RoundVoice> = {}): RoundVoice => ({
  storeId: id(n),
  complete: true,
  intact: true,
  log: at(700),
  ...given,
});

describe("members", () => {
  test.each([
    ["off", NO_SYNC, [], null],
    ["1 of 3: needs 2, has itself", on(1, 3), [], /1 of the 2/],
    ["1 of 3: needs 2, has 2", on(1, 3), [voice(1)], null],
    ["2 of 3: needs 1", on(2, 3), [], null],
    ["2 of 5: needs 3, has 2", on(2, 5), [voice(1)], /2 of the 3/],
    ["2 of 5: needs 3, has 3", on(2, 5), [voice(1), voice(4)], null],
    ["strangers count for nothing", on(1, 3), [voice(7)], /1 of the 2/],
    ["incomplete ones count for nothing", on(1, 3), [voice(1, { complete: false })], /1 of the 2/],
    [
      "at level durable those count whose disk has all that was durable",
      on(1, 3, "durable"),
      [voice(1, { complete: false })],
      null,
    ],
    [
      "and no others",
      on(1, 3, "durable"),
      [voice(1, { complete: false, intact: false })],
      /1 of the 2/,
    ],
    [
      "while it changes both rules count",
      { now: rule(1, 2), was: rule(1, 4) },
      [voice(1)],
      /2 of the 3/,
    ],
    ["and both are met", { now: rule(1, 2), was: rule(1, 4) }, [voice(1), voice(3)], null],
  ] as const)("%s", (_name, sync, promised, needs) => {
    const lacks = roundNeed(sync, voice(0), promised);
    if (needs === null) expect(lacks).toBe(null);
    else expect(lacks).toMatch(needs);
  });

  test("this node itself is incomplete => it does not count", () => {
    expect(roundNeed(on(1, 2), voice(0, { complete: false }), [])).toMatch(/0 of the 1/);
    expect(roundNeed(on(1, 2), voice(0, { complete: false }), [voice(1)])).toBe(null);
  });
});

describe("a log that counts for more has to lead, or to be taken first", () => {
  test.each([
    ["as long as this one", at(700), null],
    ["shorter", at(600), null],
    ["longer, in this history", at(701), /promote that one/],
    ["of a higher rank, beside it", forked(650, 2), /promote that one/],
    ["a fork of a lower rank", { ...forked(900, 1), rank: { term: 0, run: 5 } }, null],
  ])("%s", (_name, log, needs) => {
    const lacks = roundNeed(on(1, 3), voice(0), [voice(1, { log })]);
    if (needs === null) expect(lacks).toBe(null);
    else expect(lacks).toMatch(needs);
  });
});
