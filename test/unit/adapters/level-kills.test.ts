/**
 * Every place at which a process can die while a Level is replaced or cleared: the old state or the new one,
 * whole, and nothing left behind. And a write that fails once, stored or not, in a process that lives on.
 */
import { MemoryLevel } from "memory-level";
import { expect, test, vi } from "vitest";
import { clearRecord, putRecord } from "../../../src/adapters/key-value-records.ts";
import { type LevelDatabase, levelState } from "../../../src/adapters/level.ts";
import { apply, markOf, snapshotOf, stage } from "../../tools/lent-records.ts";

type Fault = "before the write" | "after the write";

/** A database whose write number `at` fails, or of which nothing works from there on. */
class Failing {
  readonly db = new MemoryLevel();
  writes = 0;
  at = Number.POSITIVE_INFINITY;
  fault: Fault = "before the write";
  isFatal = true;

  level(): LevelDatabase<string, string> {
    const { db } = this;
    const isFatalFrom = this.at;
    return {
      supports: db.supports,
      open: () => db.open(),
      keyEncoding: () => db.keyEncoding(),
      valueEncoding: () => db.valueEncoding(),
      get: (key: Buffer, options: object) =>
        this.alive(isFatalFrom, () => db.get(key as never, options)),
      iterator: (options: object) => db.iterator(options),
      snapshot: () => db.snapshot(),
      batch: async (operations: never[], options: object) => {
        this.demandAlive(isFatalFrom);
        this.writes += 1;
        const fails = this.writes === this.at;
        if (fails && this.fault === "before the write") throw new Error("killed");
        await db.batch(operations, options);
        if (fails) throw new Error("killed");
      },
    };
  }

  private async alive<T>(fatalFrom: number, run: () => Promise<T>): Promise<T> {
    this.demandAlive(fatalFrom);
    return run();
  }

  private demandAlive(fatalFrom: number): void {
    if (this.isFatal && this.writes >= fatalFrom) throw new Error("killed");
  }
}

/** Enough for several slices of few entries. */
const VALUE_BYTES = 8000;

const put = (key: string, value: string): Buffer => putRecord(Buffer.from(key), Buffer.from(value));
const entries = (from: number, to: number, value: string): Buffer[] =>
  Array.from({ length: to - from }, (_, i) =>
    put(String(from + i).padStart(5, "0"), `${value}${"x".repeat(VALUE_BYTES)}`),
  );

const OLD = entries(0, 100, "old");
/** Some stay, some change, some go, some come. */
const NEW = [...entries(0, 20, "old"), ...entries(50, 140, "new")];

/** Keys, and what their values begin with. */
const short = (records: readonly Buffer[]): string[] =>
  records.map((record) => record.toString("latin1", 5, 14));

async function begin(failing: Failing, at: number, fault: Fault, isFatal: boolean) {
  await apply(await opened(failing), OLD, "old");
  Object.assign(failing, { writes: 0, at, fault, isFatal });
}

async function opened(failing: Failing) {
  const state = levelState(failing.level(), { durability: "process" });
  await state.open();
  return state;
}

const WAYS = {
  "a snapshot": async (state: Awaited<ReturnType<typeof opened>>) => {
    const staged = await stage(state, [NEW.slice(0, 60), NEW.slice(60)]);
    await staged.commit("new");
    await state.close!();
  },
  "a clear": (state: Awaited<ReturnType<typeof opened>>) =>
    apply(state, [clearRecord(), ...NEW], "new"),
};

/** How many writes it takes, when none fails. */
async function writesOf(way: keyof typeof WAYS): Promise<number> {
  const failing = new Failing();
  await begin(failing, Number.POSITIVE_INFINITY, "before the write", false);
  await WAYS[way](await opened(failing));
  return failing.writes;
}

const CASES = (["a snapshot", "a clear"] as const).flatMap((way) =>
  (["before the write", "after the write"] as const).map((fault) => [way, fault] as const),
);

