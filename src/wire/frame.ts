/**
 * The heads of frames as bytes: the part of every frame that says what follows and how much.
 * Integers are little-endian.
 *
 *   every frame                                     control   batch
 *     0  u32 headCrc   crc32 of the head, from 4 to   16        36
 *     4  u32 check     crc32 of the body            [16, length)
 *                      the chain at the batch's end             D1
 *     8  u8  type      FRAME
 *     9  u8  flags     0; of a BATCH 1 when it is a node batch (node-record.ts)
 *    10  u16 zero      0
 *    12  u32 length    bytes of the whole frame, head included
 *
 *   BATCH goes on                                   CHUNK goes on (this is body)
 *    16  u32 count     records, >= 1                  16  u32 number   0-based
 *    20  u64 offset    of this batch in the log       20  payload
 *    28  u64 clockMs   the root's wall clock
 *    36  payload       count x (u32 length, record)
 *
 * chain(n) = crc32(bytes[8, length), seed chain(n-1)); chain(0) = crc32(history id). The previous
 * chain is in the sum as its seed only: hashed as bytes under its own seed it would erase itself.
 * A batch's `length` is its extent in the log: the next batch is at offset + length.
 *
 * Owns: positions of fields, sums. Does not own: limits and order (decoder.ts), bodies (codec.ts).
 */
import assert from "node:assert/strict";
import { crc32 } from "./crc.ts";
import { FRAME, type Id } from "./messages.ts";
import { isId } from "./id.ts";

/** Bytes of the head that every frame has. */
export const FRAME_HEAD_BYTES = 16;

/** Bytes of a batch before its first record. */
export const BATCH_HEAD_BYTES = 36;

/** Bytes of a CHUNK frame before its payload. */
export const CHUNK_HEAD_BYTES = 20;

/** Bytes before each record of a batch: its length. */
export const RECORD_LENGTH_BYTES = 4;

/** Where each field of a head starts, in bytes. */
export const AT = {
  headCrc: 0,
  check: 4,
  type: 8,
  flags: 9,
  zero: 10,
  length: 12,
  count: 16,
  offset: 20,
  clockMs: 28,
  number: 16,
} as const;

/** Flags of a batch. `node`: its one record is the log's own, and no state's. */
export const BATCH_FLAG = { none: 0, node: 1 } as const;

const U32 = 0x1_0000_0000;

/** A chunk's number, to be summed. */
const NUMBER = Buffer.alloc(4);

/** The u64 at `at`; above 2^53 the result is inexact, so a reader of foreign bytes must check it. */
export function readU64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * U32;
}

/** Writes a u32; Buffer's own checks cost 8 ns a word. */
function writeU32(bytes: Buffer, value: number, at: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}

/** Writes a number below 2^53 as u64. */
export function writeU64(bytes: Buffer, value: number, at: number): void {
  writeU32(bytes, value >>> 0, at);
  writeU32(bytes, (value / U32) >>> 0, at + 4);
}

/** The chain at offset 0 of a history. */
export function chainStart(history: Id): number {
  assert(isId(history), "a history id is 32 lower-case hex digits");
  const bytes = Buffer.from(history, "hex");
  return crc32(bytes, 0, bytes.length, 0);
}

/** The chain at the end of the batch in `bytes[at, at + length)`, from the chain at its start. */
export function chainOf(bytes: Buffer, at: number, length: number, chainBefore: number): number {
  return crc32(bytes, at + AT.type, at + length, chainBefore);
}

/**
 * Writes the head of the batch that occupies `bytes[at, at + length)` and whose payload is already
 * in place from `at + 36` on.
 *
 * @param count       records in the payload, >= 1
 * @param offset      where the batch starts in the log
 * @param clockMs     wall clock of the root, ms since 1970
 * @param chainBefore the chain at `offset`
 * @param flags       of BATCH_FLAG
 * @returns the chain at `offset + length`
 */
