/**
 * The one record of a node batch: which history begins with it, and who leads it. The batch is part of
 * the log like any other; its record is the log's own, and no state is given it.
 *
 *   BATCH, flag node  [ head | u32 length | record ]      at most one record, which is all of it
 *
 * In synchronous mode one stands inside a history too, where the rule changes.
 *
 * Owns: its bytes. Does not own: when a history begins (node/identity.ts), batches (frame.ts).
 * Tested in: test/unit/wire/golden.test.ts, test/unit/wire/node-record.test.ts.
 */
import { BodyReader, BodyWriter } from "./body.ts";
import { position, rank, syncState } from "./codec.ts";
import * as f from "./fields.ts";
import { BATCH_HEAD_BYTES, batchLength, RECORD_LENGTH_BYTES } from "./frame.ts";
import type { Id, Position, Rank, SyncState } from "./messages.ts";

export interface NodeRecord {
  /** The history that begins with this batch. */
  readonly history: Id;
  readonly rank: Rank;
  /** The end of the log that it goes on from; null for the first history of a cluster. */
  readonly parent: Position | null;
  readonly clusterId: Id;
  /** Of the leader. */
  readonly storeId: Id;
  /** By whom writes are confirmed from here on. */
  readonly sync: SyncState;
}

const record = f.struct<NodeRecord>({
  history: f.id,
  rank,
  parent: f.optional(position),
  clusterId: f.id,
  storeId: f.id,
  sync: syncState,
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
