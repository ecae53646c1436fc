import { expect, test } from "vitest";
import { type Operation, violation } from "../../../tools/linearizable.ts";
import { Random } from "../../../tools/random.ts";

type Row = readonly ["write" | "read", string | null, number, number, string?];

const history = (...rows: readonly Row[]): Operation[] =>
  rows.map(([kind, value, calledAt, returnedAt, key = "k"]) => ({
    ...{ key, kind, value, calledAt, returnedAt },
  }));

test.each<[string, Row[]]>([
  ["nothing", []],
  ["a read of what was never written", [["read", null, 1, 2]]],
  [
    "reads of both orders beside a write",
    [
      ["write", "a", 1, 6],
      ["read", null, 2, 3],
      ["read", "a", 4, 5],
    ],
  ],
  [
    "two writes at once, the one that was called first is last",
    [
      ["write", "a", 1, 4],
      ["write", "b", 2, 3],
      ["read", "a", 5, 6],
    ],
  ],
  [
    "unknown, and it took effect much later",
    [
      ["write", "a", 1, Infinity],
      ["write", "b", 2, 3],
      ["read", "b", 4, 5],
      ["read", "a", 6, 7],
    ],
  ],
  [
    "unknown, and it never did",
    [
      ["write", "a", 1, Infinity],
      ["read", null, 2, 3],
    ],
  ],
  [
    "a read of unknown outcome says nothing",
    [
      ["write", "a", 1, 2],
      ["read", null, 3, Infinity],
    ],
  ],
  [
    "keys are apart",
    [
      ["write", "a", 1, 2, "k"],
      ["read", null, 3, 4, "l"],
    ],
  ],
])("linearizable: %s", (_, rows) => {
  expect(violation(history(...rows))).toBe(null);
});

test.each<[string, Row[]]>([
  [
    "a write that is lost",
    [
      ["write", "a", 1, 2],
      ["read", null, 3, 4],
    ],
  ],
  [
    "an old value is read after a new one",
    [
      ["write", "a", 1, 2],
      ["write", "b", 3, 8],
      ["read", "b", 4, 5],
      ["read", "a", 6, 7],
    ],
  ],
  [
    "it is read before it is written",
    [
      ["read", "a", 1, 2],
      ["write", "a", 3, Infinity],
    ],
  ],
  ["it is read, and nobody wrote it", [["read", "a", 1, 2]]],
  [
    "unknown, read, and gone without another write",
    [
      ["write", "a", 1, Infinity],
      ["read", "a", 2, 3],
      ["read", null, 4, 5],
    ],
  ],
  [
    "two readers see two writes in opposite orders",
    [
      ["write", "a", 1, 20],
      ["write", "b", 2, 21],
      ["read", "a", 3, 4],
      ["read", "b", 5, 6],
      ["read", "a", 7, 8],
    ],
  ],
  [
    "the other key",
    [
      ["write", "a", 1, 2, "k"],
      ["read", null, 3, 4, "k"],
      ["write", "b", 5, 6, "l"],
    ],
  ],
])("not linearizable: %s", (_, rows) => {
  expect(violation(history(...rows))).toContain("none of these can be next");
});

test("a value that is written twice cannot be judged", () => {
  const rows = history(["write", "a", 1, 2], ["write", "a", 3, 4]);
  expect(() => violation(rows)).toThrow("written twice: a");
});

test("5,000 operations of 8 clients at once, some without an answer => decided, and wrong as soon as one read is", () => {
  const operations = served(new Random(7), 5_000);
  expect(violation(operations)).toBe(null);
  const first = operations.find(({ kind }) => kind === "write")!;
  const end = operations.length * 10;
  const late = { ...first, kind: "read", calledAt: end, returnedAt: end + 1 } as const;
  expect(violation([...operations, late])).not.toBe(null);
});

/** What a register would have answered: calls, the effect of each, and returns in an order that is drawn. */
function served(random: Random, count: number): Operation[] {
  const clients: { operation: Operation | null; isDone: boolean }[] = Array.from(
    { length: 8 },
    () => ({ operation: null, isDone: false }),
  );
  const done: Operation[] = [];
  let [value, now]: [string | null, number] = [null, 0];
  while (done.length < count) {
    const client = random.pick(clients);
    const { operation } = client;
    now++;
    if (operation === null) {
      const kind = random.between(0, 2) === 0 ? "write" : "read";
      const to = kind === "write" ? `v${now}` : null;
      client.operation = { key: "k", kind, value: to, calledAt: now, returnedAt: Infinity };
      client.isDone = false;
    } else if (!client.isDone) {
      client.isDone = true;
      if (operation.kind === "write") value = operation.value;
      else client.operation = { ...operation, value };
    } else {
      const isKnown = random.between(0, 50) > 0;
      done.push({ ...operation, returnedAt: isKnown ? now : Infinity });
      client.operation = null;
    }
  }
  // What was called and has no answer yet.
  return [...done, ...clients.flatMap(({ operation }) => operation ?? [])];
}

const SEED = Number(process.env["SEED"] ?? Date.now() % 1_000_000);
const HISTORIES = 3_000;

test(`any small history => as every order of it says (SEED=${SEED} npx vitest run --project unit test/unit/tools/linearizable.test.ts)`, () => {
  const random = new Random(SEED);
  let right = 0;
  for (let n = 0; n < HISTORIES; n++) {
    const small = drawn(random);
    const expected = isLinearizable(small, null);
    expect(violation(small) === null, JSON.stringify(small)).toBe(expected);
    right += expected ? 1 : 0;
  }
  expect(right).toBeGreaterThan(HISTORIES / 10);
  expect(right).toBeLessThan((HISTORIES * 9) / 10);
});

function drawn(random: Random): Operation[] {
  const count = random.between(2, 7);
  const moments = Array.from({ length: count * 2 }, (_, n) => n);
  const take = (): number => moments.splice(random.between(0, moments.length), 1)[0]!;
  const kinds = Array.from({ length: count }, () => random.pick(["write", "read"] as const));
  const values = [null, ...kinds.flatMap((kind, n) => (kind === "write" ? [`v${n}`] : []))];
  return kinds.map((kind, n) => {
    const [one, two] = [take(), take()];
    const value = kind === "write" ? `v${n}` : random.pick(values);
    const returnedAt = random.between(0, 5) === 0 ? Infinity : Math.max(one, two);
    return { key: "k", kind, value, calledAt: Math.min(one, two), returnedAt };
  });
}

/** Every order that keeps who returned before whose call; what has no answer may be left out. */
function isLinearizable(rest: readonly Operation[], value: string | null): boolean {
  if (rest.every(({ returnedAt }) => returnedAt === Infinity)) return true;
  return rest.some((each) => {
    const others = rest.filter((other) => other !== each);
    if (others.some(({ returnedAt }) => returnedAt < each.calledAt)) return false;
    const isUnknownRead = each.kind === "read" && each.returnedAt === Infinity;
    if (each.kind === "read" && !isUnknownRead && each.value !== value) return false;
    return isLinearizable(others, each.kind === "write" ? each.value : value);
  });
}
