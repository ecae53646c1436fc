/** Which snapshot is let go of when they pin too much memory, and that none goes for nothing. */
import { describe, expect, test } from "vitest";
import { relieve } from "../../../src/primary/relief.ts";
import { Store } from "../../../src/store/store.ts";
import { encodeSetHead, setBytes } from "../../../src/store/record.ts";
import { Harness, id, type Peer } from "./feeder-harness.ts";

const PINNED = { bytes: 5_000, capBytes: 1_000 };

/** A replica that gets a snapshot and does not confirm it. */
async function shipTo(h: Harness, n: number): Promise<Peer> {
  const position = { history: id(3), offset: 0, chain: 0 };
  const peer = h.stream({ storeId: id(n), nodeId: id(n + 50), position });
  await h.turns();
  expect(peer.last("snapshot")).toBeDefined();
  return peer;
}

describe("relief", () => {
  test("what would not be enough is not let go of", async () => {
    const h = new Harness();
    const peer = await shipTo(h, 1);
    h.reclaimable = 4_999;
    expect(relieve(h.feeder, PINNED, 5_000, 0)).toBe(false);
    h.reclaimable = 0;
    expect(relieve(h.feeder, PINNED, 0, 0)).toBe(false);
    expect([peer.link.isClosed, h.feeder.counters.get("snapshots_dropped_for_memory")]).toEqual([
      false,
      0,
    ]);
  });

  test("what is enough goes, with all that share it, and may come back at once", async () => {
    const h = new Harness({ shipGatherMs: 100 });
    const position = { history: id(3), offset: 0, chain: 0 };
    const peers = [1, 2].map((n) => h.stream({ storeId: id(n), nodeId: id(n + 50), position }));
    h.nowMs = 100;
    await h.turns();
    h.reclaimable = 5_000;
    expect(relieve(h.feeder, PINNED, 5_000, 0)).toBe(true);
    expect(peers.map(({ link }) => link.state)).toMatchObject([
      { reason: "sync_given_up" },
      { reason: "sync_given_up" },
    ]);
    expect(h.feeder.quarantine.count(0)).toBe(0);
    expect(h.feeder.counters.get("snapshots_dropped_for_memory")).toBe(1);
    const again = h.stream({ storeId: id(1), nodeId: id(51), position });
    expect(again.last("welcome")?.decision).toBe("ship_new");
  });

  test("one that is only parked goes before one that is on its way", async () => {
    const h = new Harness();
    const cut = await shipTo(h, 1);
    cut.link.onSocketClosed("socket_error", "cut");
    const peer = await shipTo(h, 2);
    h.reclaimable = 100;
    expect(relieve(h.feeder, PINNED, 100, 0)).toBe(true);
    expect(h.feeder.parking.list()).toEqual([]);
    expect(peer.link.isClosed).toBe(false);
  });
});

test("the store: what closing snapshots gives back, alone and together", () => {
  const store = new Store({ arenaSegmentBytes: 4096 });
  const log = Buffer.alloc(4096);
  const set = (key: number): void => {
    const length = setBytes(4, 1000, 0);
    const at = encodeSetHead(log, 0, 4, 0);
    log.write(String(key).padStart(4), at);
    store.apply(log, 0, length);
  };
  const setAll = (): void => {
    for (let key = 0; key < 40; key++) set(key);
  };
  setAll();
  const older = store.freeze();
  setAll();
  const newer = store.freeze();
  setAll();
  const pinned = store.stats().snapshotPinnedBytes;
  const [alone, together] = [new Set([newer]), new Set([older, newer])];
  expect(store.reclaimableBytes(new Set([older]))).toBe(0);
  expect(store.reclaimableBytes(alone)).toBeGreaterThan(30_000);
  expect(store.reclaimableBytes(alone)).toBeLessThan(store.reclaimableBytes(together));
  expect(store.reclaimableBytes(together)).toBe(pinned);
  const gives = store.reclaimableBytes(alone);
  newer.close();
  while (store.maintain());
  expect(pinned - store.stats().snapshotPinnedBytes).toBe(gives);
  expect(store.reclaimableBytes(new Set())).toBe(0);
  older.close();
});
