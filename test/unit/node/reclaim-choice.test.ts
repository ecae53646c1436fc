/** What a restarted leader does before it opens, for every row of the tables in reclaim-choice.ts. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compareRanks } from "../../../src/log/history.ts";
import {
  answersText,
  chooseReclaim,
  highestRank,
  type ReclaimSelf,
  verdictOf,
} from "../../../src/node/reclaim-choice.ts";
import type { SeedAnswer } from "../../../src/node/seed-choice.ts";
import type { StateAnswer } from "../../../src/wire/messages.ts";

const id = (name: string): string => Buffer.from(name.padEnd(16, "_")).toString("hex");

/** "A:150 of H1, left H0 at 100", of rank 1.0. */
interface Said extends Partial<Omit<StateAnswer, "position" | "lineage" | "rank">> {
  readonly history?: string;
  readonly offset?: number;
  readonly left?: Readonly<Record<string, number>>;
  readonly rank?: readonly [term: number, run: number];
}

function answer(name: string, said: Said | null): SeedAnswer {
  const source = { host: name, port: 1 };
  if (said === null) return { source, state: null, error: "connection refused" };
  const { history = "H1", offset = 0, left = { H0: 100 }, rank = [1, 0], ...rest } = said;
  const state: StateAnswer = {
    type: "state",
    storeId: id(`store ${name}`),
    clusterId: id("cluster"),
    durable: 0,
    complete: true,
    intact: true,
    promised: { term: 0, run: 0 },
    rank: { term: rank[0], run: rank[1] },
    proof: "",
    nodeId: id(name),
    role: "replica",
    hasData: true,
    rootLives: false,
    upstream: { host: "me", port: 2 },
    path: [id("old"), id(name)],
    position: { history: id(history), offset, chain: 1 },
    lineage: Object.entries(left).map(([each, at]) => ({
      history: id(each),
      left: at,
      term: 1,
      run: 0,
    })),
    ...rest,
  };
  return { source, state, error: "" };
}

/** 500 of H1, which left H0 at 100, of rank 1.0. */
const own: ReclaimSelf = {
  nodeId: id("me"),
  clusterId: id("cluster"),
  history: id("H1"),
  lineage: [{ history: id("H0"), left: 100, term: 1, run: 0 }],
  offset: 500,
  rank: { term: 1, run: 0 },
};

const LEADS = { role: "primary", path: [id("p")] } as const;
const ABOVE = { history: "H2", rank: [2, 0] } as const;

describe("one answer", () => {
  test.each<[string, Said | null, string]>([
    ["none", null, "silent"],
    ["this very node", { nodeId: id("me") }, "self"],
    ["another cluster", { offset: 900, clusterId: id("other") }, "stranger"],
    ["no cluster yet, the same log", { offset: 900, clusterId: null }, "ahead"],
    ["no history in common", { history: "X", left: { Y: 5 }, offset: 900 }, "stranger"],
    ["a new store, empty", { history: "X", left: {}, hasData: false }, "stranger"],
    ["more of the same history", { offset: 501 }, "ahead"],
    ["as much", { offset: 500 }, "level"],
    ["less", { offset: 499 }, "level"],
    ["a torn state, which is nowhere", { offset: 0, hasData: false }, "level"],
    ["left our history before our end", { history: "H3", left: { H1: 499 } }, "another_way"],
    [
      "left it at our end, and has more",
      { history: "H3", left: { H1: 500 }, offset: 600 },
      "ahead",
    ],
    ["a fork of the history before", { history: "H0", left: {}, offset: 900 }, "another_way"],
    ["leads with a higher term", { ...LEADS, ...ABOVE }, "rules"],
    ["leads with a higher run", { ...LEADS, history: "H2", rank: [1, 1] }, "rules"],
    ["leads with a lower rank", { ...LEADS, history: "H0", left: {}, rank: [0, 9] }, "rival"],
    ["leads with the same rank, a lower history", { ...LEADS, history: "A" }, "rival"],
    [
      "leads with the same rank, a higher history",
      { ...LEADS, history: "Z", left: { H1: 5 } },
      "rules",
    ],
    ["follows one above that lives", { ...ABOVE, left: { H1: 300 }, rootLives: true }, "rules"],
    ["followed one above", { ...ABOVE, left: { H1: 300 } }, "orphan"],
    [
      "a later run of our own term",
      { history: "H2", left: { H1: 500 }, offset: 9e3, rank: [1, 7] },
      "ahead",
    ],
    ["follows one of our rank that lives", { offset: 600, rootLives: true }, "ahead"],
    ["above, of another cluster", { ...LEADS, ...ABOVE, clusterId: id("other") }, "stranger"],
  ])("%s", (_what, said, verdict) => {
    expect(verdictOf(own, answer("a", said).state)).toBe(verdict);
  });

  test("what it led with itself, and lost the log of, is not another's rank", () => {
    const said = answer("a", { history: "H2", left: { H1: 500 }, offset: 600, rank: [2, 3] });
    expect(verdictOf({ ...own, rank: { term: 2, run: 0 } }, said.state)).toBe("ahead");
    expect(verdictOf(own, said.state)).toBe("orphan");
  });
});

