/** Calls of a state: one at a time, in order, at once where that can be. */
import { expect, test } from "vitest";
import { isLater, StateLine } from "../../../src/bridge/line.ts";

test("with nobody before it: made at once, and what it answers at once is no promise", () => {
  const line = new StateLine();
  expect(line.call(() => 5)).toBe(5);
  expect(() =>
    line.call(() => {
      throw new Error("no");
    }),
  ).toThrow("no");
  expect(line.isIdle).toBe(true);
});

test("behind one that has not answered: in order, after it, also when one fails", async () => {
  const line = new StateLine();
  const seen: string[] = [];
  let answer = (): void => undefined;
  const slow = line.call(() => new Promise<void>((resolve) => (answer = resolve)));
  const second = line.call(() => {
    seen.push("second");
    throw new Error("second failed");
  });
  const third = line.call(() => {
    seen.push("third");
    return 3;
  });
  expect([isLater(slow), isLater(second), seen, line.isIdle]).toEqual([true, true, [], false]);
  answer();
  await expect(second).rejects.toThrow("second failed");
  expect(await third).toBe(3);
  expect(seen).toEqual(["second", "third"]);
  expect(line.isIdle).toBe(true);
});

test("the next one begins before who asked for the one before hears of its answer", async () => {
  const line = new StateLine();
  const seen: string[] = [];
  const first = line.call(() => Promise.resolve());
  const second = line.call(() => seen.push("second began"));
  await Promise.resolve(first).then(() => seen.push("first heard"));
  await second;
  expect(seen).toEqual(["second began", "first heard"]);
});

test("a promise of the state's own kind is one", async () => {
  const line = new StateLine();
  const own = { then: (done: (value: number) => void) => setImmediate(done, 4) };
  expect(await line.call(() => own as unknown as Promise<number>)).toBe(4);
});
