/** Whole links against a feeder: what may be sent, when a link ends, what a replica may not say. */
import { describe, expect, test } from "vitest";
import { linkStatus } from "../../../src/node/status.ts";
import { Harness, id } from "./feeder-harness.ts";
import { batch, HISTORY } from "../log/tools.ts";

describe("what one link is sent", () => {
  test("up to the window, then as replicas apply; a batch larger than the window alone", async () => {
    const h = new Harness({ windowBytes: 250 });
    const peer = h.stream();
    for (const bytes of [100, 100, 100, 900]) batch(h.log, bytes);
    await h.turns();
    expect(peer.link.sent).toBe(250);
    peer.ack(100, 250);
    await h.turns();
    expect(peer.link.sent).toBe(350);
    peer.ack(300, 350);
    await h.turns();
    expect([peer.link.sent, peer.batches]).toEqual([1200, 4]);
  });

  test("room 0 stops it, even with nothing in flight", async () => {
    const h = new Harness();
    const peer = h.stream();
    peer.ack(0, 0, 0);
    batch(h.log, 500);
    await h.turns();
    expect(peer.link.sent).toBe(0);
    peer.ack(0, 0, 1);
    await h.turns();
    expect(peer.link.sent).toBe(500);
  });

  test("links that are far behind: all of a run, one after the other", () => {
    const h = new Harness({ budgetBytes: 100, runBytes: 250 });
    const peers = [1, 2, 3].map((n) => h.stream({ storeId: id(n), nodeId: id(n + 50) }));
    batch(h.log, 1_000);
    const sent = (): number[] => peers.map(({ link }) => link.sent).sort((x, y) => x - y);
    expect(h.turn.end(0)).toBe(true);
    expect(sent()).toEqual([0, 0, 250]);
    h.turn.end(0);
    h.turn.end(0);
    expect(sent()).toEqual([250, 250, 250]);
    for (let n = 0; n < 9; n++) h.turn.end(0);
    expect(sent()).toEqual([1_000, 1_000, 1_000]);
  });

  test("links near the end of the log come first, and leave the far ones a budget", () => {
    const h = new Harness({ budgetBytes: 100, runBytes: 250 });
    const [far, ...near] = [1, 2, 3].map((n) => h.stream({ storeId: id(n), nodeId: id(n + 50) }));
    far!.ack(0, 0, 0);
    batch(h.log, 1_000);
    for (let n = 0; n < 8; n++) h.turn.end(0);
    expect([far!, ...near].map(({ link }) => link.sent)).toEqual([0, 1_000, 1_000]);
    far!.ack(0);
    for (let n = 1; n <= 5; n++) {
      batch(h.log, 70);
      h.turn.end(0);
      expect(near.map(({ link }) => h.log.next - link.sent)).toEqual([0, 0]);
      expect(far!.link.sent).toBe(n * 110);
    }
    // More than the run has room for: the far one still gets its budget.
    batch(h.log, 99);
    h.turn.end(0);
    expect(far!.link.sent).toBe(650);
  });

  test("a link whose budget is cut short is first in the next run: none gets only what is left", () => {
    const h = new Harness({ budgetBytes: 100, runBytes: 250 });
    const peers = [1, 2, 3, 4].map((n) => h.stream({ storeId: id(n), nodeId: id(n + 50) }));
    batch(h.log, 100);
    const lags = (): number[] =>
      peers.map(({ link }) => h.log.next - link.sent).sort((x, y) => x - y);
    h.turn.end(0);
    expect(lags()).toEqual([0, 0, 50, 100]);
    h.turn.end(0);
    expect(lags()).toEqual([0, 0, 0, 0]);
  });

  test("half of the output cap while the socket takes nothing", () => {
    const h = new Harness({ outputCapBytes: 1_000 });
    const peer = h.stream();
    peer.takes = false;
    for (let n = 0; n < 3; n++) batch(h.log, 1_000);
    for (let n = 0; n < 5; n++) h.turn.end(0);
    expect(peer.link.output.bytes).toBeLessThanOrEqual(500);
  });

  test("PING and VERIFY go out between batches only", async () => {
    const h = new Harness({ budgetBytes: 70, runBytes: 70 });
    const peer = h.stream();
    batch(h.log, 100);
    batch(h.log, 100);
    h.turn.end(0);
    const position = { history: HISTORY, offset: 200, chain: h.log.chain };
    h.feeder.verify({ type: "verify", verifyId: id(7), position, buckets: 1, seed: id(8) });
    batch(h.log, 100);
    h.tick(1_000);
    await h.turns();
    const verify = peer.heard.indexOf("verify");
    expect(peer.heard.slice(verify - 1, verify + 2)).toEqual(["batch", "verify", "batch"]);
    expect(peer.heard).toContain("ping");
    expect(peer.batches).toBe(3);
  });
});

