/** What is kept of a disconnected replica: its place is taken once, or let go. */
import { describe, expect, test } from "vitest";
import { Holds } from "../../../src/primary/holds.ts";
import { OpenSnapshot } from "../../../src/primary/open-snapshot.ts";
import { Parking } from "../../../src/primary/parking.ts";
import { frozen } from "./frozen.ts";

describe("parking", () => {
  test("a place is taken once; expiry, replacement and clear let snapshot and hold go", () => {
    const closed: string[] = [];
    const holds = new Holds();
    const parking = new Parking(holds);
    const put = (untilMs: number): void => {
      const snapshot = new OpenSnapshot("s", 0, 0, frozen(closed));
      snapshot.retain();
      const hold = holds.add(untilMs);
      parking.put({
        replicaId: "r",
        snapshot,
        hold,
        shippedAtMs: -1,
        caughtUp: false,
        sinceMs: 0,
        untilMs,
      });
    };
    put(100);
    put(200);
    expect([closed.length, holds.count]).toEqual([1, 1]);
    expect(parking.expire(199)).toEqual([]);
    expect(parking.expire(200)).toEqual(["r"]);
    expect([closed.length, holds.count, parking.list().length]).toEqual([2, 0, 0]);
    put(300);
    const taken = parking.take("r");
    expect(taken?.untilMs).toBe(300);
    expect(parking.take("r")).toBeNull();
    expect([closed.length, holds.count]).toEqual([2, 1]);
    put(400);
    parking.clear();
    expect([closed.length, holds.count]).toEqual([3, 1]);
  });
});
