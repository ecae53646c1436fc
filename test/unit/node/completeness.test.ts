/** When a node says that it has all that it ever acknowledged. */
import { describe, expect, test } from "vitest";
import { Completeness } from "../../../src/node/completeness.ts";

const ours = { isOurs: true, isShip: false };
const root = (offset: number, isShip = false) => ({ ...ours, byRoot: true, offset, isShip });
const replica = (offset: number, isShip = false) => ({ ...ours, byRoot: false, offset, isShip });

test("a start with nothing => not, whatever it has", () => {
  expect(new Completeness().has(1_000)).toBe(false);
});

test("a leader => always", () => {
  const node = new Completeness();
  node.recovered(false, 900);
  node.leads();
  expect(node.has(0)).toBe(true);
});

test.each([
  ["stopped complete, all came back", true, null, true],
  ["a crash", false, null, false],
  ["stopped complete, and its disk lost something since", true, 900, false],
  ["the same, and nobody knows how much", true, "unknown" as const, false],
])("%s", (_what, wasComplete, missing, isComplete) => {
  const node = new Completeness();
  node.recovered(wasComplete, missing);
  expect(node.has(500)).toBe(isComplete);
});

describe("a root names its end", () => {
  test("complete once that is applied, and from then on", () => {
    const node = new Completeness();
    node.recovered(false, null);
    node.welcomed(root(800), 500);
    expect([node.has(799), node.has(800)]).toEqual([false, true]);
    node.welcomed(root(2_000), 900);
    expect(node.has(900)).toBe(true);
  });

  test("it was reached between two connections, and nobody asked => complete all the same", () => {
    const node = new Completeness();
    node.welcomed(root(800), 500);
    node.welcomed(root(2_000), 900);
    expect(node.has(900)).toBe(true);
  });

  test("it is below what the own disk proves to be missing => up to there first", () => {
    const node = new Completeness();
    node.recovered(false, 900);
    node.welcomed(root(800), 500);
    expect([node.has(850), node.has(900)]).toEqual([false, true]);
  });

  test("with a ship => not before the swap, however long the log before was; then up to the end", () => {
    const node = new Completeness();
    node.recovered(true, null);
    node.welcomed(root(800, true), 5_000);
    expect(node.has(5_000)).toBe(false);
    node.swapped();
    // A ship that is resumed is older than the WELCOME.
    expect([node.has(700), node.has(800)]).toEqual([false, true]);
  });

  test("what was missing on the disk is of the log before a swap", () => {
    const node = new Completeness();
    node.recovered(false, 9_000);
    node.welcomed(root(800, true), 500);
    node.swapped();
    expect(node.has(800)).toBe(true);
  });
});

describe("a replica names its end", () => {
  test("it says nothing: before, this node may have been ahead of it", () => {
    const node = new Completeness();
    node.welcomed(replica(800), 500);
    expect(node.has(5_000)).toBe(false);
  });

  test("nor does the end that a root named before: this may be another log", () => {
    const node = new Completeness();
    node.welcomed(root(800), 500);
    node.welcomed(replica(900), 600);
    expect(node.has(5_000)).toBe(false);
  });

  test("one that is complete stays so, but for a ship", () => {
    const node = new Completeness();
    node.recovered(true, null);
    node.welcomed(replica(800), 500);
    expect(node.has(500)).toBe(true);
    node.welcomed(replica(800, true), 500);
    node.swapped();
    expect(node.has(900)).toBe(false);
  });

  test("another history that this one did not lead to => not, before a root names its end", () => {
    const node = new Completeness();
    node.recovered(true, null);
    node.welcomed({ ...replica(800), isOurs: false }, 500);
    expect(node.has(900)).toBe(false);
    node.welcomed({ ...root(800), isOurs: false }, 500);
    expect([node.has(799), node.has(800)]).toEqual([false, true]);
  });
});
