/** Random control messages that use every limit, for fast-check. */
import fc from "fast-check";
import { LIMITS } from "../../../src/limits.ts";
import type {
  Ack,
  Announce,
  PeersTold,
  PromiseAsked,
  Ask,
  Bye,
  ByeCode,
  Control,
  Decision,
  DigestAnswer,
  Format,
  Greeting,
  Hello,
  Lineage,
  NodeAddress,
  Ping,
  Position,
  Prepare,
  Prepared,
  Rank,
  Reject,
  RejectCode,
  Release,
  Released,
  SnapshotBegin,
  SnapshotEnd,
  StateAnswer,
  SyncRequest,
  Take,
  Verify,
  Welcome,
} from "../../../src/wire/messages.ts";

const u16 = fc.oneof(fc.constantFrom(0, 0xffff), fc.integer({ min: 0, max: 0xffff }));
const u32 = fc.oneof(fc.constantFrom(0, 0xffff_ffff), fc.integer({ min: 0, max: 0xffff_ffff }));
const u53 = fc.oneof(
  fc.constantFrom(0, 0xffff_ffff, 0x1_0000_0000, Number.MAX_SAFE_INTEGER),
  fc.maxSafeNat(),
);

/** Where the protocol has a limit of its own, that limit included. */
function upTo(max: number): fc.Arbitrary<number> {
  return fc.oneof(
    fc.constantFrom(0, 0xffff_ffff, max),
    fc.maxSafeNat().map((n) => n % (max + 1)),
  );
}
const timeMs = upTo(LIMITS.timeMsMax);

function hex(bytes: number): fc.Arbitrary<string> {
  return fc
    .uint8Array({ minLength: bytes, maxLength: bytes })
    .map((value) => Buffer.from(value).toString("hex"));
}

const id = hex(16);
const proof = fc.oneof(fc.constant(""), hex(32));

/** Any text of at most this many bytes of utf-8, the longest included. */
function text(bytesMax: number): fc.Arbitrary<string> {
  return fc.oneof(
    fc.constantFrom("", "\ufeff", "\0", "x".repeat(bytesMax), "\u00e9".repeat(bytesMax >> 1)),
    fc.string({ unit: "binary", maxLength: bytesMax >> 2 }),
    fc.string({ maxLength: bytesMax }),
  );
}

const position: fc.Arbitrary<Position> = fc.record({ history: id, offset: u53, chain: u32 });
const term = upTo(LIMITS.termMax);
const rank: fc.Arbitrary<Rank> = fc.record({ term, run: u32 });
const maybeId = fc.option(id);
const lineage: fc.Arbitrary<Lineage> = fc.array(
  fc.record({ history: id, left: u53, term, run: u32 }),
  { maxLength: LIMITS.lineageEntriesMax, size: "max" },
);
const format: fc.Arbitrary<Format> = fc.record({ name: text(LIMITS.textBytesMax), version: u32 });
const address: fc.Arbitrary<NodeAddress> = fc.record({
  host: text(LIMITS.textBytesMax),
  clientPort: u16,
  replPort: u16,
});

const greeting: fc.Arbitrary<Greeting> = fc.record({
  type: fc.constant("greeting" as const),
  versionMin: u16,
  versionMax: u16,
  nonce: id,
  authRequired: fc.boolean(),
});

const hello: fc.Arbitrary<Hello> = fc.record({
  type: fc.constant("hello" as const),
  version: u16,
  nonce: id,
  proof,
  format,
  storeId: id,
  instanceId: id,
  nodeId: id,
  clusterId: maybeId,
  incarnation: u53,
  purpose: fc.constantFrom("follow", "copy"),
  complete: fc.boolean(),
  address,
  position,
  rank,
  lineage,
  promised: rank,
  shipWanted: fc.constantFrom("no" as const, "torn" as const, "damaged" as const),
  hasData: fc.boolean(),
  consent: fc.constantFrom("none", "replicaof", "reset"),
  partialBytes: u32,
  partialCrc: u32,
  resume: fc.option(fc.record({ snapshotId: id, nextChunk: u32 })),
});

const welcome: fc.Arbitrary<Welcome> = fc.record({
  type: fc.constant("welcome" as const),
  decision: fc.constantFrom<Decision>("continue", "wait", "ship_too_old", "ship_resume"),
  proof,
  nodeId: id,
  clusterId: maybeId,
  path: fc.array(id, { maxLength: LIMITS.pathNodesMax, size: "max" }),
  rootId: maybeId,
  position,
  rank,
  lineage,
  skipBytes: u32,
  discardBytes: u53,
});

const reject: fc.Arbitrary<Reject> = fc.record({
  type: fc.constant("reject" as const),
  code: fc.constantFrom<RejectCode>("version", "unrelated", "shutting_down"),
  message: text(LIMITS.messageBytesMax),
  retryAfterMs: u32,
});

const ping: fc.Arbitrary<Ping> = fc.record({
  type: fc.constant("ping" as const),
  sentUs: u53,
  rootClockMs: timeMs,
  rootAgeMs: timeMs,
  awayMs: timeMs,
  next: u53,
  rootNext: fc.option(u53),
  ackNow: fc.boolean(),
});

