/**
 * What the log thread boots with, and what it says when it cannot go on. The first message to it is a
 * DiskLogStart, all else is messages of log/disk/disk-log-messages.ts.
 * Tested in: test/unit/node/disk/log-thread.test.ts.
 */
import type { DiskErrorCode } from "../../errors.ts";
import type { FromDiskLog } from "../../log/disk/disk-log-messages.ts";

export interface LogWorkerData {
  readonly control: SharedArrayBuffer;
  /** The data directory. */
  readonly path: string;
}

export type FromLogWorker =
  | FromDiskLog
  /** The last word: it did not begin, or fell. */
  | { readonly kind: "failed"; readonly code: DiskErrorCode; readonly reason: string };
