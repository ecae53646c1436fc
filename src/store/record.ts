/**
 * The built-in store's mutations as bytes: the records of the log, format "hawser-kv" version 1.
 * Integers are little-endian; times are absolute, ms since 1970.
 *
 *   SET     01 flags keyLength:u32 [expireAt:u64] key value      flags bit 0: expireAt is there
 *   DEL     02 00    keyLength:u32 key
 *   EXPIRE  03 00    keyLength:u32 expireAt:u64 key              expireAt 0 takes the expiry away
 *   PATCH   04 00    keyLength:u32 at:u32 key bytes              APPEND and SETRANGE; keeps expiry,
 *                                                                pads with zeros, creates the key
 *   RENAME  05 00    keyLength:u32 key newKey                    replaces newKey, keeps expiry
 *   COPY    06 00    keyLength:u32 key newKey                    the same, and the source stays
 *   FLUSH   07 00
 *   GROUP   08 00    (length:u32 record)*                        all or nothing; does not nest
 *
 * Owns: sizes and encoding. Does not own: effects (store.ts), which commands log what (resp/).
 * Tested in: test/unit/store/store.test.ts.
 */

import { writeU64 } from "../wire/frame.ts";

export const FORMAT = { name: "hawser-kv", version: 1 } as const;

export const OP = {
  set: 1,
  del: 2,
  expire: 3,
  patch: 4,
  rename: 5,
  copy: 6,
  flush: 7,
  group: 8,
} as const;

/** SET: `expireAt` follows the key's length. */
export const SET_HAS_EXPIRY = 1;

/** Bytes before the key of every keyed record but SET with expiry, EXPIRE and PATCH. */
export const RECORD_HEAD_BYTES = 6;

function head(into: Buffer, at: number, op: number, flags: number, keyBytes: number): number {
  into[at] = op;
  into[at + 1] = flags;
  into.writeUInt32LE(keyBytes, at + 2);
  return at + RECORD_HEAD_BYTES;
}

/** Bytes of a SET record; `expireAt` 0 means no expiry. */
export function setBytes(keyBytes: number, valueBytes: number, expireAt: number): number {
  return RECORD_HEAD_BYTES + (expireAt === 0 ? 0 : 8) + keyBytes + valueBytes;
}

/** Writes a SET record's head at `at`; returns where the key goes; the value follows the key. */
export function encodeSetHead(
  into: Buffer,
  at: number,
  keyBytes: number,
  expireAt: number,
): number {
  if (expireAt === 0) return head(into, at, OP.set, 0, keyBytes);
  const next = head(into, at, OP.set, SET_HAS_EXPIRY, keyBytes);
  writeU64(into, expireAt, next);
  return next + 8;
}

/** Bytes of a DEL record. */
export function delBytes(keyBytes: number): number {
  return RECORD_HEAD_BYTES + keyBytes;
}

/** Writes a DEL record's head; returns where the key goes. */
export function encodeDelHead(into: Buffer, at: number, keyBytes: number): number {
  return head(into, at, OP.del, 0, keyBytes);
}

/** Bytes of an EXPIRE record. */
export function expireBytes(keyBytes: number): number {
  return RECORD_HEAD_BYTES + 8 + keyBytes;
}

/** Writes an EXPIRE record's head; `expireAt` 0 takes the expiry away. Returns where the key goes. */
export function encodeExpireHead(
  into: Buffer,
  at: number,
  keyBytes: number,
  expireAt: number,
): number {
  const next = head(into, at, OP.expire, 0, keyBytes);
  writeU64(into, expireAt, next);
  return next + 8;
}

/** Bytes of a PATCH record. */
export function patchBytes(keyBytes: number, dataBytes: number): number {
  return RECORD_HEAD_BYTES + 4 + keyBytes + dataBytes;
}

/** Writes a PATCH record's head; returns where the key goes; the bytes follow the key. */
export function encodePatchHead(
  into: Buffer,
  at: number,
  keyBytes: number,
  valueAt: number,
): number {
  const next = head(into, at, OP.patch, 0, keyBytes);
  into.writeUInt32LE(valueAt, next);
  return next + 4;
}

/** Bytes of a RENAME or COPY record. */
export function moveBytes(keyBytes: number, newKeyBytes: number): number {
  return RECORD_HEAD_BYTES + keyBytes + newKeyBytes;
}

/** Writes a RENAME or COPY head; returns where the key goes; the new key follows it. */
export function encodeMoveHead(
  into: Buffer,
  at: number,
  op: typeof OP.rename | typeof OP.copy,
  keyBytes: number,
): number {
  return head(into, at, op, 0, keyBytes);
}

export const FLUSH_BYTES = 2;

/** Writes a FLUSH record. */
export function encodeFlush(into: Buffer, at: number): void {
  into[at] = OP.flush;
  into[at + 1] = 0;
}

export const GROUP_HEAD_BYTES = 2;

/** Writes a GROUP's head; returns where the first (length, record) goes. */
export function encodeGroupHead(into: Buffer, at: number): number {
  into[at] = OP.group;
  into[at + 1] = 0;
  return at + GROUP_HEAD_BYTES;
}
