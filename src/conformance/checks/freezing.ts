/**
 * Checks: what a Frozen shows, while the state goes on.
 * Tested in: test/unit/conformance/broken.test.ts.
 */
import type { Frozen, Part } from "../../bridge/seam.ts";
import { latin1, listDifference, readRecords } from "../content.ts";
import type { Held } from "../held.ts";
import { change, keysFrom, type Model, type Op, removals, writesOf } from "../model.ts";
import type { CheckRow } from "../row.ts";
import type { Trial } from "../trial.ts";

/** Keys of a state whose snapshot is of several parts. */
const MANY = 20_000;
/** Four times what a part is about. */
const PART_BYTES_MAX = 262_144;
const TOKEN_BYTES_MAX = 65_536;

export const FREEZING: readonly CheckRow[] = [
  {
    name: "freeze-isolation",
    contract:
      "a Frozen shows the moment of freeze(), also where it is read while records are applied",
    run: freezeIsolation,
  },
  {
    name: "freeze-late-read",
    contract: "a Frozen that is read later shows the moment of freeze(), not of the read",
    run: freezeLateRead,
  },
  {
    name: "two-frozen",
    contract: "several Frozens show a moment each; closing one leaves the others",
    run: twoFrozen,
  },
  {
    name: "read-again",
    contract: "each read of a Frozen brings the same records in the same order",
    run: readAgain,
  },
  {
    name: "resume-token",
    contract: "a read after a token brings what comes after its part, and nothing else",
    run: resumeToken,
  },
  {
    name: "parts",
    contract: "a part is about 64 KiB, unless a single record is larger, a token at most 64 KiB",
    run: parts,
  },
  {
    name: "read-stopped",
    contract: "a read may be given up anywhere, and a Frozen be closed then, or unread",
    run: readStopped,
  },
  {
    name: "canonical",
    contract: "equal states have equal records in their snapshots, however they came about",
    run: canonical,
  },
];

/** Another state than after keys 0 to `keys` were written: overwritten, removed, new ones. */
function changes(trial: Trial, keys: number): Op[] {
  const third = Math.floor(keys / 3);
  return [
    ...keysFrom(0, third, () => 500),
    ...removals(trial.examples, third, 2 * third),
    ...keysFrom(keys, keys + third, () => 501),
  ];
}

/** Fails unless these are the records of a state to which just `model` was written. */
async function expectRecords(
  trial: Trial,
  records: readonly string[],
  model: Model,
  when: string,
): Promise<void> {
  const { records: expected } = await trial.reference(model);
  const found = listDifference("records", expected, records.toSorted());
  if (found !== null) trial.fail(`${when}: ${found}`);
}

/** Parts one by one, as a node asks for them. */
function partsOf(frozen: Frozen, after: Uint8Array | null = null): PartIterator {
  const read = frozen.read(after);
  return Symbol.asyncIterator in read ? read[Symbol.asyncIterator]() : read[Symbol.iterator]();
}

type PartIterator = AsyncIterator<Part> | Iterator<Part>;

/** The records of the next part, null at the end. */
async function nextPart(trial: Trial, parts: PartIterator): Promise<string[] | null> {
  const next = await trial.call("the next part of read()", () => parts.next());
  return next.done === true ? null : Array.from(next.value.records, latin1);
}

async function restOf(trial: Trial, parts: PartIterator): Promise<string[]> {
  const records: string[] = [];
  for (;;) {
    const part = await nextPart(trial, parts);
    if (part === null) return records;
    for (const record of part) records.push(record);
  }
}

async function freezeIsolation(trial: Trial): Promise<undefined> {
  const held = await trial.open();
  const first = keysFrom(0, MANY, (key) => key % 100);
  await held.apply(first);
  const frozen = await held.freeze();
  const reading = partsOf(frozen);
  const records = (await nextPart(trial, reading)) ?? [];
  const ops = changes(trial, MANY);
  await held.apply(ops);
  if (trial.examples.clear !== undefined) await held.apply([["clear"]]);
  for (const record of await restOf(trial, reading)) records.push(record);
  await expectRecords(trial, records, change(new Map(), first), "read while records were applied");
  await held.close(frozen);
  const model = change(new Map(), [...first, ...ops]);
  if (trial.examples.clear !== undefined) model.clear();
  await held.expect(model, "the state after that");
}

