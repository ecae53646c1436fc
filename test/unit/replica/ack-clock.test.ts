/** When an ACK is due, and what it says. */
import { describe, expect, test } from "vitest";
import { AckClock } from "../../../src/replica/ack-clock.ts";
import { PromptLoading } from "../../../src/replica/loading.ts";
import { SESSION_DEFAULTS } from "../../../src/replica/options.ts";
import { Restorer } from "../../../src/replica/restorer.ts";
import { batch, batchesFrom, commitAll, makeBacklog, receive } from "../log/tools.ts";
import { recordingTarget } from "./recording-target.ts";
import { NO_SYNC } from "../../../src/wire/messages.ts";

describe("ack clock", () => {
  function clocked() {
    const log = makeBacklog({ segmentBytes: 4096 });
    const source = makeBacklog({ segmentBytes: 4096 });
    const options = { ...SESSION_DEFAULTS, ackBytes: 300, heartbeatMs: 1_000 };
    const restorer = new Restorer(
      (estimate) => new PromptLoading(recordingTarget(), estimate),
      options,
      null,
    );
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
        rank: { term: 1, run: 0 },
        snapshotId: "ab".repeat(16),
        position: { history: "", offset: 0, chain: 0 },
        lineage: [],
        sync: NO_SYNC,
        format: { name: "f", version: 1 },
        firstChunk: 0,
        records: 1,
        bytes: 1,
      },
      { name: "f", version: 1 },
      0,
    );
    restorer.current!.chunkHead(0, 0);
    restorer.chunkEnd(1, () => undefined);
    expect(acks.turnDue(true)).toBe(true);
    expect(acks.restoring(0)).toMatchObject({ nextChunk: 1, room: SESSION_DEFAULTS.windowBytes });
    expect(acks.turnDue(true)).toBe(false);
  });
});
