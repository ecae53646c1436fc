/** Statuses of a primary that ships and of a replica that restores, for tests of what shows them. */
import type { DiskStatus, LinkStatus, NodeStatus } from "../../../src/node/api.ts";
import { FakeNode } from "./fake-node.ts";

export const LINK: LinkStatus = {
  replicaId: "r",
  nodeId: "n",
  remote: "127.0.0.1:5000",
  host: "10.0.0.1",
  clientPort: 6381,
  replPort: 16381,
  state: "shipping",
  sent: 10,
  applied: 5,
  durable: 4,
  complete: true,
  lagBytes: 5,
  lagMs: 12,
  lastAckAgoMs: 1500,
  outputBytes: 0,
  connectedAtMs: 0,
  ship: {
    state: "sending",
    snapshotId: "s",
    chunksSent: 3,
    chunksAcked: 2,
    bytesSent: 5_242_880,
    bytesTotal: 10_485_760,
    startedAtMs: 0,
  },
};

export const PRIMARY: NodeStatus = {
  ...new FakeNode().status(),
  links: [LINK, { ...LINK, state: "streaming", ship: null }],
};

export const DISK: DiskStatus = {
  fsync: "everysec",
  watermarks: { appended: 40, sealed: 30, visible: 30, written: 20, durable: 10 },
  trouble: "",
  timesBehind: 0,
  found: { replayed: 7, cutBytes: 5, ms: 3 },
  incompleteTo: null,
  checkpoint: { offset: 8, clockMs: 0 },
  logBytes: 2048,
};

export const REPLICA: NodeStatus = {
  ...PRIMARY,
  role: "replica",
  links: [],
  lineage: [{ history: "4".repeat(32), left: 77, term: 1, run: 0 }],
  upstream: {
    host: "10.0.0.9",
    port: 16380,
    state: "restoring",
    lastIoAgoMs: 100,
    downForMs: 2500,
    lastError: "bad\nnews",
    retryInMs: 0,
    received: 20,
    applied: 10,
    upstreamLagBytes: 10,
    rootLink: "down",
    rootDownForMs: 2500,
    lagBytes: 25,
    staleMs: 300,
    restore: { chunks: 4, bytes: 1_048_576, bytesTotal: 4_194_304, startedAtMs: 0 },
  },
};
