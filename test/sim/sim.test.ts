/** Random schedules: `npm run sim -- --seeds N --first SEED` runs more, with a trace on failure. */
import { expect, test } from "vitest";
import { Coverage } from "./coverage.ts";
import { Simulation } from "./simulation.ts";

const SEEDS = 220;

test("same seed => the same trace, byte for byte", () => {
  for (const seed of [3, 7, 11])
    expect(new Simulation(seed).run()).toBe(new Simulation(seed).run());
});

test(`sim: ${SEEDS} random schedules => equal in the end, nothing left over, every fault seen`, () => {
  const coverage = new Coverage();
  for (let seed = 1; seed <= SEEDS; seed++) {
    const sim = new Simulation(seed);
    try {
      sim.run();
    } catch (error) {
      const replay = `npm run sim -- --seeds 1 --first ${seed} --trace`;
      throw new Error(`seed ${seed}; replay: ${replay}`, { cause: error });
    }
    coverage.add(sim.marks);
  }
  expect(coverage.missing()).toEqual([]);
}, 600_000);
