import { describe, expect, test } from "vitest";
import { syncAtMs, type FsyncPolicy } from "../../../../src/log/disk/sync-policy.ts";

const NEVER = Number.POSITIVE_INFINITY;

describe("syncAtMs", () => {
  test.each<[FsyncPolicy, string, { written: number; wanted: number }, number]>([
    ["always", "nothing was written", { written: 10, wanted: 0 }, NEVER],
    ["always", "something was written", { written: 11, wanted: 0 }, 0],
    ["everysec", "nothing was written", { written: 10, wanted: 10 }, NEVER],
    ["everysec", "something was written", { written: 11, wanted: 0 }, 6000],
    ["everysec", "somebody waits", { written: 11, wanted: 11 }, 0],
    ["everysec", "somebody waited for what is durable", { written: 11, wanted: 10 }, 6000],
    ["no", "something was written", { written: 11, wanted: 0 }, NEVER],
    ["no", "somebody waits", { written: 11, wanted: 11 }, 0],
  ])("%s: %s", (policy, _, need, at) => {
    expect(syncAtMs(policy, { durable: 10, dirtySinceMs: 5000, ...need })).toBe(at);
  });
});
