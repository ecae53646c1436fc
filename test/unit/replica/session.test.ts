/** The session against a scripted upstream: what survives a connection, what must not. */
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { LIMITS } from "../../../src/limits.ts";
import { givenConsent } from "../../../src/node/consent.ts";
import type { ChunkKeeper } from "../../../src/replica/keeper.ts";
import { BATCH_HEAD_BYTES } from "../../../src/wire/frame.ts";
import { NO_SYNC, type RejectCode } from "../../../src/wire/messages.ts";
import { batch, batchesFrom, makeBacklog } from "../log/tools.ts";
import { chunk, Harness, id, UPSTREAM } from "./tools.ts";

const AT_500 = { history: UPSTREAM, offset: 500, chain: 7 };
const AT_500_BEGIN = {
  type: "snapshot" as const,
  rank: { term: 1, run: 0 },
  snapshotId: id(70),
  position: AT_500,
  lineage: [],
  sync: NO_SYNC,
  format: { name: "test", version: 1 },
  firstChunk: 0,
  records: 1,
  bytes: 1,
};

function endOf(digests: readonly number[], bytes: number, wrong = false) {
  const sum = createHash("sha256");
  for (const digest of digests) {
    const word = Buffer.alloc(4);
    word.writeUInt32LE(digest);
    sum.update(word);
  }
  const digest = wrong ? "00".repeat(32) : sum.digest("hex");
  const type = "end" as const;
  return { type, snapshotId: id(70), chunks: digests.length, records: 1, bytes, digest };
}

describe("consent", () => {
  const reject = (code: RejectCode) => ({
    type: "reject" as const,
    code,
    message: "no",
    retryAfterMs: 0,
  });

  test.each(["unrelated", "unrelated_empty", "version", "format", "auth", "self"] as const)(
    "%s => consent is used up: the next HELLO gives none",
    (code) => {
      const harness = new Harness();
      harness.consent = givenConsent("replicaof");
      harness.greet();
      expect(harness.last("hello").consent).toBe("replicaof");
      harness.hear(reject(code));
      harness.greet();
      expect(harness.last("hello").consent).toBe("none");
    },
  );

  test.each(["not_ready", "quarantined", "cycle", "too_many_replicas", "duplicate_id"] as const)(
    "%s => passes by itself: consent stays",
    (code) => {
      const harness = new Harness();
      harness.consent = givenConsent("replicaof");
      harness.greet();
      harness.hear(reject(code));
      harness.greet();
      expect(harness.last("hello").consent).toBe("replicaof");
    },
  );

  test.each(["wait", "ship_diverged", "ship_ahead", "ship_chain", "ship_too_old"] as const)(
    "a node that takes the rest of its log alone, welcomed with %s => refused for good, nothing changes",
    (decision) => {
      const harness = new Harness();
      harness.continuesOnly = true;
      harness.greet();
      const { position } = harness.last("hello");
      harness.welcome({ decision, position: AT_500 });
      expect(harness.session.state.kind).toBe("stopped");
      expect(harness.session.lastError).toContain(decision);
      expect(harness.events).not.toContain("adopted");
      harness.greet();
      expect(harness.last("hello").position).toEqual(position);
    },
  );

  test("cut in the ship, then another node at the address => refused, the data stays", () => {
    const harness = new Harness();
    const part = chunk(0, Buffer.from("abcdefgh"));
    harness.consent = givenConsent("replicaof");
    harness.greet();
    harness.welcome({ decision: "ship_reset", nodeId: id(60), position: AT_500 });
    harness.snapshot({ position: AT_500 });
    harness.bytes(part.frame);
    harness.session.onClosed("cut", harness.nowMs);
    harness.greet();
    harness.welcome({ decision: "ship_reset", nodeId: id(61), position: AT_500 });
    expect(harness.counters["upstream_refused"]).toBe(1);
    expect(harness.session.lastError).toMatch(/unrelated state and we hold data/);
    harness.greet();
    expect(harness.last("hello").consent).toBe("none");
    expect(harness.state.swaps).toBe(0);
  });

  test("an empty unrelated snapshot after REPLICAOF => refused, and consent is used up", () => {
    const harness = new Harness();
    harness.consent = givenConsent("replicaof");
    harness.greet();
    harness.welcome({ decision: "ship_reset", position: AT_500 });
    harness.snapshot({ position: AT_500, records: 0, bytes: 0 });
    harness.hear({ ...endOf([], 0), records: 0 });
    expect(harness.session.lastError).toMatch(/empty and unrelated/);
    expect([harness.state.swaps, harness.consent.kind]).toEqual([0, "none"]);
  });
});