describe("clocks of a link", () => {
  test.each([
    ["handshake_timeout", 10_000, (h: Harness) => h.connect()],
    ["silence", 60_000, (h: Harness) => h.stream()],
  ])("%s", async (reason, ms, begin) => {
    const h = new Harness({ stallMs: 100_000 });
    const peer = begin(h);
    await h.turns();
    h.tick(ms - 1);
    expect(peer.link.isClosed).toBe(false);
    h.tick(1);
    expect(peer.link.state).toMatchObject({ kind: "closed", reason });
    expect(peer.ended).toBe("destroy");
  });

  test("stall_socket: bytes wait and none is taken", async () => {
    const h = new Harness();
    const peer = h.stream();
    await h.turns();
    peer.takes = false;
    batch(h.log, 100);
    await h.turns();
    h.tick(29_999);
    peer.ack(0);
    expect(peer.link.isClosed).toBe(false);
    h.tick(1);
    expect(peer.link.state).toMatchObject({ reason: "stall_socket" });
  });

  test("stall_socket: a piece that is taken bit by bit, or received, is progress", async () => {
    const h = new Harness();
    const peer = h.stream();
    await h.turns();
    batch(h.log, 100);
    peer.takes = false;
    await h.turns();
    for (let left = 100; left > 95; left--) {
      peer.beingTaken = left;
      h.tick(20_000);
      peer.ack(0);
    }
    for (let received = 10; received < 60; received += 10) {
      h.tick(20_000);
      peer.ack(0, received);
    }
    expect(peer.link.isClosed).toBe(false);
    h.tick(20_000);
    peer.ack(0, 50);
    h.tick(10_000);
    expect(peer.link.state).toMatchObject({ reason: "stall_socket" });
  });

  test("stall_apply: all received, nothing applied; progress begins it anew", async () => {
    const h = new Harness();
    const peer = h.stream();
    batch(h.log, 100);
    batch(h.log, 100);
    await h.turns();
    h.nowMs = 20_000;
    peer.ack(100, 200);
    h.tick(29_000);
    peer.ack(100, 200);
    await h.turns();
    expect(peer.link.isClosed).toBe(false);
    h.tick(1_000);
    expect(peer.link.state).toMatchObject({ reason: "stall_apply" });
  });

  test("wait_timeout: a feeding replica that does not get there", () => {
    const h = new Harness({ stallMs: 100_000 });
    h.role = "replica";
    const peer = h.connect();
    peer.offset = 500;
    peer.hello({ hasData: true });
    expect(peer.last("welcome")?.decision).toBe("wait");
    h.tick(29_999);
    peer.ack(500);
    expect(peer.link.isClosed).toBe(false);
    h.tick(1);
    expect(peer.link.state).toMatchObject({ reason: "wait_timeout" });
  });
});

describe("what a replica may not say", () => {
  test("an ACK ahead of what was sent => protocol error; one behind changes nothing", async () => {
    const h = new Harness();
    const peer = h.stream();
    batch(h.log, 100);
    await h.turns();
    peer.ack(100);
    peer.ack(0);
    expect([peer.link.applied, peer.link.isClosed]).toEqual([100, false]);
    peer.ack(101);
    expect(peer.link.state).toMatchObject({ reason: "protocol" });
  });

  test("an ACK inside a batch, near the end of a log segment => figures, no throw", async () => {
    const h = new Harness();
    const peer = h.stream();
    batch(h.log, 4_096); // Exactly one log segment.
    await h.turns();
    for (const applied of [1, 4_066, 4_095]) {
      peer.ack(applied);
      const { lagMs, lagBytes } = linkStatus(h.feeder, peer.link, 0, 0);
      expect([lagMs >= 0, lagBytes]).toEqual([true, 4_096 - applied]);
    }
  });

  test("an echo of a PING that nobody said => no round trip is taken from it", () => {
    const h = new Harness();
    const peer = h.stream();
    h.nowMs = 50;
    peer.say({
      type: "ack",
      mode: "streaming",
      received: 0,
      applied: 0,
      durable: 0,
      room: 1,
      echo: 2 ** 52,
    });
    expect([peer.link.heartbeat.echoUs, peer.link.heartbeat.roundTripMs]).toEqual([0, -1]);
  });

  test("BYE protocol: it will not follow us => a warning with its reason, made printable", () => {
    const h = new Harness();
    const peer = h.connect();
    peer.say({ type: "bye", code: "protocol", message: "no password\u001b[2J" });
    expect(peer.link.state).toMatchObject({ reason: "replica_refused" });
    expect(h.lines.at(-1)).toMatchObject({
      level: "warn",
      event: "link_closed",
      fields: { reason: "replica_refused", detail: "protocol: no password\\u{1b}[2J" },
    });
  });
});

