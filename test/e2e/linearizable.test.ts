/** Synchronous mode under faults: what clients saw is linearizable. The long form: npm run linear. */
import { expect, test } from "vitest";
import { linearRound } from "../../tools/linear.ts";

const FAULTS = 3;
const SEED = Number(process.env["SEED"] ?? Date.now() % 1_000_000);

test.each([SEED, SEED + 1])(
  "e2e: clients of a cluster with --sync 1, leaders killed, stopped, cut off => linearizable (npm run linear -- --rounds 1 --seed %i)",
  async (seed) => {
    const { counts, promotions } = await linearRound(seed, FAULTS);
    expect(promotions).toBeGreaterThan(0);
    expect(counts.writes).toBeGreaterThan(100);
    expect(counts.reads).toBeGreaterThan(100);
    // Clients were on nodes that do not lead, and went on.
    expect(counts.refused).toBeGreaterThan(0);
  },
);
