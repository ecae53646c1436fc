/**
 * A frozen state read without a worker: the same core as in the worker, one chunk for each step()
 * that the caller makes. For the simulator, where time and order are the caller's, and for tests.
 *
 * Events come out of step(), and after close() out of the next step(): never from inside a call of
 * a reader.
 * Owns: rings in ordinary memory. Does not own: chunk contents (serialize.ts).
 * Tested in: test/unit/store/store.test.ts.
 */
import { chunkSum } from "../wire/frame.ts";
import type { ChunkMap } from "./chunk-map.ts";
import { digestArena } from "./digest.ts";
import {
  CHUNK_ROOM_BYTES,
  type ChunkEvents,
  type ChunkReader,
  type ChunkTotals,
  type Digest,
  type DigestOptions,
  type FrozenState,
  type ReadyChunk,
} from "./state.ts";
import { payloadMaxOf } from "./ring.ts";
import { ChunkWriter, type FrozenArena } from "./serialize.ts";
import type { Snapshot } from "./snapshot.ts";

export interface InlineOptions {
  /** Chunks taken or ready at one time; default 16. */
  readonly slots?: number;
  /** Bytes of a chunk and the room before it at most; default 256 KiB. */
  readonly slotBytes?: number;
}

export class InlineSource implements FrozenState {
  readonly records: number;
  readonly bytes: number;
  readonly #snapshot: Snapshot;
  readonly #slots: number;
  readonly #payloadMax: number;
  #readers: InlineReader[] = [];
  /** Readers that must be told that the snapshot is closed. */
  #failed: InlineReader[] = [];

  constructor(snapshot: Snapshot, options: InlineOptions = {}) {
    this.#snapshot = snapshot;
    this.records = snapshot.records;
    this.bytes = snapshot.bytes;
    this.#slots = options.slots ?? 16;
    this.#payloadMax = payloadMaxOf(options.slotBytes ?? 256 * 1024);
  }

  read(fromChunk: number, events: ChunkEvents): ChunkReader {
    const map = this.#snapshot.chunkMap(this.#payloadMax);
    this.#snapshot.retain();
    const reader = new InlineReader(frozenArena(this.#snapshot), map, fromChunk, events, {
      slots: this.#slots,
      payloadMax: this.#payloadMax,
      closed: (): void => {
        this.#readers = this.#readers.filter((other) => other !== reader);
        this.#snapshot.release();
      },
    });
    this.#readers.push(reader);
    return reader;
  }

  /**
   * Produces at most one chunk, for the open readers in turn, and calls that reader's events.
   * @returns false when there was nothing to do: all are done, or their rings are full
   */
  step(): boolean {
    const failed = this.#failed.shift();
    if (failed !== undefined) {
      failed.events.failed("closed");
      return true;
    }
    for (let n = this.#readers.length; n > 0; n--) {
      const reader = this.#readers.shift()!;
      this.#readers.push(reader);
      if (reader.produce()) return true;
    }
    return false;
  }

  digest(options: DigestOptions): Promise<Digest> {
    return Promise.resolve(digestArena(frozenArena(this.#snapshot), options)!);
  }

  close(): void {
    for (const reader of [...this.#readers]) {
      reader.close();
      this.#failed.push(reader);
    }
    this.#snapshot.close();
  }
}

/** The whole snapshot, at hand at once. */
export function frozenArena(snapshot: Snapshot): FrozenArena {
  return {
    epoch: snapshot.epoch,
    segmentCount: snapshot.segments.length,
    segment: (index) => snapshot.segments[index]!,
  };
}

interface InlineReaderOptions {
  readonly slots: number;
  readonly payloadMax: number;
  readonly closed: () => void;
}

class InlineReader implements ChunkReader {
  readonly events: ChunkEvents;
  readonly #writer: ChunkWriter;
  readonly #map: ChunkMap;
  readonly #options: InlineReaderOptions;
  readonly #from: number;
  readonly #ready: ReadyChunk[] = [];
  /** Chunks ready, or taken and not released. */
  #inRing = 0;
  #number: number;
  #done = false;
  #closed = false;

  constructor(
    arena: FrozenArena,
    map: ChunkMap,
    from: number,
    events: ChunkEvents,
    options: InlineReaderOptions,
  ) {
    this.events = events;
    this.#map = map;
    this.#options = options;
    this.#from = from;
    // What lies before `from` and is not noted yet has to be made to know where `from` starts.
    this.#number = Math.min(from, map.count);
    this.#writer = new ChunkWriter(arena, map.start(this.#number));
  }

  get totals(): ChunkTotals | null {
    if (!this.#done || this.#closed || this.#ready.length > 0) return null;
    return {
      chunks: this.#map.count,
      records: this.#map.records,
    };
  }

  take(): ReadyChunk | null {
    return this.#closed ? null : (this.#ready.shift() ?? null);
  }

  release(): void {
    this.#inRing--;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#options.closed();
  }

  /** Makes the next chunk; false when it cannot. */
  produce(): boolean {
    if (this.#closed || this.#done || this.#inRing >= this.#options.slots) return false;
    const from = CHUNK_ROOM_BYTES;
    const bytes = Buffer.alloc(from + this.#options.payloadMax);
    const to = from + this.#writer.fill(bytes, from, this.#options.payloadMax);
    if (to === from) {
      this.#done = true;
      if (this.#number < this.#from) this.events.failed(`there is no chunk ${this.#from}`);
      else this.events.ready();
      return true;
    }
    const number = this.#number++;
    this.#map.note(number, this.#writer.records, this.#writer.next);
    if (number < this.#from) return true;
    this.#inRing++;
    this.#ready.push({ number, bytes, from, to, sum: chunkSum(bytes, from, to, number) });
    this.events.ready();
    return true;
  }
}
