/** A log segment lives as long as somebody reads it. */
import { expect, test } from "vitest";
import { batch, makeBacklog } from "./tools.ts";

const FREE = Number.POSITIVE_INFINITY;

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
