/** Random lives of nodes that hand over by plan: `npm run sim -- --failovers --seeds N` runs more. */
import { expect, test } from "vitest";
import { eachSeed } from "./each-seed.ts";
import { FailoverLife } from "./failover-life.ts";
import { TESTED_SEEDS } from "./seeds.ts";

const SEEDS = TESTED_SEEDS.failovers;
/** What a run of all seeds must have seen. */
const MARKS = [
  ...["done", "not done", "held", "wrote once it was resumed", "leads", "expiry", "released"],
  ...["forced", "forced, with less"],
  ...["cut", "died following", "died leading", "died paused", "died resigned", "started resigned"],
];

test(`sim: ${SEEDS} lives of nodes that hand over => nothing is lost, never do two lead`, async () => {
  const seen = await eachSeed(SEEDS, "--failovers", (seed) => new FailoverLife(seed));
  expect(MARKS.filter((mark) => !seen.has(`failover: ${mark}`))).toEqual([]);
});
