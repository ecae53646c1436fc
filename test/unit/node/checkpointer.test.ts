/** When checkpoints are written: causes, pace, retries, and what is told. */
import { describe, expect, test } from "vitest";
import { LOG_BYTES_MIN } from "../../../src/node/checkpointer.ts";
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
    expect(harness.lines).toEqual(["info checkpoint_begins log", "info checkpoint_done 7"]);
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
    expect(harness.disk.files[0]!.frames).toHaveLength(1);
    harness.pass(120);
    expect(harness.disk.files[0]!.frames).toHaveLength(2);
    harness.pass(130);
    expect(harness.disk.files[0]!.frames).toHaveLength(3);
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
