/** One link's hold, its last swap and whether it caught up. */
import { expect, test } from "vitest";
import { Hold } from "../../../src/primary/holds.ts";
import { LinkSync } from "../../../src/primary/link-sync.ts";

test("a new ship => has to catch up again; a stream that goes on does not", () => {
  const sync = new LinkSync();
  sync.goOn({ shippedAtMs: 5, caughtUp: true });
  expect([sync.caughtUp, sync.shippedAtMs]).toEqual([true, 5]);
  sync.begun();
  expect([sync.caughtUp, sync.shippedAtMs]).toEqual([false, 5]);
  sync.swapped(7);
  sync.gotNear();
  expect([sync.caughtUp, sync.shippedAtMs]).toEqual([true, 7]);
});

test("a hold is given up once", () => {
  const sync = new LinkSync();
  const hold = new Hold(3, 1024);
  sync.keep(hold);
  expect([sync.hold, sync.releaseHold(), sync.releaseHold()]).toEqual([hold, hold, null]);
  expect(sync.hold).toBe(null);
});