/** One replica, which has applied the log up to `offset`. */
const applied = (offset: number) =>
  ({ offset, replicas: 1, level: "applied", local: false }) as const;

describe("waiters", () => {
  test("a resync ends them without a count, whatever was confirmed before it", async () => {
    const h = new Harness();
    const peer = h.stream();
    batch(h.log, 100);
    await h.turns();
    peer.ack(100);
    const answers: (number | null)[] = [];
    h.feeder.wait(applied(100), Infinity, (count) => answers.push(count));
    h.feeder.wait(applied(5_000), Infinity, (count) => answers.push(count));
    expect(answers).toEqual([1]);
    h.feeder.upstreamResync();
    expect(answers).toEqual([1, null]);
    expect([peer.link.isClosed, h.feeder.waiters.size]).toEqual([true, 0]);
  });

  test("each level counts what the replica said of it, and nothing before its first ACK", async () => {
    const h = new Harness();
    const peer = h.stream();
    const counts = (): number[] =>
      (["received", "applied", "durable"] as const).map((level) =>
        h.feeder.confirmedBy(100, level),
      );
    expect(h.feeder.confirmedBy(0, "received")).toBe(0);
    batch(h.log, 100);
    await h.turns();
    const end = h.log.next;
    expect(end).toBeGreaterThanOrEqual(100);
    const ack = { type: "ack", mode: "streaming", room: 1 << 20, echo: 0 } as const;
    peer.link.owner.onAck(peer.link, { ...ack, received: end, applied: 0, durable: 0 }, 1);
    expect(counts()).toEqual([1, 0, 0]);
    peer.link.owner.onAck(peer.link, { ...ack, received: end, applied: end, durable: 0 }, 2);
    expect(counts()).toEqual([1, 1, 0]);
    peer.link.owner.onAck(peer.link, { ...ack, received: end, applied: end, durable: end }, 3);
    expect(counts()).toEqual([1, 1, 1]);
  });

  test("who waits for this node's own disk has it sync, and is told when it has", () => {
    const durable = { at: 0, wanted: 0 };
    const h = new Harness();
    const store = h.log.store as { durable: number; want: (offset: number) => void };
    Object.defineProperty(h.log, "store", {
      value: new Proxy(store, {
        get: (target, name) => {
          if (name === "durable") return durable.at;
          if (name === "want") return (offset: number) => (durable.wanted = offset);
          const value: unknown = Reflect.get(target, name);
          return value;
        },
      }),
    });
    batch(h.log, 100);
    const answers: (number | null)[] = [];
    const done = (count: number | null): void => void answers.push(count);
    h.feeder.wait({ ...applied(100), replicas: 0, local: true }, Infinity, done);
    h.feeder.tell(1);
    expect([answers, durable.wanted]).toEqual([[], h.log.next]);
    durable.at = h.log.next;
    h.feeder.tell(2);
    expect(answers).toEqual([0]);
  });

  test("who waits for the disks of replicas has them sync: one SYNC on its way, the next for all who came", async () => {
    const h = new Harness();
    const peer = h.stream();
    peer.ack(0);
    const asked = (): number[] =>
      peer.controls.flatMap((message) => (message.type === "sync" ? [message.offset] : []));
    const answers: (number | null)[] = [];
    const wait = (): void => {
      const wanted = { ...applied(h.log.next), level: "durable" } as const;
      h.feeder.wait(wanted, Infinity, (count) => answers.push(count));
    };
    const write = async (): Promise<number> => {
      batch(h.log, 100);
      await h.turns();
      return h.log.next;
    };
    const first = await write();
    wait();
    wait();
    h.feeder.wait(applied(first), Infinity, () => undefined);
    await h.turns();
    expect(asked()).toEqual([first]);
    await write();
    wait();
    const third = await write();
    wait();
    h.tick(100);
    await h.turns();
    // Applied is not durable.
    peer.ack(third);
    await h.turns();
    expect([asked(), answers]).toEqual([[first], []]);
    peer.ack(third, third, 1 << 26, first);
    await h.turns();
    expect([asked(), answers]).toEqual([
      [first, third],
      [1, 1],
    ]);
    peer.ack(third, third, 1 << 26, third);
    await h.turns();
    expect([asked(), answers]).toEqual([
      [first, third],
      [1, 1, 1, 1],
    ]);
    expect(h.feeder.counters.get("sync_requests")).toBe(2);
  });

  test("a replica that comes while somebody waits is asked too, and no copy", async () => {
    const h = new Harness();
    batch(h.log, 100);
    const wanted = { ...applied(h.log.next), level: "durable" } as const;
    h.feeder.wait({ ...wanted, replicas: 0 }, Infinity, () => undefined);
    const early = h.stream();
    h.tick(100);
    await h.turns();
    expect(early.last("sync")).toBeUndefined();
    h.feeder.wait(wanted, Infinity, () => undefined);
    const late = h.stream({ storeId: id(9), nodeId: id(8), instanceId: id(7) });
    const copy = h.stream({
      storeId: id(19),
      nodeId: id(18),
      instanceId: id(17),
      purpose: "copy",
    });
    h.tick(100);
    await h.turns();
    expect([early, late, copy].map((peer) => peer.last("sync")?.offset)).toEqual([
      h.log.next,
      h.log.next,
      undefined,
    ]);
  });

  test("asks for an ACK at once, and a link that ships counts for nobody", async () => {
    const h = new Harness();
    const peer = h.stream();
    peer.ack(0);
    batch(h.log, 100);
    h.feeder.wait(applied(100), Infinity, () => undefined);
    await h.turns();
    expect(peer.last("ping")?.ackNow).toBe(true);
    const joining = h.stream({
      storeId: id(9),
      nodeId: id(8),
      position: { history: id(3), offset: 0, chain: 0 },
    });
    expect(joining.last("welcome")?.decision).toBe("ship_new");
    expect(h.feeder.confirmedBy(0)).toBe(1);
  });
});

