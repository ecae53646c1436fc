/** A session whose state is at no position, and one whose upstream has a damaged batch. */
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { append, batch, batchesFrom, makeBacklog } from "../log/tools.ts";
import { chainStart } from "../../../src/wire/frame.ts";
import { chunk, Harness, id, OWN, UPSTREAM } from "./tools.ts";

/** Batches that continue an empty log of OWN: 3 records, then one of 100 bytes. */
function batches(): Buffer[] {
  const source = makeBacklog({ segmentBytes: 4096 }, chainStart(OWN));
  for (let n = 0; n < 3; n++) append(source, 16);
  source.seal();
  batch(source, 140);
  return batchesFrom(source, 0);
}

/** An empty snapshot of the upstream at offset 500, whole. */
function restore(harness: Harness): void {
  harness.snapshot({ position: { history: UPSTREAM, offset: 500, chain: 5 } });
  const { frame, digest } = chunk(0, Buffer.from("state"));
  harness.bytes(frame);
  const sums = Buffer.alloc(4);
  sums.writeUInt32LE(digest);
  harness.hear({
    type: "end",
    snapshotId: id(70),
    chunks: 1,
    records: 1,
    bytes: 5,
    digest: createHash("sha256").update(sums).digest("hex"),
  });
}

describe("a record that cannot be applied", () => {
  test("the second of a batch => torn: stopped, nothing twice, only a snapshot is taken", () => {
    const harness = new Harness();
    harness.greet();
    harness.welcome();
    harness.state.failsAt = 1;
    harness.bytes(batches()[0]!);
    const { session, state } = harness;
    expect(session.state.kind).toBe("stopped");
    expect([session.torn, session.atBoundary, harness.log.next]).toEqual([true, false, 0]);
    expect(session.lastError).toMatch(/ERR_STORE_FULL.*only a snapshot can replace it/);
    state.failsAt = -1;
    for (let n = 0; n < 3; n++) expect(session.step(0)).toBe(false);
    harness.greet();
    expect(harness.last("hello").shipWanted).toBe("torn");
    for (let n = 0; n < 3; n++) expect(session.step(0)).toBe(false);
    harness.welcome();
    expect(session.lastError).toContain("inside a batch");
    expect(session.state.kind).toBe("retrying");
    harness.greet();
    harness.welcome({ decision: "ship_asked", position: { history: OWN, offset: 500, chain: 5 } });
    restore(harness);
    expect([session.state.kind, session.torn, session.atBoundary]).toEqual([
      "streaming",
      false,
      true,
    ]);
    expect([state.applied.length, state.swaps, harness.log.next]).toEqual([1, 1, 500]);
    expect(harness.counters).toMatchObject({ states_torn: 1, upstream_refused: 2 });
    expect(harness.events.filter((event) => event === "torn")).toHaveLength(1);
  });

  test("the second slice of a batch => torn too, though nothing of that slice was applied", () => {
    const harness = new Harness({ sliceBytes: 1 });
    harness.greet();
    harness.welcome();
    harness.bytes(batches()[0]!);
    harness.state.failsAt = 0;
    expect(harness.session.step(0)).toBe(false);
    expect([harness.session.torn, harness.session.atBoundary]).toEqual([true, false]);
  });

  test("the first of a batch => still at a position: tried again once it is told to, applied once", () => {
    const harness = new Harness();
    harness.greet();
    harness.welcome();
    harness.state.failsAt = 0;
    harness.bytes(batches()[0]!);
    const { session, state } = harness;
    expect([session.state.kind, session.torn, session.atBoundary]).toEqual([
      "stopped",
      false,
      true,
    ]);
    state.failsAt = -1;
    expect([session.step(0), state.applied.length]).toEqual([false, 0]);
    harness.greet();
    expect(harness.last("hello").shipWanted).toBe("no");
    harness.welcome();
    session.step(0);
    expect([state.applied.length, harness.log.next]).toEqual([1, 96]);
  });
});

