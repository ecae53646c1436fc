/** A call from within a body is known as one, before and after its awaits; calls beside it are not. */
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { InsideBody } from "../../../src/embed/inside-body.ts";

test("within the body, and what it has begun, until it is over; beside it never", async () => {
  const inside = new InsideBody();
  const seen: boolean[] = [];
  expect(inside.isHere).toBe(false);
  let goOn!: () => void;
  const waits = new Promise<void>((resolve) => (goOn = resolve));
  const beside = waits.then(() => inside.isHere);
  const body = inside.run(async () => {
    seen.push(inside.isHere);
    await turn();
    seen.push(inside.isHere);
    await waits;
    seen.push(inside.isHere);
    return waits.then(() => turn()).then(() => inside.isHere);
  });
  await turn();
  seen.push(inside.isHere);
  goOn();
  expect([await body, await beside]).toEqual([true, false]);
  expect(seen).toEqual([true, true, false, true]);
  inside.over();
  expect(inside.isHere).toBe(false);
});

test("what a body left running is no part of the next one", async () => {
  const inside = new InsideBody();
  const left = inside.run(() => turn().then(() => inside.isHere));
  inside.over();
  inside.over();
  const next = inside.run(() => turn().then(() => inside.isHere));
  expect([await left, await next]).toEqual([false, true]);
  inside.over();
});
