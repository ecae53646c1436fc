/**
 * Checks: what apply() and transact() do with a batch.
 * Tested in: test/unit/conformance/broken.test.ts.
 */
import { cutWords } from "../cut-words.ts";
import { difference, latin1, listDifference, showBytes } from "../content.ts";
import { change, drawOps, keysFrom, type Model, type Op, recordsOf } from "../model.ts";
import type { CheckRow } from "../row.ts";
import type { Trial } from "../trial.ts";

/** More than any buffer of a state, or page of a disk, has room for at once. */
const LARGE_RECORDS = 20_000;
const LARGE_VALUE_BYTES = 1_000_000;

export const APPLYING: readonly CheckRow[] = [
  {
    name: "order",
    contract: "records take effect in the order of the batch, batches in the order of the calls",
    run: order,
  },
  {
    name: "answered-is-applied",
    contract: "once apply() has answered, everything of the batch is there, and so is its end",
    run: answeredIsApplied,
  },
  {
    name: "batch-without-records",
    contract: "a batch without records moves the mark and nothing else",
    run: batchWithoutRecords,
  },
  {
    name: "mark-bytes",
    contract: "a mark is any 1 to 2048 bytes, and comes back as it was given",
    needs: ["durability"],
    run: markBytes,
  },
  {
    name: "throw-leaves-nothing",
    contract: "a batch that is refused leaves records and mark as they were",
    needs: ["refused"],
    run: throwLeavesNothing,
  },
  {
    name: "lent-bytes",
    contract: "what a call was given is overwritten once it has answered, but for the mark",
    run: lentBytes,
  },
  {
    name: "binary",
    contract: "keys and values are bytes: what was written under one key is under no other",
    needs: ["writeBytes"],
    run: binary,
  },
  {
    name: "large-batch",
    contract: "a batch may have any number of records, and a record any size that the state takes",
    run: largeBatch,
  },
  {
    name: "clear",
    contract: "a record that clears takes away what was before it, and nothing that comes after",
    needs: ["clear"],
    run: clear,
  },
  {
    name: "check",
    contract: "check() throws at a record that can never be applied, and at no other",
    needs: ["check", "refused"],
    run: check,
  },
  {
    name: "transact",
    contract:
      "what the body changes and the mark that it returns are stored together, or not at all",
    needs: ["transact", "transacted"],
    run: transact,
  },
];

async function order(trial: Trial): Promise<undefined> {
  const { examples } = trial;
  const held = await trial.open();
  const model: Model = new Map();
  const twice: Op[] = [
    ["write", 1, 1],
    ["write", 1, 2],
    ["write", 2, 1],
  ];
  if (examples.remove !== undefined)
    twice.push(["remove", 2], ["write", 3, 1], ["remove", 3], ["write", 3, 2]);
  await held.apply(twice);
  await held.expect(change(model, twice), "keys that are written twice in a batch");
  for (let batch = 0; batch < 20; batch++) {
    const ops = drawOps(trial.draws, examples, trial.draws.between(1, 60), 40);
    change(model, ops);
    await held.apply(ops);
  }
  await held.expect(model, "20 drawn batches");
}

async function answeredIsApplied(trial: Trial): Promise<undefined> {
  // One record in each batch for one state, all in one for the other.
  const [held, single] = [await trial.open(), await trial.open()];
  const model: Model = new Map();
  let before = await single.look();
  for (let value = 0; value < 10; value++) {
    const ops = keysFrom(0, 5, () => value);
    change(model, ops);
    for (const op of ops) {
      await single.apply([op]);
      const after = await single.look();
      if (difference(before, after) === null)
        trial.fail(`key ${op[1] ?? 0} got value ${value}, and nothing that can be read is another`);
      before = after;
    }
    await held.apply(ops);
    const found = difference(before, await held.look());
    if (found !== null) trial.fail(`5 keys got value ${value} by one batch, not by five: ${found}`);
    await held.expect(model, `5 keys got value ${value}`);
  }
}

async function batchWithoutRecords(trial: Trial): Promise<undefined> {
  const held = await trial.open();
  await held.apply([]);
  await held.expect(new Map(), "an empty state");
  const ops = keysFrom(0, 10, () => 1);
  await held.apply(ops);
  await held.apply([]);
  await held.expect(change(new Map(), ops), "after a batch without records");
}

