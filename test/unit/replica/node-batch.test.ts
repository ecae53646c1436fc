/** What a node batch says, against what is known of its history. */
import { expect, test } from "vitest";
import type { LogName } from "../../../src/log/history.ts";
import { differenceOf } from "../../../src/replica/node-batch.ts";
import { NODE_BATCH, OLDER_HISTORY } from "../wire/examples.ts";

const { record, offset: next, chain } = NODE_BATCH;
const { history, rank } = record;
const PRESENT: LogName = { history, rank, lineage: [] };
const OTHER = "f".repeat(32);

test.each<[string, LogName]>([
  ["of the present history", PRESENT],
  ["of an earlier one", { ...PRESENT, history: OTHER, lineage: [{ history, left: 9, ...rank }] }],
  ["of one that the lineage forgot", { history: OTHER, rank: { term: 9, run: 0 }, lineage: [] }],
])("%s, as it is known => no difference", (_what, name) => {
  expect(differenceOf(record, { next, chain }, name)).toBeNull();
});

test("the first history of a cluster has no parent", () => {
  expect(differenceOf({ ...record, parent: null }, { next: 0, chain: 7 }, PRESENT)).toBeNull();
});

test.each([
  ["term", { term: 4, run: 1 }],
  ["run", { term: 3, run: 0 }],
])("another %s => both are named", (_what, other) => {
  const older = { ...PRESENT, history: OLDER_HISTORY, lineage: [{ history, left: 9, ...other }] };
  for (const name of [{ ...PRESENT, rank: other }, older])
    expect(differenceOf(record, { next, chain }, name)).toBe(
      `rank 3.1 of ${history}, known is ${other.term}.${other.run}`,
    );
});

test("it goes on from elsewhere => both places are named", () => {
  expect(differenceOf(record, { next: next + 1, chain }, PRESENT)).toContain(
    `goes on from ${next} with chain ${chain}, it begins at ${next + 1} with ${chain}`,
  );
  expect(differenceOf(record, { next, chain: 5 }, PRESENT)).toContain(`begins at ${next} with 5`);
});
