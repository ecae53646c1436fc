/** Random lives of a leader that dies and asks when it is back: `npm run sim -- --reclaims --seeds N` runs more. */
import { expect, test } from "vitest";
import { ReclaimLife } from "./reclaim-life.ts";

const SEEDS = 100;
/** What a run of all seeds must have seen. */
const MARKS = [
  ...["cut off", "log lost", "log came back", "leads", "follows"],
  ...["bound passed", "died in it", "forced"],
  ...["died as it decided", "died again", "not awaited"],
];

test(`sim: ${SEEDS} lives of a leader that asks when it is back => nothing that was in reach is left there`, () => {
  const seen = new Set<string>();
  for (let seed = 1; seed <= SEEDS; seed++) {
    const life = new ReclaimLife(seed);
    try {
      life.run();
    } catch (error) {
      const replay = `npm run sim -- --seeds 1 --first ${seed} --reclaims --trace`;
      throw new Error(`seed ${seed}; replay: ${replay}`, { cause: error });
    }
    for (const mark of life.marks.keys()) seen.add(mark);
  }
  expect(MARKS.filter((mark) => !seen.has(`reclaim: ${mark}`))).toEqual([]);
});