describe("replicas that come back, wait, or fall behind", () => {
  test("END waits while a replica that resumes has no room", async () => {
    const h = new Harness();
    const given = {
      storeId: id(9),
      nodeId: id(8),
      position: { history: id(3), offset: 0, chain: 0 },
    };
    const first = h.stream(given);
    await h.turns();
    const snapshot = first.last("snapshot")!;
    first.link.onSocketClosed("socket_error", "cut");
    const resume = { snapshotId: snapshot.snapshotId, nextChunk: 1 };
    const peer = h.stream({ ...given, resume });
    await h.turns();
    expect(peer.last("snapshot")?.firstChunk).toBe(1);
    h.tick(100);
    await h.turns();
    expect(peer.last("end")).toBeUndefined();
    const restoring = { type: "ack", mode: "restoring", snapshotId: snapshot.snapshotId } as const;
    peer.say({ ...restoring, nextChunk: 1, room: 1 << 20, echo: 0 });
    await h.turns();
    expect(peer.last("end")).toBeDefined();
  });

  // The stream stops at a mark; a ship that jumps over the mark must forget it.
  test("VERIFY asked before a replica falls behind => it streams on after its ship", async () => {
    const h = new Harness({ windowBytes: 50 });
    h.log.limits = { sizeBytes: 1_000 };
    const peer = h.stream();
    batch(h.log, 4_000);
    const position = { history: HISTORY, offset: h.log.next, chain: h.log.chain };
    await h.turns();
    peer.ack(0, peer.link.sent);
    h.feeder.verify({
      type: "verify",
      verifyId: id(7),
      position: { ...position, offset: 12_000 },
      buckets: 1,
      seed: id(8),
    });
    for (let n = 0; n < 8; n++) batch(h.log, 4_000);
    await h.turns();
    peer.ack(4_000, peer.link.sent);
    await h.turns();
    expect(h.events).toContain("fell_behind");
    // The ship was asked for in the last turn: it starts and ends in the next two.
    await h.turns();
    await h.turns();
    expect(peer.last("end")).toBeDefined();
    batch(h.log, 40);
    peer.ack(peer.link.sent);
    expect(await h.turns()).toBeLessThan(100);
    expect(peer.link.sent).toBe(h.log.next);
  });
});