async function markBytes(trial: Trial): Promise<undefined> {
  let held = await trial.open();
  const all = Uint8Array.from({ length: 256 }, (_, i) => i);
  const long = Uint8Array.from({ length: 2048 }, () => trial.draws.next());
  const marks = [[0], [255], [0, 0, 0], [...all], [...long], [195, 40], [34, 92, 0, 10]];
  for (const bytes of marks) {
    await held.apply(
      keysFrom(0, 1, () => bytes.length),
      Uint8Array.from(bytes),
    );
    await held.expectMark(`a mark of ${bytes.length} bytes`);
  }
  const { end } = held;
  held = await held.reopen();
  held.expectOpened(end, false, "opened again");
  const staging = await held.stage([]);
  await trial.call("commit()", () => staging.commit(long));
  held.end = long;
  await held.expectMark("the mark of a commit");
}

async function throwLeavesNothing(trial: Trial): Promise<undefined> {
  const { examples } = trial;
  const held = await trial.open();
  const model = change(
    new Map(),
    keysFrom(0, 10, () => 1),
  );
  await held.apply(keysFrom(0, 10, () => 1));
  const others = recordsOf(
    examples,
    keysFrom(5, 105, () => 2),
  );
  for (const refused of examples.refused!)
    for (const place of [0, 50, 100]) {
      const records = others.toSpliced(place, 0, refused);
      const batch = held.batch(records);
      const failed = await trial.attempt("apply() of a refused record", () =>
        held.state.apply(batch),
      );
      const what = `a batch with ${showBytes(latin1(refused))} as record ${place + 1} of 101`;
      if (failed === null) trial.fail(`${what} was applied`);
      if (!held.isDurable && failed.at === "later")
        trial.fail(`${what} was refused later: a state without durability has to throw at once`);
      await held.expect(model, `${what} was refused (${cutWords(failed.error)})`);
    }
  const after = keysFrom(8, 12, () => 3);
  await held.apply(after);
  await held.expect(change(model, after), "a batch after all that");
}

async function lentBytes(trial: Trial): Promise<undefined> {
  const { examples } = trial;
  const held = await trial.open();
  const ops = keysFrom(0, 50, (key) => key);
  const batch = await held.applyRecords(recordsOf(examples, ops));
  batch.overwrite();
  await held.expect(change(new Map(), ops), "the bytes of the batch were overwritten");
  const model = change(
    new Map(),
    keysFrom(20, 90, () => 3),
  );
  const staging = await trial.call("stage()", () => held.state.stage({ records: 70, bytes: 0 }));
  await held.load(staging, await trial.snapshotOf(model), (lent) => lent.overwrite());
  await held.commit(staging);
  await held.expect(model, "the bytes of a snapshot were overwritten");
}

async function binary(trial: Trial): Promise<string | undefined> {
  const writeBytes = trial.examples.writeBytes!;
  const keys = [...oneByteKeys(), ...ODD_KEYS.map((hex) => Buffer.from(hex, "hex"))];
  const held = await trial.open();
  const written: { record: Uint8Array; key: string }[] = [];
  let left = 0;
  keys.forEach((key, i) => {
    const value = Buffer.concat([key, Buffer.from([0, 255, i & 255]), key]);
    const record = writeBytes(key, i % 5 === 4 ? Buffer.alloc(0) : value);
    if (record === null) left += 1;
    else written.push({ record, key: latin1(key) });
  });
  if (written.length === 0) return 'the example "writeBytes" takes none of the keys';
  await held.applyRecords(written.map(({ record }) => record));
  const all = await held.look();
  // Each alone: what a state has of all of them is what each of them alone gives.
  const alone = [];
  for (const { record } of written) {
    const one = await trial.open();
    await one.applyRecords([record]);
    alone.push(await one.look());
    await trial.give(one.made);
  }
  const records = alone.flatMap((content) => content.records).sort();
  const found = listDifference("records of a snapshot", records, all.records);
  const left_ = left === 0 ? "" : ` (${left} of ${keys.length} pairs were left out)`;
  if (found !== null) trial.fail(`${written.length} binary keys${left_}: ${found}`);
  const own = alone.flatMap((content) => content.own ?? []).sort();
  const foundOwn = listDifference("entries", own, all.own ?? []);
  if (foundOwn !== null) trial.fail(`${written.length} binary keys${left_}: ${foundOwn}`);
  if (new Set(all.records).size < written.length)
    trial.fail(`${written.length} binary keys gave ${new Set(all.records).size} records`);
  return undefined;
}

