/** Who waits for the pace is told when its write may run, in the order of waiting, and not asked before. */
import { expect, test } from "vitest";
import { newWriterTurn, type WriterTurn } from "../../../src/primary/pace.ts";
import { PacedWriters } from "../../../src/primary/paced-writers.ts";
import { append } from "../log/tools.ts";
import { Harness } from "./feeder-harness.ts";

/** Writers with a time of their own, told by name. */
function setUp() {
  const writers = new PacedWriters();
  const told: string[] = [];
  const due = new Map<WriterTurn, number>();
  const add = (name: string, dueMs: number, nowMs = 0) => {
    const turn = newWriterTurn();
    due.set(turn, dueMs);
    const cancel = writers.wait(turn, dueMs - nowMs, () => told.push(name), nowMs);
    return { turn, cancel };
  };
  const tell = (nowMs: number): string[] => {
    writers.tell((turn) => Math.max(0, due.get(turn)! - nowMs), nowMs);
    return told.splice(0);
  };
  return { writers, due, add, tell };
}

const NEVER = Number.POSITIVE_INFINITY;

test("told at the first look at which its write may run, oldest first, each once", () => {
  const { writers, add, tell } = setUp();
  for (const [name, dueMs] of [
    ["a", 20],
    ["b", 10],
    ["c", 20],
  ] as const)
    add(name, dueMs);
  expect([writers.wakeMs, tell(0), writers.wakeMs]).toEqual([10, [], 10]);
  expect([tell(10), writers.wakeMs, writers.count]).toEqual([["b"], 20, 2]);
  expect([tell(20), writers.wakeMs, writers.count]).toEqual([["a", "c"], NEVER, 0]);
  expect([writers.waitedMs(25), tell(30)]).toEqual([20, []]);
});

test("one that needs room has no clock: it is told at the look after there is room", () => {
  const { writers, due, add, tell } = setUp();
  const { turn } = add("large", NEVER);
  expect([tell(0), writers.wakeMs, writers.waitedMs(7)]).toEqual([[], NEVER, 7]);
  due.set(turn, 0);
  expect([tell(100), writers.wakeMs]).toEqual([["large"], NEVER]);
});

test("turns that come more often => looks 5 ms apart, and a clock for the next", () => {
  const { writers, add, tell } = setUp();
  expect(tell(0)).toEqual([]);
  add("a", 0);
  expect([tell(1), writers.count]).toEqual([["a"], 0]);
  add("b", 2, 2);
  expect([tell(2), writers.wakeMs, tell(5.9), tell(6)]).toEqual([[], 6, [], ["b"]]);
});

test("one that goes away is not told; one that has to wait again comes behind the others", () => {
  const { writers, due, add, tell } = setUp();
  const gone = add("gone", 0);
  gone.cancel();
  expect([tell(0), writers.count]).toEqual([[], 0]);
  const again = newWriterTurn();
  due.set(again, 10);
  const order: string[] = [];
  writers.wait(
    again,
    10,
    () => {
      order.push("again");
      due.set(again, 30);
      writers.wait(again, 20, () => order.push("and again"), 10);
    },
    0,
  );
  add("other", 10);
  expect([tell(10), order, writers.wakeMs]).toEqual([["other"], ["again"], 30]);
  expect([tell(30), order]).toEqual([[], ["again", "and again"]]);
});

test("a paced writer of a feeder: told when the clock allows; at once when the node is a replica", () => {
  const harness = new Harness();
  const { feeder, log, turn } = harness;
  const told: number[] = [];
  const writer = newWriterTurn();
  feeder.pacing.pace.set(100_000, 0, 0);
  while (feeder.pacing.mayWrite(writer, 1_000, 0)) append(log, 50_000);
  feeder.pacing.waitToWrite(writer, () => told.push(harness.nowMs), 0);
  turn.end(0);
  expect([told, feeder.nextWakeMs(0)]).toEqual([[], 250]);
  harness.nowMs = 250;
  turn.end(250);
  expect([told, feeder.nextWakeMs(250)]).toEqual([[250], Number.POSITIVE_INFINITY]);
  expect(feeder.pacing.mayWrite(writer, 1_000, 250)).toBe(true);
  append(log, 50_000);
  expect(feeder.pacing.mayWrite(writer, 1_000, 251)).toBe(false);
  feeder.pacing.waitToWrite(writer, () => told.push(harness.nowMs), 251);
  harness.role = "replica";
  harness.nowMs = 256;
  turn.end(256);
  expect(told).toEqual([250, 256]);
  expect([feeder.pacing.mayWrite(writer, 1_000, 256), writer.sinceMs]).toEqual([true, -1]);
});
