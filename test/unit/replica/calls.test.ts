/** One call at a time of a state that answers later. */
import { expect, test } from "vitest";
import { StoreError } from "../../../src/errors.ts";
import { StateCalls } from "../../../src/replica/calls.ts";
import { LateRecorder, Turns } from "./late-target.ts";

function calling() {
  const target = new LateRecorder();
  const turns = new Turns();
  const told: string[] = [];
  const calls = new StateCalls(target, turns.after, () => told.push("free"));
  const ask = (): boolean =>
    calls.call(
      () => target.applyRange(Buffer.alloc(0), 0, 1),
      (error) => told.push(error === null ? "answered" : error.message),
    );
  return { target, turns, told, calls, ask };
}

test("answered at once => free, nobody is told; later => told, and free after a turn", () => {
  const { target, turns, told, calls, ask } = calling();
  target.atOnce = 1;
  expect([ask(), calls.state, told]).toEqual([true, "free", []]);
  expect([ask(), calls.state]).toEqual([false, "busy"]);
  target.answer();
  expect([calls.state, told]).toEqual(["resting", ["answered"]]);
  turns.end();
  expect([calls.state, told]).toEqual(["free", ["answered", "free"]]);
});

test("a call while one is under way, or before the turn is over => an assertion", () => {
  const { target, ask } = calling();
  ask();
  expect(ask).toThrow("busy -> busy");
  target.answer();
  expect(ask).toThrow("resting -> busy");
  expect(() => target.onAnswer(null)).toThrow("resting -> resting");
});

test("failures: the state's own pass, all others are ERR_STORE_FAILED; at once they are thrown", () => {
  const { target, turns, told, calls, ask } = calling();
  target.throws = new StoreError("ERR_STORE_FULL", "as if");
  expect(ask).toThrow("ERR_STORE_FULL: as if");
  target.throws = new TypeError("a bug");
  expect(ask).toThrow("ERR_STORE_FAILED: a bug");
  expect(calls.isFree).toBe(true);
  ask();
  target.answer(new Error("the disk is gone"));
  turns.end();
  expect(told).toEqual(["ERR_STORE_FAILED: the disk is gone", "free"]);
});
