/** A snapshot with several users: the last one closes it. */
import { describe, expect, test } from "vitest";
import { OpenSnapshot } from "../../../src/primary/open-snapshot.ts";
import { frozen } from "./frozen.ts";

describe("open snapshot", () => {
  test("the last user of a snapshot closes it", () => {
    const closed: string[] = [];
    const snapshot = new OpenSnapshot("s", 0, 0, frozen(closed));
    snapshot.retain();
    snapshot.retain();
    snapshot.release();
    expect([snapshot.closed, closed.length]).toEqual([false, 0]);
    snapshot.release();
    expect([snapshot.closed, closed.length]).toEqual([true, 1]);
    expect(() => snapshot.retain()).toThrow("closed");
  });
});
