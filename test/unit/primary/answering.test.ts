/** ASK at a feeder: answered with what it has, refused like a HELLO, and nothing is kept of it. */
import { expect, test } from "vitest";
import { PROTOCOL, type Announce, type Ask } from "../../../src/wire/messages.ts";
import { hmacProof } from "../../../src/wire/proof.ts";
import { chainStart } from "../../../src/wire/frame.ts";
import { Harness, id } from "./feeder-harness.ts";
import { append } from "../log/tools.ts";

const ASK: Ask = { type: "ask", version: PROTOCOL.max, nonce: id(5), proof: "" };

test("ASK => STATE with position, lineage and path; the link ends and leaves nothing", () => {
  const harness = new Harness();
  harness.lineage = [{ history: id(77), left: 3, term: 1, run: 0 }];
  const peer = harness.connect();
  peer.say(ASK);
  const { next: offset, chain } = harness.log;
  expect(peer.last("state")).toEqual({
    type: "state",
    storeId: id(2),
    clusterId: id(3),
    durable: 0,
    complete: true,
    intact: true,
    promised: { term: 3, run: 1 },
    rank: { term: 3, run: 1 },
    proof: "",
    nodeId: id(1),
    role: "primary",
    hasData: true,
    rootLives: false,
    upstream: { host: "", port: 0 },
    path: [id(1)],
    position: { history: harness.history, offset, chain },
    lineage: harness.lineage,
  });
  expect(peer.ended).toBe("end");
  expect(harness.feeder.links).toHaveLength(0);
  expect(harness.feeder.parking.list()).toHaveLength(0);
  expect(harness.feeder.counters.get("link_drops_answered")).toBe(1);
  expect(harness.feeder.counters.get("links_rejected")).toBe(0);
  expect([harness.asked, harness.dialled]).toEqual([1, []]);
});

test("ASK at a node whose state is torn => it has none, and no position", () => {
  const harness = new Harness();
  append(harness.log, 8);
  harness.torn = true;
  const peer = harness.connect();
  peer.say(ASK);
  expect(peer.last("state")).toMatchObject({
    hasData: false,
    position: { history: harness.history, offset: 0, chain: chainStart(harness.history) },
  });
});

test("ASK with another version => REJECT version", () => {
  const peer = new Harness().connect();
  peer.say({ ...ASK, version: 9 });
  expect(peer.heard).toEqual(["greeting", "reject"]);
  expect(peer.last("reject")?.code).toBe("version");
});

test("ASK at a feeder with a password => answered with a proof for a proof only", () => {
  const harness = new Harness({ replPassword: "sesame" });
  for (const proof of ["", "00".repeat(32)]) {
    const peer = harness.connect();
    peer.say({ ...ASK, proof });
    expect(peer.heard).toEqual(["greeting", "reject"]);
    expect(peer.last("reject")?.code).toBe("auth");
    const caller = harness.connect();
    caller.hello({ proof });
    expect(caller.last("reject")?.code).toBe("auth");
  }
  expect([harness.asked, harness.dialled]).toEqual([0, []]);
  const peer = harness.connect();
  const { nonce } = peer.last("greeting")!;
  peer.say({ ...ASK, proof: hmacProof("sesame", "replica", nonce, ASK.nonce) });
  expect(peer.last("state")?.proof).toBe(hmacProof("sesame", "feeder", nonce, ASK.nonce));
});

test("HELLO at a node that cannot feed => the node hears who dialled it all the same, but not of a copy", () => {
  const harness = new Harness();
  harness.torn = true;
  const peer = harness.connect();
  peer.hello();
  expect(peer.last("reject")?.code).toBe("not_ready");
  harness.connect().hello({ nodeId: id(103), purpose: "copy" });
  expect(harness.dialled).toEqual([id(102)]);
});

test("ASK after HELLO => an error of the protocol", () => {
  const peer = new Harness().connect();
  peer.hello();
  peer.say(ASK);
  expect(peer.last("state")).toBeUndefined();
  expect(peer.last("bye")?.message).toContain("an ASK after HELLO");
});

const ANNOUNCE: Announce = {
  type: "announce",
  version: PROTOCOL.max,
  nonce: id(5),
  proof: "",
  nodeId: id(40),
  clusterId: id(3),
  address: { host: "", clientPort: 1, replPort: 16380 },
  position: { history: id(41), offset: 9, chain: 0 },
  rank: { term: 4, run: 0 },
  lineage: [],
};

test("ANNOUNCE => answered as ASK is; the node hears who leads, and where", () => {
  const harness = new Harness();
  const peer = harness.connect();
  peer.say(ANNOUNCE);
  expect(peer.heard).toEqual(["greeting", "state"]);
  const { clusterId, rank, lineage } = ANNOUNCE;
  const leader = { host: "", port: 16380 };
  expect(harness.leaders).toEqual([{ clusterId, history: id(41), rank, lineage, leader }]);
  harness.connect().say({ ...ANNOUNCE, address: { host: "b", clientPort: 0, replPort: 7 } });
  expect(harness.leaders.at(-1)!.leader).toEqual({ host: "b", port: 7 });
  harness.connect().say({ ...ANNOUNCE, address: { host: "b", clientPort: 0, replPort: 0 } });
  expect(harness.leaders.at(-1)!.leader).toBeNull();
});

test("ANNOUNCE without the password => REJECT auth, and nobody hears of it", () => {
  const harness = new Harness({ replPassword: "sesame" });
  const peer = harness.connect();
  peer.say(ANNOUNCE);
  expect([peer.last("reject")?.code, harness.leaders]).toEqual(["auth", []]);
});

test("HELLO at a node that is fenced => REJECT not_ready that says by whom", () => {
  const harness = new Harness();
  harness.fenced = "it led with rank 3.1, and b:7 leads with rank 4.0";
  const peer = harness.connect();
  peer.hello();
  expect(peer.last("reject")).toMatchObject({
    code: "not_ready",
    message: `this node is fenced: ${harness.fenced}`,
  });
});
