/** A store that comes back is known again, or is found to be another one under its id. */
import { expect, test } from "vitest";
import { linkStatus } from "../../../src/node/status.ts";
import { Stores, type StoreClaim } from "../../../src/primary/stores.ts";
import type { Id, Lineage } from "../../../src/wire/messages.ts";
import { batch, HISTORY } from "../log/tools.ts";
import { Harness, id } from "./feeder-harness.ts";

const OTHER = id(77);

interface Given {
  readonly process?: number;
  readonly incarnation?: number;
  readonly history?: Id;
  readonly offset?: number;
  readonly lineage?: Lineage;
  readonly store?: number;
}

function claim(given: Given): StoreClaim {
  const { process = 1, incarnation = 5, history = HISTORY, offset = 0 } = given;
  return {
    storeId: id(given.store ?? 100),
    instanceId: id(process),
    incarnation,
    position: { history, offset, chain: 0 },
    lineage: given.lineage ?? [],
  };
}

const left = (at: number): Lineage => [{ history: HISTORY, left: at, term: 1, run: 0 }];

/** Process 1, incarnation 5, confirmed that 1000 of HISTORY are durable. */
function confirmed(): Stores {
  const stores = new Stores();
  stores.welcomed(claim({}), HISTORY, true).store.confirmed(1000);
  return stores;
}

test.each<[string, Given, string | null]>([
  ["the same process, further", { offset: 2000 }, null],
  ["the same process, exactly there", { offset: 1000 }, null],
  ["the same process, and less", { offset: 999 }, "lost"],
  ["its next start", { process: 2, incarnation: 6, offset: 1000 }, null],
  ["its next start, of an older disk", { process: 2, incarnation: 6, offset: 900 }, "lost"],
  ["another process of the same start", { process: 2, offset: 1000 }, "incarnation"],
  ["an older directory", { process: 2, incarnation: 4, offset: 1000 }, "incarnation"],
  ["a new disk", { process: 2, incarnation: 6, history: OTHER }, "lost"],
  [
    "it went on in a history that begins above",
    { offset: 1200, history: OTHER, lineage: left(1100) },
    null,
  ],
  ["it went another way below", { offset: 1200, history: OTHER, lineage: left(990) }, "lost"],
])("comes back: %s", (_what, given, why) => {
  const { replaced, store } = confirmed().welcomed(claim(given), HISTORY, true);
  expect(replaced?.why ?? null).toBe(why);
  expect(store.durable).toBe(why === null ? 1000 : 0);
  if (replaced !== null) expect(replaced).toMatchObject({ incarnation: 5, durable: 1000 });
});

test("the highest incarnation counts, whoever came in between", () => {
  const stores = confirmed();
  const why = (process: number, incarnation: number): string | undefined =>
    stores.welcomed(claim({ process, incarnation, offset: 1000 }), HISTORY, true).replaced?.why;
  expect(why(2, 8)).toBeUndefined();
  expect(why(3, 6)).toBe("incarnation");
  // The one of before, and the older one's next start.
  expect(why(2, 8)).toBe("incarnation");
  expect(why(4, 7)).toBe("incarnation");
  expect(why(5, 9)).toBeUndefined();
});

test("a snapshot instead of the log => what was confirmed of the state before counts no more", () => {
  const stores = confirmed();
  expect(stores.welcomed(claim({ offset: 1000 }), OTHER, false).replaced).toBeNull();
  const { store, replaced } = stores.welcomed(claim({ history: OTHER, offset: 10 }), OTHER, true);
  expect([store.durable, replaced]).toEqual([0, null]);
});

test("stores are remembered up to a bound, the one that came longest ago goes first", () => {
  const stores = confirmed();
  for (let n = 0; n < 1999; n++) stores.welcomed(claim({ store: 1000 + n }), HISTORY, true);
  stores.welcomed(claim({ offset: 1000 }), HISTORY, true);
  for (let n = 0; n < 1999; n++) stores.welcomed(claim({ store: 5000 + n }), HISTORY, true);
  expect(stores.size).toBe(2000);
  expect(stores.welcomed(claim({ offset: 0 }), HISTORY, true).replaced?.why).toBe("lost");
  for (let n = 0; n < 2000; n++) stores.welcomed(claim({ store: 9000 + n }), HISTORY, true);
  expect(stores.size).toBe(2000);
  expect(stores.welcomed(claim({ offset: 0 }), HISTORY, true).replaced).toBeNull();
});

test("a replica's disk was put back => counted, logged; it is fed as before", async () => {
  const h = new Harness();
  const first = h.stream({ incarnation: 1 });
  batch(h.log, 500);
  batch(h.log, 500);
  await h.turns();
  first.ack(1000, 1000, 1 << 26, 1000);
  expect(linkStatus(h.feeder, first.link, 0, 0).durable).toBe(1000);
  first.link.onSocketClosed("socket_error", "cut");
  const again = h.stream({ incarnation: 2, instanceId: id(8), hasData: true });
  expect(again.last("welcome")?.decision).toBe("continue");
  expect(h.feeder.counters.get("stores_replaced")).toBe(1);
  expect(h.lines.find(({ event }) => event === "store_replaced")).toMatchObject({
    level: "warn",
    fields: { why: "lost", known_durable: 1000, replica_offset: 0, incarnation: 2 },
  });
  expect([again.link.store?.durable, linkStatus(h.feeder, again.link, 0, 0).durable]).toEqual([
    0, 0,
  ]);
});

test("a HELLO that is refused, and one for a copy, change nothing that is known", () => {
  const h = new Harness();
  const first = h.stream({ incarnation: 5 });
  h.connect().hello({ incarnation: 9, instanceId: id(8) });
  expect(h.feeder.stores.size).toBe(1);
  expect(first.link.store?.incarnation).toBe(5);
  const copy = h.stream({ incarnation: 1, purpose: "copy", storeId: id(55), nodeId: id(56) });
  expect([copy.link.welcomed, copy.link.store, h.feeder.stores.size]).toEqual([true, null, 1]);
  expect(h.feeder.counters.get("stores_replaced")).toBe(0);
});

test("ACK: more durable than applied, or less than before => a protocol error", async () => {
  const h = new Harness();
  for (const wrong of [501, 299]) {
    const peer = h.stream({ storeId: id(wrong), nodeId: id(wrong + 1) });
    if (h.log.next === 0) batch(h.log, 500);
    await h.turns();
    peer.ack(500, 500, 1 << 26, 300);
    expect(peer.link.isClosed).toBe(false);
    peer.ack(500, 500, 1 << 26, wrong);
    expect(peer.link.state).toMatchObject({ kind: "closed", reason: "protocol" });
  }
});
