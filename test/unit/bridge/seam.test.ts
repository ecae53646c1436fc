/** What is a state by its types, and what is none: tsc fails when a line below is right that must be wrong. */
import { expect, test } from "vitest";
import type { Batch, Frozen, ReplicatedState, Staging } from "../../../src/bridge/seam.ts";

const frozen: Frozen = { read: () => [{ records: [Buffer.from("a")] }], close: () => undefined };
const staging: Staging = {
  load: () => undefined,
  commit: () => undefined,
  abort: () => undefined,
};

/** The least that a state is. */
function least(seen: string[]): ReplicatedState {
  return {
    format: { name: "lines", version: 1 },
    durability: "none",
    open: () => ({ mark: null, empty: true }),
    apply: (batch) => {
      batch.each((bytes, from, to) => seen.push(bytes.toString("utf8", from, to)));
    },
    freeze: () => frozen,
    stage: () => staging,
  };
}

test("seam: the least that a state must have is a state, and gets its records", () => {
  const seen: string[] = [];
  const bytes = Buffer.from("onetwo");
  const batch: Batch = {
    count: 2,
    bytes: 6,
    end: new Uint8Array(1),
    clockMs: 1,
    *[Symbol.iterator]() {
      yield bytes.subarray(0, 3);
      yield bytes.subarray(3);
    },
    each: (visit) => {
      visit(bytes, 0, 3);
      visit(bytes, 3, 6);
    },
  };
  void least(seen).apply(batch);
  expect(seen).toEqual(["one", "two"]);
});

test("seam: answers may come later, and a state may have transactions of its own", () => {
  const state = {
    ...least([]),
    durability: "power",
    mark: () => Promise.resolve(null),
    transact: async (run: (tx: { put(key: string): void }) => Promise<Uint8Array> | Uint8Array) => {
      await run({ put: () => undefined });
    },
    freeze: () => Promise.resolve(frozen),
  } satisfies ReplicatedState<{ put(key: string): void }>;
  expect(state.durability).toBe("power");
});

test("seam: what is no state does not compile", () => {
  const state = least([]);
  // @ts-expect-error a state says what outlives an answer
  const careless: ReplicatedState = { ...state, durability: "maybe" };
  // @ts-expect-error a snapshot can be closed
  const open: Frozen = { read: () => [] };
  // @ts-expect-error a format has a version that is a number
  const loose: ReplicatedState = { ...state, format: { name: "lines", version: "1" } };
  expect([careless, open, loose]).toHaveLength(3);
});