describe("ranks", () => {
  /** Its log went on in a history of its own, from a fork at 0, up to 400. */
  function forked(term: number): Harness {
    const harness = new Harness();
    harness.log.reset(400, 9);
    harness.session.resetToLog();
    harness.history = id(40);
    harness.rank = { term, run: 0 };
    harness.lineage = [{ history: UPSTREAM, left: 300, term: 1, run: 0 }];
    harness.greet();
    return harness;
  }
  const ship = { position: AT_500, rank: { term: 1, run: 0 }, lineage: [] };

  test("a ship that would discard log of a higher rank => refused, both ranks said, nothing changes", () => {
    const harness = forked(2);
    harness.welcome({ decision: "ship_diverged", ...ship, discardBytes: 100 });
    expect(harness.counters["upstream_refused"]).toBe(1);
    expect(harness.session.lastError).toMatch(/rank 1\.0.* rank 2\.0/);
    expect(harness.session.state.kind).toBe("retrying");
    harness.greet();
    expect(harness.last("hello").position.offset).toBe(400);
  });

  test.each(["ship_too_old", "ship_resume", "ship_asked"] as const)(
    "the same, whatever the upstream calls it: %s",
    (decision) => {
      const harness = forked(2);
      harness.welcome({ decision, ...ship });
      expect(harness.session.lastError).toMatch(/rank 1\.0.* rank 2\.0/);
    },
  );

  test("of a lower rank => taken", () => {
    const harness = forked(2);
    harness.welcome({ decision: "ship_diverged", ...ship, rank: { term: 3, run: 0 } });
    expect(harness.session.state.kind).toBe("restoring");
  });

  test("whoever leads below what was promised is not followed, and HELLO says so", () => {
    const harness = new Harness();
    harness.promised = { term: 5, run: 0 };
    harness.greet();
    expect(harness.last("hello").promised).toEqual({ term: 5, run: 0 });
    harness.welcome({ rank: { term: 4, run: 9 } });
    expect(harness.session.lastError).toMatch(/rank 4\.9.*below 5\.0/);
    harness.greet();
    harness.welcome({ rank: { term: 5, run: 0 } });
    expect(harness.session.state.kind).toBe("streaming");
  });

  test("PEERS while it streams => told to the node; at any other time it breaks the protocol", () => {
    const harness = new Harness();
    const peers = [{ storeId: id(3), host: "b", port: 7 }];
    harness.greet();
    harness.welcome();
    harness.hear({ type: "peers", peers });
    expect(harness.peers).toEqual(peers);
    const early = new Harness();
    early.greet();
    early.hear({ type: "peers", peers });
    expect(early.session.lastError).toMatch(/PEERS while handshake/);
  });

  test("a SNAPSHOT of a lower rank than WELCOME had => refused before anything is staged", () => {
    const harness = forked(2);
    harness.welcome({ decision: "ship_diverged", ...ship, rank: { term: 3, run: 0 } });
    harness.snapshot(ship);
    expect(harness.session.lastError).toMatch(/rank 1\.0.* rank 2\.0/);
    expect(harness.session.restore).toBe(null);
  });
});

