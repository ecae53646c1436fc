/**
 * npm run linear -- [--rounds N] [--seed S]
 *
 * Clients of a cluster in synchronous mode under faults, N times (default 10): whether what they saw is linearizable
 * (tools/linear.ts). The seed (default: from the clock) counts up from round to round; a round that fails names its
 * own, and exit code 1.
 */
import { parseArgs } from "node:util";
import { linearRound } from "../../tools/linear.ts";

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "10" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
  },
});
const [rounds, first] = [Number(values.rounds), Number(values.seed)];
const total = { operations: 0, unknown: 0, promotions: 0 };
for (let seed = first; seed < first + rounds; seed++) {
  const again = `npm run linear -- --rounds 1 --seed ${seed}`;
  try {
    const { counts, faults, promotions } = await linearRound(seed);
    const { writes, reads, unknown, refused } = counts;
    total.operations += writes + reads;
    total.unknown += unknown;
    total.promotions += promotions;
    console.log(
      `${seed}: ${writes} writes, ${reads} reads, ${unknown} of unknown outcome, ${refused} refused; ${faults.join("; ")}`,
    );
  } catch (error) {
    console.error(error);
    console.error(`linear: FAILED: ${again}`);
    process.exit(1);
  }
}
console.log(
  `${rounds} rounds, ${total.promotions} promotions: ${total.operations} operations and ${total.unknown} writes of unknown outcome are linearizable`,
);
