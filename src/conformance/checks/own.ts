/**
 * Checks: changes by the state's own methods, and a sync() beside the others.
 * Tested in: test/unit/conformance/broken.test.ts.
 */
import { difference } from "../content.ts";
import type { Held } from "../held.ts";
import { MemoryLog } from "../memory-log.ts";
import { change, keysFrom, type Model } from "../model.ts";
import type { CheckRow } from "../row.ts";
import type { Trial } from "../trial.ts";

export const OWN: readonly CheckRow[] = [
  {
    name: "own-writes",
    contract:
      "a change by the state's own methods is in the log in the same turn, or does not happen",
    needs: ["bind", "own"],
    run: ownWrites,
  },
  {
    name: "own-writes-refused",
    contract: "after bind(null) the state's own methods throw, and change nothing",
    needs: ["bind", "own"],
    run: ownWritesRefused,
  },
  {
    name: "sync-beside-apply",
    contract: "sync() may be called while records are applied, and never writes the mark",
    needs: ["sync"],
    run: syncBesideApply,
  },
];

async function ownWrites(trial: Trial): Promise<undefined> {
  const { own } = trial.examples;
  const held = await trial.open();
  const log = new MemoryLog();
  await trial.call("bind()", () => held.state.bind!(log));
  const model: Model = new Map();
  for (let n = 0; n < 300; n++) {
    const [key, value] = [trial.draws.between(0, 80), n];
    const before = log.length;
    const atOnce = await trial.call("a method of the state's own", () => {
      own!(held.state, key, value);
      return log.length;
    });
    if (atOnce === before)
      trial.fail("a method of the state's own has returned, and nothing is in the log");
    model.set(key, value);
  }
  if (log.left !== null) trial.fail(log.left);
  await held.expect(model, "changes by the state's own methods");
  const other = await trial.open();
  const batch = other.batch(log.records);
  const answer: unknown = other.state.apply(batch);
  if (answer instanceof Promise) {
    await answer;
    trial.fail("apply() gave a promise: a state that binds has to answer at once");
  }
  other.end = batch.end;
  await other.expect(model, "what is in the log, applied to another state");
  await expectAllOrNothing(trial, held, model, log);
}

/** The log throws: nothing has changed. */
async function expectAllOrNothing(
  trial: Trial,
  held: Held,
  model: Model,
  log: MemoryLog,
): Promise<void> {
  const before = log.length;
  log.isFull = true;
  const failed = await trial.attempt("a method of the state's own, with a full log", () => {
    trial.examples.own!(held.state, 1, 999);
  });
  log.isFull = false;
  if (failed === null) trial.fail("the log was full, and a method of the state's own succeeded");
  if (log.length !== before) trial.fail("the log was full, and has one record more");
  await held.expect(model, "a change that the log did not take");
}

async function ownWritesRefused(trial: Trial): Promise<undefined> {
  const { own } = trial.examples;
  const held = await trial.open();
  const log = new MemoryLog();
  const model = change(
    new Map(),
    keysFrom(0, 10, () => 1),
  );
  await trial.call("bind()", () => held.state.bind!(log));
  for (const [key, value] of model)
    await trial.call("a method of the state's own", () => own!(held.state, key, value));
  const before = await held.look();
  const length = log.length;
  await trial.call("bind()", () => held.state.bind!(null));
  for (const key of [1, 500]) {
    const failed = await trial.attempt("a method of the state's own", () => {
      own!(held.state, key, 2);
    });
    if (failed === null) trial.fail("bind(null), and a method of the state's own succeeded");
  }
  if (log.length !== length) trial.fail("bind(null), and the old log has a record more");
  const found = difference(before, await held.look());
  if (found !== null) trial.fail(`a method of the state's own threw: ${found}`);
  const ops = keysFrom(5, 20, () => 3);
  await held.apply(ops);
  await held.expect(change(model, ops), "records are applied all the same");
}

async function syncBesideApply(trial: Trial): Promise<undefined> {
  let held = await trial.open();
  const model: Model = new Map();
  for (let round = 0; round < 10; round++) {
    const syncing = Promise.resolve(held.state.sync!());
    // Rejects below, where it is awaited; not before that, unseen.
    syncing.catch(() => undefined);
    for (let n = 0; n < 3; n++) {
      const ops = keysFrom(round, round + 20, () => round * 10 + n);
      await held.apply(ops);
      change(model, ops);
    }
    await trial.call("sync()", () => syncing);
    await held.expectMark("sync() has answered, and batches were applied meanwhile");
  }
  await held.expect(model, "sync() beside batches");
  if (!held.isDurable) return;
  await trial.call("sync()", () => held.state.sync!());
  const { end } = held;
  held = await held.reopen();
  held.expectOpened(end, false, "opened again");
  await held.expect(model, "opened again");
}
