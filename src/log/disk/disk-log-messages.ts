/**
 * What the loop's end of the log on disk (disk-store.ts) and the end that writes (disk-log.ts) say to
 * each other: words that both see at once, and messages, each way in order.
 *
 *   word      by      meaning
 *   sealed    loop    handed over up to here
 *   wanted    loop    somebody waits until it is durable up to here
 *   awaited   loop    somebody waits until it is written up to here; Infinity for nobody
 *   written   disk    in files up to here
 *   durable   disk    what a recovery would reach now; 0 in a generation that does not count yet
 *   life      disk    which log `written` and `durable` are of; it counts restarts
 *
 * Those of the loop never decrease, restarts or not: they are offsets plus the `shift` of their life. So
 * whoever reads one before the message about a restart still reads it right.
 *
 * A message is told before `sealed` passes what it is about, and `sealed` is read before the messages.
 * Owns: their shape. Does not own: threads (node/disk/log-thread.ts).
 * Tested in: test/unit/log/disk/disk-log.test.ts.
 */
import type { DiskErrorCode } from "../../errors.ts";
import type { Position } from "../../wire/messages.ts";
import type { LogName } from "../history.ts";
import type { ForkCopy } from "./fork-copy.ts";
import type { CheckpointEntry, Manifest } from "./manifest.ts";
import type { FsyncPolicy } from "./sync-policy.ts";

export type DiskWord = "sealed" | "wanted" | "awaited" | "written" | "durable" | "life";

export interface DiskWords {
  read(word: DiskWord): number;
  /** By the end that owns it. */
  write(word: DiskWord, value: number): void;
}

/** Where a log on disk goes on at a start. */
export interface DiskLogStart {
  readonly manifest: Manifest;
  /** The log file to begin. */
  readonly number: number;
  readonly position: Position;
  readonly name: LogName;
  readonly fileBytes: number;
  readonly policy: FsyncPolicy;
}

/** Log before this is not needed by replicas. */
export interface ReplicaNeeds {
  /** Bytes before the end that they may come back from. */
  readonly keepBytes: number;
  /** The lowest offset that a link is reading from the disk; Infinity for none. */
  readonly reading: number;
}

export type ToDiskLog =
  /** Memory of the log from `start` on. */
  | { readonly kind: "segment"; readonly start: number; readonly memory: ArrayBufferLike }
  /**
   * A log file begins at `offset`, a boundary that nothing was handed over beyond: under another name,
   * or under the same when `name` is null. It is answered.
   */
  | {
      readonly kind: "cut";
      readonly id: number;
      readonly offset: number;
      readonly name: LogName | null;
    }
  /**
   * Another log: a generation begins. It is answered. What the log before has from `fork` on (-1: nothing) is copied
   * before that one goes.
   */
  | {
      readonly kind: "restart";
      readonly fork: number;
      readonly life: number;
      readonly shift: number;
      readonly position: Position;
      readonly name: LogName;
    }
  /**
   * All from `position` on was a draft, and is none: the log goes on there. Its file is cut, where that is all
   * there is to do; else a generation begins, as for a restart. It is answered as that is.
   */
  | {
      readonly kind: "take_back";
      readonly life: number;
      readonly shift: number;
      readonly position: Position;
      readonly name: LogName;
    }
  /** A checkpoint of the log of this life is whole, aside. It is answered. */
  | {
      readonly kind: "publish";
      readonly id: number;
      readonly life: number;
      readonly entry: CheckpointEntry;
    }
  /** What is kept of the log for replicas. */
  | { readonly kind: "needs"; readonly needs: ReplicaNeeds }
  | { readonly kind: "policy"; readonly policy: FsyncPolicy }
  /** All is written and synced, then it ends. */
  | { readonly kind: "stop" };

export type FromDiskLog =
  /** The log file `number` begins where cut `id` asked for, synced. */
  | { readonly kind: "cut"; readonly id: number; readonly number: number }
  /** The log of this life goes into a generation, from file `number` on, synced. */
  | {
      readonly kind: "begun";
      readonly life: number;
      readonly generation: number;
      readonly number: number;
    }
  /** Checkpoint `id` counts; else why it does not. */
  | { readonly kind: "published"; readonly id: number; readonly error: string | null }
  /** What was discarded is copied, as far as it fits; null: it is not. */
  | { readonly kind: "fork_kept"; readonly copy: ForkCopy | null }
  /** Log files before number `first` are gone, which begins at `offset`. */
  | {
      readonly kind: "dropped";
      readonly life: number;
      readonly first: number;
      readonly offset: number;
    }
  /** Why nothing is written, or nothing is durable any more; null: all is well again. */
  | { readonly kind: "trouble"; readonly trouble: DiskTrouble | null }
  /** The last word: it was told to stop, and `error` says why not all of it is durable. */
  | { readonly kind: "stopped"; readonly error: string | null };

export interface DiskTrouble {
  readonly code: DiskErrorCode;
  readonly message: string;
  /** It is over: nothing will ever be written or durable again. */
  readonly isFatal: boolean;
}