/** Keys of one byte; not all, as each has a state of its own. */
function oneByteKeys(): Buffer[] {
  return [0, 1, 9, 10, 13, 32, 34, 39, 47, 58, 127, 128, 192, 254, 255].map((byte) =>
    Buffer.from([byte]),
  );
}

/** Zeros at either end, what is no utf-8, the same letter in two forms, prefixes of each other. */
const ODD_KEYS = [
  "0000",
  "000000",
  "6100",
  "0061",
  "61",
  "6161",
  "c328",
  "c3a9",
  "65cc81",
  "eda080",
  "efbfbd",
  "f09f98",
  "f09f9880",
  "ffff",
  "fffe",
];

async function largeBatch(trial: Trial): Promise<undefined> {
  const { examples } = trial;
  const held = await trial.open();
  const ops = keysFrom(0, LARGE_RECORDS, (key) => key % 1000);
  await held.apply(ops);
  await held.expect(change(new Map(), ops), `a batch of ${LARGE_RECORDS} records`);
  const large = examples.writeBytes?.(Buffer.from("large"), Buffer.alloc(LARGE_VALUE_BYTES, 7));
  if (large === null || large === undefined) return;
  await held.applyRecords([large]);
  const { records } = await held.look();
  const longest = Math.max(...records.map((record) => record.length));
  if (longest < LARGE_VALUE_BYTES)
    trial.fail(`a value of ${LARGE_VALUE_BYTES} bytes: the largest record has ${longest}`);
}

async function clear(trial: Trial): Promise<undefined> {
  const held = await trial.open();
  const model: Model = new Map();
  const steps: Op[][] = [
    keysFrom(0, 50, () => 1),
    [...keysFrom(50, 60, () => 2), ["clear"], ...keysFrom(55, 70, () => 3)],
    [["clear"]],
    [["clear"], ...keysFrom(0, 10, () => 4)],
    [...keysFrom(10, 20, () => 5), ["clear"], ["clear"], ...keysFrom(3, 5, () => 6)],
  ];
  for (const ops of steps) {
    await held.apply(ops);
    await held.expect(change(model, ops), "after a batch that clears");
  }
}

async function check(trial: Trial): Promise<undefined> {
  const { examples } = trial;
  const held = await trial.open();
  const { state } = held;
  const ops = drawOps(trial.draws, examples, 100, 50);
  for (const record of recordsOf(examples, ops)) {
    const failed = await trial.attempt("check()", () => checked(record));
    if (failed !== null)
      trial.fail(`it threw at ${showBytes(latin1(record))}: ${cutWords(failed.error)}`);
  }
  for (const record of examples.refused!) {
    const failed = await trial.attempt("check()", () => checked(record));
    if (failed === null) trial.fail(`it did not throw at ${showBytes(latin1(record))}`);
    if (failed.at === "later") trial.fail("it rejected later: it has to throw");
  }
  await held.expect(new Map(), "check() changes nothing");

  /** Bytes around it are no part of it. */
  function checked(record: Uint8Array): unknown {
    const bytes = Buffer.concat([Buffer.alloc(9, 1), record, Buffer.alloc(9, 1)]);
    const check: (bytes: Buffer, from: number, to: number) => unknown = state.check!.bind(state);
    return check(bytes, 9, 9 + record.length);
  }
}

async function transact(trial: Trial): Promise<undefined> {
  const { transacted } = trial.examples;
  const held = await trial.open();
  const { state } = held;
  const model: Model = new Map();
  const run = (from: number, value: number, then: () => Promise<Uint8Array>): Promise<void> =>
    Promise.resolve(
      state.transact!(async (tx) => {
        for (let key = from; key < from + 5; key++) await transacted!(tx, key, value);
        return then();
      }),
    );
  for (let round = 0; round < 3; round++) {
    const end = trial.mark();
    await trial.call("transact()", () => run(round * 3, round, () => Promise.resolve(end)));
    held.end = end;
    await held.expect(
      change(
        model,
        keysFrom(round * 3, round * 3 + 5, () => round),
      ),
      "transact() has answered",
    );
    const why = new Error("the body says no");
    const failed = await trial.attempt("transact() with a body that throws", () =>
      run(round * 3 + 1, 77, () => Promise.reject(why)),
    );
    if (failed === null) trial.fail("the body threw, and transact() succeeded");
    await held.expect(model, "the body threw");
  }
}
