/** A Map that does what a store must do, records for both, and comparison of the two. */
import assert from "node:assert/strict";
import { InlineSource } from "../../../src/store/inline-source.ts";
import * as record from "../../../src/store/record.ts";
import type { Snapshot } from "../../../src/store/snapshot.ts";
import { applyToModel, type Model } from "../../../tools/map-model.ts";
import { Store, type StoreOptions } from "../../../src/store/store.ts";
import { ChunkTally } from "../../../src/wire/chunk-tally.ts";
import { payloadOf } from "./reading.ts";

export { applyToModel, type Model };

/** Tiny sizes, so that every boundary is hit. */
export const TINY: StoreOptions = {
  arenaSegmentBytes: 512,
  indexPageEntries: 8,
  hashSeed: [1, 2],
};

export function setRecord(key: Buffer, value: Buffer, expireAt = 0): Buffer {
  const bytes = Buffer.alloc(record.setBytes(key.length, value.length, expireAt));
  const at = record.encodeSetHead(bytes, 0, key.length, expireAt);
  key.copy(bytes, at);
  value.copy(bytes, at + key.length);
  return bytes;
}

export function delRecord(key: Buffer): Buffer {
  const bytes = Buffer.alloc(record.delBytes(key.length));
  key.copy(bytes, record.encodeDelHead(bytes, 0, key.length));
  return bytes;
}

export function expireRecord(key: Buffer, expireAt: number): Buffer {
  const bytes = Buffer.alloc(record.expireBytes(key.length));
  key.copy(bytes, record.encodeExpireHead(bytes, 0, key.length, expireAt));
  return bytes;
}

export function patchRecord(key: Buffer, valueAt: number, data: Buffer): Buffer {
  const bytes = Buffer.alloc(record.patchBytes(key.length, data.length));
  const at = record.encodePatchHead(bytes, 0, key.length, valueAt);
  key.copy(bytes, at);
  data.copy(bytes, at + key.length);
  return bytes;
}

export function moveRecord(op: "rename" | "copy", key: Buffer, newKey: Buffer): Buffer {
  const bytes = Buffer.alloc(record.moveBytes(key.length, newKey.length));
  const at = record.encodeMoveHead(bytes, 0, record.OP[op], key.length);
  key.copy(bytes, at);
  newKey.copy(bytes, at + key.length);
  return bytes;
}

export function flushRecord(): Buffer {
  const bytes = Buffer.alloc(record.FLUSH_BYTES);
  record.encodeFlush(bytes, 0);
  return bytes;
}

/** Each with its length before it, as in a batch and in a GROUP. */
export function withLengths(records: readonly Buffer[]): Buffer {
  return Buffer.concat(
    records.flatMap((bytes) => {
      const length = Buffer.alloc(4);
      length.writeUInt32LE(bytes.length);
      return [length, bytes];
    }),
  );
}

export function groupRecord(records: readonly Buffer[]): Buffer {
  const head = Buffer.alloc(record.GROUP_HEAD_BYTES);
  record.encodeGroupHead(head, 0);
  return Buffer.concat([head, withLengths(records)]);
}

/** Every key of the store with its value, found through SCAN. */
export function contentOf(store: Store): Model {
  const keys: { key: Buffer; expireAt: number }[] = [];
  let cursor = 0;
  do {
    cursor = store.scan(cursor, 10, (bytes, from, to, expireAt) => {
      keys.push({ key: Buffer.from(bytes.subarray(from, to)), expireAt });
    });
  } while (cursor !== 0);
  const content: Model = new Map();
  for (const { key, expireAt } of keys) {
    assert.equal(store.find(key, 0, key.length), true);
    assert.equal(store.hitExpireAt, expireAt);
    const value = Buffer.from(store.hitBytes.subarray(store.hitFrom, store.hitTo));
    assert.equal(content.has(key.toString("latin1")), false);
    content.set(key.toString("latin1"), { value, expireAt });
  }
  return content;
}

/** Cheaper than toEqual on Maps of Buffers, with a readable difference. */
export function expectSame(content: Model, model: Model): void {
  const text = (map: Model): string[] =>
    [...map].map(([key, e]) => `${key} = ${e.value.toString("latin1")} @${e.expireAt}`).sort();
  assert.deepEqual(text(content), text(model));
}

/** All chunk payloads of a snapshot, read in this thread from chunk `from` on; the digest from 0 on. */
export function readChunks(
  snapshot: Snapshot,
  slotBytes: number,
  from = 0,
): { payloads: Buffer[]; records: number; digest: string } {
  const source = new InlineSource(snapshot, { slotBytes, slots: 2 });
  const failures: string[] = [];
  const reader = source.read(from, { ready: () => undefined, failed: (r) => failures.push(r) });
  const payloads: Buffer[] = [];
  const tally = new ChunkTally();
  while (reader.totals === null) {
    assert.equal(source.step(), true);
    for (let chunk = reader.take(); chunk !== null; chunk = reader.take()) {
      tally.note(chunk.number, chunk.to - chunk.from, chunk.sum);
      payloads.push(payloadOf(chunk));
      reader.release(chunk);
    }
    assert.deepEqual(failures, []);
  }
  const { records } = reader.totals;
  reader.close();
  return { payloads, records, digest: tally.digest };
}

/** A fresh store filled with the chunks. */
export function loadStore(
  payloads: readonly Buffer[],
  records: number,
  options: StoreOptions,
): Store {
  const store = new Store(options);
  const staged = store.stage({ records, bytes: 0 });
  for (const payload of payloads) staged.load(payload, 0, payload.length);
  staged.finish({ records });
  store.swap(staged);
  return store;
}
