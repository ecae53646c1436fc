/** A primary's batch that the disk and the state are given before it is visible, and one that is taken back. */
import { expect, test } from "vitest";
import { LogError } from "../../../src/errors.ts";
import type { Backlog } from "../../../src/log/backlog.ts";
import { Cursor } from "../../../src/log/cursor.ts";
import { type Draft, PAYLOAD_BYTES_MAX } from "../../../src/log/draft.ts";
import {
  BATCH_HEAD_BYTES,
  batchChain,
  batchCount,
  batchLength,
  batchOffset,
  chainOf,
  isNodeBatch,
} from "../../../src/wire/frame.ts";
import { Random } from "../../../tools/random.ts";
import { NODE_BATCH } from "../wire/examples.ts";
import { FakeStore } from "./fake-store.ts";
import {
  append,
  available,
  batch,
  batchesFrom,
  CHAIN_0,
  commitAll,
  makeBacklog,
  receive,
} from "./tools.ts";

const FREE = Number.POSITIVE_INFINITY;

/** A draft of records of these lengths. */
function draft(log: Backlog, lengths: readonly number[], fill = 0x62): Draft {
  const payload = lengths.reduce((sum, length) => sum + 4 + length, 0);
  return log.draft(lengths.length, payload, (bytes, from) => {
    let at = from;
    for (const length of lengths) {
      bytes.writeUInt32LE(length, at);
      bytes.fill(fill, at + 4, at + 4 + length);
      at += 4 + length;
    }
  });
}

/** All that anybody can see of a log. */
function seen(log: Backlog): unknown {
  return [
    log.first,
    log.next,
    log.tail,
    log.chain,
    log.records,
    log.newestClockMs,
    batchesFrom(log, log.first),
  ];
}

test("a draft => encoded, behind what was open, and nobody sees it; committed => a batch like any other", () => {
  const log = makeBacklog();
  append(log, 10);
  const cursor = new Cursor(log, 0);
  const made = draft(log, [5, 0, 7]);
  const { next, chain } = log;
  expect([log.hasDraft, next, log.tail]).toEqual([true, BATCH_HEAD_BYTES + 14, made.end]);
  expect(available(cursor)).toBe(next);
  expect([log.pending(), log.chainAt(made.end), log.openBytes]).toEqual([null, -1, 0]);
  expect([batchCount(made.bytes, made.from), batchOffset(made.bytes, made.from)]).toEqual([
    3,
    next,
  ]);
  expect(made.chain).toBe(chainOf(made.bytes, made.from, made.to - made.from, chain));
  log.commitDraft();
  expect([log.hasDraft, log.next, log.chain, log.records]).toEqual([
    false,
    made.end,
    made.chain,
    4,
  ]);
  expect(available(cursor)).toBe(made.end);
  expect(log.chainAt(next)).toBe(chain);
  append(log, 3);
  log.seal();
  expect(batchesFrom(log, 0)).toHaveLength(3);
  cursor.close();
});

test("dropped => as if it had never been there, its large memory given back", () => {
  const log = makeBacklog();
  batch(log, 100);
  const before = seen(log);
  draft(log, [5000]);
  let isDone = false;
  log.dropDraft(() => (isDone = true));
  expect([isDone, log.hasDraft, seen(log), log.bytes.length]).toEqual([true, false, before, 256]);
  draft(log, [9]);
  log.commitDraft();
  expect(batchesFrom(log, 0)).toHaveLength(2);
});

test("the first of a history => its node batch comes with it, and goes with it", () => {
  const log = makeBacklog();
  log.beginHistory(NODE_BATCH.record);
  const empty = seen(log);
  draft(log, [5]);
  log.dropDraft(() => undefined);
  expect(seen(log)).toEqual(empty);
  const { bytes, from, to, end } = draft(log, [5]);
  const nodeBytes = batchLength(bytes, from);
  expect([isNodeBatch(bytes, from), from + nodeBytes + BATCH_HEAD_BYTES + 9]).toEqual([true, to]);
  log.commitDraft();
  expect([log.next, log.records]).toEqual([end, 1]);
  expect(batchesFrom(log, 0).map((whole) => isNodeBatch(whole, 0))).toEqual([true, false]);
  expect(log.chain).toBe(batchChain(batchesFrom(log, nodeBytes)[0]!, 0));
  draft(log, [5]);
  log.commitDraft();
  append(log, 5);
  log.seal();
  expect(batchesFrom(log, end)).toHaveLength(2);
});

