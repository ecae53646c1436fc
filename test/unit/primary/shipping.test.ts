/** Snapshots, readings and ships against a serializer that is driven by hand. */
import { describe, expect, test } from "vitest";
import { FEEDER_DEFAULTS, type FeederOptions } from "../../../src/primary/options.ts";
import { Ship } from "../../../src/primary/ship.ts";
import { Shipping } from "../../../src/primary/shipping.ts";
import type {
  ChunkEvents,
  ChunkReader,
  ChunkTotals,
  ReadyChunk,
} from "../../../src/store/state.ts";

const CHUNKS = 5;

/** Has every chunk of a snapshot ready, up to `slots` not released. */
class ManualReader implements ChunkReader {
  closed = false;
  readonly released: number[] = [];
  private inRing = 0;
  readonly from: number;
  readonly events: ChunkEvents;
  private next: number;
  private readonly slots: number;

  constructor(from: number, events: ChunkEvents, slots: number) {
    this.from = from;
    this.next = from;
    this.events = events;
    this.slots = slots;
  }
  take(): ReadyChunk | null {
    if (this.closed || this.next === CHUNKS || this.inRing === this.slots) return null;
    this.inRing += 1;
    return { number: this.next++, bytes: Buffer.alloc(100), from: 20, to: 100, sum: 0 };
  }
  release(chunk: ReadyChunk): void {
    this.inRing -= 1;
    this.released.push(chunk.number);
  }
  get totals(): ChunkTotals | null {
    return this.next < CHUNKS ? null : { chunks: CHUNKS, records: 1 };
  }
  close(): void {
    this.closed = true;
  }
}

class Harness {
  readonly readers: ManualReader[] = [];
  readonly started: number[] = [];
  readonly failed: string[] = [];
  freezes = 0;
  closes = 0;
  mayFreeze = true;
  first = 0;
  readonly shipping: Shipping;
  private ids = 0;

  constructor(options: Partial<FeederOptions> = {}, slots = 2) {
    this.shipping = new Shipping({
      options: { ...FEEDER_DEFAULTS, shipGatherMs: 100, shipSplitMs: 50, ...options },
      source: {
        isEmpty: () => false,
        memory: () => ({ dataBytes: 0, pinnedBytes: 0 }),
        reclaimableBytes: () => 0,
        freeze: () => {
          this.freezes += 1;
          return {
            records: 1,
            bytes: 500,
            digest: () => Promise.reject(new Error("not summed here")),
            read: (from, events) => {
              const reader = new ManualReader(from, events, slots);
              this.readers.push(reader);
              return reader;
            },
            close: () => void (this.closes += 1),
          };
        },
      },
      sealedPosition: () => ({ offset: 1000, chain: 7 }),
      mayStreamFrom: (offset) => offset >= this.first,
      mayFreeze: () => this.mayFreeze,
      randomId: () => `snapshot ${++this.ids}`,
      onShipStarted: (ship) => this.started.push(ship.linkId),
      onShipFailed: (ship, reason) => this.failed.push(`${ship.linkId}: ${reason}`),
      wantPump: () => undefined,
      onFreeze: () => undefined,
    });
  }

  request(id: number, nowMs: number): Ship {
    const ship = new Ship(id, nowMs);
    this.shipping.request(ship, nowMs);
    return ship;
  }

  /** Sends the next chunk; false when none is ready. */
  send(ship: Ship, taken = true): boolean {
    const held = ship.reading!.chunkFor(ship);
    if (held === null) return false;
    ship.sent(held);
    if (taken) held.release();
    return true;
  }

  done(ship: Ship): void {
    this.shipping.leave(ship);
    ship.snapshot!.release();
  }
}

