/**
 * What the loop tells the log thread besides the shared words, and what it hears.
 *
 *   loop -> thread   LogWorkerData    once, at the start
 *                    segment          memory of the log that begins at an offset
 *                    policy           from now on
 *                    stop             write all, sync, and end
 *   thread -> loop   stopped | failed the last word
 * Tested in: test/unit/node/disk/log-thread.test.ts.
 */
import type { LogName } from "../../log/disk/log-file-writer.ts";
import type { FsyncPolicy } from "../../log/disk/sync-policy.ts";
import type { Id, Position } from "../../wire/messages.ts";

export interface LogWorkerData {
  readonly control: SharedArrayBuffer;
  /** The folder of the generation. */
  readonly path: string;
  readonly directoryId: Id;
  readonly generation: number;
  readonly fileBytes: number;
  readonly policy: FsyncPolicy;
  /** The file to begin, and where. */
  readonly number: number;
  readonly start: Position;
  readonly name: LogName;
}

export type ToLogWorker =
  | { readonly kind: "segment"; readonly start: number; readonly memory: SharedArrayBuffer }
  | { readonly kind: "policy"; readonly policy: FsyncPolicy }
  | { readonly kind: "stop" };

export type FromLogWorker =
  { readonly kind: "stopped" } | { readonly kind: "failed"; readonly reason: string };
