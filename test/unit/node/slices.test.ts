import { expect, test } from "vitest";
import { Slices } from "../../../src/node/slices.ts";

test("slices: one in each turn, in the order in which they were asked for", async () => {
  const turns: (() => void)[] = [];
  const slices = new Slices((run) => turns.push(run));
  const done: string[] = [];
  const work = async (name: string): Promise<void> => {
    for (let slice = 0; slice < 2; slice++) {
      await slices.next();
      done.push(`${name}${slice}`);
    }
  };
  const both = Promise.all([work("a"), work("b"), work("c")]);
  const seen: string[] = [];
  while (done.length < 6) {
    await Promise.resolve();
    expect(turns).toHaveLength(1);
    turns.shift()!();
    for (let i = 0; i < 5; i++) await Promise.resolve();
    seen.push(done.join(" "));
  }
  await both;
  expect(seen.map((text) => text.split(" ").length)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(done).toEqual(["a0", "b0", "c0", "a1", "b1", "c1"]);
  expect(turns).toHaveLength(0);
});
