/** The times that a link's clocks judge. */
import { expect, test } from "vitest";
import { Movement } from "../../../src/primary/movement.ts";

test("each way has its own time; a piece that shrinks counts as taken, one that stays does not", () => {
  const movement = new Movement(1);
  const times = (): number[] => [movement.receivedMs, movement.takenMs, movement.progressMs];
  expect([movement.connectedAtMs, ...times()]).toEqual([1, 1, 1, 1]);
  movement.received(2);
  movement.taken(3);
  movement.progressed(4);
  expect(times()).toEqual([2, 3, 4]);
  movement.looked(100, 5);
  movement.looked(100, 6);
  expect(times()).toEqual([2, 5, 4]);
  movement.looked(99, 7);
  expect([movement.connectedAtMs, ...times()]).toEqual([1, 2, 7, 4]);
});
