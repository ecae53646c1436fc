/** Random lives of nodes that hand over by plan: `npm run sim -- --failovers --seeds N` runs more. */
import { expect, test } from "vitest";
import { FailoverLife } from "./failover-life.ts";

const SEEDS = 110;
/** What a run of all seeds must have seen. */
const MARKS = [
  ...["done", "not done", "held", "wrote once it was resumed", "leads", "expiry", "released"],
  ...["forced", "forced, with less"],
  ...["cut", "died following", "died leading", "died paused", "died resigned", "started resigned"],
];

test(`sim: ${SEEDS} lives of nodes that hand over => nothing is lost, never do two lead`, () => {
  const seen = new Set<string>();
  for (let seed = 1; seed <= SEEDS; seed++) {
    const life = new FailoverLife(seed);
    try {
      life.run();
    } catch (error) {
      const replay = `npm run sim -- --seeds 1 --first ${seed} --failovers --trace`;
      throw new Error(`seed ${seed}; replay: ${replay}`, { cause: error });
    }
    for (const mark of life.marks.keys()) seen.add(mark);
  }
  expect(MARKS.filter((mark) => !seen.has(`failover: ${mark}`))).toEqual([]);
});
