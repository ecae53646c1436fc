/**
 * The values of the worked examples in docs/PROTOCOL.md, by the name of the example, and the reader
 * of their bytes. golden.test.ts compares the two, so that document and code cannot drift apart.
 */
import { readFileSync } from "node:fs";
import type { NodeRecord } from "../../../src/wire/node-record.ts";
import { hmacProof } from "../../../src/wire/proof.ts";
import {
  type Control,
  type Format,
  type Lineage,
  NO_SYNC,
  type Position,
  type Rank,
} from "../../../src/wire/messages.ts";

export const PASSWORD = "sesame";
export const FEEDER_NONCE = "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff";
export const REPLICA_NONCE = "e0e1e2e3e4e5e6e7e8e9eaebecedeeef";
export const HISTORY = "00112233445566778899aabbccddeeff";
export const OLDER_HISTORY = "0123456789abcdef0123456789abcdef";
const FEEDER_ID = "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf";
export const NODE_ID = "b0b1b2b3b4b5b6b7b8b9babbbcbdbebf";
export const STORE_ID = "c0c1c2c3c4c5c6c7c8c9cacbcccdcecf";
const INSTANCE_ID = "d0d1d2d3d4d5d6d7d8d9dadbdcdddedf";
export const CLUSTER_ID = "101112131415161718191a1b1c1d1e1f";
const SNAPSHOT_ID = "505152535455565758595a5b5c5d5e5f";
const VERIFY_ID = "606162636465666768696a6b6c6d6e6f";
const FAILOVER_ID = "808182838485868788898a8b8c8d8e8f";
const SEED = "707172737475767778797a7b7c7d7e7f";

const position: Position = { history: HISTORY, offset: 4096, chain: 0x89abcdef };
const rank: Rank = { term: 3, run: 1 };
const lineage: Lineage = [{ history: OLDER_HISTORY, left: 1024, term: 2, run: 0 }];
const format: Format = { name: "hawser-kv", version: 1 };

/** The batch example: the first of the history, with one record. */
export const BATCH = {
  offset: 0,
  clockMs: 1_767_225_600_000,
  records: [Buffer.from("0100010000006b76", "hex")],
} as const;

/** The node batch example: the first of the history. */
export const NODE_BATCH = {
  offset: 1024,
  chain: 0x01020304,
  clockMs: 1_767_225_600_000,
  record: {
    history: HISTORY,
    rank,
    parent: { history: OLDER_HISTORY, offset: 1024, chain: 0x01020304 },
    clusterId: CLUSTER_ID,
    storeId: STORE_ID,
    sync: {
      now: { copies: 1, level: "durable", members: [STORE_ID, VERIFY_ID] },
      was: null,
    },
  } satisfies NodeRecord,
} as const;

/** The chunk example. */
export const CHUNK = { number: 0, payload: Buffer.from("hawser\n") } as const;

