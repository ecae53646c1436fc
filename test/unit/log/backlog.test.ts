/** The backlog: growing as a primary and as a replica, boundaries, retention, recycled memory. */
import { describe, expect, test, vi } from "vitest";
import { LogError } from "../../../src/errors.ts";
import { LIMITS } from "../../../src/limits.ts";
import { Cursor } from "../../../src/log/cursor.ts";
import { Holds } from "../../../src/primary/holds.ts";
import {
  AT,
  BATCH_HEAD_BYTES,
  batchChain,
  batchClockMs,
  batchCount,
  batchOffset,
  chainOf,
} from "../../../src/wire/frame.ts";
import {
  append,
  batch,
  BATCH_EXTRA,
  batchesFrom,
  CHAIN_0,
  Clock,
  commitAll,
  makeBacklog,
  receive,
} from "../primary/tools.ts";

const FREE = Number.POSITIVE_INFINITY;

describe("a primary appends", () => {
  test("an empty log => [0, 0), the history's chain, nothing open", () => {
    const log = makeBacklog();
    expect([log.first, log.next, log.tail, log.openBytes]).toEqual([0, 0, 0, 0]);
    expect(log.chain).toBe(CHAIN_0);
    expect(log.chainAt(0)).toBe(CHAIN_0);
    expect(log.seal()).toBe(false);
  });

  test("two records in one turn => invisible until sealed, then one batch of both", () => {
    const log = makeBacklog();
    append(log, 10, 1);
    append(log, 0);
    expect([log.next, log.tail]).toEqual([0, BATCH_HEAD_BYTES + 18]);
    expect(log.openBytes).toBe(BATCH_HEAD_BYTES + 18);
    expect(log.seal()).toBe(true);
    expect(log.next).toBe(log.tail);
    const [sealed] = batchesFrom(log, 0);
    expect(batchCount(sealed!, 0)).toBe(2);
    expect(batchOffset(sealed!, 0)).toBe(0);
    expect(batchClockMs(sealed!, 0)).toBe(1_000_000);
    expect(log.chain).toBe(chainOf(sealed!, 0, sealed!.length, CHAIN_0));
    expect(log.newestClockMs).toBe(1_000_000);
  });

  test("a record that does not fit behind the open batch => that is sealed, a new segment begins", () => {
    const log = makeBacklog();
    append(log, 150);
    append(log, 100);
    expect(log.next).toBe(150 + BATCH_EXTRA);
    expect(log.segmentCount).toBe(2);
    log.seal();
    expect(batchesFrom(log, 0).map((b) => b.length)).toEqual([
      150 + BATCH_EXTRA,
      100 + BATCH_EXTRA,
    ]);
  });

  test("a batch that fills its segment to the last byte => the next one opens another", () => {
    const log = makeBacklog();
    batch(log, 256);
    expect(log.segmentCount).toBe(1);
    batch(log, 100);
    expect(log.segmentCount).toBe(2);
    expect(log.chainAt(256)).toBe(batchChain(batchesFrom(log, 0)[0]!, 0));
  });

  test("a record larger than a segment => a segment of its own, exactly as large", () => {
    const log = makeBacklog();
    batch(log, 100);
    append(log, 5000, 7);
    log.seal();
    batch(log, 100);
    expect(log.segmentCount).toBe(3);
    expect(batchesFrom(log, 0).map((b) => b.length)).toEqual([100, 5000 + BATCH_EXTRA, 100]);
  });

  test("reserve => nothing is in the log; append of as much or less => at the place that it said", () => {
    const log = makeBacklog({ segmentBytes: 256 });
    append(log, 100);
    const before = [log.tail, log.openBytes, log.next];
    expect(log.reserve(20)).toBe(log.reserve(20));
    expect([log.tail, log.openBytes, log.next]).toEqual(before);
    // Too much for this log segment: the open batch is sealed, and that is all.
    const at = log.reserve(1000);
    expect([log.openBytes, log.next, log.tail]).toEqual([0, before[0], before[0]]);
    const { bytes } = log;
    expect(log.append(1000)).toBe(at);
    expect(log.bytes).toBe(bytes);
    expect(log.tail).toBe(before[0]! + BATCH_EXTRA + 1000);
    expect(log.seal()).toBe(true);
  });

  test("unreserve => memory for a large record is given back, the log goes on where it was", () => {
    const log = makeBacklog({ segmentBytes: 256 });
    batch(log, 100);
    log.reserve(100_000);
    expect(log.bytes.length).toBeGreaterThan(100_000);
    log.unreserve();
    expect(log.bytes.length).toBe(256);
    batch(log, 80);
    expect([log.next, log.tail]).toEqual([180, 180]);
    expect(batchesFrom(log, 0).map((each) => each.length)).toEqual([100, 80]);
  });

  test("no memory => ERR_LOG_FULL, and the log goes on once there is some", () => {
    const log = makeBacklog({ segmentBytes: 256 });
    batch(log, 200);
    const taken = vi.spyOn(Buffer, "allocUnsafeSlow").mockImplementation(() => {
      throw new RangeError("Array buffer allocation failed");
    });
    try {
      expect(() => log.append(200)).toThrow(/ERR_LOG_FULL: no memory for 256 more bytes/);
      expect(() => log.append(20_000)).toThrow(/ERR_LOG_FULL/);
      expect([log.next, log.tail, log.openBytes]).toEqual([200, 200, 0]);
    } finally {
      taken.mockRestore();
    }
    batch(log, 220);
    expect(batchesFrom(log, 0).map((each) => each.length)).toEqual([200, 220]);
  });

  test("a record above recordBytesMax => ERR_LOG_RECORD_SIZE, nothing changed", () => {
    const log = makeBacklog();
    append(log, 10);
    const before = [log.tail, log.openBytes, log.segmentCount];
    expect(() => log.append(LIMITS.recordBytesMax + 1)).toThrow(LogError);
    expect([log.tail, log.openBytes, log.segmentCount]).toEqual(before);
  });

  test("the chain at every boundary, and -1 everywhere else", () => {
    const log = makeBacklog();
    const boundaries = new Map([[0, CHAIN_0]]);
    for (let n = 0; n < 12; n++) {
      batch(log, 60 + n, n);
      boundaries.set(log.next, log.chain);
    }
    for (let offset = 0; offset <= log.next + 1; offset++)
      expect(log.chainAt(offset)).toBe(boundaries.get(offset) ?? -1);
    append(log, 10);
    expect(log.chainAt(log.tail)).toBe(-1);
  });

  test.each([0, BATCH_HEAD_BYTES - 1, 301, 0xffff_ffff])(
    "a stored head says %i bytes => no boundary behind it in its segment, those before it and after it stay",
    (length) => {
      const log = makeBacklog({ segmentBytes: 300 });
      const ends = [100, 50, 150, 80].map((bytes) => {
        batch(log, bytes);
        return [log.next, log.chain] as const;
      });
      log.segmentAt(100).bytes.writeUInt32LE(length, 100 + AT.length);
      for (let offset = 101; offset < 300; offset++) expect(log.chainAt(offset)).toBe(-1);
      expect(log.chainAt(0)).toBe(CHAIN_0);
      for (const n of [0, 2, 3]) expect(log.chainAt(ends[n]![0])).toBe(ends[n]![1]);
    },
  );
});

