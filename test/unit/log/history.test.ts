/** Promotion: what becomes of a lineage. */
import { expect, test } from "vitest";
import { LIMITS } from "../../../src/limits.ts";
import { leftAt, promoted } from "../../../src/log/history.ts";

const id = (n: number): string => n.toString(16).padStart(32, "0");

test("promoted at 280, an entry left at 300 => lowered to 280; one left at 120 => unchanged", () => {
  const state = {
    history: id(3),
    lineage: [
      { history: id(1), left: 120 },
      { history: id(2), left: 300 },
    ],
  };
  expect(promoted(state, 280, id(4))).toEqual({
    history: id(4),
    lineage: [
      { history: id(1), left: 120 },
      { history: id(2), left: 280 },
      { history: id(3), left: 280 },
    ],
  });
  expect(state.lineage[1]!.left).toBe(300);
});

test("promoted at 0 => the history it never wrote in is left at 0", () => {
  const after = promoted({ history: id(1), lineage: [] }, 0, id(2));
  expect(after.lineage).toEqual([{ history: id(1), left: 0 }]);
});

test("a full lineage => the oldest entry goes", () => {
  const lineage = Array.from({ length: LIMITS.lineageEntriesMax }, (_, n) => ({
    history: id(n + 1),
    left: n,
  }));
  const after = promoted({ history: id(900), lineage }, 500, id(901));
  expect(after.lineage).toHaveLength(LIMITS.lineageEntriesMax);
  expect(after.lineage[0]!.history).toBe(id(2));
  expect(after.lineage.at(-1)).toEqual({ history: id(900), left: 500 });
});

test("leftAt: the current one is not left, a stranger was never lived in", () => {
  const state = { history: id(2), lineage: [{ history: id(1), left: 7 }] };
  expect(leftAt(state, id(2))).toBe(Number.POSITIVE_INFINITY);
  expect(leftAt(state, id(1))).toBe(7);
  expect(leftAt(state, id(9))).toBe(-1);
});
