/** Random schedules: `npm run sim -- --seeds N --first SEED` runs more, with a trace on failure. */
import { expect, test } from "vitest";
import { Simulation } from "./simulation.ts";

const SEEDS = 40;

test("same seed => the same trace, byte for byte", () => {
  for (const seed of [3, 7, 11])
    expect(new Simulation(seed).run()).toBe(new Simulation(seed).run());
});

test(`sim: ${SEEDS} random schedules => equal in the end, nothing left over`, () => {
  for (let seed = 1; seed <= SEEDS; seed++)
    try {
      new Simulation(seed).run();
    } catch (error) {
      throw new Error(`seed=${seed}: npm run sim -- --seeds 1 --first ${seed} --trace`, {
        cause: error,
      });
    }
});
