/** How far a recovery is, in words. */
import { expect, test } from "vitest";
import { recoveryText } from "../../../../src/node/disk/recovery-text.ts";

test.each([
  [
    { totalBytes: 100, loadedBytes: 43, records: 1_900_000, startedAtMs: 0 },
    830,
    "43 %, 1.9 M of 4.4 M records, 1.1 s left",
  ],
  [{ totalBytes: 100, loadedBytes: 0, records: 0, startedAtMs: 0 }, 100, "0 %"],
  [{ totalBytes: 0, loadedBytes: 0, records: 0, startedAtMs: 0 }, 100, "0 %"],
])("%j at %d ms => %s", (status, nowMs, text) => {
  expect(recoveryText(status, nowMs)).toBe(text);
});
