/**
 * What the log thread is started with, and what it says when it cannot go on. All else is messages of
 * log/disk/disk-log-messages.ts.
 * Tested in: test/unit/node/disk/log-thread.test.ts.
 */
import type { DiskErrorCode } from "../../errors.ts";
import type { DiskLogStart, FromDiskLog } from "../../log/disk/disk-log-messages.ts";

export interface LogWorkerData extends DiskLogStart {
  readonly control: SharedArrayBuffer;
  /** The data directory. */
  readonly path: string;
}

export type FromLogWorker =
  | FromDiskLog
  /** The last word: it did not begin, or fell. */
  | { readonly kind: "failed"; readonly code: DiskErrorCode; readonly reason: string };
