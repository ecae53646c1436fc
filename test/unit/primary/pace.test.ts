/** How fast writers may go while a sync is under way. */
import { describe, expect, test } from "vitest";
import { newWriterTurn, PACE_FLOOR_BYTES, Pace, paceOf } from "../../../src/primary/pace.ts";

describe("pace", () => {
  const claim = { roomBytes: 8_000, capBytes: 8_000, shipBytesLeft: 0, drainPerSecond: 1 << 20 };
  const shipping = { ...claim, phase: "shipping" as const };
  const catchingUp = { ...claim, phase: "catching_up" as const };

  test("while shipping: what is left of the room but for a reserve, over the time that is left", () => {
    expect(paceOf({ ...shipping, shipBytesLeft: 3 << 19 })).toBe(3_500);
    expect(paceOf({ ...shipping, shipBytesLeft: 3 << 19, drainPerSecond: -1 })).toBe(875);
    expect(paceOf({ ...shipping, shipBytesLeft: 3 << 19, roomBytes: 800 })).toBe(50);
    expect(paceOf({ ...shipping, shipBytesLeft: 3 << 19, roomBytes: -1 })).toBe(0);
  });

  test("END is out: what is left of the room over the swap's time", () => {
    expect(paceOf({ ...shipping, roomBytes: 2_000 })).toBe(2_000);
  });

  test("while catching up: three quarters of the drain, never nothing", () => {
    expect(paceOf(catchingUp)).toBe(786_432);
    expect(paceOf({ ...catchingUp, drainPerSecond: 0 })).toBe(49_152);
    expect(paceOf({ ...catchingUp, drainPerSecond: -1 })).toBe(875);
  });

  const roomy = { roomBytes: 1 << 30, capBytes: 1 << 30 };

  test("a burst is free, then writes wait as long as the pace says, each counted once", () => {
    const pace = new Pace();
    const turn = newWriterTurn();
    expect(pace.mayWrite(turn, 10_000, roomy, 1_000_000, 0)).toBe(true);
    pace.set(100_000, 0, 0);
    expect(pace.mayWrite(turn, 10_000, roomy, 262_144, 0)).toBe(true);
    expect(pace.mayWrite(turn, 10_000, roomy, 272_144, 0)).toBe(false);
    expect([pace.waitMs(272_144, 0), pace.dueInMs(turn, roomy, 272_144, 0)]).toEqual([100, 100]);
    expect(pace.mayWrite(turn, 10_000, roomy, 272_144, 50)).toBe(false);
    expect(pace.mayWrite(turn, 10_000, roomy, 272_144, 100)).toBe(true);
    expect([pace.delayed, pace.delayMsMax, turn.sinceMs]).toEqual([1, 100, -1]);
    pace.set(Number.POSITIVE_INFINITY, 272_144, 100);
    expect(pace.mayWrite(turn, 10_000, roomy, 1 << 30, 100)).toBe(true);
    expect(PACE_FLOOR_BYTES).toBe(1 << 20);
  });

  test("a pace of next to nothing, many writers => none waits above 250 ms while there is room", () => {
    const pace = new Pace();
    pace.set(1, 0, 0);
    let tail = 1 << 20;
    const turns = Array.from({ length: 100 }, newWriterTurn);
    for (let nowMs = 0; nowMs < 5_000; nowMs += 10)
      for (const turn of turns)
        if (pace.mayWrite(turn, 10_000, roomy, tail, nowMs)) tail += 1_000;
        else expect(nowMs - turn.sinceMs).toBeLessThan(250);
    expect(pace.delayMsMax).toBe(250);
  });

  test("a write that does not fit below the cap waits for room; one larger than the cap does not", () => {
    const pace = new Pace();
    const turn = newWriterTurn();
    pace.set(100_000, 0, 0);
    const tight = { roomBytes: 999, capBytes: 50_000 };
    expect(pace.mayWrite(turn, 1_000, tight, 0, 0)).toBe(false);
    expect(pace.dueInMs(turn, tight, 0, 10_000)).toBe(Number.POSITIVE_INFINITY);
    expect(pace.mayWrite(turn, 1_000, tight, 0, 10_000)).toBe(false);
    expect(pace.mayWrite(turn, 1_000, { ...tight, roomBytes: 1_000 }, 0, 10_000)).toBe(true);
    expect(pace.mayWrite(turn, 50_001, tight, 0, 10_000)).toBe(true);
  });

  test("a large write is owed for as long as one may wait, not longer", () => {
    const pace = new Pace();
    pace.set(1_000, 0, 0);
    expect(pace.waitMs(1 << 30, 0)).toBe(250);
  });
});
