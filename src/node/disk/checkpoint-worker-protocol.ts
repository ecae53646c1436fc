/**
 * What the loop and the thread that writes one checkpoint tell each other.
 *
 *   loop -> thread   CheckpointWorkerData   once, at the start: the file is begun
 *                    chunks                 where frames lie in shared memory; lent until `written`
 *                    finish                 all chunks were sent: END, sync
 *                    abandon                the file goes
 *   thread -> loop   written                so many frames were read, in their order
 *                    whole | gone | failed  the last word: nothing is read any more
 * Tested in: test/unit/node/disk/checkpoint-thread.test.ts.
 */
import type { SnapshotBegin, SnapshotEnd } from "../../wire/messages.ts";

export interface CheckpointWorkerData {
  /** The folder of the generation. */
  readonly path: string;
  /** Number of the log file that begins at its position. */
  readonly log: number;
  readonly begin: SnapshotBegin;
}

export type ToCheckpointWorker =
  | {
      readonly kind: "chunks";
      readonly memory: SharedArrayBuffer;
      /** from, to of each frame in `memory`. */
      readonly ranges: readonly number[];
    }
  | { readonly kind: "finish"; readonly end: SnapshotEnd }
  | { readonly kind: "abandon" };

export type FromCheckpointWorker =
  | { readonly kind: "written"; readonly frames: number }
  | { readonly kind: "whole"; readonly bytes: number }
  | { readonly kind: "gone" }
  | { readonly kind: "failed"; readonly reason: string };
