/** Waits of an embedded node: every way in which one ends, and that nothing of it is left. */
import { getEventListeners } from "node:events";
import { describe, expect, test } from "vitest";
import { NodeError } from "../../../src/errors.ts";
import { type Wait, Waits } from "../../../src/embed/waits.ts";

/** A turn whose end is when a test says so. */
function setUp() {
  const places = new Set<{ holds: () => boolean; done: () => void }>();
  const turn = {
    until(holds: () => boolean, done: () => void): () => void {
      const place = { holds, done };
      places.add(place);
      return () => void places.delete(place);
    },
  };
  const endTurn = (): void => {
    for (const place of [...places])
      if (places.has(place) && place.holds()) {
        places.delete(place);
        place.done();
      }
  };
  return { places, endTurn, waits: new Waits(turn, "this node") };
}

const timers = (): number =>
  process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;

test("it holds already => resolves without a turn, a timer or a listener", async () => {
  const { places, waits } = setUp();
  const { signal } = new AbortController();
  const done = waits.until("it", { signal, timeoutMs: 10_000 }, () => true);
  expect([places.size, getEventListeners(signal, "abort").length]).toEqual([0, 0]);
  await done;
});

test("it comes to hold => resolves at the end of that turn, and nothing is left", async () => {
  const { places, endTurn, waits } = setUp();
  const { signal } = new AbortController();
  const before = timers();
  let holds = false;
  let isDone = false;
  const done = waits.until("it", { signal, timeoutMs: 10_000 }, () => holds);
  void done.then(() => (isDone = true));
  endTurn();
  await Promise.resolve();
  expect([isDone, places.size, getEventListeners(signal, "abort").length]).toEqual([false, 1, 1]);
  expect(timers()).toBe(before + 1);
  holds = true;
  endTurn();
  await done;
  expect([places.size, getEventListeners(signal, "abort").length, timers()]).toEqual([
    0,
    0,
    before,
  ]);
});

describe("it ends early", () => {
  const reason = new Error("of mine");
  const never = (): boolean => false;
  const ends: readonly (readonly [string, (of: ReturnType<typeof setUp>) => unknown[], object])[] =
    [
      [
        "the signal",
        ({ waits }) => {
          const controller = new AbortController();
          const promise = waits.until("it", { signal: controller.signal }, never);
          controller.abort(reason);
          return [promise, controller.signal];
        },
        reason,
      ],
      [
        "a signal that was aborted before",
        ({ waits }) => [waits.until("it", { signal: AbortSignal.abort(reason) }, () => true)],
        reason,
      ],
      [
        "the time limit",
        ({ waits }) => [waits.until("it", { timeoutMs: 1 }, never)],
        { code: "ERR_TIMEOUT", message: "ERR_TIMEOUT: it did not end within 1 ms" },
      ],
      [
        "a time limit of 0",
        ({ waits }) => [waits.until("it", { timeoutMs: 0 }, never)],
        { code: "ERR_TIMEOUT" },
      ],
      [
        "close()",
        ({ waits }) => {
          const promise = waits.until("it", { timeoutMs: 10_000 }, never);
          waits.close();
          return [promise];
        },
        { code: "ERR_CLOSED", message: "ERR_CLOSED: this node was closed" },
      ],
      [
        "close() before",
        ({ waits }) => {
          waits.close();
          return [waits.until("it", {}, () => true)];
        },
        { code: "ERR_CLOSED" },
      ],
      [
        "holds() that throws at once",
        ({ waits }) => [
          waits.until("it", {}, () => {
            throw reason;
          }),
        ],
        reason,
      ],
      [
        "holds() that throws at the end of a turn",
        ({ waits, endTurn }) => {
          let throws = false;
          const promise = waits.until("it", { timeoutMs: 10_000 }, () => {
            if (throws) throw reason;
            return false;
          });
          throws = true;
          endTurn();
          return [promise];
        },
        reason,
      ],
    ];
  test.each(ends)("%s => rejects, and nothing is left", async (_what, begin, expected) => {
    const of = setUp();
    const before = timers();
    const [promise, signal] = begin(of);
    await expect(promise).rejects.toMatchObject(expected);
    expect([of.places.size, timers()]).toEqual([0, before]);
    if (signal !== undefined)
      expect(getEventListeners(signal as AbortSignal, "abort")).toHaveLength(0);
  });
});

test("holds() of one throws => the others of the turn are told all the same", async () => {
  const { endTurn, waits } = setUp();
  let isOver = false;
  const failed = waits.until("one", {}, () => {
    if (isOver) throw new NodeError("ERR_CANNOT_FOLLOW", "never");
    return false;
  });
  const other = waits.until("another", {}, () => isOver);
  isOver = true;
  endTurn();
  await expect(failed).rejects.toMatchObject({ code: "ERR_CANNOT_FOLLOW" });
  await other;
});

test("a body of several steps => one limit for all of them; its finally runs when it is over", async () => {
  const { endTurn, waits, places } = setUp();
  const did: string[] = [];
  let step = 0;
  const promise = waits.run("both", { timeoutMs: 20 }, async (until) => {
    try {
      await until(() => step === 1);
      did.push("first");
      await until(() => step === 2);
      did.push("second");
    } finally {
      did.push("left");
    }
  });
  step = 1;
  endTurn();
  await expect(promise).rejects.toMatchObject({ code: "ERR_TIMEOUT" });
  expect(did).toEqual(["first", "left"]);
  expect(places.size).toBe(0);
});

test.each<[unknown, RegExp]>([
  [10, /it: a wait is given as \{ signal, timeoutMs \}, not as number/],
  [{ timeoutMs: -1 }, /timeoutMs is -1/],
  [{ timeoutMs: "5" }, /timeoutMs is of type string/],
  [{ signal: {} }, /it: signal is no AbortSignal/],
])("%j => ERR_ARGUMENT", async (wait, message) => {
  const { waits } = setUp();
  const promise = waits.until("it", wait as Wait, () => true);
  await expect(promise).rejects.toThrow(message);
  await expect(promise).rejects.toMatchObject({ code: "ERR_ARGUMENT" });
});

test("longer than a timer of Node can wait => no timer, and no end by it", async () => {
  const { endTurn, waits } = setUp();
  const before = timers();
  let holds = false;
  const promise = waits.until("it", { timeoutMs: 2 ** 40 }, () => holds);
  expect(timers()).toBe(before);
  holds = true;
  endTurn();
  await promise;
});
