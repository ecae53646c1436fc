/** A session over a state that answers later, with a scripted upstream. */
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { StoreError } from "../../../src/errors.ts";
import { chainStart } from "../../../src/wire/frame.ts";
import { encode } from "../../../src/wire/codec.ts";
import { batch, batchesFrom, makeBacklog } from "../log/tools.ts";
import { LateRecorder } from "./late-target.ts";
import { chunk, Harness, id, OWN, UPSTREAM } from "./tools.ts";

function following() {
  const target = new LateRecorder();
  const harness = new Harness({}, null, target);
  harness.greet();
  return { harness, target, session: harness.session };
}

/** Batches of 100 and 140 bytes from 0 on. */
function batches(offset = 0, chain = chainStart(OWN)): Buffer[] {
  const source = makeBacklog({ segmentBytes: 4096 }, chain);
  source.reset(offset, chain);
  batch(source, 100);
  batch(source, 140);
  return batchesFrom(source, offset);
}

const POSITION = { history: UPSTREAM, offset: 500, chain: 5 };

/** Two chunks of a snapshot at POSITION, and its END. */
function snapshot(harness: Harness): Buffer {
  harness.lineage = [{ history: UPSTREAM, left: 0, term: 1, run: 0 }];
  harness.welcome({ decision: "ship_new", position: POSITION });
  harness.snapshot({ position: POSITION });
  const chunks = [chunk(0, Buffer.from("first")), chunk(1, Buffer.from("second"))];
  const sums = Buffer.alloc(8);
  chunks.forEach(({ digest }, n) => sums.writeUInt32LE(digest, 4 * n));
  for (const { frame } of chunks) harness.bytes(frame);
  return encode({
    type: "end",
    snapshotId: id(70),
    chunks: 2,
    records: 1,
    bytes: 11,
    digest: createHash("sha256").update(sums).digest("hex"),
  });
}

describe("the stream", () => {
  test("received is acknowledged as received; applied when the state answered; PINGs meanwhile", () => {
    const { harness, target, session } = following();
    harness.welcome();
    const [first, second] = batches() as [Buffer, Buffer];
    harness.bytes(first);
    harness.bytes(second);
    harness.ping(7);
    session.step(1);
    expect(harness.last("ack")).toMatchObject({ received: 240, applied: 0, echo: 7 });
    expect([session.atBoundary, session.isBusy]).toEqual([false, true]);
    target.answer();
    session.step(2);
    expect(harness.last("ack")).toMatchObject({ received: 240, applied: 100 });
    harness.endTurn();
    expect(target.asked).toEqual(["apply 0-100", "apply 100-240"]);
    target.answer();
    harness.endTurn();
    session.step(3);
    expect([harness.last("ack").mode, session.isBusy, session.atBoundary]).toEqual([
      "streaming",
      false,
      true,
    ]);
    expect(harness.last("ack")).toMatchObject({ applied: 240 });
  });

  test("a state that fails meanwhile => stopped, torn; after a cut too", () => {
    for (const cut of [false, true]) {
      const { harness, target, session } = following();
      harness.welcome();
      harness.bytes(batches()[0]!);
      if (cut) session.onClosed("cut", 0);
      target.answer(new Error("the disk is gone"));
      harness.endTurn();
      expect([session.state.kind, session.torn, session.atBoundary]).toEqual([
        "stopped",
        true,
        false,
      ]);
      expect(session.lastError).toMatch(/ERR_STORE_FAILED.*only a snapshot can replace it/);
    }
  });

  test("refused, and the state is what it was => the next connection tries the same run", () => {
    const { harness, target, session } = following();
    harness.welcome();
    harness.bytes(batches()[0]!);
    target.answer(new StoreError("ERR_STORE_REFUSED", "no room"));
    harness.endTurn();
    expect([session.state.kind, session.torn, session.atBoundary]).toEqual([
      "retrying",
      false,
      true,
    ]);
    expect(target.asked).toEqual(["apply 0-100"]);
    harness.greet();
    expect(harness.last("hello").position.offset).toBe(100);
    harness.welcome();
    session.step(1);
    expect(target.asked).toEqual(["apply 0-100", "apply 0-100"]);
    target.answer();
    expect([session.state.kind, harness.log.next]).toEqual(["streaming", 100]);
  });

  test("refused inside a batch when the connection is over => torn, and that is told", () => {
    for (const isStopped of [true, false]) {
      const { harness, target, session } = following();
      harness.welcome();
      harness.bytes(batches()[0]!);
      if (isStopped) session.stop("promoted", 0);
      else session.onClosed("cut", 0);
      target.answer(harness.refusal, 50);
      harness.endTurn();
      expect(session.torn).toBe(true);
      expect(harness.events).toContain("torn");
      expect(session.state.kind).toBe(isStopped ? "stopped" : "retrying");
    }
  });

  test("stopped while a run is under way => busy until the answer, then at its end", () => {
    const { harness, target, session } = following();
    harness.welcome();
    for (const bytes of batches()) harness.bytes(bytes);
    session.stop("promoted", 0);
    expect([session.step(0), session.isBusy]).toEqual([false, true]);
    target.answer();
    harness.endTurn();
    expect([session.isBusy, harness.log.next]).toEqual([true, 100]);
    target.answer();
    harness.endTurn();
    expect([session.step(0), session.isBusy, harness.log.next]).toEqual([false, false, 240]);
  });
});

