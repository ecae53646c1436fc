/** The small parts of the following side, each alone. */
import { describe, expect, test } from "vitest";
import { AckClock } from "../../../src/replica/ack-clock.ts";
import { Applier } from "../../../src/replica/apply.ts";
import { Backoff } from "../../../src/replica/backoff.ts";
import { lateBecause } from "../../../src/replica/clocks.ts";
import { Mark } from "../../../src/replica/mark.ts";
import { SESSION_DEFAULTS } from "../../../src/replica/options.ts";
import { readCheckpoint } from "../../../src/replica/part-checkpoint.ts";
import { Restorer } from "../../../src/replica/restorer.ts";
import type { StateTarget } from "../../../src/store/state.ts";
import { append, batch, batchesFrom, commitAll, makeBacklog, receive } from "../primary/tools.ts";

describe("backoff", () => {
  test("doubles from the least to the most, with jitter; a planned return is short and free", () => {
    const backoff = new Backoff({ backoffMinMs: 100, backoffMaxMs: 1_000 }, () => 1);
    expect([1, 2, 3, 4, 5, 6].map(() => backoff.next())).toEqual([100, 200, 400, 800, 1000, 1000]);
    expect(backoff.planned()).toBe(100);
    backoff.reset();
    expect(backoff.next()).toBe(100);
    expect(new Backoff({ backoffMinMs: 100, backoffMaxMs: 1_000 }, () => 0).next()).toBe(50);
    const long = new Backoff({ backoffMinMs: 1, backoffMaxMs: 15_000 }, () => 1);
    for (let n = 0; n < 5000; n++) long.next();
    expect(long.next()).toBe(15_000);
  });
});

describe("planned returns", () => {
  test("one after the other with nothing between => the second is a failure like any", () => {
    const backoff = new Backoff({ backoffMinMs: 100, backoffMaxMs: 1_000 }, () => 1);
    const planned = (): number => {
      backoff.isPlanned = true;
      return backoff.delay();
    };
    expect([1, 2, 3, 4, 5, 6].map(planned)).toEqual([100, 100, 200, 400, 800, 1_000]);
    backoff.gotTo(70);
    expect([planned(), planned(), planned()]).toEqual([100, 100, 200]);
    backoff.reset();
    expect([planned(), planned(), planned()]).toEqual([100, 100, 200]);
  });
});

describe("clocks", () => {
  const { handshakeMs, silenceMs } = SESSION_DEFAULTS;
  const late = (state: Parameters<typeof lateBecause>[0], received: number, now: number) =>
    lateBecause(state, received, SESSION_DEFAULTS, now);

  test("dialling and handshake have one clock, an open connection another, waiting none", () => {
    const nonce = "0".repeat(32);
    expect(late({ kind: "connecting", sinceMs: 5 }, 0, handshakeMs + 4)).toBeNull();
    expect(late({ kind: "connecting", sinceMs: 5 }, 0, handshakeMs + 5)).toContain("connecting");
    expect(late({ kind: "handshake", sinceMs: 5, nonce }, 0, handshakeMs + 5)).toContain(
      "handshake",
    );
    expect(late({ kind: "streaming" }, 7, silenceMs + 6)).toBeNull();
    expect(late({ kind: "streaming" }, 7, silenceMs + 7)).toContain("nothing received");
    expect(late({ kind: "restoring", begin: null }, 7, silenceMs + 7)).toContain(
      "nothing received",
    );
    expect(late({ kind: "retrying", atMs: 0 }, 0, 1e9)).toBeNull();
  });
});

describe("mark", () => {
  const verify = (offset: number, buckets = 1) =>
    ({
      type: "verify",
      verifyId: "",
      position: { history: "", offset, chain: 0 },
      buckets,
      seed: "",
    }) as const;

  test("reached once at exactly its offset; passed: forgotten; newer: replaces", () => {
    const mark = new Mark(() => undefined);
    mark.set(verify(10));
    expect(mark.reached(9)).toBeNull();
    expect(mark.reached(10)?.position.offset).toBe(10);
    expect(mark.reached(10)).toBeNull();
    mark.set(verify(10));
    expect(mark.reached(11)).toBeNull();
    mark.set(verify(10));
    mark.set(verify(20));
    expect([mark.reached(10), mark.reached(20)?.position.offset]).toEqual([null, 20]);
    expect(() => mark.set(verify(1, 513))).toThrow("ERR_WIRE_BODY");
  });
});

/** Writes down what is applied. */
function target(): StateTarget & { readonly ranges: number[]; failAt: number } {
  const ranges: number[] = [];
  return {
    ranges,
    failAt: -1,
    appliedTo: 0,
    isEmpty: () => false,
    applyRange: (_bytes, from, to) => void ranges.push(to - from),
    stage: () => ({ load: () => undefined, finish: () => undefined, discard: () => undefined }),
    swap: () => undefined,
  };
}

