/**
 * What a state must have in it after the examples that were applied: a Map of numbers.
 * Tested in: test/unit/conformance/suite.test.ts.
 */
import type { Draws } from "./draws.ts";
import type { AnyState, Examples } from "./subject.ts";

/** One change, as an example makes a record of it. */
export type Op =
  | readonly ["write", key: number, value: number]
  | readonly ["remove", key: number]
  | readonly ["clear"];

/** Values by key. */
export type Model = Map<number, number>;

export function change(model: Model, ops: readonly Op[]): Model {
  for (const op of ops) {
    if (op[0] === "write") model.set(op[1], op[2]);
    else if (op[0] === "remove") model.delete(op[1]);
    else model.clear();
  }
  return model;
}

/** Keys [from, to), each with the value that `valueOf` says. */
export function keysFrom(from: number, to: number, valueOf: (key: number) => number): Op[] {
  return Array.from({ length: to - from }, (_, i) => ["write", from + i, valueOf(from + i)]);
}

/** All that is in `model`, as writes. */
export function writesOf(model: ReadonlyMap<number, number>): Op[] {
  return [...model].map(([key, value]) => ["write", key, value]);
}

/** Removals, or writes where there is no such example: either way another state than before. */
export function removals(examples: Examples, from: number, to: number): Op[] {
  const isThere = examples.remove !== undefined;
  return Array.from({ length: to - from }, (_, i) =>
    isThere ? ["remove", from + i] : ["write", from + i, 900_000],
  );
}

/** `count` draws among `keys` keys: of what there are examples for, seldom a clear. */
export function drawOps(draws: Draws, examples: Examples, count: number, keys: number): Op[] {
  return Array.from({ length: count }, () => {
    const drawn = draws.between(0, 100);
    if (drawn === 0 && examples.clear !== undefined) return ["clear"];
    const key = draws.between(0, keys);
    if (drawn < 30 && examples.remove !== undefined) return ["remove", key];
    return ["write", key, draws.between(0, 1000)];
  });
}

export function recordsOf<S extends AnyState>(
  examples: Examples<S>,
  ops: readonly Op[],
): Uint8Array[] {
  return ops.map((op) => {
    if (op[0] === "write") return examples.write(op[1], op[2]);
    return op[0] === "remove" ? examples.remove!(op[1]) : examples.clear!();
  });
}