test.each(CASES)(
  "%s, killed %s, at each write => one state, whole; the next open() tidies",
  async (way, fault) => {
    const writes = await writesOf(way);
    expect(writes).toBeGreaterThanOrEqual(6);
    const ends = new Set<string>();
    for (let at = 1; at <= writes; at += 1) {
      const failing = new Failing();
      await begin(failing, at, fault, true);
      await WAYS[way](await opened(failing)).catch((error: unknown) => {
        expect(String(error)).toContain("killed");
      });
      Object.assign(failing, { at: Number.POSITIVE_INFINITY, isFatal: false });
      const again = levelState(failing.level(), { durability: "process" });
      const { mark } = await again.open();
      const end = Buffer.from(mark!).toString();
      ends.add(end);
      expect(short(await snapshotOf(again)), `killed ${fault} ${at}`).toEqual(
        short(end === "new" ? NEW : OLD),
      );
      expect(await failing.db.has("00030")).toBe(end === "old");
      // Then it works as ever, and what was left is gone.
      const staged = await stage(again, [OLD]);
      await staged.commit("newer");
      expect(short(await snapshotOf(again))).toEqual(short(OLD));
      await tidied(failing);
      await again.close!();
    }
    expect([...ends].sort()).toEqual(["new", "old"]);
  },
);

test.each(CASES)(
  "%s, a write fails once %s => mark() says which state it is, and it works on",
  async (way, fault) => {
    const writes = await writesOf(way);
    for (let at = 1; at <= writes; at += 1) {
      const failing = new Failing();
      await begin(failing, at, fault, false);
      const state = await opened(failing);
      await WAYS[way](state).catch((error: unknown) => {
        expect(String(error)).toContain("killed");
      });
      const end = (await markOf(state))!;
      expect(["old", "new"]).toContain(end);
      const expected = end === "new" ? NEW : OLD;
      for (const key of ["00030", "00070", "00130"]) {
        const value = expected.find((record) => record.includes(key))?.toString("latin1", 10);
        if (fault === "before the write") expect(await state.get(key)).toBe(value);
      }
      await apply(state, [put("99999", "last")], "last");
      expect(short(await snapshotOf(state)), `failed ${fault} ${at}`).toEqual([
        ...short(expected),
        "99999last",
      ]);
      expect(await markOf(state)).toBe("last");
    }
  },
);

/** Waits until nothing is staged any more. */
async function tidied(failing: Failing): Promise<void> {
  const range = { gte: "!hawser!staged", lt: "!hawser!t" };
  while ((await failing.db.keys({ ...range, limit: 1 }).all()).length > 0)
    await new Promise((resolve) => setImmediate(resolve));
}

test("while a snapshot is put in place => get() of the state sees all of it, the database both", async () => {
  const failing = new Failing();
  await begin(failing, Number.POSITIVE_INFINITY, "before the write", false);
  const state = await opened(failing);
  const staged = await stage(state, [NEW]);
  const cut = async (key: string): Promise<string> => String(await state.get(key)).slice(0, 3);
  const seen = new Set([`${await cut("00030")} ${await cut("00139")}`]);
  let isDone = false;
  const committing = staged.commit("new").then(() => {
    isDone = true;
  });
  while (!isDone) {
    seen.add(`${await cut("00030")} ${await cut("00139")}`);
    seen.add(`db ${await failing.db.has("00030")} ${await failing.db.has("00139")}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await committing;
  expect(seen).toContain("db false false");
  expect([...seen].filter((line) => !line.startsWith("db")).sort()).toEqual(["old und", "und new"]);
});

test("a snapshot of many small entries that is given up => removed by writes of a hundred, so that none holds the loop for long", async () => {
  const failing = new Failing();
  const level = failing.level();
  const writes: number[] = [];
  const state = levelState({
    ...level,
    batch: (operations: never[], options: object) => {
      writes.push(operations.length);
      return level.batch(operations as never, options as never);
    },
  });
  await state.open();
  const small = Array.from({ length: 250 }, (_, n) => put(String(n).padStart(5, "0"), "x"));
  const staged = await stage(state, [small]);
  writes.length = 0;
  await staged.abort();
  await vi.waitFor(() => expect(writes).toEqual([100, 100, 50]));
  await state.close!();
  expect(await failing.db.keys().all()).toHaveLength(1);
});