test("nothing else may be appended, replaced or received beside a draft", () => {
  const log = makeBacklog();
  draft(log, [5]);
  for (const breach of [
    () => log.append(3),
    () => log.reserve(3),
    () => draft(log, [1]),
    () => log.reset(0, 0),
    () => log.dropReceived(),
  ])
    expect(breach).toThrow();
  expect(() => draft(makeBacklog(), [])).toThrow();
});

test("more than a batch may have => refused, with nothing changed", () => {
  const log = makeBacklog();
  const before = seen(log);
  expect(() => log.draft(1, PAYLOAD_BYTES_MAX + 1, () => expect.unreachable())).toThrow(LogError);
  expect([log.hasDraft, seen(log)]).toEqual([false, before]);
});

test("the store is given a draft first; what it says meanwhile is of the visible log", () => {
  const store = new FakeStore(0, CHAIN_0, { isLate: true });
  const log = makeBacklog({ store });
  batch(log, 100);
  log.persist();
  const { end } = draft(log, [60]);
  log.persistDraft();
  expect(store.awaited).toEqual([end]);
  expect(log.watermarks).toEqual({
    appended: end,
    sealed: 100,
    visible: 100,
    written: 0,
    durable: 0,
  });
  store.settle();
  expect(store.written).toBe(end);
  expect(log.watermarks).toEqual({
    appended: end,
    sealed: 100,
    visible: 100,
    written: 100,
    durable: 100,
  });
  log.commitDraft();
  log.persist();
  expect(log.watermarks.written).toBe(end);
});

test("one that the store was given is taken back, and no more; one that it was not is not", () => {
  const store = new FakeStore(0, CHAIN_0);
  const log = makeBacklog({ store });
  batch(log, 100);
  log.persist();
  draft(log, [60]);
  log.dropDraft(() => undefined);
  expect(store.restarted).toBeNull();
  const { end } = draft(log, [60]);
  log.persistDraft();
  expect(store.written).toBe(end);
  let isDone = false;
  log.dropDraft(() => (isDone = true));
  expect([isDone, store.written, log.next]).toEqual([false, 100, 100]);
  store.restarted!();
  expect(isDone).toBe(true);
  draft(log, [60]);
  log.forgetDraft();
  expect(log.tail).toBe(log.next);
});

test("trimming beside drafts => the newest batch stays, and no more than without them", () => {
  const log = makeBacklog({ sizeBytes: 256 });
  for (let n = 0; n < 12; n++) {
    draft(log, [256 - BATCH_HEAD_BYTES - 4]);
    while (log.trim(FREE));
    if (n % 3 === 2) log.dropDraft(() => undefined);
    else log.commitDraft();
  }
  while (log.trim(FREE));
  expect([log.next, log.first]).toEqual([8 * 256, 7 * 256]);
});

test("a record that was appended and taken back => the rest of its batch stays, or no batch at all", () => {
  const log = makeBacklog();
  append(log, 10, 1);
  const one = log.tail;
  append(log, 20);
  log.unappend(20);
  expect([log.tail, log.openBytes]).toEqual([one, one]);
  log.unappend(10);
  expect([log.tail, log.openBytes, log.seal()]).toEqual([0, 0, false]);
  expect(() => log.unappend(10)).toThrow();
  append(log, 10, 2);
  log.seal();
  expect(batchesFrom(log, 0).map((whole) => batchCount(whole, 0))).toEqual([1]);
});

test("at random, a follower that is fed what is visible has the same log, drafts or not", () => {
  const seed = Number(process.env["SEED"] ?? Date.now() % 1e9);
  const random = new Random(seed);
  console.log(
    `seed=${seed} SEED=${seed} npx vitest run --project unit test/unit/log/draft.test.ts`,
  );
  for (let run = 0; run < 60; run++) {
    const [log, other] = [makeBacklog({ sizeBytes: 1 << 20 }), makeBacklog({ sizeBytes: 1 << 20 })];
    if (random.fraction() < 0.5) log.beginHistory(NODE_BATCH.record);
    for (let step = 0; step < 40; step++) {
      const before = log.next;
      if (random.fraction() < 0.4) append(log, random.between(0, 300), step);
      else {
        draft(
          log,
          Array.from({ length: random.between(1, 5) }, () => random.between(0, 200)),
          step,
        );
        if (random.fraction() < 0.3) log.dropDraft(() => undefined);
        else log.commitDraft();
      }
      if (random.fraction() < 0.5) log.seal();
      for (const whole of batchesFrom(log, before)) receive(other, whole, random.between(1, 90));
      commitAll(other);
      expect([other.next, other.chain], `seed=${seed}`).toEqual([log.next, log.chain]);
    }
  }
});
