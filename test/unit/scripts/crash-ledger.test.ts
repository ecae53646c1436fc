import { describe, expect, test } from "vitest";
import { Ledger, pieceOf, valueOf, type Change } from "../../../scripts/crash/ledger.ts";
import { Random } from "../../../tools/random.ts";

const KEYS = ["a", "b", "log"];

function drawChange(random: Random, number: number): Change {
  const draw = random.fraction();
  const key = random.pick(KEYS);
  if (draw < 0.2) return { kind: "tick" };
  if (draw < 0.3) return { kind: "delete", key };
  if (draw < 0.6) return { kind: "append", key, number };
  return { kind: "set", key, number, length: random.between(1, 40) };
}

/** The states after 0, 1, 2 ... changes, and the count at each. */
function statesOf(changes: readonly Change[]): { found: Map<string, string>; tick: number }[] {
  const found = new Map<string, string>();
  let tick = 0;
  const states = [{ found: new Map(found), tick }];
  for (const change of changes) {
    if (change.kind === "tick") tick += 1;
    else if (change.kind === "delete") found.delete(change.key);
    else if (change.kind === "set") found.set(change.key, valueOf(change.number, change.length));
    else found.set(change.key, (found.get(change.key) ?? "") + pieceOf(change.number));
    states.push({ found: new Map(found), tick });
  }
  return states;
}

describe("what a writer was told", () => {
  test.for(Array.from({ length: 50 }, (_, seed) => seed))(
    "seed %i: exactly the states from the floor to what was sent are right",
    (seed) => {
      const random = new Random(seed);
      const changes = Array.from({ length: 40 }, (_, n) => drawChange(random, n));
      const states = statesOf(changes);
      const ledger = new Ledger(KEYS);
      const answered = random.between(0, changes.length);
      let ticks = 0;
      changes.forEach((change, n) => {
        ledger.send(change);
        if (change.kind === "tick") ticks += 1;
        if (n < answered) ledger.answer(change.kind === "tick" ? ticks : null);
      });
      const floor = random.between(0, answered + 1);
      states.forEach(({ found, tick }, count) => {
        const { fault } = ledger.judge(found, tick, floor);
        // A delete of what is not there, or an unanswered tick, leaves the state of the change before it.
        const isSame = states.slice(floor).some((other) => show(other) === show({ found, tick }));
        expect(fault === "", `${count} of ${floor}: ${fault}`).toBe(count >= floor || isSame);
      });
    },
  );

  test("a middle change is missing => no moment's state", () => {
    const ledger = new Ledger(KEYS);
    for (const [number, key] of ["a", "b", "a"].entries())
      ledger.send({ kind: "set", key, number, length: 5 });
    const found = new Map([["a", valueOf(2, 5)]]);
    expect(ledger.judge(found, 0, 0).fault).toMatch(/^no moment's state/);
  });

  test("an APPEND is made twice => no moment's state", () => {
    const ledger = new Ledger(KEYS);
    ledger.send({ kind: "append", key: "log", number: 7 });
    expect(ledger.judge(new Map([["log", "7,7,"]]), 0, 0).fault).toMatch(/log: 7,7, instead of/);
  });

  test("the state of one writer is older than the count of all => a fault", () => {
    const ledger = new Ledger(KEYS);
    ledger.send({ kind: "set", key: "a", number: 1, length: 3 });
    ledger.send({ kind: "tick" });
    ledger.answer(null);
    ledger.answer(4);
    expect(ledger.judge(new Map(), 4, 0).fault).toBe(
      "0 changes are there, not 2 to 2 as the count of 4 says",
    );
    expect(ledger.judge(new Map(), 3, 0)).toEqual({ kept: 0, fault: "" });
    expect(ledger.judge(new Map([["a", "1:b"]]), 4, 2)).toEqual({ kept: 2, fault: "" });
  });

  test("what was found is adopted => later changes come after it", () => {
    const ledger = new Ledger(KEYS);
    ledger.send({ kind: "append", key: "log", number: 7 });
    ledger.adopt(new Map([["log", "3,"]]));
    ledger.send({ kind: "append", key: "log", number: 8 });
    expect(ledger.judge(new Map([["log", "3,8,"]]), 0, 0)).toEqual({ kept: 1, fault: "" });
    expect(ledger.judge(new Map([["log", "7,8,"]]), 0, 0).fault).not.toBe("");
  });
});

function show({ found, tick }: { found: ReadonlyMap<string, string>; tick: number }): string {
  return JSON.stringify([[...found].sort(), tick]);
}
