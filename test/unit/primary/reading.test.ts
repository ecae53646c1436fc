/** One reading and who shares it: heads, releases, who holds it back, the totals. Ships: shipping.test.ts. */
import { expect, test } from "vitest";
import { OpenSnapshot } from "../../../src/primary/open-snapshot.ts";
import { Reading } from "../../../src/primary/reading.ts";
import type { ReadyChunk } from "../../../src/store/state.ts";
import { ChunkTally } from "../../../src/wire/chunk-tally.ts";
import { chunkSum } from "../../../src/wire/frame.ts";
import { makeChunk } from "../wire/tools.ts";

const PAYLOADS = ["zero", "one", "two", "three"].map((text) => Buffer.from(text));

/** A state with four chunks, all ready at once; every reading has memory of its own. */
function opened(): { snapshot: OpenSnapshot; released: number[] } {
  const released: number[] = [];
  const snapshot = new OpenSnapshot("s", 0, 0, {
    records: 4,
    bytes: 15,
    read: (fromChunk) => {
      let next = fromChunk;
      return {
        take: (): ReadyChunk | null => {
          const payload = PAYLOADS[next];
          if (payload === undefined) return null;
          const bytes = Buffer.concat([Buffer.alloc(30, 0xee), payload]);
          const sum = chunkSum(bytes, 30, bytes.length, next);
          return { number: next++, bytes, from: 30, to: bytes.length, sum };
        },
        release: ({ number }) => released.push(number),
        get totals() {
          return next === PAYLOADS.length ? { chunks: 4, records: 4 } : null;
        },
        close: () => undefined,
      };
    },
    digest: () => Promise.reject(new Error("not summed here")),
    close: () => undefined,
  });
  return { snapshot, released };
}

const EVENTS = { ready: () => undefined, failed: () => undefined };

/** Takes chunks in order; no link and no ship is needed. */
class Taker {
  nextChunk: number;
  readonly frames: Buffer[] = [];
  constructor(nextChunk = 0) {
    this.nextChunk = nextChunk;
  }
  take(reading: Reading<Taker>): () => void {
    const held = reading.chunkFor(this)!;
    this.nextChunk += 1;
    this.frames.push(Buffer.from(held.bytes.subarray(held.from, held.to)));
    return () => held.release();
  }
}

test("chunks become CHUNK frames where they lie; END is about all of them, from wherever they came", () => {
  const { snapshot } = opened();
  const frames = PAYLOADS.map((payload, number) => makeChunk(number, payload));
  const tally = new ChunkTally();
  frames.forEach(({ digest }, n) => tally.note(n, PAYLOADS[n]!.length, digest));
  const end = { chunks: 4, records: 4, bytes: 15, digest: tally.digest };

  const [first, taker] = [new Reading<Taker>(snapshot, 0, EVENTS), new Taker()];
  first.join(taker);
  for (let n = 0; n < 3; n++) taker.take(first)();
  expect([first.totals, first.chunkFor(taker)?.number]).toEqual([null, 3]);
  expect(first.totals).toEqual(end);
  expect(taker.frames).toEqual(frames.slice(0, 3).map(({ bytes }) => bytes));

  const [second, later] = [new Reading<Taker>(snapshot, 2, EVENTS), new Taker(2)];
  second.join(later);
  for (let n = 0; n < 2; n++) later.take(second)();
  expect(second.totals).toEqual(end);
  expect(later.frames).toEqual(frames.slice(2).map(({ bytes }) => bytes));
});

test("a chunk goes back when all have taken it, in order; one that leaves is not waited for", () => {
  const { snapshot, released } = opened();
  const reading = new Reading<Taker>(snapshot, 0, EVENTS);
  const [a, b] = [new Taker(), new Taker()];
  reading.join(a);
  expect(reading.joinable).toBe(true);
  const [zero, one] = [a.take(reading), a.take(reading)];
  reading.join(b); // Chunk 0 is still held.
  one();
  zero();
  expect([released, reading.end]).toEqual([[], 2]);
  b.take(reading)();
  expect([released, reading.joinable]).toEqual([[0], false]);
  reading.leave(b);
  expect([released, reading.isClosed]).toEqual([[0, 1], false]);
  reading.leave(a);
  expect(reading.isClosed).toBe(true);
});

test("held back: since when the front is the same, and who is ahead of those who hold it", () => {
  const { snapshot } = opened();
  const reading = new Reading<Taker>(snapshot, 0, EVENTS);
  const [slow, fast] = [new Taker(), new Taker()];
  reading.join(slow);
  reading.join(fast);
  expect([reading.heldBackMs(5), reading.heldBackMs(6)]).toEqual([-1, -1]); // Nothing is held.
  fast.take(reading)();
  expect(reading.heldBackMs(9)).toBe(4);
  expect(reading.ahead).toEqual([fast]);
  const zero = slow.take(reading);
  expect(reading.ahead).toEqual([]); // All are: it is their own sockets.
  reading.leave(slow);
  expect(reading.ahead).toEqual([fast]); // Its socket still has chunk 0.
  zero();
  expect(reading.heldBackMs(12)).toBe(-1);
});