describe("retention", () => {
  test("whole segments beyond sizeBytes go, oldest first; chain and first stay right", () => {
    const log = makeBacklog();
    const chains = new Map([[0, CHAIN_0]]);
    for (let n = 0; n < 40; n++) {
      batch(log, 128, n);
      chains.set(log.next, log.chain);
      log.trim(FREE);
      expect(log.next - log.first).toBeLessThan(1024 + 256 + 1);
      expect(log.chainAt(log.first)).toBe(chains.get(log.first));
      if (log.first > 0) expect(log.chainAt(log.first - 128)).toBe(-1);
    }
    expect(log.next - log.first).toBeGreaterThanOrEqual(1024);
  });

  test("a batch larger than the backlog => it stays, all before it goes", () => {
    const log = makeBacklog();
    for (let n = 0; n < 8; n++) batch(log, 128);
    append(log, 5000);
    log.seal();
    log.trim(FREE);
    expect(log.first).toBe(8 * 128);
    expect(log.next - log.first).toBe(5000 + BATCH_EXTRA);
    batch(log, 100);
    log.trim(FREE);
    expect(log.first).toBe(8 * 128);
  });

  test("the newest batch is never dropped, whatever the size and age", () => {
    const clock = new Clock();
    const log = makeBacklog({ sizeBytes: 0, ttlMs: 10, clock: clock.now });
    batch(log, 256);
    clock.ms += 1_000_000;
    log.trim(FREE);
    expect(log.first).toBe(0);
    batch(log, 256);
    log.trim(FREE);
    expect([log.first, log.next]).toEqual([256, 512]);
  });

  test("an open batch in a fresh segment does not cost the newest sealed one", () => {
    const log = makeBacklog({ sizeBytes: 0 });
    batch(log, 256);
    append(log, 100);
    log.trim(FREE);
    expect(log.first).toBe(0);
  });

  test("older than ttlMs => dropped though the size allows it", () => {
    const clock = new Clock();
    const log = makeBacklog({ sizeBytes: 100_000, ttlMs: 1_000, clock: clock.now });
    batch(log, 256);
    batch(log, 256);
    clock.ms += 900;
    batch(log, 256);
    log.trim(FREE);
    expect(log.first).toBe(0);
    clock.ms += 101;
    log.trim(FREE);
    expect(log.first).toBe(512);
  });

  test("nothing at or after a hold goes; a hold inside a segment keeps the segment", () => {
    const log = makeBacklog({ sizeBytes: 256 });
    for (let n = 0; n < 20; n++) batch(log, 128);
    log.trim(3 * 128);
    expect(log.first).toBe(256);
    log.trim(512);
    expect(log.first).toBe(512);
  });

  test("at most 8 segments for each call => true while there is more", () => {
    const log = makeBacklog({ sizeBytes: 256 });
    for (let n = 0; n < 20; n++) batch(log, 256);
    expect(log.trim(FREE)).toBe(true);
    expect(log.segmentCount).toBe(12);
    expect(log.trim(FREE)).toBe(true);
    expect(log.trim(FREE)).toBe(false);
    expect(log.segmentCount).toBe(1);
  });

  test("a smaller sizeBytes at runtime => takes effect at the next trim", () => {
    const log = makeBacklog({ sizeBytes: 10_000 });
    for (let n = 0; n < 8; n++) batch(log, 256);
    log.limits = { sizeBytes: 512 };
    log.trim(FREE);
    expect(log.first).toBe(6 * 256);
  });
});

