/** Who followed a node: a bounded set, by store and by address. */
import { expect, test } from "vitest";
import { LIMITS } from "../../../src/limits.ts";
import type { Peer } from "../../../src/node/node-memory.ts";
import { Peers } from "../../../src/node/peers.ts";

const peer = (store: number, port: number, awaited = true): Peer => ({
  storeId: store.toString(16).padStart(32, "0"),
  host: "h",
  port,
  awaited,
});

test("a store that comes again is no news; at another address it is", () => {
  const peers = new Peers([peer(1, 1), peer(2, 2)]);
  expect(peers.came(peer(1, 1))).toBe("none");
  expect(peers.list).toEqual([peer(2, 2), peer(1, 1)]);
  expect(peers.came(peer(1, 3))).toBe("place");
  expect(peers.list).toEqual([peer(2, 2), peer(1, 3)]);
});

test("another store at an address => the one that was there is gone", () => {
  const peers = new Peers([peer(1, 1), peer(2, 2)]);
  expect(peers.came(peer(3, 1))).toBe("place");
  expect(peers.list).toEqual([peer(2, 2), peer(3, 1)]);
  // A known store that moves to where another was.
  expect(peers.came(peer(3, 2))).toBe("place");
  expect(peers.list).toEqual([peer(3, 2)]);
});

test("more than are remembered => the one that came longest ago goes", () => {
  const peers = new Peers([]);
  const max = LIMITS.rememberedPeersMax;
  for (let n = 0; n < max; n++) peers.came(peer(n, 100 + n));
  peers.came(peer(0, 100));
  expect(peers.came(peer(max, 100 + max))).toBe("place");
  expect(peers.list).toHaveLength(max);
  expect(peers.list[0]).toEqual(peer(2, 102));
  expect(peers.list).toContainEqual(peer(0, 100));
});

test("released => it stays, and is awaited again when it comes, wherever that is", () => {
  const peers = new Peers([peer(1, 1), peer(2, 2)]);
  expect(peers.release([peer(1, 1).storeId, peer(9, 9).storeId])).toBe(true);
  expect(peers.list).toEqual([peer(1, 1, false), peer(2, 2)]);
  expect([1, 2, 9].map((n) => peers.isAwaited(peer(n, n).storeId))).toEqual([false, true, false]);
  expect(peers.release([peer(1, 1).storeId])).toBe(false);
  expect(peers.came(peer(1, 7))).toBe("awaited");
  expect(peers.list).toEqual([peer(2, 2), peer(1, 7)]);
});
