/** A link that is behind memory is fed from the store of the log, through the same budgets. */
import { expect, test } from "vitest";
import type { FeederOptions } from "../../../src/primary/options.ts";
import { FakeStore } from "../log/fake-store.ts";
import { batch, CHAIN_0 } from "../log/tools.ts";
import { Harness, type Peer } from "./feeder-harness.ts";

const BATCH = 1_000;

/** A log of 300 batches of 1000 bytes, of which memory has about 20. */
function setUp(options: Partial<FeederOptions> = {}, blockBytes = 10_000) {
  const store = new FakeStore(0, CHAIN_0, { blockBytes });
  const test = new Harness(options, { sizeBytes: 20_000, store });
  for (let n = 0; n < 300; n++) {
    batch(test.log, BATCH, n);
    test.turn.end(0);
  }
  expect(test.log.first).toBeGreaterThan(270_000);
  return { test, store, log: test.log };
}

/** Said HELLO, and the store told the chain there. */
function connected({ test, store }: { test: Harness; store: FakeStore }): Peer {
  const peer = test.connect();
  peer.hello();
  expect(peer.heard).not.toContain("welcome");
  store.answer();
  return peer;
}

/** Turns and answers until the peer has the whole log; how much went out at most in one turn. */
async function drain(test: Harness, store: FakeStore, peer: Peer): Promise<number> {
  let most = 0;
  for (let n = 0; peer.link.sent < test.log.next; n++) {
    if (n > 2_000) throw new Error(`stuck at ${peer.link.sent}`);
    const before = peer.link.sent;
    test.turn.end(test.nowMs);
    most = Math.max(most, peer.link.sent - before);
    await Promise.resolve();
    store.answer();
    peer.ack(peer.batches * BATCH, peer.link.sent);
  }
  return most;
}

test("HELLO behind memory => judged when the store told the chain; streamed from blocks, then memory", async () => {
  const { test, store } = setUp();
  const peer = connected({ test, store });
  expect(peer.last("welcome")?.decision).toBe("continue");
  await drain(test, store, peer);
  expect([peer.batches, peer.chunks]).toEqual([300, 0]);
  expect(test.events).not.toContain("fell_behind");
  // Blocks up to where memory begins, and those alone.
  expect(store.reads).toBeLessThanOrEqual(30);
  expect(store.blocksOut).toBe(0);
  batch(test.log, BATCH);
  await test.turns();
  expect(peer.batches).toBe(301);
});

test.each([
  ["budgetBytes and runBytes", { budgetBytes: 700, runBytes: 700 }, 700],
  ["outputCapBytes", { outputCapBytes: 6_000 }, 3_000],
  ["windowBytes", { windowBytes: 2_500 }, 2_500],
])("%s => as from memory: no more in a turn", async (_name, options, limit) => {
  const { test, store } = setUp(options);
  const peer = connected({ test, store });
  expect(await drain(test, store, peer)).toBeLessThanOrEqual(limit);
  expect(peer.batches).toBe(300);
});

test("a batch larger than window and block => let through, its blocks one after the other", async () => {
  const store = new FakeStore(0, CHAIN_0, { blockBytes: 3_000 });
  const test = new Harness({ windowBytes: 2_000 }, { sizeBytes: 5_000, store });
  for (const bytes of [1_000, 40_000, 1_000, 30_000]) {
    batch(test.log, bytes);
    test.turn.end(0);
  }
  expect(test.log.first).toBe(42_000);
  const peer = connected({ test, store });
  const ends = [0, 1_000, 41_000, 42_000, 72_000];
  for (let n = 0; peer.batches < 4; n++) {
    if (n > 500) throw new Error(`stuck after ${peer.batches} batches, at ${peer.link.sent}`);
    test.turn.end(test.nowMs);
    await Promise.resolve();
    store.answer();
    peer.ack(ends[peer.batches]!, peer.link.sent);
  }
  expect(store.blocksOut).toBe(0);
});

test("the store is slow => nothing is sent and nothing is asked twice; the answer makes it go on", async () => {
  const { test, store } = setUp();
  const peer = connected({ test, store });
  await test.turns();
  const { reads } = store;
  for (let n = 0; n < 5; n++) expect(await test.turns()).toBe(1);
  expect([peer.batches, store.reads, reads]).toEqual([0, 1, 1]);
  const wanted = test.wanted;
  store.answer();
  expect(test.wanted).toBe(wanted + 1);
  await test.turns();
  expect(peer.batches).toBe(10);
  peer.link.onSocketClosed("peer_closed", "");
  store.answer();
  expect(store.blocksOut).toBe(0);
});

test.each(["gone", "damaged"])(
  "the store says %s in the middle => it fell behind, a ship",
  async (how) => {
    const { test, store } = setUp();
    const peer = connected({ test, store });
    await test.turns();
    if (how === "gone") store.drop(200_000);
    else store.flip(15_500);
    for (let n = 0; n < 5; n++) {
      store.answer();
      await test.turns();
      peer.ack(peer.batches * BATCH, peer.link.sent);
    }
    expect(test.events).toContain("fell_behind");
    test.tick(1);
    await test.turns();
    expect(peer.heard).toContain("snapshot");
    expect(store.blocksOut).toBe(0);
  },
);

test("another chain than the store has there, or no boundary => refused by rank; dropped meanwhile => too old", () => {
  const { test, store } = setUp();
  const hello = (offset: number, chain: number): string | undefined => {
    const peer = test.connect();
    peer.offset = offset;
    peer.chain = chain;
    peer.hello();
    store.answer();
    const refusal = peer.last("reject");
    peer.link.onSocketClosed("peer_closed", "");
    expect(peer.last("welcome")).toBe(undefined);
    return refusal?.code;
  };
  // One history, one place, another chain: one of the two went back, and neither leads above the other.
  expect(hello(0, CHAIN_0 ^ 1)).toBe("rank");
  expect(hello(500, CHAIN_0)).toBe("rank");
  const peer = test.connect();
  peer.hello();
  store.drop(100_000);
  store.answer();
  expect(peer.last("welcome")?.decision).toBe("ship_too_old");
});

test("a second HELLO, or an ASK, while the first is judged => a protocol error, and nothing more is asked", () => {
  const { test, store } = setUp();
  const peer = test.connect();
  peer.hello();
  peer.hello();
  expect([peer.link.state.kind, peer.ended]).toEqual(["closed", "end"]);
  store.answer();
  expect(peer.heard).toEqual(["greeting", "reject"]);
});