async function freezeLateRead(trial: Trial): Promise<undefined> {
  const held = await trial.open();
  const first = keysFrom(0, 300, (key) => key);
  await held.apply(first);
  const frozen = await held.freeze();
  const model = change(new Map(), first);
  for (const ops of [
    changes(trial, 300),
    keysFrom(0, 900, () => 7),
    removals(trial.examples, 0, 800),
  ]) {
    await held.apply(ops);
    change(model, ops);
  }
  const records = await held.read(frozen);
  await expectRecords(trial, records, change(new Map(), first), "read after later batches");
  await held.close(frozen);
  await held.expect(model, "the state after that");
}

async function twoFrozen(trial: Trial): Promise<undefined> {
  for (const order of [
    [0, 1, 2],
    [2, 1, 0],
    [1, 0, 2],
  ]) {
    const held = await trial.open();
    const model: Model = new Map();
    const open = new Map<number, { frozen: Frozen; model: Model }>();
    for (let n = 0; n < 3; n++) {
      const ops = n === 0 ? keysFrom(0, 90, () => 1) : changes(trial, 90 - n * 30);
      await held.apply(ops);
      open.set(n, { frozen: await held.freeze(), model: new Map(change(model, ops)) });
    }
    for (const closing of order) {
      for (const { frozen, model: then } of open.values())
        await expectRecords(trial, await held.read(frozen), then, `${open.size} are open`);
      const ops = keysFrom(closing * 20, closing * 20 + 60, () => 600 + closing);
      await held.apply(ops);
      change(model, ops);
      await held.close(open.get(closing)!.frozen);
      open.delete(closing);
    }
    await held.expect(model, "all are closed");
    await trial.give(held.made);
  }
}

async function readAgain(trial: Trial): Promise<undefined> {
  const held = await trial.open();
  await held.apply(keysFrom(0, MANY, (key) => key % 90));
  const frozen = await held.freeze();
  const first = await held.read(frozen);
  // What was removed and written again is in another place of many a container.
  await held.apply(removals(trial.examples, 100, 200));
  await held.apply(keysFrom(50, 300, () => 800));
  const reading = partsOf(frozen);
  const beside = partsOf(frozen);
  const second = (await nextPart(trial, reading)) ?? [];
  const third = (await nextPart(trial, beside)) ?? [];
  for (const record of await restOf(trial, reading)) second.push(record);
  for (const record of await restOf(trial, beside)) third.push(record);
  for (const [which, again] of [
    ["second", second],
    ["third, beside the second,", third],
  ] as const)
    expectSame(trial, first, again, `the ${which} read`);
  await held.close(frozen);
}

/** Fails unless the lists are equal, order and all. */
function expectSame(
  trial: Trial,
  expected: readonly string[],
  seen: readonly string[],
  what: string,
): void {
  const at = expected.findIndex((record, i) => record !== seen[i]);
  if (at < 0 && expected.length === seen.length) return;
  const sorted = listDifference("records", expected.toSorted(), seen.toSorted());
  const difference = sorted ?? "the same records in another order";
  trial.fail(`${what} differs from record ${at < 0 ? expected.length : at} on: ${difference}`);
}