describe("restoring", () => {
  test("restoring + END with a wrong digest => nothing swapped, begun anew, and no crash at the next END", () => {
    const harness = new Harness();
    const part = chunk(0, Buffer.from("abcdefgh"));
    harness.greet();
    harness.welcome({ decision: "ship_too_old" });
    harness.snapshot({ position: AT_500 });
    harness.bytes(part.frame);
    harness.hear(endOf([part.digest], 8, true));
    expect(harness.session.state.kind).toBe("retrying");
    expect(harness.state.swaps).toBe(0);
    harness.greet();
    const { resume } = harness.last("hello");
    expect(resume).toBeNull();
    harness.welcome({ decision: "ship_too_old" });
    harness.snapshot({ position: AT_500 });
    harness.bytes(part.frame);
    harness.hear(endOf([part.digest], 8));
    expect(harness.state.swaps).toBe(1);
    expect(harness.log.next).toBe(500);
  });

  test("restoring + END naming other bytes than came => nothing swapped, begun anew", () => {
    const harness = new Harness();
    const part = chunk(0, Buffer.from("abcdefgh"));
    harness.greet();
    harness.welcome({ decision: "ship_too_old" });
    harness.snapshot({ position: AT_500 });
    harness.bytes(part.frame);
    harness.hear(endOf([part.digest], 9));
    expect(harness.session.state.kind).toBe("retrying");
    expect(harness.state.swaps).toBe(0);
    harness.greet();
    expect(harness.last("hello").resume).toBeNull();
  });

  test("restoring + END naming more chunks than came => begun anew", () => {
    const harness = new Harness();
    harness.greet();
    harness.welcome({ decision: "ship_too_old" });
    harness.snapshot({ position: AT_500 });
    harness.hear({ ...endOf([], 0), chunks: 3 });
    harness.greet();
    expect(harness.last("hello").resume).toBeNull();
  });

  test("a parked restore => let go parkMs after the cut, however often dialling fails meanwhile", () => {
    const harness = new Harness({ parkMs: 5_000, backoffMinMs: 100, backoffMaxMs: 200 });
    const part = chunk(0, Buffer.from("abcdefgh"));
    harness.greet();
    harness.welcome({ decision: "ship_too_old" });
    harness.snapshot({ position: AT_500 });
    harness.bytes(part.frame);
    harness.session.onClosed("cut", harness.nowMs);
    for (let ms = 0; ms < 7_000; ms += 100) {
      harness.tick(100);
      if (harness.session.state.kind === "connecting")
        harness.session.onClosed("connection refused", harness.nowMs);
    }
    expect(harness.state.discarded).toBe(1);
    expect(harness.session.restore).toBeNull();
  });

  test("chunks without end => refused at twice the announced size and 64 MiB, the old state stays", () => {
    const harness = new Harness();
    const payload = Buffer.alloc(LIMITS.chunkBytesMax - 4);
    harness.greet();
    harness.welcome({ decision: "ship_new" });
    harness.snapshot({ position: AT_500, bytes: 1 << 20 });
    let chunks = 0;
    for (; harness.session.state.kind === "restoring" && chunks < 200; chunks++)
      harness.bytes(chunk(chunks, payload).frame);
    expect(chunks - 1).toBe(Math.floor((66 * (1 << 20)) / payload.length));
    expect(harness.session.lastError).toMatch(
      /^ERR_WIRE_BODY: the snapshot has more than 69206016 bytes, and 1048576 were announced/,
    );
    expect(harness.state).toMatchObject({ staged: 1, discarded: 1, swaps: 0 });
    expect(harness.session.restore).toBeNull();
    harness.greet();
    expect(harness.last("hello").resume).toBeNull();
  });

  test("more is announced than the machine has memory => refused before anything is staged", () => {
    const harness = new Harness({ stagedBytesMax: 1_000 });
    harness.greet();
    harness.welcome({ decision: "ship_new" });
    harness.snapshot({ position: AT_500, bytes: 1_001 });
    expect(harness.session.lastError).toMatch(
      /^ERR_WIRE_BODY: a snapshot of 1001 bytes is announced; this machine has memory for 1000/,
    );
    expect(harness.state.staged).toBe(0);
    harness.greet();
    harness.welcome({ decision: "ship_new" });
    harness.snapshot({ position: AT_500, bytes: 999 });
    harness.bytes(chunk(0, Buffer.alloc(1_001)).frame);
    expect(harness.session.lastError).toMatch(/more than 1000 bytes, and 999 were announced/);
    expect(harness.state).toMatchObject({ staged: 1, discarded: 1, swaps: 0 });
  });

  test("restoring + cut after two chunks => HELLO asks for the third, which completes it", () => {
    const harness = new Harness();
    const parts = ["one", "two", "three"].map((text, n) => chunk(n, Buffer.from(text.padEnd(8))));
    harness.greet();
    harness.welcome({ decision: "ship_new" });
    harness.snapshot({ position: AT_500 });
    harness.bytes(parts[0]!.frame, 3);
    harness.bytes(parts[1]!.frame);
    harness.bytes(parts[2]!.frame.subarray(0, 22));
    harness.session.onClosed("cut", harness.nowMs);
    harness.greet();
    expect(harness.last("hello").resume).toEqual({ snapshotId: id(70), nextChunk: 2 });
    harness.welcome({ decision: "ship_resume" });
    harness.snapshot({ position: { ...AT_500, history: id(3) }, firstChunk: 2 });
    harness.bytes(parts[2]!.frame);
    harness.hear(
      endOf(
        parts.map((part) => part.digest),
        24,
      ),
    );
    expect(harness.state).toMatchObject({ swaps: 1, staged: 1 });
    expect(harness.history).toBe(id(3));
  });
});

