/** Replicas that are ahead of the node that feeds them: the turn that reaches them streams to them. */
import { expect, test } from "vitest";
import type { Id } from "../../../src/wire/messages.ts";
import { batch, HISTORY } from "../log/tools.ts";
import { Harness, id, type Peer } from "./feeder-harness.ts";

/** A replica that feeds others, at offset 0, and the positions that its log will go through. */
function setUp() {
  const h = new Harness();
  h.role = "replica";
  const twin = new Harness();
  const positions = Array.from({ length: 3 }, () => {
    batch(twin.log, 100);
    return { offset: twin.log.next, chain: twin.log.chain };
  });
  const wait = (at: { offset: number; chain: number }, storeId: Id): Peer => {
    const peer = h.connect();
    [peer.offset, peer.chain] = [at.offset, at.chain];
    peer.hello({ hasData: true, storeId });
    return peer;
  };
  return { h, positions, wait };
}

test("streams from its offset in the turn in which the log gets there: no tick, each in its turn", async () => {
  const { h, positions, wait } = setUp();
  // The farther one first: the next that is waited for is the lowest that is left.
  const far = wait(positions[1]!, id(100));
  const near = wait(positions[0]!, id(200));
  await h.turns();
  const kinds = (): string[] => [near, far].map(({ link }) => link.state.kind);
  expect(kinds()).toEqual(["waiting", "waiting"]);
  batch(h.log, 100);
  await h.turns();
  expect(kinds()).toEqual(["streaming", "waiting"]);
  expect([near.link.sent, near.batches]).toEqual([positions[0]!.offset, 0]);
  batch(h.log, 100);
  await h.turns();
  expect(kinds()).toEqual(["streaming", "streaming"]);
  batch(h.log, 100);
  await h.turns();
  expect([near.batches, far.batches]).toEqual([2, 1]);
  expect(far.link.sent).toBe(positions[2]!.offset);
});

test("one that goes, one whose log differs => the log gets there, nobody is streamed to", async () => {
  const { h, positions, wait } = setUp();
  const gone = wait(positions[0]!, id(100));
  const differs = wait({ ...positions[1]!, chain: 1 }, id(200));
  gone.link.onSocketClosed("peer_closed", "");
  batch(h.log, 100);
  await h.turns();
  expect(differs.link.state.kind).toBe("waiting");
  batch(h.log, 100);
  await h.turns();
  expect(differs.link.state).toMatchObject({ reason: "history_changed" });
  expect(differs.last("bye")?.message).toBe("the logs differ");
});

test("one in an older history is sent away, not streamed to", () => {
  const { h, positions, wait } = setUp();
  const peer = wait(positions[0]!, id(100));
  expect(peer.link.state.kind).toBe("waiting");
  h.lineage = [{ history: HISTORY, left: 300, term: 1, run: 0 }];
  h.history = id(77);
  batch(h.log, 100);
  h.turn.end(h.nowMs);
  expect(peer.link.state).toMatchObject({ reason: "history_changed" });
  expect(peer.last("bye")?.code).toBe("history_changed");
});

test("the log is not looked at while nobody is ahead, nor below the lowest that is", async () => {
  const { h, positions, wait } = setUp();
  const looked: number[] = [];
  const wake = h.feeder.ahead.wake.bind(h.feeder.ahead);
  h.feeder.ahead.wake = (owner, nowMs): void => {
    looked.push(owner.backlog.next);
    wake(owner, nowMs);
  };
  await h.turns();
  const peer = wait(positions[1]!, id(100));
  await h.turns();
  batch(h.log, 100);
  await h.turns();
  h.tick(100);
  expect([looked, peer.link.state.kind]).toEqual([[], "waiting"]);
  batch(h.log, 100);
  await h.turns();
  batch(h.log, 100);
  await h.turns();
  expect(looked).toEqual([positions[1]!.offset]);
});