describe("memory", () => {
  test("a trimmed segment without readers is used again", () => {
    const log = makeBacklog({ sizeBytes: 256 });
    batch(log, 256);
    const memory = log.bytes;
    batch(log, 256);
    log.trim(FREE);
    batch(log, 256);
    expect(log.bytes === memory).toBe(true);
  });

  test("a trimmed segment that a cursor reads is not, until it is left; pinnedBytes says so", () => {
    const log = makeBacklog({ sizeBytes: 256 });
    batch(log, 256, 1);
    const memory = log.bytes;
    const cursor = new Cursor(log, 0);
    for (let n = 2; n < 6; n++) {
      batch(log, 256, n);
      log.trim(FREE);
      expect(log.bytes === memory).toBe(false);
    }
    expect(log.first).toBeGreaterThan(0);
    expect(log.pinnedBytes).toBe(256);
    expect(cursor.available()).toBe(256);
    expect(cursor.segment.bytes[255]).toBe(1);
    cursor.close();
    expect(log.pinnedBytes).toBe(0);
    batch(log, 256, 9);
    expect(log.bytes === memory).toBe(true);
  });

  test("written slices pin too: two writes, two releases", () => {
    const log = makeBacklog({ sizeBytes: 256 });
    batch(log, 256);
    const segment = log.segmentAt(0);
    segment.retain();
    segment.retain();
    for (let n = 0; n < 4; n++) batch(log, 256);
    log.trim(FREE);
    segment.release();
    expect(segment.pinned).toBe(true);
    segment.release();
    expect(segment.pinned).toBe(false);
    expect(segment.bytes).toHaveLength(0);
    expect(() => segment.release()).toThrow();
  });

  test("an oversize segment's memory is not recycled as one of the usual size", () => {
    const log = makeBacklog({ sizeBytes: 256 });
    append(log, 5000);
    log.seal();
    for (let n = 0; n < 4; n++) batch(log, 256);
    log.trim(FREE);
    for (let n = 0; n < 4; n++) {
      batch(log, 256);
      expect(log.bytes).toHaveLength(256);
    }
  });
});

