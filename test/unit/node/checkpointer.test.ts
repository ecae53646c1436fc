/** When checkpoints are written: causes, pace, retries, and what is told. */
import { describe, expect, test } from "vitest";
import { LOG_BYTES_MIN, STOP_LOG_BYTES_MIN } from "../../../src/node/checkpointer.ts";
import { Harness } from "./checkpoint-harness.ts";

const MIB = 1024 * 1024;

function started(): { harness: Harness; checkpointer: ReturnType<Harness["checkpointer"]> } {
  const harness = new Harness();
  const checkpointer = harness.checkpointer();
  checkpointer.start();
  return { harness, checkpointer };
}

describe("causes", () => {
  test("the log since the last one is longer than 256 MiB and than the live data", () => {
    const { harness, checkpointer } = started();
    harness.next = LOG_BYTES_MIN;
    harness.pass(5_000);
    expect(checkpointer.isBusy).toBe(false);
    harness.next += 1;
    harness.dataBytes = 300 * MIB;
    harness.pass(5_000);
    expect(checkpointer.isBusy).toBe(false);
    harness.next = 300 * MIB + 1;
    harness.pass(5_000);
    expect(checkpointer.isBusy).toBe(true);
    harness.write();
    harness.disk.published[0]!.done("");
    harness.pass(10_000);
    expect(checkpointer.isBusy).toBe(false);
    expect(checkpointer.status).toMatchObject({ logBytes: 0, lastError: "", present: null });
    expect(harness.lines).toEqual(["info checkpoint_begins log", "info checkpoint_done log"]);
  });

  test("asked: at once, one at a time, and told when it is done", () => {
    const { harness, checkpointer } = started();
    const heard: string[] = [];
    const ask = (): string | null =>
      checkpointer.ask((why, entry) => void heard.push(`${why}${entry?.log}`));
    expect(ask()).toBe(null);
    expect(ask()).toBe("busy");
    harness.write();
    expect(heard).toEqual([]);
    harness.disk.published[0]!.done("");
    harness.pass(0);
    expect(heard).toEqual(["5"]);
    harness.hasState = false;
    expect(ask()).toBe("no_state");
    checkpointer.stop("stopped");
    expect(ask()).toBe("stopping");
  });

  test("a state that is inside a batch is waited for", () => {
    const { harness, checkpointer } = started();
    harness.isInBatch = true;
    checkpointer.ask(() => undefined);
    harness.turn();
    expect(harness.state.freezes).toBe(0);
    harness.isInBatch = false;
    harness.turn();
    expect(harness.state.freezes).toBe(1);
  });

  test("a log that was replaced leaves the present one and begins another, every time", () => {
    const { harness, checkpointer } = started();
    checkpointer.ask(() => undefined);
    harness.turn();
    harness.next = 50;
    checkpointer.replaced(50);
    harness.pass(0);
    harness.turn();
    harness.disk.cuts.at(-1)!.done(1);
    harness.pass(0);
    expect(harness.disk.cuts.map(({ offset }) => offset)).toEqual([1_000, 50]);
    harness.next = 70;
    checkpointer.replaced(70);
    harness.pass(0);
    harness.write(1);
    harness.disk.published[0]!.done("");
    harness.pass(0);
    expect(checkpointer.status.newest?.position.offset).toBe(70);
    harness.pass(60_000);
    expect(harness.state.freezes).toBe(3);
  });

  test("one that was about to be named when the log was replaced counts for nothing", () => {
    const { harness, checkpointer } = started();
    const heard: string[] = [];
    checkpointer.ask((why) => void heard.push(why));
    harness.write();
    checkpointer.replaced(2_000);
    harness.disk.published[0]!.done("");
    harness.pass(0);
    expect(heard).toEqual(["the log was replaced"]);
    expect(checkpointer.status.newest).toBe(null);
    harness.turn();
    expect(harness.state.freezes).toBe(2);
  });
});

