/** What one link may send of the log, and what its replica says of it. */
import { expect, test } from "vitest";
import type { Cursor } from "../../../src/log/cursor.ts";
import { Flow } from "../../../src/primary/flow.ts";

const MIB = 1024 * 1024;

/** The batch at every offset ends at `end`. */
function batchUpTo(end: number): Cursor {
  return { batchEnd: () => end } as unknown as Cursor;
}

test("begun at 100 of which 130 are held => sent and received 130, nothing confirmed", () => {
  const flow = new Flow();
  flow.began(100, 130);
  expect([flow.sent, flow.received, flow.applied, flow.confirmed]).toEqual([130, 130, 100, -1]);
  expect(flow.isIdle).toBe(false);
});

test("an ACK moves what it raises; a stale one changes nothing; an impossible one is an error", () => {
  const flow = new Flow();
  flow.began(0, 0);
  flow.gave(100);
  expect(flow.acknowledged(80, 50, 10, 0)).toBe("moved");
  expect(flow.acknowledged(80, 50, 10, 0)).toBe("same");
  expect(flow.acknowledged(60, 40, 10, 0)).toBe("stale");
  expect([flow.received, flow.applied, flow.confirmed]).toEqual([80, 50, 50]);
  expect(() => flow.acknowledged(101, 60, 10, 0)).toThrow("sent up to 100");
  expect(() => flow.acknowledged(90, 91, 10, 0)).toThrow("applied 91");
});

test("another state => what was confirmed counts no more", () => {
  const flow = new Flow();
  flow.began(0, 0);
  flow.gave(10);
  flow.acknowledged(10, 10, 10, 0);
  flow.startedOver();
  expect([flow.confirmed, flow.applied]).toEqual([-1, 10]);
});

test("the limit: a first room of 1 MiB, then the lower of room and window, or one whole batch", () => {
  const flow = new Flow();
  flow.began(0, 0);
  expect(flow.limit(64 * MIB, batchUpTo(10))).toBe(MIB);
  flow.gave(100);
  flow.acknowledged(100, 100, 50, 0);
  expect(flow.limit(64 * MIB, batchUpTo(900))).toBe(150);
  expect(flow.limit(20, batchUpTo(900))).toBe(120);
  flow.gave(20);
  expect(flow.limit(20, batchUpTo(900))).toBe(900);
});

test("no room and nothing in flight => nothing more, however large the batch", () => {
  const flow = new Flow();
  flow.began(0, 0);
  flow.gave(100);
  flow.acknowledged(100, 100, 0, 0);
  expect(flow.limit(64 * MIB, batchUpTo(900))).toBe(100);
});

test("durable: not above applied, never less of the same state; another state begins anew", () => {
  const flow = new Flow();
  flow.began(0, 0);
  flow.gave(100);
  flow.acknowledged(100, 80, 10, 60);
  expect(flow.durable).toBe(60);
  expect(() => flow.acknowledged(100, 90, 10, 91)).toThrow("durable 91, applied 90");
  expect(() => flow.acknowledged(100, 90, 10, 59)).toThrow("durable 59, after 60");
  flow.acknowledged(100, 90, 10, 60);
  // A stale one says nothing.
  expect(flow.acknowledged(100, 70, 10, 0)).toBe("stale");
  expect(flow.durable).toBe(60);
  flow.startedOver();
  expect(flow.durable).toBe(0);
  flow.acknowledged(100, 100, 10, 5);
  expect(flow.durable).toBe(5);
});