describe("apply", () => {
  /** A replica's log that has received two batches: 5 records of 16 bytes, and one of 100. */
  function received() {
    const source = makeBacklog({ segmentBytes: 4096 });
    for (let n = 0; n < 5; n++) append(source, 16);
    source.seal();
    batch(source, 140);
    const log = makeBacklog({ segmentBytes: 4096 });
    for (const whole of batchesFrom(source, 0)) receive(log, whole);
    return log;
  }

  test("a slice ends between records; the batch becomes visible with its last one", () => {
    const log = received();
    const state = target();
    const boundaries: number[] = [];
    const applier = new Applier(log, state, { sliceBytes: 30 }, () => boundaries.push(log.next));
    expect([applier.step(), state.ranges, log.next, applier.atBoundary]).toEqual([
      true,
      [40],
      0,
      false,
    ]);
    applier.step();
    expect([state.ranges, log.next]).toEqual([[40, 40], 0]);
    expect(applier.step()).toBe(false);
    expect([state.ranges, log.next, applier.atBoundary]).toEqual([[40, 40, 20, 104], 276, true]);
    expect([applier.step(), boundaries]).toEqual([false, [0, 136, 276, 276]]);
  });

  test("one large slice takes all; after a reset a batch begins anew", () => {
    const log = received();
    const state = target();
    const applier = new Applier(log, state, { sliceBytes: 30 }, () => undefined);
    applier.step();
    applier.reset();
    expect(applier.atBoundary).toBe(true);
    const all = new Applier(log, state, { sliceBytes: 1 << 20 }, () => undefined);
    expect([all.step(), log.next]).toEqual([false, 276]);
    expect(state.ranges).toEqual([40, 100, 104]);
  });

  test("a record longer than its batch => ERR_STORE_RECORD, nothing of it applied", () => {
    const log = received();
    const { segment, at } = log.pending()!;
    segment.bytes.writeUInt32LE(0xffff, at + 36 + 20);
    const state = target();
    const applier = new Applier(log, state, { sliceBytes: 30 }, () => undefined);
    expect(() => applier.step()).toThrow("ERR_STORE_RECORD");
    expect(state.ranges).toEqual([]);
  });
});

describe("ack clock", () => {
  function clocked() {
    const log = makeBacklog({ segmentBytes: 4096 });
    const source = makeBacklog({ segmentBytes: 4096 });
    const options = { ...SESSION_DEFAULTS, ackBytes: 300, heartbeatMs: 1_000 };
    const restorer = new Restorer(target(), options, null);
    const feed = (bytes: number): void => {
      const from = source.next;
      batch(source, bytes);
      receive(log, batchesFrom(source, from)[0]!);
    };
    return { log, restorer, acks: new AckClock(log, restorer, options), feed };
  }

  test("at the end of a turn that applied all; every ackBytes; when asked; every heartbeat", () => {
    const { log, acks, feed } = clocked();
    expect(acks.turnDue(false)).toBe(false);
    feed(100);
    expect(acks.turnDue(true)).toBe(false);
    commitAll(log);
    expect(acks.turnDue(false)).toBe(true);
    acks.echoUs = 7;
    expect(acks.streaming(50)).toMatchObject({ received: 100, applied: 100, echo: 7 });
    expect(acks.turnDue(false)).toBe(false);
    feed(299);
    expect(acks.turnDue(true)).toBe(false);
    feed(100);
    expect(acks.turnDue(true)).toBe(true);
    expect(acks.streaming(60)).toMatchObject({ received: 499, applied: 100 });
    acks.due = true;
    expect(acks.turnDue(true)).toBe(true);
    acks.streaming(70);
    expect([acks.heartbeatDue(1_069), acks.heartbeatDue(1_070)]).toEqual([false, true]);
  });

  test("while restoring: at every chunk, and room 0 while kept chunks are read", () => {
    const { restorer, acks } = clocked();
    expect(acks.restoring(0)).toMatchObject({ nextChunk: 0, snapshotId: "0".repeat(32) });
    restorer.begin(
      {
        type: "snapshot",
        snapshotId: "ab".repeat(16),
        position: { history: "", offset: 0, chain: 0 },
        lineage: [],
        format: { name: "f", version: 1 },
        firstChunk: 0,
        records: 1,
        bytes: 1,
      },
      { name: "f", version: 1 },
      0,
    );
    restorer.current!.chunkHead(0, 0);
    restorer.chunkEnd(1);
    expect(acks.turnDue(true)).toBe(true);
    expect(acks.restoring(0)).toMatchObject({ nextChunk: 1, room: SESSION_DEFAULTS.windowBytes });
    expect(acks.turnDue(true)).toBe(false);
  });
});

describe("part checkpoint", () => {
  const good = {
    version: 1,
    begin: {
      snapshotId: "ab".repeat(16),
      position: { history: "cd".repeat(16), offset: 5, chain: 6 },
      lineage: [{ history: "ef".repeat(16), left: 3 }],
      format: { name: "f", version: 1 },
      firstChunk: 0,
      records: 1,
      bytes: 2,
    },
    chunks: 1,
    fileBytes: 100,
  };

  test("what was written is read back", () => {
    expect(readCheckpoint(JSON.stringify(good))).toMatchObject({ chunks: 1, fileBytes: 100 });
    expect(readCheckpoint(JSON.stringify(good)).begin).toEqual({ type: "snapshot", ...good.begin });
  });

  test.each([
    ["version", { ...good, version: 2 }],
    ["begin", { ...good, begin: null }],
    ["chunks", { ...good, chunks: -1 }],
    ["chunks", { ...good, chunks: 1.5 }],
    ["fileBytes", { ...good, fileBytes: "100" }],
    ["snapshotId", { ...good, begin: { ...good.begin, snapshotId: "../../x" } }],
    [
      "chain",
      { ...good, begin: { ...good.begin, position: { ...good.begin.position, chain: 2 ** 32 } } },
    ],
    ["lineage", { ...good, begin: { ...good.begin, lineage: {} } }],
    [
      "lineage",
      {
        ...good,
        begin: { ...good.begin, lineage: Array.from({ length: 65 }, () => good.begin.lineage[0]) },
      },
    ],
    [
      "format.name",
      { ...good, begin: { ...good.begin, format: { name: "f".repeat(256), version: 1 } } },
    ],
    ["checkpoint", []],
    ["checkpoint", null],
  ])("a wrong %s => an Error that names it", (name, value) => {
    expect(() => readCheckpoint(JSON.stringify(value))).toThrow(
      Array.isArray(value) ? "version" : name,
    );
  });
});