interface Round {
  readonly isOverdue?: boolean;
  readonly over?: readonly string[];
  /** Not awaited. */
  readonly spare?: readonly string[];
}

function choose(said: Readonly<Record<string, Said | null>>, round: Round = {}): string {
  const { isOverdue = false, over = [], spare = [] } = round;
  const answers = Object.entries(said).map(([name, each]) => answer(name, each));
  const isOver = ({ host }: { host: string }): boolean => over.includes(host);
  const isAwaited = ({ host }: { host: string }): boolean => !spare.includes(host);
  const choice = chooseReclaim(own, answers, { isOverdue, isOver, isAwaited });
  expect(choice.why).not.toBe("");
  return "source" in choice ? `${choice.kind} ${choice.source.host}` : choice.kind;
}

const AHEAD = { offset: 700 } as const;
const ORPHAN_AHEAD = { ...ABOVE, left: { H1: 600 }, offset: 700 } as const;
const ORPHAN_APART = { ...ABOVE, left: { H1: 300 }, offset: 700 } as const;

describe("all answers", () => {
  test.each<[string, Readonly<Record<string, Said | null>>, Round, string]>([
    ["nobody to ask", {}, {}, "open"],
    ["all have less", { a: { offset: 5 }, b: { offset: 500 } }, {}, "open"],
    ["all are strangers", { a: { history: "X", left: {} } }, {}, "open"],
    ["one is ahead", { a: { offset: 5 }, b: AHEAD }, {}, "take b"],
    ["two are ahead", { a: AHEAD, b: { offset: 800 } }, {}, "take b"],
    ["two are equally ahead", { a: AHEAD, b: AHEAD }, {}, "take a"],
    ["ahead in a lower rank", { a: { offset: 800, rank: [0, 1] }, b: AHEAD }, {}, "take b"],
    ["one is ahead, others are silent", { a: null, b: AHEAD }, {}, "take b"],
    ["whoever was ahead has given it", { a: AHEAD, b: { offset: 600 } }, { over: ["a"] }, "take b"],
    ["all that were ahead are done with", { a: AHEAD }, { over: ["a"] }, "open"],
    ["one is silent", { a: { offset: 5 }, b: null }, {}, "ask_again"],
    ["one is silent, and done with", { b: null }, { over: ["b"] }, "open"],
    ["one is silent, and not awaited", { a: { offset: 5 }, b: null }, { spare: ["b"] }, "open"],
    ["two are silent, one of them awaited", { a: null, b: null }, { spare: ["b"] }, "ask_again"],
    ["not awaited, and ahead", { a: { offset: 5 }, b: AHEAD }, { spare: ["b"] }, "take b"],
    [
      "not awaited, and leads above",
      { a: { offset: 5 }, b: { ...LEADS, ...ABOVE } },
      { spare: ["b"] },
      "follow b",
    ],
    ["not awaited, and an orphan", { b: ORPHAN_APART }, { spare: ["b"] }, "ask_again"],
    ["one is silent at the bound", { a: { offset: 5 }, b: null }, { isOverdue: true }, "open"],
    ["ahead at the bound", { a: null, b: AHEAD }, { isOverdue: true }, "take b"],
    ["another leads above", { a: AHEAD, b: { ...LEADS, ...ABOVE } }, {}, "follow b"],
    [
      "a leader, and one that follows it",
      { a: { ...ORPHAN_APART, rootLives: true }, b: { ...LEADS, ...ABOVE } },
      {},
      "follow b",
    ],
    [
      "two that lead above: the highest rank",
      { a: { ...LEADS, ...ABOVE }, b: { ...LEADS, history: "H3", rank: [3, 0] } },
      {},
      "follow b",
    ],
    [
      "two that lead with one rank: the higher history",
      { a: { ...LEADS, ...ABOVE, offset: 900 }, b: { ...LEADS, ...ABOVE, history: "H3" } },
      {},
      "follow b",
    ],
    [
      "only those that follow it: the furthest",
      {
        a: { ...ORPHAN_APART, rootLives: true },
        b: { ...ORPHAN_APART, rootLives: true, offset: 900 },
      },
      {},
      "follow b",
    ],
    [
      "a rival of a lower rank",
      { a: { ...LEADS, history: "H0", left: {}, offset: 900 } },
      {},
      "open",
    ],
    ["an orphan", { a: AHEAD, b: ORPHAN_AHEAD }, {}, "ask_again"],
    ["an orphan, at the bound", { a: AHEAD, b: ORPHAN_APART }, { isOverdue: true }, "follow b"],
    [
      "orphans, at the bound: the highest rank",
      { a: ORPHAN_AHEAD, b: { ...ORPHAN_APART, rank: [3, 0] } },
      { isOverdue: true },
      "follow b",
    ],
  ])("%s", (_what, said, round, choice) => {
    expect(choose(said, round)).toBe(choice);
  });

  test("take says how far", () => {
    const choice = chooseReclaim(own, [answer("a", AHEAD)], {
      isOverdue: false,
      isOver: () => false,
      isAwaited: () => true,
    });
    expect(choice).toMatchObject({ kind: "take", to: 700 });
    expect(choice.why).toContain("200 bytes");
  });

  test("open says who was not heard of", () => {
    const round = { isOverdue: true, isOver: () => false, isAwaited: () => true };
    const choice = chooseReclaim(own, [answer("a", null), answer("b", { offset: 5 })], round);
    expect(choice.why).toBe("nobody who answers has more; not heard of: a:1");
  });

  test("for people: whom it asked, and what each said", () => {
    const text = answersText(own, [answer("a", AHEAD), answer("b", null)]);
    expect(text).toBe("a:1: ahead, its log ends at 700; b:1: connection refused");
    expect(answersText(own, [])).toBe("nobody is remembered");
  });

  test("it leads above all ranks of its cluster", () => {
    const said = [
      answer("a", ABOVE),
      answer("b", { rank: [9, 0], clusterId: id("other") }),
      answer("c", null),
    ];
    expect(highestRank(own, said)).toEqual({ term: 2, run: 0 });
  });
});

