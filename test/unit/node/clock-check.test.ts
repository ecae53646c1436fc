/** Which clocks may lead: every row of the table, at both sides of its bound. */
import { expect, test } from "vitest";
import { clockRefusal } from "../../../src/node/clock-check.ts";

const NOW = Date.UTC(2026, 0, 1);
const MINUTE = 60_000;

test.each([
  ["as the root's", NOW, NOW, 0, null],
  ["a minute behind the root's", NOW - MINUTE, NOW, 0, null],
  ["more than that", NOW - MINUTE - 1, NOW, 0, "keep keys for too long"],
  ["a minute ahead of the root's", NOW + MINUTE, NOW, 0, null],
  ["more than that", NOW + MINUTE + 1, NOW, 0, "expire keys too early"],
  ["the root was heard of: its batches do not count", NOW, NOW, NOW + 9 * MINUTE, null],
  ["a minute behind the newest batch", NOW - MINUTE, null, NOW, null],
  ["more than that", NOW - MINUTE - 1, null, NOW, "keep keys for too long"],
  ["a year after the newest batch", NOW + 365 * 1_440 * MINUTE, null, NOW, null],
  ["nothing is known", NOW, null, 0, null],
])("%s", (_name, own, root, batch, says) => {
  const refusal = clockRefusal({ own, root, batch });
  if (says === null) expect(refusal).toBe(null);
  else expect(refusal).toContain(says);
});

test("both times are said, and the way out", () => {
  const text = clockRefusal({ own: NOW + 2 * MINUTE, root: NOW, batch: 0 });
  expect(text).toContain("2026-01-01T00:02:00.000Z");
  expect(text).toContain("2026-01-01T00:00:00.000Z");
  expect(text).toContain("REPLICAOF NO ONE FORCE");
});
