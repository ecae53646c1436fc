/**
 * Key-value records: the one format of mapState, levelState and lmdbState, so that each of them can follow
 * any other.
 *
 *   put      1 | key length u32le | key | value
 *   delete   2 | key
 *   clear    3
 *
 * Keys and values are any bytes, empty ones too; what a store cannot take (LMDB: an empty key, a long one; a
 * Map: a key that is no UTF-8) it refuses itself. A snapshot is puts alone, one for each key, so equal
 * contents have equal records. A record that does nothing (a delete of a key that is not there) is allowed.
 *
 * Owns: bytes of records, and indexes into them. Does not own: what a store does with them.
 */
import { StoreError } from "../errors.ts";
import type { RecordFormat } from "../bridge/seam.ts";

export const KEY_VALUE_FORMAT: RecordFormat = { name: "key-value", version: 1 };

/** The first byte of a record. */
export const OP = { put: 1, delete: 2, clear: 3 } as const;

/** Bytes of a put before its key. */
export const PUT_HEAD_BYTES = 5;
/** Bytes of a delete before its key. */
export const DELETE_HEAD_BYTES = 1;

/** @throws {StoreError} ERR_STORE_RECORD when `bytes[from, to)` is no record of this format. */
export function checkKeyValue(bytes: Buffer, from: number, to: number): void {
  if (to <= from) throw refused("is empty");
  switch (bytes[from]) {
    case OP.put:
      if (to - from < PUT_HEAD_BYTES) throw refused(`is a put of ${to - from} bytes`);
      if (keyBytesOf(bytes, from) > to - from - PUT_HEAD_BYTES)
        throw refused(`has a key of ${keyBytesOf(bytes, from)} bytes in ${to - from}`);
      return;
    case OP.delete:
      return;
    case OP.clear:
      if (to - from > 1) throw refused(`is a clear of ${to - from} bytes, not 1`);
      return;
    default:
      throw refused(`begins with ${bytes[from]}, not 1 (put), 2 (delete) or 3 (clear)`);
  }
}

/** The u32le in the head of a put; four reads, since Buffer's own checks cost 8 ns a word. */
function keyBytesOf(bytes: Buffer, from: number): number {
  return (
    (bytes[from + 1]! |
      (bytes[from + 2]! << 8) |
      (bytes[from + 3]! << 16) |
      (bytes[from + 4]! << 24)) >>>
    0
  );
}

/** Where the key of a checked put or delete begins. */
export function keyFrom(bytes: Buffer, from: number): number {
  return from + (bytes[from] === OP.put ? PUT_HEAD_BYTES : DELETE_HEAD_BYTES);
}

/** Where the key of a checked put or delete ends; the value of a put begins there. */
export function keyTo(bytes: Buffer, from: number, to: number): number {
  return bytes[from] === OP.put ? from + PUT_HEAD_BYTES + keyBytesOf(bytes, from) : to;
}

/** Writes what is before the key of a put. @returns where the key begins. */
export function writePutHead(target: Buffer, at: number, keyBytes: number): number {
  target[at] = OP.put;
  // As in keyBytesOf().
  target[at + 1] = keyBytes;
  target[at + 2] = keyBytes >>> 8;
  target[at + 3] = keyBytes >>> 16;
  target[at + 4] = keyBytes >>> 24;
  return at + PUT_HEAD_BYTES;
}

/** Writes a put. @returns where it ends. */
export function writePut(target: Buffer, at: number, key: Uint8Array, value: Uint8Array): number {
  const keyAt = writePutHead(target, at, key.length);
  target.set(key, keyAt);
  target.set(value, keyAt + key.length);
  return keyAt + key.length + value.length;
}

export function putRecord(key: Uint8Array, value: Uint8Array): Buffer {
  const record = Buffer.allocUnsafe(PUT_HEAD_BYTES + key.length + value.length);
  writePut(record, 0, key, value);
  return record;
}

export function deleteRecord(key: Uint8Array): Buffer {
  const record = Buffer.allocUnsafe(DELETE_HEAD_BYTES + key.length);
  record[0] = OP.delete;
  record.set(key, DELETE_HEAD_BYTES);
  return record;
}

export function clearRecord(): Buffer {
  return Buffer.from([OP.clear]);
}

function refused(what: string): StoreError {
  return new StoreError("ERR_STORE_RECORD", `a key-value record ${what}`);
}
