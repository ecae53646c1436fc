/** The small parts of the feeding side, each alone. */
import { describe, expect, test } from "vitest";
import { Holds } from "../../../src/primary/holds.ts";
import { OpenSnapshot } from "../../../src/primary/open-snapshot.ts";
import { Output } from "../../../src/primary/output.ts";
import { PACE_FLOOR_BYTES, Pace, paceOf } from "../../../src/primary/pace.ts";
import { Parking } from "../../../src/primary/parking.ts";
import { Quarantine } from "../../../src/primary/quarantine.ts";
import { SyncRate } from "../../../src/primary/sync-rate.ts";
import { Rate } from "../../../src/primary/rate.ts";
import { Waiters } from "../../../src/primary/waiters.ts";

describe("output", () => {
  test("pieces are released in order, each once, the rest when the socket is gone", () => {
    const released: number[] = [];
    const output = new Output();
    for (let n = 0; n < 3000; n++) output.push(2, { release: () => released.push(n) });
    output.push(1, null);
    expect(output.bytes).toBe(6001);
    for (let n = 0; n < 2000; n++) expect(output.taken()).toBe(2);
    expect(output.bytes).toBe(2001);
    output.releaseAll();
    expect(output.bytes).toBe(0);
    expect(released).toEqual(Array.from({ length: 3000 }, (_, n) => n));
    expect(() => output.taken()).toThrow("more pieces");
  });

  test("a release that pushes again finds a consistent queue", () => {
    const output = new Output();
    output.push(5, { release: () => output.push(7, null) });
    output.taken();
    expect(output.bytes).toBe(7);
  });
});

describe("waiters", () => {
  test("answered when enough confirm, at their time with what there is, or never when cancelled", () => {
    const waiters = new Waiters();
    const answers: string[] = [];
    const add = (name: string, offset: number, replicas: number, untilMs: number) => {
      const done = (count: number | null): void => void answers.push(`${name}:${count}`);
      const waiter = { offset, replicas, untilMs, done };
      waiters.add(waiter);
      return waiter;
    };
    add("a", 10, 1, 100);
    add("b", 20, 2, 100);
    const cancelled = add("c", 5, 1, 100);
    waiters.cancel(cancelled);
    waiters.settle(99, (offset) => (offset <= 10 ? 1 : 0));
    expect(answers).toEqual(["a:1"]);
    waiters.settle(100, () => 1);
    expect(answers).toEqual(["a:1", "b:1"]);
    expect(waiters.size).toBe(0);
  });

  test("cut => all of them end with null, those that begin meanwhile stay", () => {
    const waiters = new Waiters();
    const answers: (number | null)[] = [];
    const add = (): void => {
      const done = (count: number | null): void => {
        answers.push(count);
        if (answers.length === 1) add();
      };
      waiters.add({ offset: 1, replicas: 1, untilMs: 100, done });
    };
    add();
    add();
    waiters.cut();
    expect([answers, waiters.size]).toEqual([[null, null], 1]);
  });

  test("an answer that waits again is not answered in the same round", () => {
    const waiters = new Waiters();
    let rounds = 0;
    const again = (): void => {
      rounds += 1;
      waiters.add({ offset: 1, replicas: 1, untilMs: Infinity, done: again });
    };
    again();
    waiters.settle(0, () => 1);
    expect([rounds, waiters.size]).toEqual([2, 1]);
  });
});