export const EXAMPLES: Readonly<Record<string, Control>> = {
  greeting: {
    type: "greeting",
    versionMin: 1,
    versionMax: 1,
    nonce: FEEDER_NONCE,
    authRequired: true,
  },
  hello: {
    type: "hello",
    version: 1,
    nonce: REPLICA_NONCE,
    proof: hmacProof(PASSWORD, "replica", FEEDER_NONCE, REPLICA_NONCE),
    format,
    storeId: STORE_ID,
    instanceId: INSTANCE_ID,
    nodeId: NODE_ID,
    clusterId: CLUSTER_ID,
    incarnation: 5,
    purpose: "follow",
    complete: true,
    address: { host: "r1", clientPort: 6381, replPort: 16381 },
    position,
    rank,
    lineage,
    promised: rank,
    hasData: true,
    shipWanted: "no",
    consent: "none",
    partialBytes: 50,
    partialCrc: 0x12345678,
    resume: { snapshotId: SNAPSHOT_ID, nextChunk: 7 },
  },
  welcome: {
    type: "welcome",
    decision: "continue",
    proof: hmacProof(PASSWORD, "feeder", FEEDER_NONCE, REPLICA_NONCE),
    nodeId: FEEDER_ID,
    clusterId: CLUSTER_ID,
    path: [FEEDER_ID],
    rootId: FEEDER_ID,
    position: { history: HISTORY, offset: 8192, chain: 0x76543210 },
    rank,
    lineage,
    skipBytes: 50,
    discardBytes: 0,
  },
  reject: {
    type: "reject",
    code: "not_ready",
    message: "restoring",
    retryAfterMs: 1000,
  },
  ping: {
    type: "ping",
    sentUs: 5_000_000,
    rootClockMs: 1_767_225_600_000,
    rootAgeMs: 750,
    awayMs: 0,
    next: 8192,
    rootNext: 9216,
    ackNow: true,
  },
  "ack streaming": {
    type: "ack",
    mode: "streaming",
    received: 6000,
    applied: 4096,
    durable: 2000,
    room: 67_106_960,
    echo: 5_000_000,
  },
  "ack restoring": {
    type: "ack",
    mode: "restoring",
    snapshotId: SNAPSHOT_ID,
    nextChunk: 7,
    room: 1_048_576,
    echo: 5_000_000,
  },
  snapshot: {
    type: "snapshot",
    snapshotId: SNAPSHOT_ID,
    position,
    rank,
    lineage,
    sync: NO_SYNC,
    format,
    firstChunk: 0,
    records: 1000,
    bytes: 65_536,
  },
  end: {
    type: "end",
    snapshotId: SNAPSHOT_ID,
    chunks: 1,
    records: 1,
    bytes: 7,
    digest: "8cc40c1a18045d36e252e69e4328dd4042f81e0be59e7eeb2abc293961b861aa",
  },
  bye: { type: "bye", code: "history_changed", message: "promoted" },
  verify: { type: "verify", verifyId: VERIFY_ID, position, buckets: 2, seed: SEED },
  digest: {
    type: "digest",
    verifyId: VERIFY_ID,
    records: 1000,
    sum: "0123456789abcdef",
    buckets: [0x11111111, 0xeeeeeeee],
  },
  ask: {
    type: "ask",
    version: 1,
    nonce: REPLICA_NONCE,
    proof: hmacProof(PASSWORD, "replica", FEEDER_NONCE, REPLICA_NONCE),
  },
  announce: {
    type: "announce",
    version: 1,
    nonce: REPLICA_NONCE,
    proof: hmacProof(PASSWORD, "replica", FEEDER_NONCE, REPLICA_NONCE),
    nodeId: FEEDER_ID,
    clusterId: CLUSTER_ID,
    address: { host: "f1", clientPort: 6380, replPort: 16380 },
    position,
    rank,
    lineage,
  },
  promise: {
    type: "promise",
    version: 1,
    nonce: REPLICA_NONCE,
    proof: hmacProof(PASSWORD, "replica", FEEDER_NONCE, REPLICA_NONCE),
    storeId: STORE_ID,
    clusterId: CLUSTER_ID,
    rank: { term: 4, run: 0 },
    position,
    lineage,
  },
  peers: {
    type: "peers",
    peers: [{ storeId: STORE_ID, host: "f1", port: 16380 }],
  },
  state: {
    type: "state",
    proof: hmacProof(PASSWORD, "feeder", FEEDER_NONCE, REPLICA_NONCE),
    nodeId: NODE_ID,
    storeId: STORE_ID,
    clusterId: CLUSTER_ID,
    role: "replica",
    hasData: true,
    rootLives: true,
    upstream: { host: "f1", port: 6380 },
    path: [FEEDER_ID, NODE_ID],
    position,
    durable: 2000,
    complete: true,
    intact: true,
    promised: rank,
    rank,
    lineage,
  },
  prepare: {
    type: "prepare",
    failoverId: FAILOVER_ID,
    position,
    clockMs: 1_767_225_600_000,
    durable: true,
  },
  prepared: { type: "prepared", failoverId: FAILOVER_ID, refusal: "torn" },
  take: { type: "take", failoverId: FAILOVER_ID, position, term: 4, forced: false },
  release: { type: "release", failoverId: FAILOVER_ID },
  released: { type: "released", failoverId: FAILOVER_ID },
  sync: { type: "sync", offset: 4096 },
};

/** A fenced block "```hex <name>": hex digits at the start of each line, then two spaces and words. */
const BLOCK = /^```hex (.+)\n([^]*?)^```$/gm;

/** The bytes of every worked example of a document in docs, by name. */
export function readExamples(document = "PROTOCOL.md"): ReadonlyMap<string, Buffer> {
  const examples = new Map<string, Buffer>();
  const path = new URL(`../../../docs/${document}`, import.meta.url);
  for (const [, name, lines] of readFileSync(path, "utf8").matchAll(BLOCK)) {
    const digits = lines!.split("\n").map((line) => line.split("  ")[0]!.replaceAll(" ", ""));
    examples.set(name!, Buffer.from(digits.join(""), "hex"));
  }
  return examples;
}
