/**
 * The frame that a backup begins with, before the SNAPSHOT of the checkpoint: what a snapshot does not say,
 * and a directory that takes the node's place has to know. A file without it is an older backup, or a
 * checkpoint out of a data directory.
 *
 *   [ BACKUP | SNAPSHOT | CHUNK 0 | ... | END ]
 *
 * Owns: its bytes. Does not own: what follows it (checkpoint-writer.ts, checkpoint-reader.ts).
 * Tested in: test/unit/log/disk/backup-head.test.ts.
 */
import { DiskError, WireError } from "../../errors.ts";
import * as f from "../../wire/fields.ts";
import { AT, FRAME_HEAD_BYTES } from "../../wire/frame.ts";
import type { Id } from "../../wire/messages.ts";
import type { DiskFile } from "./files.ts";
import { DISK_FRAME, decodeHead, encodeFrame } from "./frames.ts";

/** The version of a backup's form that this build writes, and the only one that it reads. */
export const BACKUP_FORMAT = 1;

export interface BackupHead {
  readonly format: number;
  /** Of the node that it is of; null when that belonged to none yet. */
  readonly clusterId: Id | null;
  readonly nodeId: Id;
  /** Wall clock when it was begun, where it was taken, ms. */
  readonly clockMs: number;
}

const backupHead = f.magic(
  "hawbak",
  f.struct<BackupHead>({
    format: f.u16,
    clusterId: f.optional(f.id),
    nodeId: f.id,
    clockMs: f.timeMs,
  }),
);

/** The most bytes of it. */
export const BACKUP_HEAD_BYTES_MAX: number = FRAME_HEAD_BYTES + backupHead.bytesMax;

export function encodeBackupHead(head: BackupHead): Buffer {
  return encodeFrame(DISK_FRAME.backup, backupHead, head);
}

/**
 * What `file` begins with, and how long that is; null when it is no such frame.
 * @throws {DiskError} ERR_DISK_DAMAGED when it is one that is damaged, or of another format; ERR_DISK_READ
 */
export function readBackupHead(
  file: DiskFile,
): { readonly head: BackupHead; readonly bytes: number } | null {
  const bytes = Buffer.alloc(BACKUP_HEAD_BYTES_MAX);
  const count = file.read(bytes, 0, bytes.length, 0);
  if (count <= AT.type || bytes[AT.type] !== DISK_FRAME.backup) return null;
  try {
    const read = bytes.subarray(0, count);
    return decodeHead(read, DISK_FRAME.backup, "BACKUP", backupHead, BACKUP_FORMAT);
  } catch (error) {
    if (!(error instanceof WireError)) throw error;
    throw new DiskError("ERR_DISK_DAMAGED", `the head of the backup: ${error.message}`, {
      cause: error,
    });
  }
}
