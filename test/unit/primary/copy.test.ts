/**
 * A copy (`hawser backup`) at a feeder: it gets a snapshot, and counts for nobody.
 */
import { describe, expect, test } from "vitest";
import { LIMITS } from "../../../src/limits.ts";
import { lackingReplicas } from "../../../src/primary/lacking.ts";
import { FEEDER_DEFAULTS } from "../../../src/primary/options.ts";
import { relieve } from "../../../src/primary/relief.ts";
import { heldBytes } from "../../../src/node/status.ts";
import type { Hello } from "../../../src/wire/messages.ts";
import { hmacProof } from "../../../src/wire/proof.ts";
import { batch, HISTORY } from "../log/tools.ts";
import { Harness, id, type Peer } from "./feeder-harness.ts";

const COPY: Partial<Hello> = { purpose: "copy", format: { name: "none", version: 9 } };

async function copying(h: Harness, given: Partial<Hello> = {}): Promise<Peer> {
  const peer = h.connect();
  peer.hello({ ...COPY, ...given });
  await h.turns();
  return peer;
}

describe("a copy", () => {
  test("gets a snapshot to its END, acknowledges it, and gets BYE; no log follows", async () => {
    const h = new Harness();
    batch(h.log, 500);
    const peer = await copying(h);
    batch(h.log, 500);
    await h.turns();
    expect(peer.heard).toEqual(["greeting", "welcome", "snapshot", "chunk", "end"]);
    expect(peer.last("welcome")?.decision).toBe("ship_new");
    expect(peer.last("snapshot")).toMatchObject({
      position: { history: HISTORY, offset: 500 },
      firstChunk: 0,
    });
    peer.ack(500);
    expect(peer.last("bye")?.code).toBe("copied");
    expect([peer.ended, peer.streamBytes > 0, peer.batches]).toEqual(["end", true, 0]);
    expect(h.feeder.links).toHaveLength(0);
    const { counters } = h.feeder;
    expect([counters.get("copies_begun"), counters.get("copies_done")]).toEqual([1, 1]);
    expect(h.lines.at(-1)).toMatchObject({ level: "info", event: "copy_ended" });
  });

  test("of a data that it has: the position that it says is not looked at", async () => {
    const h = new Harness();
    batch(h.log, 500);
    const position = { history: id(9), offset: 7, chain: 1 };
    const peer = await copying(h, { hasData: true, position });
    expect(peer.heard).toEqual(["greeting", "welcome", "snapshot", "chunk", "end"]);
  });

  test("an ACK before END ends nothing", async () => {
    const h = new Harness();
    const peer = h.connect();
    peer.hello(COPY);
    peer.ack(0);
    expect(peer.link.isClosed).toBe(false);
    await h.turns();
    peer.ack(0);
    expect(h.feeder.counters.get("copies_done")).toBe(1);
  });

  test("is no replica: not listed, not lacking, not confirmed, not verified, no counter of syncs or drops", async () => {
    const h = new Harness();
    const peer = await copying(h);
    const { feeder } = h;
    expect(feeder.links).toHaveLength(1);
    expect(feeder.replicas).toHaveLength(0);
    expect(lackingReplicas(feeder)).toEqual([]);
    let count: number | null = -1;
    const wanted = { offset: 0, replicas: 1, level: "applied", local: false } as const;
    feeder.wait(wanted, 10, (got) => (count = got));
    h.tick(20);
    expect(count).toBe(0);
    expect(
      feeder.verify({
        type: "verify",
        verifyId: id(7),
        position: { history: HISTORY, offset: 0, chain: 0 },
        buckets: 1,
        seed: id(8),
      }),
    ).toEqual([]);
    peer.link.onSocketClosed("peer_closed", "");
    expect(feeder.counters.get("sync_full")).toBe(0);
    expect(
      Object.keys(feeder.counters.values).filter((name) => name.startsWith("link_drops")),
    ).toEqual([]);
    expect(h.events.filter((event) => /^(link_|ship_|resume)/.test(event))).toEqual([]);
  });

  test("keeps no log: no hold, no reading from the store, and a node without replicas stays one", async () => {
    const follows = { sizeBytes: 10_000, segmentBytes: 1_000 };
    const h = new Harness({}, follows);
    const peer = await copying(h);
    for (let n = 0; n < 40; n++) batch(h.log, 900);
    await h.turns();
    expect([h.feeder.holds.count, heldBytes(h.feeder)]).toEqual([0, 0]);
    expect(h.feeder.readingFrom).toBe(Number.POSITIVE_INFINITY);
    const alone = new Harness({}, follows);
    for (let n = 0; n < 40; n++) batch(alone.log, 900);
    await alone.turns();
    // As much of the log is in memory as on a node that nobody ever came to.
    expect(h.log.first).toBe(alone.log.first);
    // Its snapshot's place in the log is gone, and that is nothing to it.
    peer.ack(0);
    expect(h.feeder.counters.get("copies_done")).toBe(1);
  });

  test("cut in the middle: its snapshot goes at once, nothing is parked", async () => {
    const h = new Harness();
    const peer = await copying(h);
    const snapshot = peer.link.currentShip!.snapshot!;
    expect(snapshot.closed).toBe(false);
    peer.link.onSocketClosed("peer_closed", "");
    expect(h.feeder.parking.list()).toEqual([]);
    expect(snapshot.closed).toBe(true);
    expect(h.feeder.counters.get("copies_done")).toBe(0);
    expect(h.lines.at(-1)).toMatchObject({ level: "warn", event: "copy_ended" });
  });

  test("with a replica's id it neither ends that replica's link nor is ended by it", async () => {
    const h = new Harness();
    const replica = h.stream({ storeId: id(7) });
    const copy = await copying(h, { storeId: id(7) });
    expect([replica.link.isClosed, copy.link.isClosed]).toEqual([false, false]);
    replica.link.onSocketClosed("peer_closed", "");
    const again = h.stream({ storeId: id(7), instanceId: id(8) });
    expect([again.link.state.kind, copy.link.isClosed]).toEqual(["streaming", false]);
  });

  test("a client's reply does not wait for the turn's end on its account", async () => {
    const h = new Harness();
    const peer = await copying(h);
    expect([h.feeder.links.length, h.feeder.followers]).toEqual([1, 0]);
    const replica = h.stream();
    expect(h.feeder.followers).toBe(1);
    replica.link.onSocketClosed("peer_closed", "");
    expect([peer.link.isClosed, h.feeder.followers]).toEqual([false, 0]);
  });

  test("takes no replica's place, and there is an end to places of copies", async () => {
    const h = new Harness();
    for (let n = 0; n < LIMITS.copiesMax; n++) await copying(h, { storeId: id(200 + n) });
    expect((await copying(h)).last("reject")).toMatchObject({
      code: "too_many_replicas",
      message: expect.stringMatching(/copies/) as string,
    });
    expect(h.feeder.links).toHaveLength(LIMITS.copiesMax);
    for (let n = 0; n < LIMITS.linksMax; n++)
      expect(h.stream({ storeId: id(5_000 + n), nodeId: id(9_000 + n) }).link.welcomed).toBe(true);
    const many = h.stream({ storeId: id(4_000), nodeId: id(4_001) });
    expect(many.last("reject")?.code).toBe("too_many_replicas");
  });

  test("that nobody reads keeps no replica from its snapshot, slows no writer, and ends at the clock", async () => {
    const h = new Harness({ shipsAtOnce: 1, shipWaitMs: 1_000_000 });
    const copies = [];
    for (let n = 0; n < 3; n++) {
      const copy = h.connect();
      copy.takes = false;
      copy.hello({ ...COPY, storeId: id(200 + n) });
      await h.turns();
      copies.push(copy);
    }
    const unrelated = { history: id(9), offset: 0, chain: 0 };
    const replica = h.stream({ position: unrelated });
    await h.turns();
    expect(replica.heard).toContain("end");
    const { pacing, shipping } = h.feeder;
    for (let n = 0; n < 20; n++) {
      batch(h.log, 9_000);
      h.tick(100);
      await h.turns();
    }
    // The replica asks for a pace, and for no lower one than without the copies.
    expect(h.lines.filter(({ event }) => event === "writers_slowed")).toEqual([]);
    replica.link.onSocketClosed("peer_closed", "");
    h.feeder.parking.clear();
    h.tick(5_000);
    expect([pacing.isPacing, h.feeder.holds.count]).toEqual([false, 0]);
    // Those that wait behind a copy hold nothing up either.
    expect(shipping.isWaiting).toBe(false);
    for (let n = 0; n < 20; n++) {
      for (const { link } of copies) link.movement.received(h.nowMs);
      h.tick(FEEDER_DEFAULTS.stallMs / 10);
    }
    expect(copies[0]!.link.state).toMatchObject({ kind: "closed", reason: "stall_socket" });
    expect(h.feeder.links.filter(({ welcomed }) => welcomed).length).toBeLessThan(3);
  });

  test("that never acknowledges END pins its snapshot until the clock ends it", async () => {
    const h = new Harness();
    const peer = await copying(h);
    expect(peer.heard).toContain("end");
    const { snapshot } = peer.link.currentShip!;
    for (let n = 0; n < 20; n++) {
      peer.link.movement.received(h.nowMs);
      h.tick(FEEDER_DEFAULTS.stallMs / 10);
    }
    expect(peer.link.state).toMatchObject({ reason: "stall_apply" });
    expect(snapshot!.closed).toBe(true);
  });

  test("goes first when snapshots pin too much memory", async () => {
    const h = new Harness({ shipGatherMs: 0 });
    const replica = h.stream({ position: { history: id(9), offset: 0, chain: 0 } });
    await h.turns();
    const copy = await copying(h);
    h.reclaimable = 500;
    expect(relieve(h.feeder, { bytes: 5_000, capBytes: 1_000 }, 500, 0)).toBe(true);
    expect([replica.link.isClosed, copy.link.isClosed]).toEqual([false, true]);
    expect(h.feeder.quarantine.count(0)).toBe(0);
  });

  test("is refused as a replica is: wrong password, no state yet", async () => {
    const h = new Harness({ replPassword: "sesame" });
    const wrong = await copying(h, { proof: "00".repeat(32) });
    expect(wrong.last("reject")?.code).toBe("auth");
    const right = h.connect();
    const { nonce } = right.last("greeting")!;
    right.hello({ ...COPY, proof: hmacProof("sesame", "replica", nonce, id(5)) });
    await h.turns();
    expect(right.heard).toContain("end");
    const torn = new Harness();
    torn.torn = true;
    expect((await copying(torn)).last("reject")?.code).toBe("not_ready");
  });
});
