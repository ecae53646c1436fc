/**
 * One checkpoint: a ship of the state to the disk.
 *
 *   waiting --boundary: freeze, cut--> cutting --a log file begins there--> writing --all chunks--> syncing
 *                                                                                                     |
 *                                   done <--the manifest names it-- publishing <--the file is whole---+
 *   any but publishing --abandon, failed--> done: what was written goes
 *
 * The log is cut where the state is frozen: a log file begins at the checkpoint's position, so that a
 * recovery reads whole files. Chunks go to the thread that writes them as they lie in the ring, and are
 * released when it has them: nothing is copied on the loop, and memory is bounded by the ring.
 *
 * Pure core. Owns: the moves, chunks on their way. Does not own: when there is one (checkpointer.ts),
 * threads and files (CheckpointDisk), chunks and their frames (primary/reading.ts).
 */
import assert from "node:assert/strict";
import type { LogName } from "../log/history.ts";
import type { CheckpointEntry } from "../log/disk/manifest.ts";
import { OpenSnapshot } from "../primary/open-snapshot.ts";
import { Reading, type HeldChunk, type Sharer } from "../primary/reading.ts";
import type { FrozenState, StateFormat, StateSource } from "../store/state.ts";
import type { Id, Position, SnapshotBegin, SnapshotEnd, SyncState } from "../wire/messages.ts";

/** Frames of chunks: `bytes[from, to)` of each, in order. */
export type ChunkFrame = Pick<HeldChunk, "bytes" | "from" | "to">;

/** The file of one checkpoint, written aside by a thread. */
export interface CheckpointFile {
  /** The next chunks. Their bytes are lent until `written` counts them. */
  put(frames: readonly ChunkFrame[]): void;
  /** All chunks are put. */
  finish(end: SnapshotEnd): void;
  /** Nothing of it is needed. Chunks that are lent come back all the same. */
  abandon(): void;
}

/** Called from the event loop, never from inside a call. */
export interface CheckpointFileEvents {
  /** So many frames more are read, in the order of put(). */
  written(frames: number): void;
  /** END is in, and the file is synced. */
  whole(bytes: number): void;
  /** It is over, and no byte that was lent is read any more. */
  failed(why: string): void;
}

/** The disk, as a checkpoint needs it. Every answer comes in a turn of its own. */
export interface CheckpointDisk {
  /**
   * A log file begins at `offset`, the sealed end of the log: `done` with its number; with -1 when it
   * never will, because the log was replaced or the disk failed.
   */
  cut(offset: number, done: (log: number) => void): void;
  /** A file aside, beside log file `log`. */
  begin(log: number, begin: SnapshotBegin, events: CheckpointFileEvents): CheckpointFile;
  /**
   * The whole file counts from now on: `done` with "" once the manifest names it, else with why it
   * does not.
   */
  publish(entry: CheckpointEntry, done: (why: string) => void): void;
}

export interface RunDeps {
  readonly disk: CheckpointDisk;
  readonly source: Pick<StateSource, "freeze"> & StateFormat;
  /** Calls back at the end of the first turn at which the state is between two batches. @returns a cancel */
  readonly atBoundary: (run: () => void) => () => void;
  /** Seals the open batch; the newest position of the log. */
  readonly sealedPosition: () => Position;
  /** Records in the log before that position, counted from anywhere. */
  readonly records: () => number;
  /** Which log it is. */
  readonly name: () => LogName;
  /** By whom writes are confirmed now. */
  readonly sync: () => SyncState;
  readonly randomId: () => Id;
  /** ms since 1970. */
  readonly wallClock: () => number;
  /** There may be chunks to move, or it is done. */
  readonly moved: () => void;
}

/** What it came to; `why` not, or "". */
export interface RunResult {
  readonly why: string;
  readonly entry: CheckpointEntry | null;
}

type RunState = "waiting" | "cutting" | "writing" | "syncing" | "publishing" | "done";

/** What is known of it from the freeze on. */
interface Frozen {
  readonly snapshot: OpenSnapshot;
  readonly reading: Reading<CheckpointRun>;
  readonly begin: SnapshotBegin;
}

export class CheckpointRun implements Sharer {
  nextChunk = 0;
  /** Set once it is done. */
  result: RunResult | null = null;
  /** Records in the log before it, counted as deps.records(). */
  records = 0;
  /** Bytes of frames that were put. */
  movedBytes = 0;
  readonly #deps: RunDeps;
  readonly #cancelWait: () => void;
  readonly #lent: HeldChunk[] = [];
  #state: RunState = "waiting";
  #frozen: Frozen | null = null;
  #file: CheckpointFile | null = null;
  #log = -1;
  #stateRecords = 0;