describe("a batch that arrives damaged", () => {
  /** Streams, gets `damaged`, and comes back; how long it waited. */
  function failOnce(harness: Harness, damaged: Buffer, pings = 0): number {
    harness.welcome();
    for (let n = 0; n < pings; n++) {
      harness.hear({
        type: "ping",
        sentUs: n,
        rootClockMs: 1,
        awayMs: 0,
        next: 0,
        rootAgeMs: 0,
        rootNext: null,
        ackNow: false,
      });
      harness.tick(100);
    }
    harness.bytes(damaged);
    const { state } = harness.session;
    if (state.kind !== "retrying") throw new Error(`it is ${state.kind}`);
    const waitMs = state.atMs - harness.nowMs;
    harness.greet();
    return waitMs;
  }

  function withFlip(bytes: Buffer, at: number): Buffer {
    const flipped = Buffer.from(bytes);
    flipped[at]! ^= 1;
    return flipped;
  }

  test("twice at one offset => a ship is asked for; a restore beyond it => no more", () => {
    const harness = new Harness();
    const damaged = withFlip(batches()[0]!, 50);
    harness.greet();
    expect(harness.last("hello").shipWanted).toBe("no");
    failOnce(harness, damaged);
    expect(harness.last("hello").shipWanted).toBe("no");
    failOnce(harness, damaged);
    const { shipWanted, position, partialBytes } = harness.last("hello");
    expect([shipWanted, position.offset, partialBytes]).toEqual(["damaged", 0, 0]);
    expect(harness.counters["batches_damaged"]).toBe(1);
    harness.welcome({ decision: "ship_asked", position: { history: OWN, offset: 500, chain: 5 } });
    restore(harness);
    harness.session.onClosed("cut", harness.nowMs);
    harness.greet();
    expect(harness.last("hello").shipWanted).toBe("no");
  });

  test("twice, then another upstream => that is asked for the batch, not for a ship", () => {
    const harness = new Harness();
    const damaged = withFlip(batches()[0]!, 50);
    harness.greet();
    failOnce(harness, damaged);
    failOnce(harness, damaged);
    expect(harness.last("hello").shipWanted).toBe("damaged");
    harness.session.stop("following another node", harness.nowMs);
    harness.greet();
    expect(harness.last("hello").shipWanted).toBe("no");
  });

  test("its head, the same way twice => the same; other errors at one offset => fetched again", () => {
    const stored = new Harness();
    stored.greet();
    failOnce(stored, withFlip(batches()[0]!, 20), 1);
    failOnce(stored, withFlip(batches()[0]!, 20), 3);
    expect(stored.last("hello").shipWanted).toBe("damaged");
    const onTheWay = new Harness();
    onTheWay.greet();
    for (const at of [20, 21, 22, 23]) failOnce(onTheWay, withFlip(batches()[0]!, at));
    expect(onTheWay.last("hello").shipWanted).toBe("no");
  });

  test("once, then whole => forgotten; the next at another offset counts anew", () => {
    const harness = new Harness();
    const [first, second] = batches() as [Buffer, Buffer];
    harness.greet();
    failOnce(harness, withFlip(first, 50));
    harness.welcome();
    harness.bytes(first);
    harness.session.onClosed("cut", harness.nowMs);
    harness.greet();
    failOnce(harness, withFlip(second, 50));
    expect(harness.last("hello").shipWanted).toBe("no");
  });

  test("PINGs between the failures => the delays grow all the same; an applied batch => short again", () => {
    const harness = new Harness();
    const [first, second] = batches() as [Buffer, Buffer];
    harness.greet();
    const waits = [1, 2, 3, 4].map(() => failOnce(harness, withFlip(first, 50), 3));
    for (let n = 1; n < waits.length; n++) expect(waits[n]).toBe(2 * waits[n - 1]!);
    harness.welcome();
    harness.bytes(first);
    expect(failOnceStreaming(harness, withFlip(second, 50))).toBe(waits[0]);
  });

  function failOnceStreaming(harness: Harness, damaged: Buffer): number {
    harness.bytes(damaged);
    const { state } = harness.session;
    return state.kind === "retrying" ? state.atMs - harness.nowMs : -1;
  }
});
