/** What a seeding node does next, for every row of the table in seed-choice.ts. */
import { describe, expect, test } from "vitest";
import {
  chooseSeed,
  type SeedAnswer,
  type SeedChoice,
  type SeedRound,
  type SeedSelf,
} from "../../../src/node/seed-choice.ts";
import type { StateAnswer } from "../../../src/wire/messages.ts";

const id = (name: string): string => Buffer.from(name.padEnd(16, "_")).toString("hex");

/** "A:150 of H1, left H0 at 100". */
interface Said extends Partial<Omit<StateAnswer, "position" | "lineage">> {
  readonly history?: string;
  readonly offset?: number;
  /** Histories that were left, each with where. */
  readonly left?: Readonly<Record<string, number>>;
  /** It answered in an earlier round. */
  readonly isStale?: boolean;
}

function answer(name: string, said: Said | null): SeedAnswer {
  const source = { host: name, port: 1 };
  if (said === null) return { source, state: null, error: "connection refused" };
  const { history = "H0", offset = 0, left = {}, isStale = false, ...rest } = said;
  const state: StateAnswer = {
    type: "state",
    storeId: "ab".repeat(16),
    clusterId: null,
    durable: 0,
    complete: true,
    intact: true,
    promised: { term: 0, run: 0 },
    rank: { term: 1, run: 0 },
    proof: "",
    nodeId: id(name),
    role: "replica",
    hasData: offset > 0,
    rootLives: false,
    upstream: { host: "old", port: 2 },
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
  return { source, state, error: "", isStale };
}

const fresh: SeedSelf = {
  nodeId: id("me"),
  clusterId: null,
  history: id("mine"),
  rank: { term: 0, run: 0 },
  lineage: [],
  offset: 0,
  synced: false,
};

const synced = (offset: number, history = "H0", term = 1): SeedSelf => ({
  ...fresh,
  history: id(history),
  rank: { term, run: 0 },
  offset,
  synced: true,
});

/** Who has dialled this node. */
interface Round extends Partial<SeedRound> {
  readonly followers?: readonly string[];
}

function choose(
  said: Readonly<Record<string, Said | null>>,
  own = fresh,
  { followers = Object.keys(said), mayNotLead = "" }: Round = {},
): SeedChoice {
  const answers = Object.entries(said).map(([name, each]) => answer(name, each));
  const ids = new Set(followers.map(id));
  const isFollower = ({ nodeId }: StateAnswer): boolean => ids.has(nodeId);
  return chooseSeed(own, answers, { isFollower, mayNotLead });
}

function chosen(...given: Parameters<typeof choose>): string {
  const choice = choose(...given);
  expect(choice.why).not.toBe("");
  return "source" in choice ? `${choice.kind} ${choice.source.host}` : choice.kind;
}

const PRIMARY = { role: "primary", path: [id("p")] } as const;
/** In a history that began in a higher term, at 100. */
const LED_ANEW: Said = { history: "H1", left: { H0: 100 }, rank: { term: 2, run: 0 } };

describe("chooseSeed", () => {
  test.each<[string, Readonly<Record<string, Said | null>>, string]>([
    ["one with a state", { a: { offset: 100 } }, "sync a"],
    ["the second is further", { a: { offset: 100 }, b: { offset: 300 } }, "sync b"],
    ["the first is further", { a: { offset: 300 }, b: { offset: 100 } }, "sync a"],
    ["equal", { a: { offset: 100 }, b: { offset: 100 } }, "sync a"],
    ["one does not answer", { a: null, b: { offset: 100 } }, "sync b"],
    ["nobody answers", { a: null, b: null }, "ask_again"],
    ["the first is empty", { a: {}, b: { offset: 100 } }, "sync b"],
    ["all are empty", { a: {}, b: {} }, "ask_again"],
    ["an empty primary first", { a: PRIMARY, b: { offset: 100 } }, "sync b"],
    ["an empty primary alone", { a: {}, b: PRIMARY }, "stay b"],
    [
      "a new replica of a root that lives",
      { a: { rootLives: true }, b: { offset: 9 } },
      "ask_again",
    ],
    [
      "an empty replica of an empty primary",
      { a: { rootLives: true, path: [id("p"), id("a")] }, b: { offset: 9 }, p: PRIMARY },
      "sync b",
    ],
    ["an unrelated empty one", { a: { history: "X" }, b: { offset: 100 } }, "sync b"],
    ["flushed, but further", { a: { offset: 300, hasData: false }, b: { offset: 99 } }, "sync a"],
    ["a primary", { a: { offset: 300 }, p: { ...PRIMARY, offset: 200 } }, "stay p"],
    ["a replica whose root lives", { a: { offset: 100, rootLives: true } }, "stay a"],
    [
      "the furthest of those that live",
      { a: { offset: 100, rootLives: true }, b: { offset: 200, rootLives: true } },
      "stay b",
    ],
    [
      "a replica below a primary that answered",
      {
        a: { offset: 300, rootLives: true, path: [id("p"), id("a")] },
        p: { ...PRIMARY, offset: 200 },
      },
      "stay p",
    ],
    [
      "after a failover: the old primary is back and knows nothing of it",
      {
        old: { ...PRIMARY, offset: 100 },
        p: { ...PRIMARY, history: "H1", offset: 150, left: { H0: 100 } },
      },
      "stay p",
    ],
    [
      "a laggard of the older history",
      { a: { offset: 80 }, b: { history: "H1", offset: 150, left: { H0: 100 } } },
      "sync b",
    ],
    [
      "a longer log that was left: both dead",
      { a: { offset: 900 }, b: { ...LED_ANEW, offset: 150 } },
      "sync b",
    ],
    [
      "the same, of one term: the history decides",
      { a: { offset: 900 }, b: { history: "H1", offset: 150, left: { H0: 100 } } },
      "sync b",
    ],
    [
      "the higher rank is adopted, and nothing was written with it",
      { a: { offset: 900 }, b: { ...LED_ANEW, offset: 100 } },
      "sync a",
    ],
    [
      "a later run of the same term",
      { a: { offset: 900 }, b: { ...LED_ANEW, rank: { term: 1, run: 3 }, offset: 150 } },
      "sync b",
    ],
    [
      "a longer log that was left, and who went on leads",
      { a: { offset: 900 }, b: { ...PRIMARY, ...LED_ANEW, offset: 150 } },
      "stay b",
    ],
    [
      "two old leaders of different terms",
      { a: { ...PRIMARY, offset: 900 }, b: { ...PRIMARY, ...LED_ANEW, offset: 150 } },
      "stay b",
    ],
    [
      "a leader that was left, and a replica of the newer one",
      { a: { ...PRIMARY, offset: 900 }, b: { ...LED_ANEW, offset: 150, rootLives: true } },
      "stay b",
    ],
    [
      "the same, and the newer one is not heard of",
      { a: { ...PRIMARY, offset: 900 }, b: { ...LED_ANEW, offset: 150 } },
      "ask_again",
    ],
    [
      "the same, and its replica has nothing of its log yet",
      { a: { ...PRIMARY, offset: 900 }, b: { ...LED_ANEW, offset: 100 } },
      "ask_again",
    ],
    [
      "whoever was heard of in an earlier round alone leads nobody",
      { a: { ...PRIMARY, offset: 100, isStale: true }, b: { offset: 90 } },
      "sync b",
    ],
    [
      "two clusters",
      { a: { offset: 90, clusterId: id("c1") }, b: { offset: 100, clusterId: id("c2") } },
      "ask_again",
    ],
    ["unrelated", { a: { offset: 900 }, b: { history: "X", offset: 100 } }, "ask_again"],
    [
      "unrelated, one of them a primary",
      { a: { offset: 900 }, b: { ...PRIMARY, history: "X", offset: 100 } },
      "ask_again",
    ],
    ["itself alone", { me: { ...PRIMARY, offset: 10 } }, "ask_again"],
    ["itself among them", { me: PRIMARY, b: { offset: 100 } }, "sync b"],
  ])("fresh: %s", (_name, said, expected) => {
    expect(chosen(said)).toBe(expected);
  });

  test.each<[string, SeedSelf, Readonly<Record<string, Said | null>>, string]>([
    ["has all that its source has", synced(100), { a: { offset: 100 } }, "promote"],
    ["has more than a laggard", synced(100), { a: { offset: 100 }, b: { offset: 7 } }, "promote"],
    [
      "another is further by now",
      synced(100),
      { a: { offset: 100 }, b: { offset: 101 } },
      "sync b",
    ],
    ["a primary by now", synced(100), { a: { ...PRIMARY, offset: 100 } }, "stay a"],
    ["the root is back", synced(100), { a: { offset: 100, rootLives: true } }, "stay a"],
    ["the sources are gone", synced(100), { a: null, b: null }, "promote"],
    ["an empty primary came", synced(100), { a: PRIMARY }, "promote"],
    [
      "what is below it says that its root lives",
      synced(100),
      { b: { offset: 100, rootLives: true, path: [id("me"), id("b")] } },
      "promote",
    ],
    ["an unrelated one came", synced(100), { b: { history: "X", offset: 5 } }, "ask_again"],
    [
      "one that went another way, with a higher rank",
      synced(100),
      { b: { ...LED_ANEW, offset: 150 } },
      "sync b",
    ],
    [
      "one that went another way, with a lower rank",
      { ...synced(150, "H1", 2), lineage: [{ history: id("H0"), left: 100, term: 1, run: 0 }] },
      { b: { offset: 900 } },
      "promote",
    ],
    [
      "a primary of a lower rank",
      { ...synced(150, "H1", 2), lineage: [{ history: id("H0"), left: 100, term: 1, run: 0 }] },
      { b: { ...PRIMARY, offset: 900 } },
      "ask_again",
    ],
  ])("synced: %s", (_name, own, said, expected) => {
    expect(chosen(said, own)).toBe(expected);
  });

  describe("leads only when all are below it", () => {
    const chain = (...names: string[]): Said => ({ offset: 90, path: names.map(id) });
    test.each<[string, Readonly<Record<string, Said | null>>, Round, string]>([
      ["one has not dialled", { a: { offset: 90 } }, { followers: [] }, "ask_again"],
      ["one of two", { a: { offset: 90 }, b: { offset: 80 } }, { followers: ["a"] }, "ask_again"],
      ["its path leads here", { a: chain("me", "a") }, { followers: [] }, "promote"],
      [
        "over one that has dialled",
        { a: { offset: 90 }, b: chain("old", "a", "b") },
        { followers: ["a"] },
        "promote",
      ],
      [
        "over one that has not",
        { a: { offset: 90 }, b: chain("old", "a", "b") },
        { followers: [] },
        "ask_again",
      ],
      [
        "two say that they follow each other",
        { a: chain("b", "a"), b: chain("a", "b") },
        { followers: [] },
        "ask_again",
      ],
      [
        "an empty one does not count",
        { a: {}, b: { offset: 90 } },
        { followers: ["b"] },
        "promote",
      ],
      [
        "it was seen to be another's, and is silent",
        { a: { offset: 90, isStale: true } },
        { followers: [] },
        "ask_again",
      ],
      [
        "it was below this node, and is silent",
        { a: { offset: 90, isStale: true } },
        {},
        "promote",
      ],
      [
        "it led, and is silent",
        { a: { ...PRIMARY, isStale: true, offset: 9 } },
        { followers: [] },
        "ask_again",
      ],
      ["it had more, and is silent", { a: { offset: 101, isStale: true } }, {}, "ask_again"],
      ["it may not", { a: { offset: 90 } }, { mayNotLead: "it was fenced" }, "ask_again"],
    ])("%s", (_name, said, round, expected) => {
      expect(chosen(said, synced(100), round)).toBe(expected);
    });

    test("says which, whom that follows, and what can be done", () => {
      const said = { a: { offset: 90 }, b: { offset: 80, upstream: { host: "other", port: 7 } } };
      expect(choose(said, synced(100), { followers: ["a"] }).why).toBe(
        "b:1 follows other:7, not this node: REPLICAOF NO ONE leads all the same",
      );
      expect(choose(said, synced(100), { mayNotLead: "it was fenced" }).why).toBe(
        "it was fenced: REPLICAOF NO ONE leads all the same",
      );
    });
  });

  test("whom and why, for people", () => {
    const why = (said: Readonly<Record<string, Said | null>>): SeedChoice["why"] =>
      choose(said).why;
    expect(why({ a: { ...PRIMARY, offset: 1 } })).toBe("a:1 is a primary");
    expect(why({ a: { rootLives: true, offset: 1 } })).toBe(
      "a:1 follows old:2, whose primary is alive",
    );
    expect(why({ a: null })).toBe("no source answers: a:1: connection refused");
    expect(why({ a: { offset: 1 }, b: { history: "X", offset: 1 } })).toBe(
      "a:1 and b:1 hold unrelated histories: choose by hand",
    );
    expect(why({ a: { ...PRIMARY, offset: 9 }, b: { ...LED_ANEW, offset: 9 } })).toBe(
      "a:1 is a primary of rank 1.0, and b:1 followed one of rank 2.0, not heard of now: choose by hand",
    );
  });
});
