/** Random lives of nodes in synchronous mode: `npm run sim -- --sync --seeds N` runs more. */
import { expect, test } from "vitest";
import { eachSeed } from "./each-seed.ts";
import { TESTED_SEEDS } from "./seeds.ts";
import { SyncLife } from "./sync-life.ts";

const SEEDS = TESTED_SEEDS.sync;
/** What a run of all seeds must have seen. */
const MARKS = [
  ...["write confirmed", "write unconfirmed", "write refused", "read confirmed"],
  ...["read unconfirmed", "leads with all that was told", "promoted", "not promoted"],
  ...["cut", "died leading", "died following", "died following with its disk"],
  ...["stopped leading", "rule changed", "failover", "failover done", "failover not done"],
  ...["failover aborted", "write held", "read held", "undisturbed"],
  "unconfirmed by force",
  ...["1 applied", "1 durable", "2 applied", "2 durable"],
];

test(`sim: ${SEEDS} lives in synchronous mode => whoever leads has all that was confirmed`, async () => {
  const seen = await eachSeed(SEEDS, "--sync", (seed) => new SyncLife(seed));
  expect(MARKS.filter((mark) => !seen.has(`sync: ${mark}`))).toEqual([]);
});