describe("a replica receives", () => {
  const source = makeBacklog({ sizeBytes: 1_000_000 });
  for (let n = 0; n < 30; n++) batch(source, 50 + ((n * 37) % 150), n);
  append(source, 3000, 99);
  source.seal();
  for (let n = 0; n < 5; n++) batch(source, 100, n);
  const batches = batchesFrom(source, 0);

  test("invisible until committed; afterwards the same bytes, offsets and chains", () => {
    const log = makeBacklog({ sizeBytes: 1_000_000 });
    for (const whole of batches) {
      const { next } = log;
      receive(log, whole, 7);
      expect(log.next).toBe(next);
      expect(log.tail).toBe(next + whole.length);
      log.commit();
      expect(log.next).toBe(log.tail);
      expect(log.pending()).toBeNull();
    }
    expect([log.next, log.chain]).toEqual([source.next, source.chain]);
    expect(batchesFrom(log, 0)).toEqual(batches);
    for (let offset = 0; offset <= log.next; offset++)
      expect(log.chainAt(offset)).toBe(source.chainAt(offset));
  });

  test("all received before anything is committed => the chain at every segment's start is right after", () => {
    const log = makeBacklog({ sizeBytes: 1_000_000 });
    for (const whole of batches) receive(log, whole);
    expect(log.next).toBe(0);
    expect(commitAll(log)).toBe(batches.length);
    for (let offset = 0; offset <= log.next; offset++)
      expect(log.chainAt(offset)).toBe(source.chainAt(offset));
  });

  test("an incomplete batch => partial bytes and head crc; dropped => as if it never came", () => {
    const log = makeBacklog();
    receive(log, batches[0]!);
    receive(log, batches[1]!, 5, 20);
    expect(log.partialBytes).toBe(batches[1]!.length - 20);
    expect(log.partialHeadCrc).toBe(batches[1]!.readUInt32LE(0));
    expect(log.tail - log.partialBytes).toBe(batches[0]!.length);
    expect(commitAll(log)).toBe(1);
    log.dropIncoming();
    expect([log.partialBytes, log.partialHeadCrc]).toEqual([0, 0]);
    expect(log.tail).toBe(log.next);
    receive(log, batches[1]!);
    expect(commitAll(log)).toBe(1);
    expect(log.chainAt(log.next)).toBe(source.chainAt(log.next));
  });

  test("dropReceived => back to what is committed, over segments", () => {
    const log = makeBacklog({ sizeBytes: 1_000_000 });
    for (const whole of batches.slice(0, 12)) receive(log, whole);
    log.commit();
    log.commit();
    receive(log, batches[12]!, 9, 30);
    log.dropReceived();
    expect(log.tail).toBe(log.next);
    expect(log.next).toBe(batches[0]!.length + batches[1]!.length);
    expect(log.pending()).toBeNull();
    for (const whole of batches.slice(2)) receive(log, whole);
    commitAll(log);
    expect([log.next, log.chain]).toEqual([source.next, source.chain]);
    for (let offset = 0; offset <= log.next; offset++)
      expect(log.chainAt(offset)).toBe(source.chainAt(offset));
  });

  test("a long batch gets memory as it arrives: at most twice what has come, and a MiB", () => {
    const big = makeBacklog({ sizeBytes: 64 << 20, segmentBytes: 1 << 16 });
    append(big, 24 << 20);
    big.seal();
    const [whole] = batchesFrom(big, 0);
    const log = makeBacklog({ sizeBytes: 1024, segmentBytes: 1 << 16 });
    log.receiveHead(whole!, 0, whole!.length);
    expect(log.bytes.length).toBeLessThanOrEqual(1 << 20);
    for (let at = BATCH_HEAD_BYTES; at < whole!.length; at += 100_000) {
      const end = Math.min(whole!.length, at + 100_000);
      log.receiveBytes(whole!, at, end);
      expect(log.bytes.length).toBeLessThanOrEqual(Math.max(1 << 20, 2 * end));
    }
    log.receiveEnd();
    expect(log.pending()).not.toBeNull();
    log.commit();
    expect(log.chain).toBe(big.chain);
  });

  test("reset => empty at the new position; a reader of the old log keeps its memory", () => {
    const log = makeBacklog();
    for (const whole of batches.slice(0, 5)) receive(log, whole);
    commitAll(log);
    const cursor = new Cursor(log, 0);
    const before = Buffer.from(cursor.segment.bytes);
    log.reset(1_000_000, 77);
    expect([log.first, log.next, log.tail, log.chain]).toEqual([
      1_000_000, 1_000_000, 1_000_000, 77,
    ]);
    expect(log.chainAt(1_000_000)).toBe(77);
    expect(cursor.available()).toBeGreaterThan(0);
    expect(cursor.segment.bytes.equals(before)).toBe(true);
    cursor.close();
    expect(log.pinnedBytes).toBe(0);
  });

  test("an open batch of a primary is never taken for a received one", () => {
    const log = makeBacklog();
    receive(log, batches[0]!);
    commitAll(log);
    append(log, 50);
    expect(log.pending()).toBeNull();
    log.seal();
    expect(log.pending()).toBeNull();
  });

  test("an emptied segment, then a batch too large for it => readers get past it, trimming too", () => {
    const log = makeBacklog({ sizeBytes: 256 });
    const big = makeBacklog({ sizeBytes: 1 << 20 });
    batch(big, 250);
    batch(big, 200);
    const [first, second] = batchesFrom(big, 0);
    receive(log, first!);
    log.commit();
    const cursor = new Cursor(log, 0);
    cursor.advance(cursor.available());
    receive(log, second!, 50, 30);
    // Promoted here: the rest never comes, and a larger batch is written instead.
    log.dropReceived();
    append(log, 5000);
    log.seal();
    expect(cursor.available()).toBe(5000 + BATCH_EXTRA);
    for (let n = 0; n < 8; n++) batch(log, 256);
    while (log.trim(FREE));
    expect(log.first).toBe(log.next - 256);
    cursor.close();
  });

  test("no segment object stays behind once trimmed and left, though nobody asks for pinnedBytes", () => {
    const log = makeBacklog({ sizeBytes: 256 });
    for (let n = 0; n < 50; n++) {
      const cursor = new Cursor(log, log.next);
      batch(log, 256);
      cursor.available();
      batch(log, 256);
      log.trim(FREE);
      cursor.close();
    }
    const { detached } = log as unknown as { readonly detached: Set<unknown> };
    expect(detached.size).toBe(0);
  });
});

describe("holds", () => {
  test("lowest of all; dropped ones do not count; none => Infinity", () => {
    const holds = new Holds();
    expect(holds.lowest()).toBe(FREE);
    const a = holds.add(500);
    const b = holds.add(300);
    expect(holds.lowest()).toBe(300);
    b.moveTo(700);
    expect(holds.lowest()).toBe(500);
    holds.drop(a);
    expect([holds.lowest(), holds.count, holds.has(a), holds.has(b)]).toEqual([
      700,
      1,
      false,
      true,
    ]);
  });

  test("enforce: at the cap stays, one byte more goes", () => {
    const holds = new Holds();
    const at = holds.add(900);
    const beyond = holds.add(899);
    expect(holds.enforce(1000, 100)).toEqual([beyond]);
    expect(holds.has(at)).toBe(true);
  });
});
