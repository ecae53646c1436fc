/** One checkpoint: its moves, what it leaves behind however it ends. */
import { describe, expect, test } from "vitest";
import { CheckpointRun } from "../../../src/node/checkpoint-run.ts";
import { ByteRate } from "../../../src/primary/byte-rate.ts";
import { makeChunk } from "../wire/tools.ts";
import { Harness, HISTORY } from "./checkpoint-harness.ts";

function begun(): { harness: Harness; run: CheckpointRun } {
  const harness = new Harness();
  const run = new CheckpointRun({ ...harness.runDeps, moved: () => undefined });
  return { harness, run };
}

/** Frozen, cut, its file begun, so many chunks ready. */
function writing(chunks: number): { harness: Harness; run: CheckpointRun } {
  const { harness, run } = begun();
  harness.turn();
  harness.disk.cuts[0]!.done(5);
  harness.state.produce(chunks);
  return { harness, run };
}

describe("a checkpoint", () => {
  test("the log is cut where the state is frozen, frames are those of a ship, END is about all", () => {
    const { harness, run } = begun();
    expect(run.state).toBe("waiting");
    harness.turn();
    expect(run.state).toBe("cutting");
    expect(run.move(1e9)).toBe(0);
    harness.disk.cuts[0]!.done(5);
    expect(harness.disk.cuts[0]!.offset).toBe(1_000);
    harness.state.produce(3);
    expect(run.move(1e9)).toBeGreaterThan(0);
    const [file] = harness.disk.files;
    expect(file!.log).toBe(5);
    expect(file!.begin.position).toEqual({ history: HISTORY, offset: 1_000, chain: 9 });
    expect(file!.frames).toEqual(harness.state.payloads.map((p, n) => makeChunk(n, p).bytes));
    expect(file!.end).toMatchObject({ chunks: 3, records: 7, bytes: 10 });
    expect(run.state).toBe("syncing");
    file!.events.written(3);
    expect(harness.state.released).toBe(3);
    file!.events.whole(500);
    expect([run.state, harness.state.closed]).toEqual(["publishing", 1]);
    harness.disk.published[0]!.done("");
    expect(run.result).toEqual({
      why: "",
      entry: {
        position: { history: HISTORY, offset: 1_000, chain: 9 },
        log: 5,
        records: 7,
        bytes: 500,
        clockMs: 1_000_000,
      },
    });
    expect(file!.isAbandoned).toBe(false);
  });

  test("only what may be moved is moved, and what is lent is released when it is read", () => {
    const { harness, run } = writing(2);
    expect(run.move(1)).toBeGreaterThan(0);
    const [file] = harness.disk.files;
    expect(file!.frames).toHaveLength(1);
    run.move(1e9);
    expect(file!.frames).toHaveLength(2);
    expect(harness.state.released).toBe(0);
    file!.events.written(1);
    expect(harness.state.released).toBe(1);
    expect(run.state).toBe("writing");
  });

  test.each(["waiting", "cutting", "writing", "syncing"] as const)(
    "left while %s: nothing is pinned, and what is lent comes back later",
    (state) => {
      const { harness, run } = begun();
      if (state !== "waiting") harness.turn();
      if (state === "writing" || state === "syncing") {
        harness.disk.cuts[0]!.done(5);
        harness.state.produce(state === "writing" ? 2 : 3);
        run.move(1e9);
      }
      expect(run.state).toBe(state);
      run.abandon("enough");
      expect(run.result).toEqual({ why: "enough", entry: null });
      expect(harness.state.closed).toBe(state === "waiting" ? 0 : 1);
      harness.turn();
      expect(harness.state.freezes).toBe(state === "waiting" ? 0 : 1);
      harness.disk.cuts[0]?.done(5);
      const [file] = harness.disk.files;
      if (state === "cutting") expect(file).toBe(undefined);
      if (file === undefined) return;
      expect(file.isAbandoned).toBe(true);
      file.events.written(file.frames.length);
      file.events.whole(1);
      expect(harness.state.released).toBe(file.frames.length);
      expect(harness.disk.published).toEqual([]);
    },
  );

  test("a thread that fails reads nothing any more, and is the reason", () => {
    const { harness, run } = writing(2);
    run.move(1e9);
    harness.disk.files[0]!.events.failed("ERR_DISK_FULL");
    expect(run.result).toEqual({ why: "ERR_DISK_FULL", entry: null });
    expect([harness.state.released, harness.state.closed]).toEqual([2, 1]);
    expect(harness.disk.files[0]!.isAbandoned).toBe(false);
  });

  test("a state that cannot be read, and a file that never begins, are the reason", () => {
    const { harness, run } = writing(1);
    harness.state.events!.failed("the worker crashed");
    expect(run.result!.why).toBe("the state could not be read: the worker crashed");
    const other = begun();
    other.harness.turn();
    other.harness.disk.cuts[0]!.done(-1);
    expect(other.run.result!.why).toBe("no log file begins at its position");
  });

  test("one that is about to be named is not left; the disk says what it came to", () => {
    const { harness, run } = writing(3);
    run.move(1e9);
    harness.disk.files[0]!.events.whole(500);
    run.abandon("enough");
    expect(run.result).toBe(null);
    harness.disk.published[0]!.done("ERR_DISK_SYNC");
    expect(run.result).toEqual({ why: "ERR_DISK_SYNC", entry: null });
  });
});

test("a rate: a tenth of a second is saved up, a chunk may overdraw, and then it waits", () => {
  const rate = new ByteRate(() => 1_000);
  expect(rate.now(0)).toBe(0);
  expect(rate.now(50)).toBe(50);
  expect(rate.now(10_000)).toBe(100);
  rate.take(350);
  expect(rate.waitMs).toBe(250);
  expect(rate.now(10_300)).toBe(50);
  expect(new ByteRate(() => 0).now(0)).toBe(Number.POSITIVE_INFINITY);
  expect(new ByteRate(() => 0).waitMs).toBe(0);
});

test("a rate: what begins pays for its first piece before it goes, whatever was saved up", () => {
  const rate = new ByteRate(() => 1_000);
  rate.begin(0, 250);
  let gone = 0;
  for (let ms = 0; ms <= 10_000; ms++) {
    if (ms === 5_000) {
      rate.begin(ms, 250);
      expect(gone).toBeGreaterThan(4_500);
      gone = 0;
    }
    if (rate.now(ms) <= 0) continue;
    rate.take(250);
    gone += 250;
    expect(gone).toBeLessThanOrEqual(ms >= 5_000 ? ms - 5_000 : ms);
  }
  expect(gone).toBeGreaterThan(4_500);
  const unlimited = new ByteRate(() => 0);
  unlimited.begin(0, 250);
  expect(unlimited.now(0)).toBe(Number.POSITIVE_INFINITY);
});
