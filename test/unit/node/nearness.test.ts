import { describe, expect, test } from "vitest";
import { Nearness, NO_LIMITS, staleText } from "../../../src/node/nearness.ts";

function make() {
  const parts = {
    options: { ...NO_LIMITS },
    role: "primary" as "primary" | "replica",
    good: 0,
    within: [] as number[],
    goodReplicas(ms: number) {
      this.within.push(ms);
      return this.good;
    },
    old: -1,
    looks: 0,
    staleMs() {
      this.looks += 1;
      return this.old;
    },
  };
  return { parts, near: new Nearness(parts) };
}

describe("replicas for a write", () => {
  test("off, by either setting => nothing lacks, nobody is counted", () => {
    const { parts, near } = make();
    parts.options = { ...NO_LIMITS, minReplicasToWrite: 3 };
    near.review();
    parts.options = { ...NO_LIMITS, minReplicasMaxLag: 10 };
    near.review();
    expect([near.lacksReplicas, parts.within]).toEqual([false, []]);
  });

  test("fewer than asked => lacks, from the first moment on; as many => not; a replica lacks none", () => {
    const { parts } = make();
    parts.options = { ...NO_LIMITS, minReplicasToWrite: 2, minReplicasMaxLag: 10 };
    parts.good = 1;
    const near = new Nearness(parts);
    expect([near.lacksReplicas, near.goodReplicas, parts.within]).toEqual([true, 1, [10_000]]);
    parts.good = 2;
    near.review();
    expect([near.lacksReplicas, near.goodReplicas]).toEqual([false, 2]);
    parts.good = 0;
    parts.role = "replica";
    near.review();
    expect(near.lacksReplicas).toBe(false);
  });
});

describe("the root for a read", () => {
  test("off, or on a primary => never stale, nobody looks", () => {
    const { parts, near } = make();
    parts.role = "replica";
    near.review();
    parts.role = "primary";
    parts.options = { ...NO_LIMITS, replicaMaxStalenessMs: 1 };
    near.review();
    expect([near.isStale, parts.looks]).toEqual([false, 0]);
  });

  test.each([
    [-1, true],
    [0, false],
    [3_000, false],
    [3_001, true],
  ])("at most 3000 ms, and it is %i => stale: %s, and back when it is off", (old, isStale) => {
    const { parts, near } = make();
    parts.role = "replica";
    parts.options = { ...NO_LIMITS, replicaMaxStalenessMs: 3_000 };
    parts.old = old;
    near.review();
    expect([near.isStale, near.staleMs]).toEqual([isStale, old]);
    parts.options = NO_LIMITS;
    near.review();
    expect(near.isStale).toBe(false);
  });

  test("it is said how far, and what is allowed", () => {
    const { parts, near } = make();
    parts.role = "replica";
    parts.options = { ...NO_LIMITS, replicaMaxStalenessMs: 3_000 };
    near.review();
    expect(staleText(near, 3_000)).toMatch(/^nobody knows how old .* is 3000 ms \(3s\)$/);
    parts.old = 5_230;
    near.review();
    expect(staleText(near, 3_000)).toMatch(/ may be 5230 ms old, .* is 3000 ms \(3s\)$/);
  });
});