export function sealBatchHead(
  bytes: Buffer,
  at: number,
  length: number,
  count: number,
  offset: number,
  clockMs: number,
  chainBefore: number,
  flags: number = BATCH_FLAG.none,
): number {
  assert(count >= 1 && length >= BATCH_HEAD_BYTES + count * RECORD_LENGTH_BYTES);
  assert(Number.isSafeInteger(offset + length) && Number.isSafeInteger(clockMs) && clockMs >= 0);
  writeTypeAndLength(bytes, at, FRAME.batch, length);
  bytes[at + AT.flags] = flags;
  writeU32(bytes, count, at + AT.count);
  writeU64(bytes, offset, at + AT.offset);
  writeU64(bytes, clockMs, at + AT.clockMs);
  const chain = chainOf(bytes, at, length, chainBefore);
  writeU32(bytes, chain, at + AT.check);
  writeU32(bytes, headSum(bytes, at, BATCH_HEAD_BYTES), at + AT.headCrc);
  return chain;
}

/**
 * The sum of chunk `number` with the payload `bytes[from, to)`: the crc32 of its frame's body, of
 * which END has the SHA-256. It needs no frame: the number is summed as the frame has it, before the
 * payload.
 */
export function chunkSum(bytes: Buffer, from: number, to: number, number: number): number {
  writeU32(NUMBER, number, 0);
  return crc32(bytes, from, to, crc32(NUMBER, 0, NUMBER.length, 0));
}

/**
 * Writes the 20 bytes before a chunk's payload, which is already in `bytes[at + 20, ...)`.
 * @param sum chunkSum() of it
 */
export function sealChunkHead(
  bytes: Buffer,
  at: number,
  number: number,
  payloadBytes: number,
  sum: number,
): void {
  writeU32(bytes, number, at + AT.number);
  writeFrameHead(bytes, at, FRAME.chunk, CHUNK_HEAD_BYTES + payloadBytes, sum);
}

/** Writes the 16 bytes before a body that is already in place; returns the body's crc32. */
export function sealControlHead(bytes: Buffer, at: number, type: number, length: number): number {
  const check = crc32(bytes, at + FRAME_HEAD_BYTES, at + length, 0);
  writeFrameHead(bytes, at, type, length, check);
  return check;
}

function writeFrameHead(
  bytes: Buffer,
  at: number,
  type: number,
  length: number,
  check: number,
): void {
  writeTypeAndLength(bytes, at, type, length);
  writeU32(bytes, check, at + AT.check);
  writeU32(bytes, headSum(bytes, at, FRAME_HEAD_BYTES), at + AT.headCrc);
}

function writeTypeAndLength(bytes: Buffer, at: number, type: number, length: number): void {
  writeU32(bytes, type, at + AT.type); // The type, and zeros for flags and the reserved u16.
  writeU32(bytes, length, at + AT.length);
}

/** What `headCrc` must be for the head in `bytes[at, at + headBytes)`. */
export function headSum(bytes: Buffer, at: number, headBytes: number): number {
  return crc32(bytes, at + AT.check, at + headBytes, 0);
}

/** Bytes of the batch, head included; how far it reaches in the log. */
export function batchLength(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at + AT.length);
}

/** Records in the batch. */
export function batchCount(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at + AT.count);
}

/** Whether no state is given its record. */
export function isNodeBatch(bytes: Buffer, at: number): boolean {
  return bytes[at + AT.flags] === BATCH_FLAG.node;
}

/** Where the batch starts in the log. */
export function batchOffset(bytes: Buffer, at: number): number {
  return readU64(bytes, at + AT.offset);
}

/** Wall clock of the root when it sealed the batch, ms since 1970. */
export function batchClockMs(bytes: Buffer, at: number): number {
  return readU64(bytes, at + AT.clockMs);
}

/** The chain at the batch's end. */
export function batchChain(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at + AT.check);
}

/** The crc of the batch's head: with the offset it identifies a batch that is partly here. */
export function batchHeadCrc(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at + AT.headCrc);
}