async function resumeToken(trial: Trial): Promise<string | undefined> {
  const held = await trial.open();
  await held.apply(keysFrom(0, MANY, (key) => key % 90));
  const frozen = await held.freeze();
  const all: string[] = [];
  const tokens: { after: number; token: Uint8Array }[] = [];
  await trial.call("read()", async () => {
    for await (const part of frozen.read(null)) {
      for (const record of part.records) all.push(latin1(record));
      if (part.token !== undefined)
        tokens.push({ after: all.length, token: Uint8Array.from(part.token) });
    }
  });
  if (tokens.length === 0) return "no part has a token";
  await held.apply(changes(trial, MANY));
  const some = [tokens[0]!, tokens[tokens.length >> 1]!, tokens.at(-1)!];
  for (const { after, token } of [...some, ...some.toReversed()]) {
    const rest = await held.read(frozen, token);
    expectSame(trial, all.slice(after), rest, `a read after record ${after} of ${all.length}`);
  }
  // A read that stopped does not matter to one that goes on there.
  const stopped = partsOf(frozen, tokens[0]!.token);
  await nextPart(trial, stopped);
  const rest = await held.read(frozen, tokens[0]!.token);
  expectSame(trial, all.slice(tokens[0]!.after), rest, "a read beside one that stopped");
  await held.close(frozen);
  return undefined;
}

async function parts(trial: Trial): Promise<undefined> {
  const held = await trial.open();
  await held.apply(keysFrom(0, MANY, (key) => key % 90));
  const frozen = await held.freeze();
  const visit = (part: Part): void => {
    const sizes = Array.from(part.records, ({ length }) => length);
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    if (sizes.length > 1 && bytes > PART_BYTES_MAX)
      trial.fail(`a part has ${sizes.length} records of ${bytes} bytes together`);
    if ((part.token?.length ?? 0) > TOKEN_BYTES_MAX)
      trial.fail(`a token has ${part.token!.length} bytes`);
  };
  const records = await trial.call("read()", () => readRecords(frozen, null, visit));
  await expectRecords(
    trial,
    records,
    change(
      new Map(),
      keysFrom(0, MANY, (key) => key % 90),
    ),
    "",
  );
  const pinned = await trial.call("pinned()", () => frozen.pinned?.() ?? 0);
  if (!(pinned >= 0)) trial.fail(`pinned() is ${pinned}`);
  await held.close(frozen);
}

async function readStopped(trial: Trial): Promise<undefined> {
  const held = await trial.open();
  const model: Model = new Map();
  const write = async (value: number): Promise<void> => {
    const ops = keysFrom(0, 3000, () => value);
    await held.apply(ops);
    change(model, ops);
  };
  await write(1);
  await held.close(await held.freeze());
  await write(2);
  const stops: readonly ((parts: PartIterator) => Promise<unknown>)[] = [
    // As for await does at a break.
    async (parts) => parts.return?.(),
    // As one does that just asks no more.
    () => Promise.resolve(),
  ];
  for (const stop of stops) {
    const [frozen, other] = [await held.freeze(), await held.freeze()];
    const reading = partsOf(frozen);
    await nextPart(trial, reading);
    await trial.call("return() of a read", () => stop(reading));
    await held.close(frozen);
    const then = new Map(model);
    await write(3);
    await expectRecords(trial, await held.read(other), then, "a Frozen beside the one given up");
    await held.close(other);
  }
  await held.expect(model, "after reads that were given up");
}

async function canonical(trial: Trial): Promise<undefined> {
  const { examples, draws } = trial;
  const [held, other] = [await trial.open(), await trial.open()];
  const model: Model = new Map();
  const again = async (of: Held, ops: readonly Op[]): Promise<void> => {
    await of.apply(ops);
    change(model, ops);
  };
  // By a long way, and with something open meanwhile.
  await again(
    held,
    keysFrom(0, 60, () => 1),
  );
  const frozen = await held.freeze();
  await again(held, removals(examples, 10, 50));
  await again(
    held,
    keysFrom(20, 70, (key) => 1000 - key),
  );
  await held.close(frozen);
  await again(
    held,
    keysFrom(0, 30, (key) => key),
  );
  await held.expect(model, "by a long way");
  // In another order.
  const writes = writesOf(model);
  for (let i = writes.length - 1; i > 0; i--) {
    const j = draws.between(0, i + 1);
    [writes[i], writes[j]] = [writes[j]!, writes[i]!];
  }
  await other.apply(writes);
  await other.expect(model, "in another order");
  // By way of a snapshot, which goes on.
  await held.commit(await held.stage(await trial.snapshotOf(model)));
  await held.expect(model, "by way of a snapshot");
}
