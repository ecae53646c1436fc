/**
 * Control frames: values <-> bytes. Each message's body is a table of its fields in the order of
 * the wire; docs/PROTOCOL.md has the same tables with a worked example of each.
 *
 * Bodies are exactly as long as their fields, and every value has exactly one encoding: what
 * decodes without an error encodes to the same bytes again.
 *
 * Owns: bodies. Does not own: heads (frame.ts), splitting a stream into frames (decoder.ts).
 */
import assert from "node:assert/strict";
import { WireError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { BodyReader, BodyWriter } from "./body.ts";
import * as f from "./fields.ts";
import type { Field } from "./fields.ts";
import { FRAME_HEAD_BYTES, sealControlHead } from "./frame.ts";
import { FRAME } from "./messages.ts";
import type * as m from "./messages.ts";

/** Bytes that begin the first body on a connection, so that a capture shows what this is. */
export const GREETING_MAGIC = "hawser";

/** Bytes of a proof. */
const PROOF_BYTES = 32;

// Numbers once used are never given to another name: those without one are reserved.

const CONSENT: Readonly<Record<m.Consent, number>> = { none: 0, replicaof: 1, reset: 2 };

const DECISION: Readonly<Record<m.Decision, number>> = {
  continue: 0,
  wait: 1,
  ship_too_old: 2,
  ship_new: 3,
  ship_diverged: 4,
  ship_ahead: 5,
  ship_chain: 6,
  ship_reset: 7,
  ship_resume: 8,
  ship_asked: 9,
};

const PURPOSE: Readonly<Record<m.Purpose, number>> = { follow: 0, copy: 1 };

const SHIP_WANTED: Readonly<Record<m.ShipWanted, number>> = { no: 0, torn: 1, damaged: 2 };

const REJECT_CODE: Readonly<Record<m.RejectCode, number>> = {
  version: 1,
  format: 2,
  auth: 3,
  malformed: 4,
  too_many_replicas: 5,
  too_many_handshakes: 6,
  unrelated: 7,
  unrelated_empty: 8,
  // 9 is reserved.
  cycle: 10,
  self: 11,
  duplicate_id: 12,
  quarantined: 13,
  not_ready: 14,
  shutting_down: 15,
  rank: 16,
};

const BYE_CODE: Readonly<Record<m.ByeCode, number>> = {
  shutdown: 1,
  history_changed: 2,
  // 3 and 5 are reserved.
  protocol: 4,
  ship: 6,
  not_ready: 7,
  copied: 8,
};

const ACK_MODE: Readonly<Record<m.Ack["mode"], number>> = { streaming: 1, restoring: 2 };

const ROLE: Readonly<Record<m.StateAnswer["role"], number>> = { primary: 0, replica: 1 };

const positionAt = (offset: Field<number>): Field<m.Position> =>
  f.struct<m.Position>({ history: f.id, offset, chain: f.u32 });

export const position: Field<m.Position> = positionAt(f.u53);

const term = f.upTo(LIMITS.termMax);

export const rank: Field<m.Rank> = f.struct<m.Rank>({ term, run: f.u32 });

export const lineage: Field<m.Lineage> = f.list(
  f.struct<m.LineageEntry>({ history: f.id, left: f.u53, term, run: f.u32 }),
  LIMITS.lineageEntriesMax,
);

const format = f.struct<m.Format>({ name: f.text, version: f.u32 });

const address = f.struct<m.NodeAddress>({ host: f.text, clientPort: f.u16, replPort: f.u16 });

const greeting = f.magic(
  GREETING_MAGIC,
  f.struct<m.Greeting>({
    type: f.constant("greeting"),
    versionMin: f.u16,
    versionMax: f.u16,
    nonce: f.id,
    authRequired: f.flag,
  }),
);

const hello = f.struct<m.Hello>({
  type: f.constant("hello"),
  version: f.u16,
  nonce: f.id,
  proof: f.maybeHex(PROOF_BYTES),
  format,
  storeId: f.id,
  instanceId: f.id,
  nodeId: f.id,
  clusterId: f.optional(f.id),
  incarnation: f.u53,
  purpose: f.choice(PURPOSE),
  complete: f.flag,
  address,
  position,
  rank,
  lineage,
  promised: rank,
  hasData: f.flag,
  consent: f.choice(CONSENT),
  partialBytes: f.u32,
  partialCrc: f.u32,
  resume: f.optional(
    f.struct<NonNullable<m.Hello["resume"]>>({ snapshotId: f.id, nextChunk: f.u32 }),
  ),
  shipWanted: f.choice(SHIP_WANTED),
});

const welcome = f.struct<m.Welcome>({
  type: f.constant("welcome"),
  decision: f.choice(DECISION),
  proof: f.maybeHex(PROOF_BYTES),
  nodeId: f.id,
  clusterId: f.optional(f.id),
  path: f.list(f.id, LIMITS.pathNodesMax),
  rootId: f.optional(f.id),
  position,
  rank,
  lineage,
  skipBytes: f.u32,
  discardBytes: f.u53,
});

const reject = f.struct<m.Reject>({
  type: f.constant("reject"),
  code: f.choice(REJECT_CODE),
  message: f.message,
  retryAfterMs: f.u32,
});

const ping = f.struct<m.Ping>({
  type: f.constant("ping"),
  sentUs: f.u53,
  rootClockMs: f.timeMs,
  rootAgeMs: f.timeMs,
  awayMs: f.timeMs,
  next: f.u53,
  rootNext: f.optional(f.u53),
  ackNow: f.flag,
});

const ack = f.tagged<m.Ack, "mode">("mode", ACK_MODE, {
  streaming: f.struct<Extract<m.Ack, { mode: "streaming" }>>({
    type: f.constant("ack"),
    mode: f.constant("streaming"),
    received: f.u53,
    applied: f.u53,
    durable: f.u53,
    room: f.u53,
    echo: f.u53,
  }),
  restoring: f.struct<Extract<m.Ack, { mode: "restoring" }>>({
    type: f.constant("ack"),
    mode: f.constant("restoring"),
    snapshotId: f.id,
    nextChunk: f.u32,
    room: f.u53,
    echo: f.u53,
  }),
});

const SYNC_LEVEL: Readonly<Record<m.SyncLevel, number>> = { applied: 1, durable: 2 };

const syncRule = f.struct<m.SyncRule>({
  copies: f.u16,
  level: f.choice(SYNC_LEVEL),
  members: f.list(f.id, LIMITS.nodeBatchMembersMax),
});

/** In node batches, too. */
export const syncState: Field<m.SyncState> = f.struct<m.SyncState>({
  now: f.optional(syncRule),
  was: f.optional(syncRule),
});

const snapshot = f.struct<m.SnapshotBegin>({
  type: f.constant("snapshot"),
  snapshotId: f.id,
  // The receiver's own log goes on from here.
  position: positionAt(f.upTo(LIMITS.offsetMax)),
  rank,
  lineage,
  sync: syncState,
  format,
  firstChunk: f.u32,
  records: f.u53,
  bytes: f.u53,
});

const end = f.struct<m.SnapshotEnd>({
  type: f.constant("end"),
  snapshotId: f.id,
  chunks: f.u32,
  records: f.u53,
  bytes: f.u53,
  digest: f.hex(32),
});

const bye = f.struct<m.Bye>({
  type: f.constant("bye"),
  code: f.choice(BYE_CODE),
  message: f.message,
});

const verify = f.struct<m.Verify>({
  type: f.constant("verify"),
  verifyId: f.id,
  position,
  buckets: f.powerOfTwo(LIMITS.digestBucketsMax),
  seed: f.id,
});

const digest = f.struct<m.DigestAnswer>({
  type: f.constant("digest"),
  verifyId: f.id,
  records: f.u53,
  sum: f.hex(8),
  buckets: f.list(f.u32, LIMITS.digestBucketsMax),
});

const ask = f.struct<m.Ask>({
  type: f.constant("ask"),
  version: f.u16,
  nonce: f.id,
  proof: f.maybeHex(PROOF_BYTES),
});

const announce = f.struct<m.Announce>({
  type: f.constant("announce"),
  version: f.u16,
  nonce: f.id,
  proof: f.maybeHex(PROOF_BYTES),
  nodeId: f.id,
  clusterId: f.id,
  address,
  position,
  rank,
  lineage,
});

const promise = f.struct<m.PromiseAsked>({
  type: f.constant("promise"),
  version: f.u16,
  nonce: f.id,
  proof: f.maybeHex(PROOF_BYTES),
  storeId: f.id,
  clusterId: f.id,
  rank,
  position,
  lineage,
});

const peers = f.struct<m.PeersTold>({
  type: f.constant("peers"),
  peers: f.list(
    f.struct<m.PeerAddress>({ storeId: f.id, host: f.text, port: f.u16 }),
    LIMITS.peersToldMax,
  ),
});

const state = f.struct<m.StateAnswer>({
  type: f.constant("state"),
  proof: f.maybeHex(PROOF_BYTES),
  nodeId: f.id,
  storeId: f.id,
  clusterId: f.optional(f.id),
  role: f.choice(ROLE),
  hasData: f.flag,
  rootLives: f.flag,
  upstream: f.struct<m.StateAnswer["upstream"]>({ host: f.text, port: f.u16 }),
  path: f.list(f.id, LIMITS.pathNodesMax),
  position,
  durable: f.u53,
  complete: f.flag,
  intact: f.flag,
  promised: rank,
  rank,
  lineage,
});

const prepare = f.struct<m.Prepare>({
  type: f.constant("prepare"),
  failoverId: f.id,
  position,
  clockMs: f.timeMs,
  durable: f.flag,
});

const prepared = f.struct<m.Prepared>({
  type: f.constant("prepared"),
  failoverId: f.id,
  refusal: f.message,
});

const take = f.struct<m.Take>({
  type: f.constant("take"),
  failoverId: f.id,
  position,
  term,
  forced: f.flag,
});

const release = f.struct<m.Release>({ type: f.constant("release"), failoverId: f.id });

const released = f.struct<m.Released>({ type: f.constant("released"), failoverId: f.id });

const sync = f.struct<m.SyncRequest>({ type: f.constant("sync"), offset: f.u53 });

type Bodies = { readonly [T in m.Control["type"]]: Field<Extract<m.Control, { type: T }>> };

const BODIES: Bodies = {
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
  state,
  announce,
  promise,
  peers,
  prepare,
  prepared,
  take,
  release,
  released,
  sync,
};

interface Row {
  readonly name: m.Control["type"];
  readonly body: Field<m.Control>;
}

const ROWS: ReadonlyMap<number, Row> = new Map(
  (Object.keys(BODIES) as m.Control["type"][]).map((name) => [
    FRAME[name],
    { name, body: BODIES[name] },
  ]),
);

for (const { name, body } of ROWS.values()) {
  assert(body.bytesMax <= LIMITS.controlBytesMax, `${name} does not fit controlBytesMax`);
}
assert(ROWS.get(FRAME.hello)!.body.bytesMax + FRAME_HEAD_BYTES <= LIMITS.handshakeBytesMax);

/** Every encoding is made here and copied out: encode() never waits while it uses it. */
const scratch = Buffer.alloc(FRAME_HEAD_BYTES + LIMITS.controlBytesMax);

/** The most bytes that a body of this type may have; 0 for a type that has none, as BATCH. */
export function bodyBytesMax(type: number): number {
  return type === FRAME.chunk ? LIMITS.chunkBytesMax : (ROWS.get(type)?.body.bytesMax ?? 0);
}

/** The whole frame, in a buffer of its own. A value that does not fit is an AssertionError. */
export function encode(message: m.Control): Buffer {
  const to = new BodyWriter(scratch, FRAME_HEAD_BYTES);
  (BODIES[message.type] as Field<m.Control>).write(to, message);
  sealControlHead(scratch, 0, FRAME[message.type], to.at);
  return Buffer.from(scratch.subarray(0, to.at));
}

/**
 * Reads the body in `bytes[from, to)`; keeps no reference to it.
 *
 * @param streamAt position of `from` in the stream, for error messages
 * @throws {WireError} ERR_WIRE_BODY, ERR_WIRE_TYPE for a type that is no control frame
 */
export function decodeBody(
  type: number,
  flags: number,
  bytes: Buffer,
  from: number,
  to: number,
  streamAt = 0,
): m.Control {
  const row = ROWS.get(type);
  if (row === undefined) throw new WireError("ERR_WIRE_TYPE", `${type} is no control frame`);
  const reader = new BodyReader(bytes, from, to, row.name, streamAt);
  if (flags !== 0) reader.fail(`flags ${flags}, expected 0`);
  const message = row.body.read(reader);
  reader.end();
  return message;
}
