/** One ship: its states and what moves it, its place in the chunks, what is left of it. */
import { expect, test } from "vitest";
import { OpenSnapshot } from "../../../src/primary/open-snapshot.ts";
import { Reading } from "../../../src/primary/reading.ts";
import { Ship } from "../../../src/primary/ship.ts";
import type { ChunkReader } from "../../../src/store/state.ts";

const reader: ChunkReader = {
  take: () => null,
  release: () => undefined,
  totals: null,
  close: () => undefined,
};

function opened(): { snapshot: OpenSnapshot; reading: Reading<Ship> } {
  const snapshot = new OpenSnapshot("s", 1000, 7, {
    records: 10,
    bytes: 5_000,
    read: () => reader,
    digest: () => Promise.reject(new Error("not summed here")),
    close: () => undefined,
  });
  const events = { ready: () => undefined, failed: () => undefined };
  return { snapshot, reading: new Reading<Ship>(snapshot, 0, events) };
}

const held = (number: number) => ({ number, from: 0, to: 100 });

test("queued, sending, finishing, done: the snapshot is in use from begin to swap", () => {
  const { snapshot, reading } = opened();
  const ship = new Ship(1, 0);
  const seen = (): unknown[] => [ship.state, ship.snapshotId, ship.reading !== null];
  expect(seen()).toEqual(["queued", "", false]);
  ship.begin(reading, 0);
  expect(seen()).toEqual(["sending", "s", true]);
  expect(ship.isAnnounced).toBe(false);
  ship.announced();
  expect(ship.isAnnounced).toBe(true);
  expect([ship.leaveReading(), ship.leaveReading()]).toEqual([reading, null]);
  expect(seen()).toEqual(["sending", "s", false]);
  ship.ended();
  expect(seen()).toEqual(["finishing", "s", false]);
  expect(snapshot.closed).toBe(false);
  ship.swapped();
  expect(seen()).toEqual(["done", "", false]);
  expect(snapshot.closed).toBe(true);
});

test("what cannot happen now is a fault of the caller", () => {
  const { reading } = opened();
  const ship = new Ship(1, 0);
  expect(() => ship.ended()).toThrow("not sent");
  expect(() => ship.readFrom(reading)).toThrow();
  ship.begin(reading, 0);
  expect(() => ship.begin(reading, 0)).toThrow("begins once");
  expect(() => ship.swapped()).toThrow("before END");
  expect(() => ship.readFrom(opened().reading)).toThrow();
  ship.ended();
  expect(() => ship.ended()).toThrow("not sent");
  ship.swapped();
  expect(() => ship.swapped()).toThrow("before END");
});

test("an ACK: what is loaded, what is in flight, the room; never more than was sent", () => {
  const { reading } = opened();
  const ship = new Ship(1, 0, { resumed: true });
  expect(ship.room).toBe(0);
  ship.begin(reading, 4);
  for (const number of [4, 5, 6]) ship.sent(held(number));
  expect([ship.nextChunk, ship.ackedChunk, ship.inFlightBytes]).toEqual([7, 4, 300]);
  expect(ship.acked(6, 500)).toBe(true);
  expect([ship.ackedChunk, ship.bytesAcked, ship.inFlightBytes, ship.room]).toEqual([
    6, 200, 100, 500,
  ]);
  expect(ship.acked(5, 400)).toBe(true); // Stale, but for the room.
  expect([ship.ackedChunk, ship.room]).toEqual([6, 400]);
  expect(ship.acked(8, 500)).toBe(false);
  expect(new Ship(1, 0).room).toBe(Number.POSITIVE_INFINITY);
});

test("bytes left: nothing while it queues, at least a chunk while it is sent, then what is in flight", () => {
  const { reading } = opened();
  const ship = new Ship(1, 0);
  expect(ship.bytesLeft(1_000)).toBe(0);
  ship.begin(reading, 2);
  expect(ship.bytesLeft(1_000)).toBe(3_000);
  expect(ship.bytesLeft(2_500)).toBe(2_500);
  ship.sent(held(2));
  ship.ended();
  expect(ship.bytesLeft(1_000)).toBe(100);
  ship.swapped();
  expect(ship.bytesLeft(1_000)).toBe(0);
});
