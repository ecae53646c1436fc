/** The text of node.json: read back, or refused naming what is wrong. */
import { expect, test } from "vitest";
import { decodeNode, encodeNode, newNode, type NodeMemory } from "../../../src/node/node-memory.ts";

const ID = "ab".repeat(16);

const FULL: NodeMemory = {
  storeId: ID,
  clusterId: "cd".repeat(16),
  incarnation: 7,
  bootId: "a boot",
  promised: { term: 4, run: 0 },
  led: { term: 3, run: 2 },
  sync: {
    now: { copies: 1, level: "durable", members: [ID] },
    was: { copies: 2, level: "applied", members: [] },
  },
  complete: true,
  consent: { kind: "replicaof", nodeId: ID, upstream: { host: "h", port: 7 } },
  resetUsed: true,
  role: { role: "replica", upstream: { host: "h", port: 7 } },
  siblings: [{ storeId: "9".repeat(32), host: "r3", port: 16_383 }],
  peers: [
    { storeId: ID, host: "p", port: 16380, awaited: true },
    { storeId: "ef".repeat(16), host: "q", port: 16380, awaited: false },
  ],
};

test.each([FULL, newNode(ID)])("%j => read back", (memory) => {
  expect(decodeNode(encodeNode(memory))).toEqual(memory);
});

test.each([
  ["storeId", "no", "storeId is no id"],
  ["storeId", undefined, "storeId is no id"],
  ["clusterId", 7, "clusterId is no id"],
  ["incarnation", -1, "incarnation is no whole number"],
  ["incarnation", Number.MAX_SAFE_INTEGER, "incarnation is no whole number"],
  ["bootId", "x".repeat(256), "bootId is no short text"],
  ["promised", { term: 2 ** 53, run: 0 }, "promised.term is no whole number"],
  ["led", { term: 1 }, "led.run is no whole number"],
  ["sync", { now: null }, "sync.was is no object"],
  ["sync", { now: { ...FULL.sync!.now, level: "none" }, was: null }, 'sync.now.level is "none"'],
  ["sync", { now: { ...FULL.sync!.now, copies: -1 }, was: null }, "sync.now.copies is no whole"],
  ["sync", { now: { ...FULL.sync!.now, members: [7] }, was: null }, "sync.now.members is no id"],
  ["sync", { now: { ...FULL.sync!.now, members: {} }, was: null }, "sync.now.members is no list"],
  ["complete", 1, "complete is 1, expected true or false"],
  ["consent", 1, "consent is no object"],
  ["consent", { ...FULL.consent, kind: "none" }, 'consent.kind is "none", expected'],
  ["consent", { ...FULL.consent, nodeId: "x" }, "consent.nodeId is no id"],
  ["consent", { ...FULL.consent, upstream: { host: "", port: 7 } }, "consent.upstream.host is no"],
  ["resetUsed", "", 'resetUsed is "", expected true or false'],
  ["role", {}, "role is missing"],
  ["role", "primary", "role is no object"],
  ["peers", {}, "peers is no list"],
  ["peers", Array.from({ length: 33 }, () => FULL.peers[0]), "peers is no list of at most 32"],
  ["peers", [null], "peers is no object"],
  ["peers", [{ ...FULL.peers[0], port: 65_536 }], "peers.port is no whole number"],
  ["peers", [{ ...FULL.peers[0], awaited: 1 }], "peers.awaited is 1, expected true or false"],
  ["version", 2, "version is 2, expected 1"],
  ["version", undefined, "version is missing, expected 1"],
])("%s is %j => %s", (field, value, error) => {
  const root = JSON.parse(encodeNode(FULL)) as Record<string, unknown>;
  expect(() => decodeNode(JSON.stringify({ ...root, [field]: value }))).toThrow(error);
});

test("peers of an older version => a start waits for all of them", () => {
  const older = { storeId: ID, host: "p", port: 16380 };
  const root = JSON.parse(encodeNode(FULL)) as Record<string, unknown>;
  const { peers } = decodeNode(JSON.stringify({ ...root, peers: [older] }));
  expect(peers).toEqual([{ ...older, awaited: true }]);
});

test("half of it, empty, no JSON, no object => refused at every cut", () => {
  const text = encodeNode(FULL).trimEnd();
  for (let bytes = 0; bytes < text.length; bytes++)
    expect(() => decodeNode(text.slice(0, bytes))).toThrow(bytes === 0 ? "empty" : "no JSON");
  expect(() => decodeNode("[]")).toThrow("no object");
});
