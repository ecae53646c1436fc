/** What is trimmed, and what stays. */
import { expect, test } from "vitest";
import { append, batch, BATCH_EXTRA, CHAIN_0, Clock, makeBacklog } from "./tools.ts";

const FREE = Number.POSITIVE_INFINITY;

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

test("a log that nobody wants => the newest log segment stays, but for what is held", () => {
  const log = makeBacklog({ sizeBytes: 100_000 });
  for (let n = 0; n < 20; n++) batch(log, 128);
  log.trim(FREE);
  expect(log.first).toBe(0);
  log.trim(600, false);
  expect(log.first).toBeLessThanOrEqual(600);
  expect(log.first).toBeGreaterThan(600 - 256 - 1);
  while (log.trim(FREE, false));
  expect(log.segmentCount).toBeLessThanOrEqual(2);
  expect(log.next - log.first).toBeLessThanOrEqual(512);
});
