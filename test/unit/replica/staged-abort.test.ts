/**
 * A state that cannot give up what is staged, and says so at once, wherever a session gives it up: the session ends
 * there, once, and does nothing more of what it was about.
 */
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { ChunkKeeper } from "../../../src/replica/keeper.ts";
import { SESSION_DEFAULTS } from "../../../src/replica/options.ts";
import { encode } from "../../../src/wire/codec.ts";
import { chainStart } from "../../../src/wire/frame.ts";
import { NO_SYNC } from "../../../src/wire/messages.ts";
import { batch, batchesFrom, makeBacklog } from "../log/tools.ts";
import { LateRecorder } from "./late-target.ts";
import { chunk, Harness, id, OWN, UPSTREAM } from "./tools.ts";

const POSITION = { history: UPSTREAM, offset: 500, chain: 5 };
const BEGIN = {
  type: "snapshot" as const,
  rank: { term: 1, run: 0 },
  snapshotId: id(70),
  lineage: [],
  sync: NO_SYNC,
  format: { name: "test", version: 1 },
  firstChunk: 0,
  records: 1,
  bytes: 5,
  position: POSITION,
};
const FIRST = chunk(0, Buffer.from("first"));
const END = {
  type: "end" as const,
  snapshotId: id(70),
  chunks: 1,
  records: 1,
  bytes: 5,
  digest: digestOf(FIRST.digest),
};

function digestOf(sum: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(sum);
  return createHash("sha256").update(bytes).digest("hex");
}

/** The first chunk of a snapshot is staged, and cannot be given up. */
function staged(keeper: ChunkKeeper | null = null) {
  const target = new LateRecorder();
  target.atOnce = 1;
  const harness = new Harness({}, keeper, target);
  harness.greet();
  harness.lineage = [{ history: UPSTREAM, left: 0, term: 1, run: 0 }];
  harness.welcome({ decision: "ship_new", position: POSITION });
  harness.hear(BEGIN);
  harness.bytes(FIRST.frame);
  target.throwsAt = { abort: new Error("the disk is gone") };
  return { harness, target, session: harness.session };
}

/** It ended for good, at the call of abort(), and nobody was asked for anything since. */
function expectEnded({ harness, target, session }: ReturnType<typeof staged>, dials = 1): void {
  expect([session.state.kind, session.torn, session.isBusy]).toEqual(["stopped", true, false]);
  expect(session.lastError).toMatch(/ERR_STORE_FAILED: the disk is gone/);
  expect(target.asked).toEqual(["stage", "load first", "abort"]);
  harness.tick(100_000);
  expect([session.state.kind, session.restore, harness.dials]).toEqual(["stopped", null, dials]);
  expect(harness.events.filter((event) => event === "torn")).toHaveLength(1);
  expect(harness.counters["upstream_refused"]).toBe(1);
}

describe("given up", () => {
  test("for another snapshot, its first chunk in the same read", () => {
    const at = staged();
    const other = encode({ ...BEGIN, snapshotId: id(71) });
    at.harness.bytes(Buffer.concat([other, FIRST.frame]));
    expectEnded(at);
  });

  test("since the stream goes on, its first batch in the same read", () => {
    const at = staged();
    at.session.onClosed("cut", 0);
    at.harness.lineage = [];
    at.harness.greet();
    at.harness.welcome();
    expectEnded(at, 2);
  });

  test("for a batch of a stream that goes on beside it => the batch is not applied", () => {
    const at = staged();
    const { harness, session } = at;
    session.onClosed("cut", 0);
    harness.greet();
    harness.welcome({ decision: "wait" });
    expect([session.state.kind, session.restore]).toEqual(["streaming", expect.anything()]);
    const source = makeBacklog({ segmentBytes: 4096 }, chainStart(OWN));
    batch(source, 100);
    harness.bytes(batchesFrom(source, 0)[0]!);
    expectEnded(at, 2);
    expect([harness.log.next, harness.log.tail]).toEqual([0, 100]);
  });

  test("since it is empty and of a stranger => not refused as well", () => {
    const at = staged();
    const { harness } = at;
    harness.lineage = [];
    harness.hear({ ...END, records: 0 });
    expectEnded(at);
  });

  test("since it waited too long for a connection => nobody is dialled", () => {
    const at = staged();
    at.session.onClosed("cut", 0);
    at.harness.tick(SESSION_DEFAULTS.parkMs);
    expectEnded(at);
  });

  test("for chunks of an earlier process that cannot be read", () => {
    let tell = (): void => undefined;
    const keeper: ChunkKeeper = {
      kept: { begin: BEGIN, chunks: 2 },
      pendingBytes: 0,
      replay: (visit, done) => {
        const { frame, digest } = FIRST;
        visit(frame, 16, 5, digest, () => undefined);
        tell = () => done(new Error("chunk 1 is damaged"));
      },
      begin: () => undefined,
      keep: () => undefined,
      clear: () => undefined,
    };
    const target = new LateRecorder();
    target.atOnce = 1;
    const harness = new Harness({}, keeper, target);
    harness.greet();
    target.throwsAt = { abort: new Error("the disk is gone") };
    tell();
    expectEnded({ harness, target, session: harness.session });
  });
});
