/**
 * Checks: what open() says, of a new place and of one that has something.
 * Tested in: test/unit/conformance/broken.test.ts.
 */
import { change, drawOps, keysFrom, type Model } from "../model.ts";
import type { CheckRow } from "../row.ts";
import type { Trial } from "../trial.ts";

export const OPENING: readonly CheckRow[] = [
  {
    name: "open-new",
    contract: "open() of a new state says that it has no mark and nothing in it",
    run: openNew,
  },
  {
    name: "open-again",
    contract:
      "what was answered, and the mark of its end, are there when the place is opened again",
    needs: ["durability"],
    run: openAgain,
  },
  {
    name: "open-empty-with-mark",
    contract: "a state with nothing in it can have a mark: open() says both",
    needs: ["durability"],
    run: openEmptyWithMark,
  },
  {
    name: "open-forgets-staging",
    contract: "open() drops stagings that were never committed",
    needs: ["durability"],
    run: openForgetsStaging,
  },
];

async function openNew(trial: Trial): Promise<undefined> {
  const held = await trial.open();
  held.expectOpened(null, true, "a new state");
  await held.expectMark("a new state");
  const { records, own } = await held.look();
  if (records.length > 0) trial.fail(`a snapshot of it has ${records.length} records`);
  if (own !== null && own.length > 0) trial.fail(`it shows ${own.length} entries`);
}

async function openAgain(trial: Trial): Promise<undefined> {
  let held = await trial.open();
  const model: Model = new Map();
  for (let round = 0; round < 3; round++) {
    for (let batch = 0; batch < 3; batch++) {
      // The last batch writes, so that it is not empty.
      const ops = [...drawOps(trial.draws, trial.examples, 30, 60), ...keysFrom(0, 1, () => batch)];
      change(model, ops);
      await held.apply(ops);
    }
    const { end } = held;
    held = await held.reopen();
    held.expectOpened(end, false, "opened again");
    await held.expect(model, "opened again");
  }
}

async function openEmptyWithMark(trial: Trial): Promise<undefined> {
  let held = await trial.open();
  await held.apply([]);
  let { end } = held;
  held = await held.reopen();
  held.expectOpened(end, true, "opened again after a batch without records");
  await held.expectMark("opened again");
  if (trial.examples.remove === undefined) return;
  await held.apply(keysFrom(0, 5, () => 1));
  await held.apply(keysFrom(0, 5, () => 1).map(([, key]) => ["remove", key!]));
  ({ end } = held);
  held = await held.reopen();
  held.expectOpened(end, true, "opened again after all was removed");
}

async function openForgetsStaging(trial: Trial): Promise<undefined> {
  let held = await trial.open();
  const model = change(
    new Map(),
    keysFrom(0, 20, () => 1),
  );
  await held.apply(keysFrom(0, 20, () => 1));
  const { end } = held;
  await held.stage(
    await trial.snapshotOf(
      change(
        new Map(),
        keysFrom(100, 400, () => 2),
      ),
    ),
  );
  held = await held.reopen(true);
  held.expectOpened(end, false, "opened again, with a staging that was never committed");
  await held.expect(model, "opened again, with a staging that was never committed");
  const next = keysFrom(200, 210, () => 3);
  const staging = await held.stage(await trial.snapshotOf(change(new Map(), next)));
  await held.commit(staging);
  await held.expect(change(new Map(), next), "a later staging was committed");
}
