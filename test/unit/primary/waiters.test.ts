/** Who waits for replicas: answered, timed out, cancelled, cut. */
import { describe, expect, test } from "vitest";
import { type Holders, type Wanted, Waiters } from "../../../src/primary/waiters.ts";

const APPLIED = { level: "applied", local: false } as const;

const holding = (confirmedBy: Holders["confirmedBy"], isDurable = false): Holders => ({
  confirmedBy,
  isDurable: () => isDurable,
});

describe("waiters", () => {
  test("answered when enough confirm, at their time with what there is, or never when cancelled", () => {
    const waiters = new Waiters();
    const answers: string[] = [];
    const add = (name: string, offset: number, replicas: number, untilMs: number) => {
      const done = (count: number | null): void => void answers.push(`${name}:${count}`);
      const waiter = { ...APPLIED, offset, replicas, untilMs, done };
      waiters.add(waiter);
      return waiter;
    };
    add("a", 10, 1, 100);
    add("b", 20, 2, 100);
    const cancelled = add("c", 5, 1, 100);
    waiters.cancel(cancelled);
    waiters.settle(
      99,
      holding((offset) => (offset <= 10 ? 1 : 0)),
    );
    expect(answers).toEqual(["a:1"]);
    waiters.settle(
      100,
      holding(() => 1),
    );
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
      waiters.add({ ...APPLIED, offset: 1, replicas: 1, untilMs: 100, done });
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
      waiters.add({ ...APPLIED, offset: 1, replicas: 1, untilMs: Infinity, done: again });
    };
    again();
    waiters.settle(
      0,
      holding(() => 1),
    );
    expect([rounds, waiters.size]).toEqual([2, 1]);
  });

  test("a level is asked for by its name; who waits for the own disk too is answered once it has synced", () => {
    const waiters = new Waiters();
    const answers: string[] = [];
    const add = (wanted: Wanted): void =>
      waiters.add({
        ...wanted,
        untilMs: 100,
        done: (count) => void answers.push(`${wanted.level}:${count}`),
      });
    add({ offset: 10, replicas: 2, level: "received", local: false });
    add({ offset: 20, replicas: 2, level: "applied", local: false });
    expect(waiters.localTo).toBe(-1);
    add({ offset: 30, replicas: 1, level: "durable", local: true });
    expect(waiters.localTo).toBe(30);
    const has = { received: 2, applied: 1, durable: 1 };
    waiters.settle(
      0,
      holding((_, level) => has[level]),
    );
    expect(answers).toEqual(["received:2"]);
    waiters.settle(
      1,
      holding((_, level) => has[level], true),
    );
    expect(answers).toEqual(["received:2", "durable:1"]);
    waiters.settle(
      100,
      holding((_, level) => has[level]),
    );
    expect([answers, waiters.localTo]).toEqual([["received:2", "durable:1", "applied:1"], -1]);
  });
});
