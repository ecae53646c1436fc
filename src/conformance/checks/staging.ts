/**
 * Checks: a state that is replaced by a snapshot.
 * Tested in: test/unit/conformance/broken.test.ts.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Staging } from "../../bridge/seam.ts";
import { listDifference } from "../content.ts";
import type { Held } from "../held.ts";
import { change, keysFrom, type Model, type Op, removals } from "../model.ts";
import type { CheckRow } from "../row.ts";
import type { Trial } from "../trial.ts";

const COMMITS = 12;
/** What a peer may say that has no such thing: nobody may reserve memory for it. */
const WILD = { records: 2 ** 45, bytes: 2 ** 50 };
/** How long what is tidied after a commit is watched. */
const TIDY_MS = 150;
const TIDY_KEYS = 3000;

export const STAGING: readonly CheckRow[] = [
  {
    name: "stage-hidden",
    contract: "what is being staged is not seen before its commit, nor is its mark",
    run: stageHidden,
  },
  {
    name: "commit-replaces",
    contract: "commit() replaces all there was by what was staged, at its mark",
    run: commitReplaces,
  },
  {
    name: "commit-empty",
    contract: "a snapshot may be empty, and so is the state after its commit",
    run: commitEmpty,
  },
  {
    name: "commit-often",
    contract: "a state is replaced any number of times, whatever the estimates were",
    run: commitOften,
  },
  {
    name: "tidy-beside",
    contract: "what is tidied later never touches what was written meanwhile",
    run: tidyBeside,
  },
  {
    name: "abort-keeps",
    contract: "abort() leaves records and mark as they were",
    run: abortKeeps,
  },
  {
    name: "stage-again",
    contract: "a staging begins empty, whatever became of the one before",
    run: stageAgain,
  },
  {
    name: "frozen-over-commit",
    contract: "a Frozen that is open at a commit goes on to show its moment",
    run: frozenOverCommit,
  },
];

/** Begins a staging of a state to which just `model` was written. */
async function stageModel(trial: Trial, held: Held, model: Model): Promise<Staging> {
  return held.stage(await trial.snapshotOf(model));
}

async function stageHidden(trial: Trial): Promise<undefined> {
  const held = await trial.open();
  const ops = keysFrom(0, 40, () => 1);
  const model = change(new Map(), ops);
  await held.apply(ops);
  const next = change(
    new Map(),
    keysFrom(20, 400, () => 2),
  );
  const records = await trial.snapshotOf(next);
  const staging = await trial.call("stage()", () => held.state.stage(WILD));
  await held.expect(model, "nothing is loaded");
  for (const half of [records.slice(0, 200), records.slice(200)]) {
    await held.load(staging, half);
    await held.expect(model, "records are loaded, and not committed");
  }
  await held.commit(staging);
  await held.expect(next, "committed");
}

async function commitReplaces(trial: Trial): Promise<undefined> {
  let held = await trial.open();
  await held.apply(keysFrom(0, 100, () => 1));
  const model = change(
    new Map(),
    keysFrom(50, 150, () => 2),
  );
  await held.commit(await stageModel(trial, held, model));
  await held.expect(model, "committed");
  const ops = [...removals(trial.examples, 50, 60), ...keysFrom(0, 10, () => 3)];
  await held.apply(ops);
  await held.expect(change(model, ops), "a batch after the commit");
  if (!held.isDurable) return;
  const { end } = held;
  held = await held.reopen();
  held.expectOpened(end, false, "opened again after the commit");
  await held.expect(model, "opened again after the commit");
}

async function commitEmpty(trial: Trial): Promise<undefined> {
  let held = await trial.open();
  await held.apply(keysFrom(0, 100, () => 1));
  await held.commit(await held.stage([], { records: 0, bytes: 0 }));
  await held.expect(new Map(), "an empty snapshot was committed");
  if (held.isDurable) {
    const { end } = held;
    held = await held.reopen();
    held.expectOpened(end, true, "opened again after an empty snapshot");
  }
  const ops = keysFrom(0, 10, () => 2);
  await held.apply(ops);
  await held.expect(change(new Map(), ops), "a batch after an empty snapshot");
}