const said = fc.option(
  fc.record({
    role: fc.constantFrom("primary" as const, "replica" as const),
    rootLives: fc.boolean(),
    clusterId: fc.constantFrom(id("cluster"), id("other"), null),
    history: fc.constantFrom("H0", "H1", "H2", "X"),
    left: fc.constantFrom({}, { H0: 100 }, { H0: 100, H1: 300 }, { H0: 100, H1: 500 }),
    offset: fc.constantFrom(0, 300, 500, 700),
    rank: fc.tuple(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 1 })),
  }),
  { nil: null },
);

test("whatever they answer: it ends at the bound, and takes only what goes on from our end", () => {
  fc.assert(
    fc.property(fc.array(said, { maxLength: 4 }), fc.boolean(), (all, isOverdue) => {
      const answers = all.map((each, n) => answer(`n${n}`, each));
      const choice = chooseReclaim(own, answers, {
        isOverdue,
        isOver: () => false,
        isAwaited: () => true,
      });
      if (isOverdue) expect(choice.kind).not.toBe("ask_again");
      const told = answers.filter(({ state }) => state !== null).map(({ state }) => state!);
      const verdicts = told.map((state) => verdictOf(own, state));
      if (choice.kind === "open") {
        expect(verdicts).not.toContain("rules");
        expect(verdicts).not.toContain("orphan");
        expect(verdicts).not.toContain("ahead");
      }
      if (choice.kind === "ask_again")
        expect(verdicts.includes("orphan") || told.length < all.length).toBe(true);
      if (!("source" in choice)) return;
      const state = answers.find(({ source }) => source === choice.source)!.state!;
      const isTake = choice.kind === "take";
      expect(isTake ? ["ahead"] : ["rules", "orphan"]).toContain(verdictOf(own, state));
      if (!isTake) expect(compareRanks(state.rank, own.rank)).toBeGreaterThanOrEqual(0);
      else expect([state.role, state.position.offset > own.offset]).toEqual(["replica", true]);
    }),
  );
});