const ack: fc.Arbitrary<Ack> = fc.oneof(
  fc.record({
    type: fc.constant("ack" as const),
    mode: fc.constant("streaming" as const),
    received: u53,
    applied: u53,
    durable: u53,
    room: u53,
    echo: u53,
  }),
  fc.record({
    type: fc.constant("ack" as const),
    mode: fc.constant("restoring" as const),
    snapshotId: id,
    nextChunk: u32,
    room: u53,
    echo: u53,
  }),
);

const syncRule = fc.record({
  copies: fc.integer({ min: 0, max: 0xffff }),
  level: fc.constantFrom("applied" as const, "durable" as const),
  members: fc.array(id, { maxLength: LIMITS.nodeBatchMembersMax }),
});
const sync = fc.record({ now: fc.option(syncRule), was: fc.option(syncRule) });

const snapshot: fc.Arbitrary<SnapshotBegin> = fc.record({
  type: fc.constant("snapshot" as const),
  snapshotId: id,
  position: fc.record({ history: id, offset: upTo(LIMITS.offsetMax), chain: u32 }),
  rank,
  lineage,
  sync,
  format,
  firstChunk: u32,
  records: u53,
  bytes: u53,
});

const end: fc.Arbitrary<SnapshotEnd> = fc.record({
  type: fc.constant("end" as const),
  snapshotId: id,
  chunks: u32,
  records: u53,
  bytes: u53,
  digest: hex(32),
});

const bye: fc.Arbitrary<Bye> = fc.record({
  type: fc.constant("bye" as const),
  code: fc.constantFrom<ByeCode>("shutdown", "history_changed", "ship"),
  message: text(LIMITS.messageBytesMax),
});

const verify: fc.Arbitrary<Verify> = fc.record({
  type: fc.constant("verify" as const),
  verifyId: id,
  position,
  buckets: fc.integer({ min: 0, max: 9 }).map((bits) => 1 << bits),
  seed: id,
});

const digest: fc.Arbitrary<DigestAnswer> = fc.record({
  type: fc.constant("digest" as const),
  verifyId: id,
  records: u53,
  sum: hex(8),
  buckets: fc.array(u32, { maxLength: 512, size: "max" }),
});

const ask: fc.Arbitrary<Ask> = fc.record({
  type: fc.constant("ask" as const),
  version: u16,
  nonce: id,
  proof,
});

const promise: fc.Arbitrary<PromiseAsked> = fc.record({
  type: fc.constant("promise" as const),
  version: u16,
  nonce: id,
  proof: proof,
  storeId: id,
  clusterId: id,
  rank,
  position,
  lineage,
});

const peers: fc.Arbitrary<PeersTold> = fc.record({
  type: fc.constant("peers" as const),
  peers: fc.array(fc.record({ storeId: id, host: text(LIMITS.textBytesMax), port: u16 }), {
    maxLength: LIMITS.peersToldMax,
  }),
});

const announce: fc.Arbitrary<Announce> = fc.record({
  type: fc.constant("announce" as const),
  version: u16,
  nonce: id,
  proof,
  nodeId: id,
  clusterId: id,
  address,
  position,
  rank,
  lineage,
});

const state: fc.Arbitrary<StateAnswer> = fc.record({
  type: fc.constant("state" as const),
  proof,
  nodeId: id,
  storeId: id,
  clusterId: maybeId,
  role: fc.constantFrom("primary", "replica"),
  hasData: fc.boolean(),
  rootLives: fc.boolean(),
  upstream: fc.record({ host: text(LIMITS.textBytesMax), port: u16 }),
  path: fc.array(id, { maxLength: LIMITS.pathNodesMax, size: "max" }),
  position,
  durable: u53,
  complete: fc.boolean(),
  intact: fc.boolean(),
  promised: rank,
  rank,
  lineage,
});

const prepare: fc.Arbitrary<Prepare> = fc.record({
  type: fc.constant("prepare" as const),
  failoverId: id,
  position,
  clockMs: timeMs,
  durable: fc.boolean(),
});

const prepared: fc.Arbitrary<Prepared> = fc.record({
  type: fc.constant("prepared" as const),
  failoverId: id,
  refusal: text(LIMITS.messageBytesMax),
});

const take: fc.Arbitrary<Take> = fc.record({
  type: fc.constant("take" as const),
  failoverId: id,
  position,
  term,
  forced: fc.boolean(),
});

const release: fc.Arbitrary<Release> = fc.record({
  type: fc.constant("release" as const),
  failoverId: id,
});

const released: fc.Arbitrary<Released> = fc.record({
  type: fc.constant("released" as const),
  failoverId: id,
});

const syncRequest: fc.Arbitrary<SyncRequest> = fc.record({
  type: fc.constant("sync" as const),
  offset: u53,
});

/** By type, so that a new message does not compile before it is here. */
export const MESSAGES: {
  readonly [T in Control["type"]]: fc.Arbitrary<Extract<Control, { type: T }>>;
} = {
  greeting,
  hello,
  welcome,
  reject,
  ping,
  ack,
  snapshot,
  end,
  bye,
  verify,
  digest,
  ask,
  announce,
  promise,
  peers,
  state,
  prepare,
  prepared,
  take,
  release,
  released,
  sync: syncRequest,
};

export const anyMessage: fc.Arbitrary<Control> = fc.oneof(...Object.values(MESSAGES));