describe("pace", () => {
  test("it rests while replicas wait", () => {
    const { harness, checkpointer } = started();
    checkpointer.ask(() => undefined);
    harness.turn();
    harness.disk.cuts[0]!.done(5);
    harness.replicasWait = true;
    harness.state.produce(2);
    harness.pass(500);
    expect(harness.disk.files[0]!.frames).toEqual([]);
    harness.replicasWait = false;
    harness.pass(20);
    expect(harness.disk.files[0]!.frames).toHaveLength(2);
  });

  test("it is slowed to its rate", () => {
    const { harness, checkpointer } = started();
    harness.rate = 1_000;
    harness.state.payloads = [100, 100, 100].map((bytes) => Buffer.alloc(bytes));
    checkpointer.ask(() => undefined);
    harness.turn();
    harness.disk.cuts[0]!.done(5);
    harness.pass(0);
    harness.state.produce(3);
    harness.pass(50);
    // The first chunk, too: a small state is one.
    expect(harness.disk.files[0]!.frames).toEqual([]);
    harness.pass(60);
    expect(harness.disk.files[0]!.frames).toHaveLength(1);
    harness.pass(130);
    expect(harness.disk.files[0]!.frames).toHaveLength(2);
    harness.pass(130);
    expect(harness.disk.files[0]!.frames).toHaveLength(3);
  });

  test("nobody said a rate => 96 MiB/s, and no limit while the log grows faster than that", () => {
    const { harness, checkpointer } = started();
    harness.rate = -1;
    harness.state.payloads = Array.from({ length: 40 }, () => Buffer.alloc(MIB));
    checkpointer.ask(() => undefined);
    harness.turn();
    harness.disk.cuts[0]!.done(5);
    harness.pass(0);
    harness.state.produce(40);
    harness.pass(100);
    const { frames } = harness.disk.files[0]!;
    expect(frames.length).toBeGreaterThanOrEqual(9);
    expect(frames.length).toBeLessThanOrEqual(11);
    harness.next += 40 * MIB;
    harness.pass(20);
    expect(frames).toHaveLength(40);
  });

  test("it is left when snapshots pin too much and it has a share in that", () => {
    const { harness, checkpointer } = started();
    checkpointer.ask(() => undefined);
    harness.turn();
    harness.disk.cuts[0]!.done(5);
    harness.pinned = { bytes: 101, capBytes: 100 };
    harness.pass(1_000);
    expect(checkpointer.isBusy).toBe(true);
    harness.reclaimable = 1;
    harness.pass(1_000);
    expect(checkpointer.isBusy).toBe(false);
    expect(harness.state.closed).toBe(1);
  });
});

