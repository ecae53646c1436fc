/** What one replica is asked to sync: one request on its way, the highest of the others next. */
import { describe, expect, test } from "vitest";
import { SyncAsking } from "../../../src/primary/sync-asking.ts";

describe("asking a replica to sync", () => {
  test("idle => at once; asked => the highest waits until the answer, which may cover it", () => {
    const asking = new SyncAsking();
    expect([asking.isIdle, asking.want(100, 100)]).toEqual([true, -1]);
    expect([asking.want(100, 50), asking.isIdle]).toEqual([100, false]);
    expect([asking.want(300, 50), asking.want(200, 60), asking.said(99)]).toEqual([-1, -1, -1]);
    expect(asking.said(100)).toBe(300);
    expect(asking.want(400, 100)).toBe(-1);
    expect([asking.said(400), asking.isIdle]).toEqual([-1, true]);
    expect([asking.said(500), asking.want(450, 500)]).toEqual([-1, -1]);
  });

  test("another state => what was asked is void, and is asked again by whoever still waits", () => {
    const asking = new SyncAsking();
    expect([asking.want(100, 0), asking.want(200, 0)]).toEqual([100, -1]);
    asking.startedOver();
    expect([asking.isIdle, asking.said(100)]).toEqual([true, -1]);
    expect(asking.want(100, 0)).toBe(100);
  });
});