describe("a part file of an earlier process", () => {
  /** Keeps one chunk, and says later that it is damaged. */
  function damagedLater(): { harness: Harness; tell: () => void } {
    let tell = (): void => undefined;
    const keeper: ChunkKeeper = {
      kept: { begin: AT_500_BEGIN, chunks: 1 },
      pendingBytes: 0,
      replay: (_visit, done) => {
        tell = () => done(new Error("chunk 0 is damaged"));
      },
      begin: () => undefined,
      keep: () => undefined,
      clear: () => undefined,
    };
    const harness = new Harness({}, keeper);
    return { harness, tell: () => tell() };
  }

  test("handshake, HELLO said + damaged => a new attempt, which promises nothing", () => {
    const { harness, tell } = damagedLater();
    harness.greet();
    expect(harness.last("hello").resume).toMatchObject({ nextChunk: 1 });
    tell();
    expect(harness.session.state.kind).toBe("retrying");
    expect(harness.session.lastError).toMatch(/^the part file cannot be used/);
    harness.greet();
    expect(harness.last("hello").resume).toBeNull();
  });

  test("connecting + damaged => the attempt goes on, and promises nothing", () => {
    const { harness, tell } = damagedLater();
    harness.session.start(0);
    tell();
    expect(harness.session.state.kind).toBe("connecting");
    harness.greet();
    expect(harness.last("hello").resume).toBeNull();
  });
});

describe("streaming", () => {
  const source = makeBacklog({ sizeBytes: 1 << 20, segmentBytes: 1 << 16 });
  // The replica's own history begins with the same chain: it is the same log.
  for (let n = 0; n < 4; n++) batch(source, 300, n + 1);

  function streaming(): { harness: Harness; batches: Buffer[] } {
    const harness = new Harness();
    harness.log.reset(0, source.chainAt(0));
    harness.session.resetToLog();
    harness.greet();
    harness.welcome();
    return { harness, batches: batchesFrom(source, 0) };
  }

  test("a bit flipped in a batch that came in pieces => fetched anew whole, not from where it was cut", () => {
    const { harness, batches } = streaming();
    const flipped = Buffer.from(batches[0]!);
    flipped[BATCH_HEAD_BYTES + 10]! ^= 4;
    harness.bytes(flipped, 50);
    expect(harness.session.state.kind).toBe("retrying");
    harness.greet();
    expect(harness.last("hello")).toMatchObject({ partialBytes: 0, position: { offset: 0 } });
    harness.welcome();
    harness.bytes(batches[0]!, 50);
    harness.session.step(harness.nowMs);
    expect(harness.log.next).toBe(300);
  });

  test("cut inside a batch => HELLO says how much of it is here, the rest completes it", () => {
    const { harness, batches } = streaming();
    harness.bytes(batches[0]!.subarray(0, 120), 7);
    harness.session.onClosed("cut", harness.nowMs);
    harness.greet();
    expect(harness.last("hello")).toMatchObject({
      partialBytes: 120,
      partialCrc: batches[0]!.readUInt32LE(0),
    });
    harness.welcome({ skipBytes: 120 });
    harness.bytes(batches[0]!.subarray(120), 11);
    harness.session.step(harness.nowMs);
    expect([harness.log.next, harness.log.chain]).toEqual([300, source.chainAt(300)]);
  });
});

describe("somebody asks what this node has", () => {
  function away(): Harness {
    const harness = new Harness({ backoffMinMs: 10_000, backoffMaxMs: 10_000 });
    harness.session.start(0);
    harness.session.onClosed("refused", 0);
    expect([harness.session.state.kind, harness.dials]).toEqual(["retrying", 1]);
    return harness;
  }
  const tick = (harness: Harness, nowMs: number): number => {
    harness.session.tick(nowMs);
    return harness.dials;
  };

  test("its upstream is away => dialled at once, and no more than once a second", () => {
    const harness = away();
    expect(tick(harness, 100)).toBe(1);
    harness.session.hasten(100);
    expect(tick(harness, 100)).toBe(2);
    harness.session.onClosed("refused", 200);
    harness.session.hasten(1_099);
    expect(tick(harness, 1_099)).toBe(2);
    harness.session.hasten(1_100);
    expect(tick(harness, 1_100)).toBe(3);
  });

  test("a connection stands, or is being made, or it follows nobody => nothing", () => {
    const harness = new Harness();
    harness.session.hasten(0);
    expect([harness.session.state.kind, harness.dials]).toEqual(["stopped", 0]);
    harness.session.start(0);
    harness.session.hasten(0);
    expect([harness.session.state.kind, harness.dials]).toEqual(["connecting", 1]);
    harness.greet();
    harness.welcome();
    harness.session.hasten(5_000);
    expect([harness.session.state.kind, harness.dials]).toEqual(["streaming", 1]);
  });
});
