/** Who waits for replicas: answered, timed out, cancelled, cut. */
import { describe, expect, test } from "vitest";
import { Waiters } from "../../../src/primary/waiters.ts";

describe("waiters", () => {
  test("answered when enough confirm, at their time with what there is, or never when cancelled", () => {
    const waiters = new Waiters();
    const answers: string[] = [];
    const add = (name: string, offset: number, replicas: number, untilMs: number) => {
      const done = (count: number | null): void => void answers.push(`${name}:${count}`);
      const waiter = { offset, replicas, untilMs, done };
      waiters.add(waiter);
      return waiter;
    };
    add("a", 10, 1, 100);
    add("b", 20, 2, 100);
    const cancelled = add("c", 5, 1, 100);
    waiters.cancel(cancelled);
    waiters.settle(99, (offset) => (offset <= 10 ? 1 : 0));
    expect(answers).toEqual(["a:1"]);
    waiters.settle(100, () => 1);
    expect(answers).toEqual(["a:1", "b:1"]);
    expect(waiters.size).toBe(0);
  });

  test("cut => all of them end with null, those that begin meanwhile stay", () => {
    const waiters = new Waiters();
    const answers: (number | null)[] = [];
    const add = (): void => {
      const done = (count: number | null): void => {
        answers.push(count);
        if (answers.length === 1) add();
      };
      waiters.add({ offset: 1, replicas: 1, untilMs: 100, done });
    };
    add();
    add();
    waiters.cut();
    expect([answers, waiters.size]).toEqual([[null, null], 1]);
  });

  test("an answer that waits again is not answered in the same round", () => {
    const waiters = new Waiters();
    let rounds = 0;
    const again = (): void => {
      rounds += 1;
      waiters.add({ offset: 1, replicas: 1, untilMs: Infinity, done: again });
    };
    again();
    waiters.settle(0, () => 1);
    expect([rounds, waiters.size]).toEqual([2, 1]);
  });
});
