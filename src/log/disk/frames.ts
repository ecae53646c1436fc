/**
 * The two frames that a log file has besides batches. Both have the head of every frame
 * (wire/frame.ts); their types are never sent over a connection.
 *
 *   log file   [ LOG_HEAD | BATCH | BATCH | MARK | BATCH ... | MARK | zeros ]
 *
 *   LOG_HEAD  64   once, at byte 0: which log this is, and from where
 *   MARK      65   between batches: the log was synced up to an offset
 *   BACKUP    66   in no log file: the first frame of a backup (backup-head.ts)
 *
 * A MARK carries the salt of its file, 16 random bytes that nobody else knows: bytes that look like a
 * mark in a record are no mark, and those of another file prove nothing about this one.
 *
 * Owns: bytes of these two. Does not own: where they stand (log-file-writer.ts), what they prove
 * (verdict.ts).
 * Tested in: test/unit/log/disk/log-recovery.test.ts.
 */
import { WireError } from "../../errors.ts";
import { BodyReader, BodyWriter } from "../../wire/body.ts";
import { lineage, rank } from "../../wire/codec.ts";
import { crc32 } from "../../wire/crc.ts";
import * as f from "../../wire/fields.ts";
import { AT, FRAME_HEAD_BYTES, headSum, sealControlHead } from "../../wire/frame.ts";
import type { Id, Lineage, Position, Rank } from "../../wire/messages.ts";

/** Types of frames on disk; no frame of the protocol has them. */
export const DISK_FRAME = { logHead: 64, mark: 65, backup: 66 } as const;

/** The version of the format that this build writes, and the only one that it reads. */
export const DISK_FORMAT = 1;

/** Letters that begin the first body, so that `head -c 32` shows what a file is. */
const LOG_MAGIC = "hawlog";

export interface LogHead {
  readonly format: number;
  readonly salt: Id;
  /** Of the data directory, made once: who runs in it may change (node.json), the log stays its own. */
  readonly directoryId: Id;
  readonly generation: number;
  /** Of the file, without gaps within a generation. */
  readonly number: number;
  /** Where its first batch starts; all before that was synced when the file was begun. */
  readonly start: Position;
  readonly rank: Rank;
  /** Oldest first. */
  readonly lineage: Lineage;
  /** Wall clock when it was begun, ms. */
  readonly clockMs: number;
}

/** The log up to `durable` was synced before this was written. */
export interface SyncMark {
  readonly salt: Id;
  readonly durable: number;
  /** The chain at `durable`. */
  readonly chain: number;
  /** The process was told to stop, and nothing came after `durable`. */
  readonly clean: boolean;
}

const logHead = f.magic(
  LOG_MAGIC,
  f.struct<LogHead>({
    format: f.u16,
    salt: f.id,
    directoryId: f.id,
    generation: f.u32,
    number: f.u32,
    start: f.struct<Position>({ history: f.id, offset: f.u53, chain: f.u32 }),
    rank,
    lineage,
    clockMs: f.timeMs,
  }),
);

const syncMark = f.struct<SyncMark>({ salt: f.id, durable: f.u53, chain: f.u32, clean: f.flag });

/** The most bytes of a LOG_HEAD. */
export const LOG_HEAD_BYTES_MAX: number = FRAME_HEAD_BYTES + logHead.bytesMax;

/** Bytes of every MARK. */
export const MARK_BYTES: number = FRAME_HEAD_BYTES + syncMark.bytesMax;

export function encodeLogHead(head: LogHead): Buffer {
  return encodeFrame(DISK_FRAME.logHead, logHead, head);
}

/**
 * The LOG_HEAD at the start of `bytes`, and its length.
 * @throws {WireError} when there is none, or it is damaged, or of another format
 */
export function decodeLogHead(bytes: Buffer): { readonly head: LogHead; readonly bytes: number } {
  return decodeHead(bytes, DISK_FRAME.logHead, "LOG_HEAD", logHead, DISK_FORMAT);
}

/** A MARK in a buffer of its own. */
export function encodeMark(mark: SyncMark): Buffer {
  return encodeFrame(DISK_FRAME.mark, syncMark, mark);
}

/** The MARK at `bytes[at, ...)`, null when there is none, or it is damaged, or of another file. */
export function readMark(bytes: Buffer, at: number, salt: Id): SyncMark | null {
  try {
    if (checkFrame(bytes, at, DISK_FRAME.mark, MARK_BYTES) !== MARK_BYTES) return null;
    const from = at + FRAME_HEAD_BYTES;
    const mark = syncMark.read(new BodyReader(bytes, from, at + MARK_BYTES, "MARK", from));
    return mark.salt === salt ? mark : null;
  } catch (error) {
    if (error instanceof WireError) return null;
    throw error;
  }
}

/** A frame of `type` with a body of such a form, in a buffer of its own. */
export function encodeFrame<T>(type: number, form: f.Field<T>, body: T): Buffer {
  const bytes = Buffer.alloc(FRAME_HEAD_BYTES + form.bytesMax);
  const to = new BodyWriter(bytes, FRAME_HEAD_BYTES);
  form.write(to, body);
  sealControlHead(bytes, 0, type, to.at);
  return bytes.subarray(0, to.at);
}

/**
 * The frame that a file begins with, and its length.
 * @throws {WireError} when there is none, or it is damaged, or of another format
 */
export function decodeHead<T extends { readonly format: number }>(
  bytes: Buffer,
  type: number,
  name: string,
  form: f.Field<T>,
  format: number,
): { readonly head: T; readonly bytes: number } {
  const length = checkFrame(bytes, 0, type, FRAME_HEAD_BYTES + form.bytesMax);
  const reader = new BodyReader(bytes, FRAME_HEAD_BYTES, length, name, FRAME_HEAD_BYTES);
  const head = form.read(reader);
  if (head.format !== format)
    throw new WireError("ERR_WIRE_BODY", `disk format ${head.format}, expected ${format}`);
  reader.end();
  return { head, bytes: length };
}

/** Length of the frame at `at`, both of its sums checked. */
export function checkFrame(bytes: Buffer, at: number, type: number, lengthMax: number): number {
  if (bytes.length - at < FRAME_HEAD_BYTES) fail("it ends in a head");
  if (bytes.readUInt32LE(at + AT.headCrc) !== headSum(bytes, at, FRAME_HEAD_BYTES))
    fail("the head's crc is wrong");
  if (bytes.readUInt32LE(at + AT.type) !== type) fail(`type ${bytes[at + AT.type]!}`);
  const length = bytes.readUInt32LE(at + AT.length);
  if (length <= FRAME_HEAD_BYTES || length > lengthMax) fail(`${length} bytes`);
  if (bytes.length - at < length) fail("it ends in a body");
  if (bytes.readUInt32LE(at + AT.check) !== crc32(bytes, at + FRAME_HEAD_BYTES, at + length, 0))
    fail("the body's crc is wrong");
  return length;
}

function fail(what: string): never {
  throw new WireError("ERR_WIRE_BODY", `no frame of a file: ${what}`);
}