describe("shipping", () => {
  test("handshakes within the gather time share one freeze and one reading", () => {
    const h = new Harness();
    const [a, b] = [h.request(1, 0), h.request(2, 60)];
    expect([h.freezes, h.shipping.queued]).toEqual([0, 2]);
    expect(h.shipping.nextWakeMs(60)).toBe(100);
    h.shipping.poll(99);
    expect(h.freezes).toBe(0);
    h.shipping.poll(100);
    expect([h.freezes, h.started, h.readers.length]).toEqual([1, [1, 2], 1]);
    for (let n = 0; n < CHUNKS; n++) {
      expect(h.send(a)).toBe(true);
      expect(h.readers[0]!.released).toHaveLength(n);
      expect(h.send(b)).toBe(true);
      expect(h.readers[0]!.released).toHaveLength(n + 1);
    }
    expect(a.reading!.totals?.chunks).toBe(CHUNKS);
    h.done(a);
    expect([h.closes, h.readers[0]!.closed]).toEqual([0, false]);
    h.done(b);
    expect([h.closes, h.readers[0]!.closed, h.shipping.activeReadings]).toEqual([1, true, 0]);
  });

  test("a newcomer joins while chunk 0 is held; not later, and not when its log is gone", () => {
    const h = new Harness();
    const a = h.request(1, 0);
    h.shipping.poll(100);
    h.send(a, false);
    const b = h.request(2, 110);
    expect([h.freezes, b.nextChunk, b.snapshotId]).toEqual([1, 0, a.snapshotId]);
    h.first = 1001;
    const late = h.request(3, 120);
    expect([late.state, h.shipping.queued]).toEqual(["queued", 1]);
    h.first = 0;
    a.reading!.chunkFor(b)!.release();
    h.shipping.leave(late);
    expect(h.shipping.queued).toBe(0);
  });

  test("at most shipsAtOnce readings; the others queue until one ends", () => {
    const h = new Harness({ shipsAtOnce: 1 });
    const a = h.request(1, 0);
    h.shipping.poll(100);
    h.send(a);
    const b = h.request(2, 100);
    h.shipping.poll(500);
    expect([b.state, h.freezes, h.shipping.nextWakeMs(500)]).toEqual(["queued", 1, 10_100]);
    h.done(a);
    h.shipping.poll(501);
    expect([b.state, h.freezes]).toEqual(["sending", 2]);
  });

  test("slow ships in all places => the next waits 10 s, not for their end; four at most", () => {
    const h = new Harness({ shipGatherMs: 0 });
    const slow = [1, 2].map((n) => {
      const ship = h.request(n, 0);
      h.send(ship);
      h.send(ship);
      return ship;
    });
    expect(h.freezes).toBe(2);
    const third = h.request(3, 1_000);
    h.shipping.poll(10_999);
    expect([third.state, h.shipping.nextWakeMs(10_999)]).toEqual(["queued", 11_000]);
    h.shipping.poll(11_000);
    expect([third.state, h.freezes, h.shipping.activeReadings]).toEqual(["sending", 3, 3]);
    h.send(third);
    h.send(third);
    const fourth = h.request(4, 11_000);
    h.shipping.poll(21_000);
    expect([fourth.state, h.shipping.activeReadings]).toEqual(["sending", 4]);
    h.send(fourth);
    h.send(fourth);
    const fifth = h.request(5, 21_000);
    h.shipping.poll(99_000);
    expect([fifth.state, h.shipping.nextWakeMs(99_000)]).toEqual(["queued", Infinity]);
    h.done(slow[0]!);
    h.shipping.poll(99_001);
    expect([fifth.state, h.shipping.activeReadings]).toEqual(["sending", 4]);
  });

  test("nothing is frozen inside a batch", () => {
    const h = new Harness();
    h.mayFreeze = false;
    h.request(1, 0);
    h.shipping.poll(200);
    expect(h.freezes).toBe(0);
    h.mayFreeze = true;
    h.shipping.poll(201);
    expect(h.freezes).toBe(1);
  });

  test("a sharer that holds the ring back is left with it; those ahead read on alone", () => {
    const h = new Harness({}, 2);
    const [slow, fast] = [h.request(1, 0), h.request(2, 0)];
    h.shipping.poll(100);
    expect([h.send(fast), h.send(fast), h.send(fast)]).toEqual([true, true, false]);
    h.shipping.poll(110);
    h.shipping.poll(149);
    expect(h.readers).toHaveLength(1);
    h.shipping.poll(150);
    expect([h.readers.length, h.readers[1]!.from]).toEqual([2, 2]);
    expect([h.send(fast), h.send(fast), h.send(fast)]).toEqual([true, true, true]);
    expect([h.send(slow), h.send(slow), h.send(slow)]).toEqual([true, true, true]);
    expect(fast.snapshotId).toBe(slow.snapshotId);
    h.done(slow);
    h.done(fast);
    expect([h.closes, h.shipping.activeReadings]).toEqual([1, 0]);
  });

  test("a sharer that goes releases what it was not sent", () => {
    const h = new Harness();
    const [a, b] = [h.request(1, 0), h.request(2, 0)];
    h.shipping.poll(100);
    h.send(a);
    h.send(a);
    expect(h.readers[0]!.released).toEqual([]);
    h.done(b);
    expect(h.readers[0]!.released).toEqual([0, 1]);
  });

  test("a sharer goes, its socket keeps what it was sent => the others read on alone", () => {
    const h = new Harness({}, 2);
    const [gone, stays] = [h.request(1, 0), h.request(2, 0)];
    h.shipping.poll(100);
    expect([h.send(gone, false), h.send(gone, false)]).toEqual([true, true]);
    h.done(gone);
    expect([h.send(stays), h.send(stays), h.send(stays)]).toEqual([true, true, false]);
    h.shipping.poll(110);
    h.shipping.poll(160);
    expect(h.readers.map(({ from, closed }) => [from, closed])).toEqual([
      [0, true],
      [2, false],
    ]);
    expect([h.send(stays), h.send(stays), h.send(stays)]).toEqual([true, true, true]);
    h.done(stays);
    expect([h.closes, h.shipping.activeReadings, h.failed]).toEqual([1, 0, []]);
  });

  test("one alone whose own socket is slow keeps its reading", () => {
    const h = new Harness({}, 2);
    const slow = h.request(1, 0);
    h.shipping.poll(100);
    expect([h.send(slow, false), h.send(slow, false), h.send(slow)]).toEqual([true, true, false]);
    h.shipping.poll(110);
    h.shipping.poll(500);
    expect(h.readers).toHaveLength(1);
  });

  test("a dead serializer fails its sharers once", () => {
    const h = new Harness();
    h.request(1, 0);
    h.request(2, 0);
    h.shipping.poll(100);
    h.readers[0]!.events.failed("crash");
    h.readers[0]!.events.failed("crash");
    expect(h.failed).toEqual(["1: crash", "2: crash"]);
    expect(h.readers[0]!.closed).toBe(true);
  });

  test("a resumed ship reads from its chunk, whatever others do", () => {
    const h = new Harness();
    const a = h.request(1, 0);
    h.shipping.poll(100);
    const { snapshot } = a;
    snapshot!.retain();
    h.done(a);
    const b = new Ship(2, 200);
    h.shipping.resume(b, snapshot!, 3);
    snapshot!.release();
    expect([h.readers[1]!.from, b.nextChunk, b.ackedChunk]).toEqual([3, 3, 3]);
    h.send(b);
    expect([b.acked(5, 0), b.acked(4, 0), b.bytesAcked, b.inFlightBytes]).toEqual([
      false,
      true,
      100,
      0,
    ]);
  });

  test("the egress limit earns by time, saves a tenth of a second, may be overdrawn by a chunk", () => {
    const h = new Harness({ shipRate: 1_000 });
    expect(h.shipping.tokensNow(0)).toBe(0);
    expect(h.shipping.tokensNow(50)).toBe(50);
    expect(h.shipping.tokensNow(10_000)).toBe(100);
    h.shipping.takeTokens(300);
    h.request(1, 10_000);
    h.shipping.poll(10_100);
    expect(h.shipping.nextWakeMs(10_100)).toBe(10_300);
    expect(h.shipping.tokensNow(10_200)).toBe(0);
    expect(new Harness().shipping.tokensNow(0)).toBe(Infinity);
  });
});