  constructor(deps: RunDeps) {
    this.#deps = deps;
    this.#cancelWait = deps.atBoundary(() => {
      this.#freeze();
    });
  }

  get state(): RunState {
    return this.#state;
  }

  /** Where it was frozen; null before. */
  get position(): Position | null {
    return this.#frozen?.begin.position ?? null;
  }

  /** What it pins; null before the freeze, and once nothing is read of it any more. */
  get pinning(): FrozenState | null {
    const snapshot = this.#frozen?.snapshot ?? null;
    return snapshot === null || snapshot.closed ? null : snapshot.frozen;
  }

  /** Estimates, for display. */
  get estimate(): { readonly records: number; readonly bytes: number } {
    const { records = 0, bytes = 0 } = this.#frozen?.begin ?? {};
    return { records, bytes };
  }

  /** Hands on chunks that are ready, about `bytesMax`. @returns bytes */
  move(bytesMax: number): number {
    if (this.#state !== "writing") return 0;
    const { reading } = this.#frozen!;
    const frames: HeldChunk[] = [];
    let bytes = 0;
    while (bytes < bytesMax) {
      const held = reading.chunkFor(this);
      if (held === null) break;
      this.nextChunk = held.number + 1;
      bytes += held.to - held.from;
      frames.push(held);
    }
    if (frames.length > 0) {
      this.#lent.push(...frames);
      this.movedBytes += bytes;
      this.#file!.put(frames);
    }
    this.#maybeFinish();
    return bytes;
  }

  /** It is not wanted. One that is about to be named is left alone. */
  abandon(why: string): void {
    if (this.#state === "publishing" || this.#state === "done") return;
    this.#end(why, null);
  }

  // --- its moves ----------------------------------------------------------------------------------

  #freeze(): void {
    assert(this.#state === "waiting");
    const { disk, source, sealedPosition, name, sync, randomId } = this.#deps;
    // Why in this order: the checkpoint is the state at a batch boundary, and the file begins there.
    const position = sealedPosition();
    this.records = this.#deps.records();
    this.#state = "cutting";
    disk.cut(position.offset, (log) => {
      this.#begin(log);
    });
    const frozen = source.freeze();
    const snapshot = new OpenSnapshot(randomId(), position.offset, position.chain, frozen);
    snapshot.retain();
    const reading = new Reading<CheckpointRun>(snapshot, 0, {
      ready: this.#deps.moved,
      failed: (_, why) => {
        this.abandon(`the state could not be read: ${why}`);
      },
    });
    reading.join(this);
    const begin: SnapshotBegin = {
      type: "snapshot",
      snapshotId: snapshot.id,
      position,
      rank: name().rank,
      lineage: name().lineage,
      sync: sync(),
      format: source.format,
      firstChunk: 0,
      records: frozen.records,
      bytes: frozen.bytes,
    };
    this.#frozen = { snapshot, reading, begin };
  }

  #begin(log: number): void {
    if (this.#state !== "cutting") return;
    if (log < 0) {
      this.abandon("no log file begins at its position");
      return;
    }
    this.#log = log;
    this.#state = "writing";
    this.#file = this.#deps.disk.begin(log, this.#frozen!.begin, {
      written: (frames) => {
        for (const held of this.#lent.splice(0, frames)) held.release();
        this.#deps.moved();
      },
      whole: (bytes) => {
        this.#publish(bytes);
      },
      failed: (why) => {
        for (const held of this.#lent.splice(0)) held.release();
        this.#file = null;
        this.abandon(why);
      },
    });
    this.#deps.moved();
  }

  #maybeFinish(): void {
    const { reading, snapshot } = this.#frozen!;
    const { totals } = reading;
    if (totals === null) return;
    this.#state = "syncing";
    this.#stateRecords = totals.records;
    this.#file!.finish({ type: "end", snapshotId: snapshot.id, ...totals });
  }

  #publish(bytes: number): void {
    if (this.#state !== "syncing") return;
    this.#state = "publishing";
    this.#unpin();
    const entry: CheckpointEntry = {
      position: this.#frozen!.begin.position,
      log: this.#log,
      records: this.#stateRecords,
      bytes,
      clockMs: Math.max(0, this.#deps.wallClock()),
    };
    this.#deps.disk.publish(entry, (why) => {
      this.#end(why, why === "" ? entry : null);
    });
  }

  #end(why: string, entry: CheckpointEntry | null): void {
    this.#cancelWait();
    this.#unpin();
    if (entry === null) this.#file?.abandon();
    this.#state = "done";
    this.result = { why, entry };
    this.#deps.moved();
  }

  /** The state may forget what was frozen. Chunks that are lent are read from the ring alone. */
  #unpin(): void {
    if (this.pinning === null) return;
    this.#frozen!.reading.leave(this);
    this.#frozen!.snapshot.release();
  }
}