describe("a snapshot", () => {
  test("chunks are loaded one by one; what follows END waits for the swap", () => {
    const { harness, target, session } = following();
    const end = snapshot(harness);
    session.step(0);
    expect(harness.last("ack")).toMatchObject({ mode: "restoring", nextChunk: 0 });
    harness.bytes(Buffer.concat([end, batches(500, 5)[0]!]));
    expect([session.state.kind, harness.paused]).toEqual(["swapping", true]);
    expect(target.asked).toEqual(["stage", "load first"]);
    target.answer();
    session.step(0);
    expect(harness.last("ack")).toMatchObject({ mode: "restoring", nextChunk: 1 });
    harness.endTurn();
    target.answer();
    harness.endTurn();
    expect(target.asked).toEqual(["stage", "load first", "load second", "commit 1"]);
    expect([session.state.kind, harness.log.next]).toEqual(["swapping", 0]);
    target.answer();
    expect([session.state.kind, harness.log.next, harness.log.tail]).toEqual([
      "streaming",
      500,
      600,
    ]);
    expect([harness.paused, harness.history]).toEqual([false, UPSTREAM]);
    harness.endTurn();
    expect(target.asked.at(-1)).toMatch(/^apply/);
  });

  test("a run under way => nothing is staged before it is answered, and nothing applied beside", () => {
    const { harness, target } = following();
    harness.welcome();
    for (const bytes of batches()) harness.bytes(bytes);
    harness.snapshot({ position: POSITION });
    harness.bytes(chunk(0, Buffer.from("first")).frame);
    expect(target.asked).toEqual(["apply 0-100"]);
    target.answer();
    harness.endTurn();
    expect(target.asked).toEqual(["apply 0-100", "stage", "load first"]);
    target.answer();
    harness.endTurn();
    expect([target.asked.length, harness.log.next]).toEqual([3, 100]);
  });

  test("stopped while a chunk is loaded => aborted after the answer, then what waits is applied", () => {
    const { harness, target, session } = following();
    harness.welcome();
    for (const bytes of batches()) harness.bytes(bytes);
    harness.snapshot({ position: POSITION });
    harness.bytes(chunk(0, Buffer.from("first")).frame);
    target.answer();
    harness.endTurn();
    session.stop("promoted", 0);
    expect(target.asked.at(-1)).toBe("load first");
    target.answer();
    harness.endTurn();
    expect([target.asked.at(-1), session.isBusy]).toEqual(["abort", true]);
    target.answer();
    harness.endTurn();
    expect(target.asked.at(-1)).toBe("apply 100-240");
  });

  test("cut while it is swapped in => it is swapped in; nobody is dialled before", () => {
    const { harness, target, session } = following();
    harness.bytes(snapshot(harness));
    for (let n = 0; n < 2; n++) {
      target.answer();
      harness.endTurn();
    }
    expect(target.asked.at(-1)).toBe("commit 1");
    session.stop("following another node", 0);
    session.start(0);
    harness.tick(100_000);
    expect([session.state.kind, harness.dials]).toEqual(["retrying", 1]);
    target.answer();
    harness.endTurn();
    expect([harness.log.next, harness.history, session.restore]).toEqual([500, UPSTREAM, null]);
    harness.tick(100);
    expect([session.state.kind, harness.dials]).toEqual(["connecting", 2]);
  });

  test("its commit fails: refused => the old state goes on; anything else => torn", () => {
    for (const isRefused of [true, false]) {
      const { harness, target, session } = following();
      harness.bytes(snapshot(harness));
      for (let n = 0; n < 2; n++) {
        target.answer();
        harness.endTurn();
      }
      target.answer(isRefused ? harness.refusal : new Error("the disk is gone"));
      harness.endTurn();
      expect([session.torn, session.restore, harness.log.next]).toEqual([!isRefused, null, 0]);
      expect(session.state.kind).toBe(isRefused ? "retrying" : "stopped");
    }
  });

  test("the commit throws something unknown => torn, and that is told", () => {
    const { harness, target, session } = following();
    harness.bytes(snapshot(harness));
    target.answer();
    harness.endTurn();
    target.atOnce = 1;
    target.throwsAt = { commit: new Error("the disk is gone") };
    target.answer();
    harness.endTurn();
    expect([session.state.kind, session.torn, session.restore]).toEqual(["stopped", true, null]);
    expect(harness.events).toContain("torn");
  });

  test("nothing can be staged, for a reason unknown => stopped, not torn", () => {
    const { harness, target, session } = following();
    target.throwsAt = { stage: new Error("no place") };
    snapshot(harness);
    expect([session.state.kind, session.torn]).toEqual(["stopped", false]);
    expect(session.lastError).toMatch(/ERR_STORE_FAILED: no place/);
  });

  test("given up at a stop, and that fails at once => stopped once, torn", () => {
    const { harness, target, session } = following();
    target.atOnce = 2;
    snapshot(harness);
    target.throwsAt = { abort: new Error("the disk is gone") };
    session.stop("promoted", 0);
    expect([session.state.kind, session.torn, session.isBusy]).toEqual(["stopped", true, false]);
    expect(harness.events).toContain("torn");
  });

  test("given up for a chunk that it refuses, and that fails at once => stopped, not tried again", () => {
    const { harness, target, session } = following();
    target.atOnce = 1;
    target.throwsAt = { "load second": harness.refusal, abort: new Error("the disk is gone") };
    snapshot(harness);
    harness.tick(100_000);
    expect([session.state.kind, session.torn, harness.dials]).toEqual(["stopped", true, 1]);
  });
});