describe("holds and parking", () => {
  const frozen = (closed: string[]) => ({
    records: 1,
    bytes: 1,
    read: () => {
      throw new Error("not read here");
    },
    digest: () => Promise.reject(new Error("not summed here")),
    close: () => void closed.push("closed"),
  });

  test("the cap drops what pins too much, and nothing else", () => {
    const holds = new Holds();
    const [low, high] = [holds.add(10), holds.add(50)];
    expect(holds.lowest()).toBe(10);
    expect(holds.enforce(100, 90)).toEqual([]);
    expect(holds.enforce(101, 90)).toEqual([low]);
    expect([holds.has(low), holds.has(high), holds.lowest()]).toEqual([false, true, 50]);
    holds.drop(high);
    expect([holds.count, holds.lowest()]).toEqual([0, Infinity]);
  });

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

describe("quarantine", () => {
  test("doubles up to ten minutes, is forgotten after keeping up, remembers a thousand", () => {
    const quarantine = new Quarantine();
    expect([quarantine.fail("r", 0), quarantine.fail("r", 0)]).toEqual([1_000, 2_000]);
    expect([quarantine.waitMs("r", 500), quarantine.waitMs("r", 2_000)]).toEqual([1_500, 0]);
    for (let n = 0; n < 20; n++) quarantine.fail("r", 0);
    expect(quarantine.fail("r", 0)).toBe(600_000);
    expect(quarantine.count(0)).toBe(1);
    quarantine.forgive("r");
    expect([quarantine.waitMs("r", 0), quarantine.fail("r", 0)]).toEqual([0, 1_000]);
    for (let n = 0; n < 1_000; n++) quarantine.fail(`other${n}`, 0);
    expect(quarantine.waitMs("r", 0)).toBe(0);
    expect(quarantine.count(0)).toBe(1_000);
  });
});

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

  const roomy = { bytes: 10_000, roomBytes: 1 << 30, capBytes: 1 << 30 };

  test("a burst is free, then writes wait as long as the pace says, each counted once", () => {
    const pace = new Pace();
    const turn = { sinceMs: -1 };
    expect(pace.mayWrite(turn, roomy, 1_000_000, 0)).toBe(true);
    pace.set(100_000, 0, 0);
    expect(pace.mayWrite(turn, roomy, 262_144, 0)).toBe(true);
    expect(pace.mayWrite(turn, roomy, 272_144, 0)).toBe(false);
    expect([pace.waitMs(272_144, 0), pace.retryMs(turn, 272_144, 0)]).toEqual([100, 50]);
    expect(pace.mayWrite(turn, roomy, 272_144, 50)).toBe(false);
    expect(pace.mayWrite(turn, roomy, 272_144, 100)).toBe(true);
    expect([pace.delayed, pace.delayMsMax, turn.sinceMs, pace.refusedMs]).toEqual([1, 100, -1, 50]);
    pace.set(Number.POSITIVE_INFINITY, 272_144, 100);
    expect(pace.mayWrite(turn, roomy, 1 << 30, 100)).toBe(true);
    expect(PACE_FLOOR_BYTES).toBe(1 << 20);
  });

  test("a pace of next to nothing, many writers => none waits above 250 ms while there is room", () => {
    const pace = new Pace();
    pace.set(1, 0, 0);
    let tail = 1 << 20;
    const turns = Array.from({ length: 100 }, () => ({ sinceMs: -1 }));
    for (let nowMs = 0; nowMs < 5_000; nowMs += 10)
      for (const turn of turns)
        if (pace.mayWrite(turn, roomy, tail, nowMs)) tail += 1_000;
        else expect(nowMs - turn.sinceMs).toBeLessThan(250);
    expect(pace.delayMsMax).toBe(250);
  });

  test("a write that does not fit below the cap waits for room; one larger than the cap does not", () => {
    const pace = new Pace();
    const turn = { sinceMs: -1 };
    pace.set(100_000, 0, 0);
    const tight = { bytes: 1_000, roomBytes: 999, capBytes: 50_000 };
    expect(pace.mayWrite(turn, tight, 0, 0)).toBe(false);
    expect(pace.mayWrite(turn, tight, 0, 10_000)).toBe(false);
    expect(pace.mayWrite(turn, { ...tight, roomBytes: 1_000 }, 0, 10_000)).toBe(true);
    expect(pace.mayWrite(turn, { ...tight, bytes: 50_001 }, 0, 10_000)).toBe(true);
  });

  test("a large write is owed for as long as one may wait, not longer", () => {
    const pace = new Pace();
    pace.set(1_000, 0, 0);
    expect(pace.waitMs(1 << 30, 0)).toBe(250);
  });
});

describe("the rate of a sync", () => {
  test("believed after a second; a cut and its pause change nothing", () => {
    const rate = new SyncRate(256 * 1024);
    for (let ms = 0; ms <= 900; ms += 100) rate.observeStream(rate, ms * 1_000, ms, true);
    expect(rate.perSecond).toBe(-1);
    for (let ms = 1_000; ms <= 3_000; ms += 100) rate.observeStream(rate, ms * 1_000, ms, true);
    expect(rate.perSecond).toBeCloseTo(1_000_000, 0);
    const other = {};
    for (let ms = 9_000; ms <= 9_500; ms += 100) rate.observeStream(other, ms, ms, false);
    expect(rate.perSecond).toBeCloseTo(1_000_000, 0);
    for (let ms = 10_000; ms <= 30_000; ms += 100) rate.observeStream(other, ms * 100, ms, true);
    expect(rate.perSecond).toBeCloseTo(100_000, -4);
  });
});

test("rate: half of a change after two seconds; a count that goes back starts over", () => {
  const rate = new Rate(0, 0);
  rate.observe(0, 0);
  rate.observe(2_000, 2_000);
  expect(rate.perSecond).toBe(500);
  rate.observe(0, 2_100);
  expect(rate.perSecond).toBe(0);
  expect(new Rate(0, 0, 7).perSecond).toBe(7);
});
