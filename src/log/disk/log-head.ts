/**
 * The head of a log file, read and compared with where the file lies: a damaged one, and one of another
 * directory, generation or number, is no head of this log.
 * Tested in: test/unit/log/disk/log-recovery.test.ts, test/unit/log/disk/log-files.test.ts.
 */
import { WireError } from "../../errors.ts";
import type { Id } from "../../wire/messages.ts";
import type { DiskFile } from "./files.ts";
import { LOG_HEAD_BYTES_MAX, decodeLogHead, type LogHead } from "./frames.ts";

/** A head and its length in the file. */
export interface ReadHead {
  readonly head: LogHead;
  readonly bytes: number;
}

/** Whose log it is. */
export interface LogPlace {
  readonly directoryId: Id;
  readonly generation: number;
}

/**
 * Null when it is no head of log file `number` there; before a directory has an id, its id is null.
 * @throws {DiskError} ERR_DISK_READ
 */
export function readLogHead(
  file: DiskFile,
  number: number,
  place: { readonly directoryId: Id | null; readonly generation: number },
): ReadHead | null {
  const bytes = Buffer.alloc(LOG_HEAD_BYTES_MAX);
  const count = file.read(bytes, 0, bytes.length, 0);
  try {
    const read = decodeLogHead(bytes.subarray(0, count));
    const { directoryId, generation, number: own } = read.head;
    const isOurs = directoryId === (place.directoryId ?? directoryId);
    return isOurs && generation === place.generation && own === number ? read : null;
  } catch (error) {
    if (error instanceof WireError) return null;
    throw error;
  }
}
