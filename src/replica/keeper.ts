/**
 * What a restorer needs to survive its process: chunks kept in order, read back by the next one.
 * part-file.ts implements it on disk.
 * Tested in: test/unit/replica/session.test.ts.
 */
import type { SnapshotBegin } from "../wire/messages.ts";

/** What an earlier process left: the first `chunks` chunks of a snapshot. */
export interface KeptSnapshot {
  readonly begin: SnapshotBegin;
  readonly chunks: number;
}

/**
 * One kept chunk: u32 number and payload at `bytes[at, at + 4 + payloadBytes)`, which belong to the
 * visitor. The next is read when it calls `next(true)`; `next(false)` stops reading. It may throw, which
 * ends the replay with that error.
 */
export type KeptChunkVisitor = (
  bytes: Buffer,
  at: number,
  payloadBytes: number,
  digest: number,
  next: (goOn: boolean) => void,
) => void;

export interface ChunkKeeper {
  /** Found at the start, null when nothing there can be used. */
  readonly kept: KeptSnapshot | null;
  /** Reads the kept chunks in order, a few at a time; `done` is called once. */
  replay(visit: KeptChunkVisitor, done: (error: Error | null) => void): void;
  /** A new snapshot: what was kept before is removed. */
  begin(begin: SnapshotBegin): void;
  /** Appends a chunk; copies the payload. */
  keep(number: number, digest: number, payload: Buffer, begin: SnapshotBegin): void;
  /** Bytes that are not with the system yet. */
  readonly pendingBytes: number;
  /** Nothing is to be kept any more. */
  clear(): void;
}
