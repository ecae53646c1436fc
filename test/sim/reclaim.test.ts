/** Random lives of a leader that dies and asks when it is back: `npm run sim -- --reclaims --seeds N` runs more. */
import { expect, test } from "vitest";
import { eachSeed } from "./each-seed.ts";
import { ReclaimLife } from "./reclaim-life.ts";
import { TESTED_SEEDS } from "./seeds.ts";

const SEEDS = TESTED_SEEDS.reclaims;
/** What a run of all seeds must have seen. */
const MARKS = [
  ...["cut off", "log lost", "log came back", "leads", "follows"],
  ...["bound passed", "died in it", "forced"],
  ...["died as it decided", "died again", "not awaited"],
];

test(`sim: ${SEEDS} lives of a leader that asks when it is back => nothing that was in reach is left there`, async () => {
  const seen = await eachSeed(SEEDS, "--reclaims", (seed) => new ReclaimLife(seed));
  expect(MARKS.filter((mark) => !seen.has(`reclaim: ${mark}`))).toEqual([]);
});
