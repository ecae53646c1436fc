/** One link's ship, hold and whether it caught up. */
import { expect, test } from "vitest";
import { Hold } from "../../../src/primary/holds.ts";
import { LinkSync } from "../../../src/primary/link-sync.ts";
import { Ship } from "../../../src/primary/ship.ts";

test("a ship begins, its END goes out, the replica swaps", () => {
  const sync = new LinkSync();
  const ship = new Ship(1, 0);
  sync.begin(ship);
  expect([sync.ship, sync.finishing, sync.current]).toEqual([ship, null, ship]);
  sync.ended();
  expect([sync.ship, sync.finishing, sync.current]).toEqual([null, ship, ship]);
  expect([sync.swapped(7), sync.current, sync.shippedAtMs]).toEqual([ship, null, 7]);
  expect([sync.swapped(9), sync.shippedAtMs]).toEqual([null, 7]);
  expect(() => sync.ended()).toThrow("END of no ship");
});

test("a new ship => has to catch up again; a ship or a stream that goes on does not", () => {
  const sync = new LinkSync();
  sync.goOn({ shippedAtMs: 5, caughtUp: true });
  sync.resume(new Ship(1, 0));
  expect([sync.caughtUp, sync.shippedAtMs]).toEqual([true, 5]);
  sync.begin(new Ship(1, 0));
  expect(sync.caughtUp).toBe(false);
  sync.gotNear();
  expect(sync.caughtUp).toBe(true);
});

test("a hold is given up once; the end of the link takes its ships", () => {
  const sync = new LinkSync();
  const hold = new Hold(3, 1024);
  sync.keep(hold);
  sync.begin(new Ship(1, 0));
  expect([sync.hold, sync.releaseHold(), sync.releaseHold()]).toEqual([hold, hold, null]);
  sync.leaveShips();
  expect([sync.hold, sync.current]).toEqual([null, null]);
});
