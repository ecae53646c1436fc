/** What a seeding node does next, for every row of the table in seed-choice.ts. */
import { describe, expect, test } from "vitest";
import {
  chooseSeed,
  type SeedAnswer,
  type SeedChoice,
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
}

function answer(name: string, said: Said | null): SeedAnswer {
  const source = { host: name, port: 1 };
  if (said === null) return { source, state: null, error: "connection refused" };
  const { history = "H0", offset = 0, left = {}, ...rest } = said;
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
  return { source, state, error: "" };
}

const fresh: SeedSelf = {
  nodeId: id("me"),
  history: id("mine"),
  lineage: [],
  offset: 0,
  synced: false,
};

const synced = (offset: number, history = "H0"): SeedSelf => ({
  ...fresh,
  history: id(history),
  offset,
  synced: true,
});

function choose(said: Readonly<Record<string, Said | null>>, own = fresh): string {
  const answers = Object.entries(said).map(([name, each]) => answer(name, each));
  const choice = chooseSeed(own, answers);
  expect(choice.why).not.toBe("");
  return "source" in choice ? `${choice.kind} ${choice.source.host}` : choice.kind;
}

const PRIMARY = { role: "primary", path: [id("p")] } as const;

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
      "larger offset, other way: both dead",
      { a: { offset: 900 }, b: { history: "H1", offset: 150, left: { H0: 100 } } },
      "ask_again",
    ],
    [
      "larger offset, other way, but the smaller one leads",
      { a: { offset: 900 }, b: { ...PRIMARY, history: "H1", offset: 150, left: { H0: 100 } } },
      "stay b",
    ],
    [
      "two primaries that went different ways",
      {
        a: { ...PRIMARY, offset: 900 },
        b: { ...PRIMARY, history: "H1", offset: 150, left: { H0: 100 } },
      },
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
    expect(choose(said)).toBe(expected);
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
      "one that went another way",
      synced(100),
      { b: { history: "H1", offset: 150, left: { H0: 60 } } },
      "ask_again",
    ],
  ])("synced: %s", (_name, own, said, expected) => {
    expect(choose(said, own)).toBe(expected);
  });

  test("whom and why, for people", () => {
    const why = (said: Readonly<Record<string, Said | null>>): SeedChoice["why"] =>
      chooseSeed(
        fresh,
        Object.entries(said).map(([name, each]) => answer(name, each)),
      ).why;
    expect(why({ a: { ...PRIMARY, offset: 1 } })).toBe("a:1 is a primary");
    expect(why({ a: { rootLives: true, offset: 1 } })).toBe(
      "a:1 follows old:2, whose primary is alive",
    );
    expect(why({ a: null })).toBe("no source answers: a:1: connection refused");
    expect(why({ a: { offset: 1 }, b: { history: "X", offset: 1 } })).toBe(
      "a:1 and b:1 hold unrelated histories: choose by hand",
    );
    expect(why({ a: { offset: 9 }, b: { history: "H1", offset: 9, left: { H0: 5 } } })).toBe(
      "a:1 and b:1 went different ways: choose by hand",
    );
  });
});