describe("a stop", () => {
  function leaving(
    save: "auto" | "save",
    next: number,
    dataBytes = 0,
  ): ReturnType<typeof started> & { ends: number[] } {
    const all = { ...started(), ends: [] as number[] };
    const { harness, checkpointer, ends } = all;
    harness.next = next;
    harness.dataBytes = dataBytes;
    checkpointer.leave(save, () => void ends.push(harness.nowMs));
    harness.pass(0);
    return all;
  }

  test.each([
    ["little log", "auto", STOP_LOG_BYTES_MIN, 0],
    ["less than half of the data", "auto", 100 * MIB, 200 * MIB],
    ["no log since the last", "save", 0, 0],
  ] as const)("%s => none", (_what, save, next, dataBytes) => {
    const { harness, ends } = leaving(save, next, dataBytes);
    expect([ends, harness.lines]).toEqual([[0], []]);
  });

  test.each([
    ["more than 64 MiB", "auto", STOP_LOG_BYTES_MIN + 1, 0],
    ["more than half of the data", "auto", 100 * MIB + 1, 200 * MIB],
    ["wanted", "save", 1, 200 * MIB],
  ] as const)(
    "%s of log => one, as fast as it can, then no other",
    (_what, save, next, dataBytes) => {
      const { harness, checkpointer, ends } = leaving(save, next, dataBytes);
      harness.rate = 1;
      expect(checkpointer.ask(() => undefined)).toBe(checkpointer.isBusy ? "busy" : "stopping");
      harness.write();
      expect(harness.disk.files[0]!.end).not.toBe(null);
      expect(ends).toEqual([]);
      harness.next *= 3;
      harness.disk.published[0]!.done("");
      harness.pass(0);
      expect(ends).toHaveLength(1);
      expect(harness.lines).toEqual(["info checkpoint_begins stop", "info checkpoint_done stop"]);
    },
  );

  test("what is under way is finished, and one more comes when that is far behind", () => {
    const { harness, checkpointer } = started();
    const heard: string[] = [];
    checkpointer.ask((why) => void heard.push(`asked${why}`));
    harness.turn();
    harness.next += 2 * STOP_LOG_BYTES_MIN;
    checkpointer.leave("auto", () => void heard.push("end"));
    harness.write();
    harness.disk.published[0]!.done("");
    harness.pass(0);
    expect(heard).toEqual(["asked"]);
    harness.write(6);
    harness.disk.published[1]!.done("");
    harness.pass(0);
    expect(heard).toEqual(["asked", "end"]);
    expect(checkpointer.status.logBytes).toBe(0);
  });

  test("what was replaced is on the disk only then: one, however little log", () => {
    const { harness, checkpointer } = started();
    checkpointer.replaced(1_000);
    harness.pass(0);
    harness.turn();
    harness.disk.cuts[0]!.done(-1);
    harness.pass(0);
    let isOver = false;
    checkpointer.leave("auto", () => (isOver = true));
    harness.pass(0);
    harness.write();
    harness.disk.published[0]!.done("");
    harness.pass(0);
    expect([isOver, checkpointer.status.newest?.position.offset]).toEqual([true, 1_000]);
  });

  test("one that fails, or takes too long and is left, is the end of it", () => {
    const failed = leaving("save", 1);
    failed.harness.turn();
    failed.harness.disk.cuts[0]!.done(-1);
    failed.harness.pass(0);
    expect(failed.ends).toHaveLength(1);
    const left = leaving("save", 1);
    left.harness.turn();
    left.harness.disk.cuts[0]!.done(5);
    left.checkpointer.stop("it took too long");
    left.harness.pass(60_000);
    expect([left.ends.length, left.harness.state.closed]).toEqual([1, 1]);
    expect(left.harness.disk.files[0]?.isAbandoned).toBe(true);
  });
});

describe("failures", () => {
  test("the next try comes later each time, and a request at once", () => {
    const { harness, checkpointer } = started();
    harness.next = 2 * LOG_BYTES_MIN;
    const fail = (): void => {
      harness.turn();
      harness.disk.cuts.at(-1)!.done(-1);
      harness.pass(0);
    };
    harness.pass(1_000);
    fail();
    expect(checkpointer.status.lastError).not.toBe("");
    harness.pass(4_000);
    expect(checkpointer.isBusy).toBe(false);
    harness.pass(2_000);
    fail();
    harness.pass(9_000);
    expect(checkpointer.isBusy).toBe(false);
    expect(checkpointer.ask(() => undefined)).toBe(null);
    harness.write();
    harness.disk.published[0]!.done("");
    harness.pass(0);
    expect(checkpointer.status.lastError).toBe("");
    expect(harness.lines.filter((line) => line.startsWith("warn"))).toHaveLength(2);
  });

  test("a stop leaves it, and nothing begins any more", () => {
    const { harness, checkpointer } = started();
    const heard: string[] = [];
    checkpointer.ask((why) => void heard.push(why));
    harness.turn();
    checkpointer.stop("the node stops");
    harness.pass(0);
    harness.next = 4 * LOG_BYTES_MIN;
    harness.pass(60_000);
    expect([heard, harness.state.freezes, harness.state.closed]).toEqual([
      ["the node stops"],
      1,
      1,
    ]);
  });
});
