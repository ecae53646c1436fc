/**
 * The one record of a node batch: which history begins with it, and who leads it. The batch is part of
 * the log like any other; its record is the log's own, and no state is given it.
 *
 *   BATCH, flag node  [ head | u32 length | record ]      at most one record, which is all of it
 *
 * Owns: its bytes. Does not own: when a history begins (node/identity.ts), batches (frame.ts).
 * Tested in: test/unit/wire/golden.test.ts, test/unit/wire/node-record.test.ts.
 */
import { LIMITS } from "../limits.ts";
import { BodyReader, BodyWriter } from "./body.ts";
import { position, rank } from "./codec.ts";
import * as f from "./fields.ts";
import { BATCH_HEAD_BYTES, batchLength, RECORD_LENGTH_BYTES } from "./frame.ts";
import type { Id, Position, Rank } from "./messages.ts";

/** What a write waits for on the members, and on the leader itself. */
export type SyncLevel = "none" | "applied" | "durable";

export interface NodeRecord {
  /** The history that begins with this batch. */
  readonly history: Id;
  readonly rank: Rank;
  /** The end of the log that it goes on from; null for the first history of a cluster. */
  readonly parent: Position | null;
  readonly clusterId: Id;
  /** Of the leader. */
  readonly storeId: Id;
  /** On how many of `members` a write must be, the leader not counted; 0 at level none. */
  readonly copies: number;
  readonly level: SyncLevel;
  /** Stores that may confirm a write, the leader's included; empty at level none. */
  readonly members: readonly Id[];
}

const LEVEL: Readonly<Record<SyncLevel, number>> = { none: 0, applied: 1, durable: 2 };

const record = f.struct<NodeRecord>({
  history: f.id,
  rank,
  parent: f.optional(position),
  clusterId: f.id,
  storeId: f.id,
  copies: f.u16,
  level: f.choice(LEVEL),
  members: f.list(f.id, LIMITS.nodeBatchMembersMax),
});

/** The most bytes of a node batch, head included. */
export const NODE_BATCH_BYTES_MAX: number =
  BATCH_HEAD_BYTES + RECORD_LENGTH_BYTES + record.bytesMax;

/** The record, in a buffer of its own. */
export function encodeNodeRecord(value: NodeRecord): Buffer {
  const to = new BodyWriter(Buffer.alloc(record.bytesMax), 0);
  record.write(to, value);
  return to.bytes.subarray(0, to.at);
}

/**
 * The record of the node batch that is whole at `bytes[at, ...)`.
 * @throws {WireError} ERR_WIRE_BODY
 */
export function readNodeBatch(bytes: Buffer, at: number): NodeRecord {
  const from = at + BATCH_HEAD_BYTES + RECORD_LENGTH_BYTES;
  const to = at + batchLength(bytes, at);
  const reader = new BodyReader(bytes, from, to, "node batch", from);
  if (bytes.readUInt32LE(from - RECORD_LENGTH_BYTES) !== to - from)
    reader.fail("its record is not all of it");
  const value = record.read(reader);
  reader.end();
  return value;
}