describe("what a ship would discard", () => {
  const fork = { history: id(9), offset: 40, chain: 4 };
  const lineage = [{ history: HISTORY, left: 20, term: 3, run: 1 }];

  test("of a higher rank => REJECT with both, and the word on it goes on", () => {
    const h = new Harness();
    h.role = "replica";
    batch(h.log, 1_000);
    const peer = h.connect();
    peer.hello({ position: fork, rank: { term: 4, run: 0 }, lineage, hasData: true });
    expect(peer.last("reject")).toMatchObject({ code: "rank", retryAfterMs: 1_000 });
    expect(peer.last("reject")?.message).toMatch(/20 bytes.*rank 3\.1.*rank 4\.0/);
    expect(h.leaders).toMatchObject([{ history: id(9), rank: { term: 4, run: 0 }, leader: null }]);
    expect(h.feeder.counters.get("resume_outranked")).toBe(1);
    expect(h.rolledBack).toEqual([]);
  });

  test("of its own history => REJECT, and this node is told that its log went back", () => {
    const h = new Harness();
    batch(h.log, 1_000);
    const peer = h.connect();
    const offset = h.log.next + 10;
    peer.hello({ position: { history: HISTORY, offset, chain: 4 }, hasData: true });
    expect(peer.last("reject")?.code).toBe("rank");
    expect(h.rolledBack).toEqual([[id(100), 10]]);
    expect(h.feeder.counters.get("resume_rolled_back")).toBe(1);
  });

  test("of a lower rank => a ship", () => {
    const h = new Harness();
    batch(h.log, 1_000);
    const peer = h.connect();
    peer.hello({ position: fork, rank: { term: 3, run: 0 }, lineage, hasData: true });
    expect(peer.last("welcome")?.decision).toBe("ship_diverged");
  });
});

describe("a promise to follow nobody below a rank", () => {
  test("above this node's => REJECT with both, and this node is told", () => {
    const h = new Harness();
    const peer = h.connect();
    peer.hello({ clusterId: id(3), promised: { term: 4, run: 0 } });
    expect(peer.last("reject")).toMatchObject({ code: "rank", retryAfterMs: 1_000 });
    expect(peer.last("reject")?.message).toMatch(/below rank 4\.0.*rank 3\.1/);
    expect(h.promised).toEqual([{ term: 4, run: 0 }]);
    expect(h.feeder.counters.get("resume_promised")).toBe(1);
  });

  test.each([
    ["not above this node's", { clusterId: id(3), promised: { term: 3, run: 1 } }],
    ["of another cluster", { clusterId: id(4), promised: { term: 9, run: 0 } }],
  ])("%s => welcomed", (_name, given) => {
    const h = new Harness();
    const peer = h.connect();
    peer.hello(given);
    expect(peer.last("welcome")).toBeDefined();
    expect(h.promised).toEqual([]);
  });

  test.each([
    { isTaken: false, run: 1, says: "which says it" },
    { isTaken: true, run: 2, says: "which says one above it when a third one has it" },
  ])("asked for by PROMISE => it is given before the answer, $says", ({ isTaken, run }) => {
    const h = new Harness();
    const peer = h.connect();
    const asked: string[] = [];
    h.onPromise = ({ storeId }) => {
      asked.push(storeId);
      expect(peer.last("state")).toBeUndefined();
      return isTaken;
    };
    peer.say({
      type: "promise",
      version: 1,
      nonce: id(5),
      proof: "",
      storeId: id(70),
      clusterId: id(3),
      rank: { term: 4, run: 0 },
      position: { history: HISTORY, offset: 0, chain: 0 },
      lineage: [],
    });
    expect(asked).toEqual([id(70)]);
    expect(peer.last("state")).toMatchObject({ promised: { term: 3, run }, intact: true });
    expect(peer.link.isClosed).toBe(true);
  });
});

describe("a sync that comes back", () => {
  test("parked for longer than writers have patience, back with `continue` => writers are paced at once", async () => {
    const h = new Harness();
    for (let n = 0; n < 20; n++) batch(h.log, 10_000);
    await h.turns();
    const first = h.stream();
    await h.turns();
    const { offset, chain } = first.last("snapshot")!.position;
    first.ack(offset);
    for (let n = 0; n < 10; n++) batch(h.log, 10_000);
    await h.turns();
    expect(first.link.hold?.offset).toBe(offset);
    first.link.onSocketClosed("peer_closed", "cut");
    h.tick(3_100);
    expect(h.feeder.pacing.isPacing).toBe(false);
    const second = h.connect();
    second.hello({ position: { history: HISTORY, offset, chain } });
    expect(second.last("welcome")?.decision).toBe("continue");
    expect(second.link.hold?.offset).toBe(offset);
    expect(h.feeder.pacing.isPacing).toBe(true);
  });
});