async function commitOften(trial: Trial): Promise<undefined> {
  let held = await trial.open();
  for (let n = 0; n < COMMITS; n++) {
    const model = change(
      new Map(),
      keysFrom(n * 3, n * 3 + 30, () => n),
    );
    const staging = await held.stage(await trial.snapshotOf(model), n % 2 === 0 ? WILD : undefined);
    await held.commit(staging);
    await held.expect(model, `commit ${n + 1}`);
    const ops = keysFrom(n * 3 + 10, n * 3 + 40, () => 100 + n);
    await held.apply(ops);
    await held.expect(change(model, ops), `a batch after commit ${n + 1}`);
    if (!held.isDurable || n % 4 !== 3) continue;
    const { end } = held;
    held = await held.reopen();
    held.expectOpened(end, false, `opened again after commit ${n + 1}`);
    await held.expect(model, `opened again after commit ${n + 1}`);
  }
}

async function tidyBeside(trial: Trial): Promise<undefined> {
  let held = await trial.open();
  const old = keysFrom(0, TIDY_KEYS, () => 1);
  await held.apply(old);
  const model = change(
    new Map(),
    keysFrom(0, 1, () => 2),
  );
  const staging = await stageModel(trial, held, model);
  const frozen = await held.freeze();
  await held.commit(staging);
  await writeSlowly(held, model, (n) => keysFrom(n * 10, n * 10 + 30, () => n));
  await held.expect(model, "the state that was replaced is tidied away");
  // The same of what a Frozen kept.
  const ops = removals(trial.examples, 0, 500);
  await held.apply(ops);
  change(model, ops);
  await held.close(frozen);
  await writeSlowly(held, model, (n) => keysFrom(n * 7, n * 7 + 20, () => 50 + n));
  await held.expect(model, "what a Frozen kept is tidied away");
  if (!held.isDurable) return;
  held = await held.reopen();
  await held.expect(model, "opened again");
}

/** 20 batches, with turns of the loop between them. */
async function writeSlowly(
  held: Held,
  model: Model,
  opsOf: (n: number) => readonly Op[],
): Promise<void> {
  for (let n = 0; n < 20; n++) {
    await held.apply(opsOf(n));
    change(model, opsOf(n));
    await sleep(n % 4 === 0 ? 2 : 0);
  }
  await sleep(TIDY_MS);
}

async function abortKeeps(trial: Trial): Promise<undefined> {
  const held = await trial.open();
  const ops = keysFrom(0, 40, () => 1);
  const model = change(new Map(), ops);
  await held.apply(ops);
  const other = change(
    new Map(),
    keysFrom(20, 300, () => 2),
  );
  await held.abort(await stageModel(trial, held, other));
  await held.expect(model, "a staging was aborted");
  await held.abort(await held.stage([]));
  await held.expect(model, "an empty staging was aborted");
  const after = keysFrom(10, 50, () => 3);
  await held.apply(after);
  await held.expect(change(model, after), "a batch after an abort");
}

async function stageAgain(trial: Trial): Promise<undefined> {
  const held = await trial.open();
  await held.apply(keysFrom(0, 10, () => 1));
  const first = change(
    new Map(),
    keysFrom(0, 300, () => 2),
  );
  const second = change(
    new Map(),
    keysFrom(200, 250, () => 3),
  );
  await held.abort(await stageModel(trial, held, first));
  await held.commit(await stageModel(trial, held, second));
  await held.expect(second, "a staging after one that was aborted");
  await held.commit(await stageModel(trial, held, first));
  await held.commit(await stageModel(trial, held, second));
  await held.expect(second, "a staging after one that was committed");
}

async function frozenOverCommit(trial: Trial): Promise<undefined> {
  const held = await trial.open();
  const ops = keysFrom(0, 3000, () => 1);
  await held.apply(ops);
  const { records: expected } = await trial.reference(change(new Map(), ops));
  const before = await held.freeze();
  const model = change(
    new Map(),
    keysFrom(2000, 2500, () => 2),
  );
  const staging = await stageModel(trial, held, model);
  const beside = await held.freeze();
  await held.commit(staging);
  const expectOld = async (when: string): Promise<void> => {
    for (const frozen of [before, beside]) {
      const records = await held.read(frozen);
      const found = listDifference("records", expected, records.sort());
      if (found !== null) trial.fail(`${when}: ${found}`);
    }
  };
  await expectOld("read after the commit");
  const after = keysFrom(0, 50, () => 3);
  await held.apply(after);
  change(model, after);
  await expectOld("read after a batch on the new state");
  await held.expect(model, "the new state beside them");
  await held.commit(await stageModel(trial, held, model));
  await expectOld("read after another commit");
  await held.close(before);
  await held.close(beside);
  await held.expect(model, "the new state, once they are closed");
}
