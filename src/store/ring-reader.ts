/**
 * A ChunkReader over the ring that a worker fills.
 *
 *   queued --started--> reading --done--> all chunks are in the ring or taken
 *      |                   |   +--failed, closed snapshot--> dead (events.failed)
 *      +------ close ------+--> closed: the worker is stopped, slots still out may be read
 *
 * The ring goes back when the worker has ended and every chunk taken was released.
 * Owns: the loop's end of the ring. Does not own: the ring's layout (ring.ts), threads.
 * Tested in: test/unit/store/pool.test.ts.
 */
import type { ChunkMap } from "./chunk-map.ts";
import type { ChunkEvents, ChunkReader, ChunkTotals, ReadyChunk } from "./state.ts";
import type { PoolJob } from "./pool-worker.ts";
import type { Ring } from "./ring.ts";
import type { Snapshot } from "./snapshot.ts";
import type { FromWorker, Job } from "./worker-protocol.ts";

/** What the reader needs of its pool. */
export interface ReaderHome {
  takeRing(): Ring;
  giveRing(ring: Ring): void;
  /** The reader was closed before a worker took it. */
  withdraw(job: PoolJob): boolean;
  /** Nothing will come from the reader any more. */
  finished(reader: RingReader): void;
  readonly payloadMax: number;
}

export class RingReader implements ChunkReader, PoolJob {
  readonly snapshot: Snapshot;
  readonly #home: ReaderHome;
  readonly #events: ChunkEvents;
  readonly #map: ChunkMap;
  readonly #from: number;
  #ring: Ring | null = null;
  #next: number;
  /** Chunks taken and not released. */
  #out = 0;
  /** Chunks in all, -1 until the worker is done. */
  #chunks = -1;
  #ended = false;
  #closed = false;

  constructor(home: ReaderHome, snapshot: Snapshot, from: number, events: ChunkEvents) {
    this.#home = home;
    this.snapshot = snapshot;
    this.#events = events;
    this.#map = snapshot.chunkMap(home.payloadMax);
    this.#from = from;
    this.#next = from;
    snapshot.retain();
  }

  get totals(): ChunkTotals | null {
    if (this.#closed || this.#chunks < 0 || this.#next !== this.#chunks) return null;
    return {
      chunks: this.#map.count,
      records: this.#map.records,
    };
  }

  take(): ReadyChunk | null {
    const ring = this.#ring;
    if (ring === null || this.#closed) return null;
    const slot = ring.filled(this.#next);
    if (slot === null) return null;
    this.#note(slot);
    this.#next++;
    this.#out++;
    const { number, payloadBytes, sum } = slot;
    const from = ring.payloadAt(number);
    return { number, bytes: ring.data, from, to: from + payloadBytes, sum };
  }

  release(chunk: ReadyChunk): void {
    this.#out--;
    this.#ring!.free(chunk.number);
    this.#maybeGiveRing();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#home.withdraw(this)) {
      this.#ended = true;
      this.#leave();
    } else if (!this.#ended) {
      this.#ring?.stop();
    }
    this.#maybeGiveRing();
  }

  /** The snapshot was closed or the pool is: no more chunks. */
  fail(reason: string): void {
    if (this.#closed) return;
    this.close();
    setImmediate(() => this.#events.failed(reason));
  }

  message(): Job {
    const ring = this.#home.takeRing();
    ring.reset(this.snapshot.epoch);
    this.#ring = ring;
    // What lies before #from and is not noted yet has to be made to know where #from starts.
    const number = Math.min(this.#from, this.#map.count);
    this.#next = number;
    const start = this.#map.start(number);
    return {
      kind: "serialize",
      ring: ring.memory,
      segmentCount: this.snapshot.segments.length,
      payloadMax: this.#home.payloadMax,
      number,
      segment: start.segment,
      byte: start.byte,
    };
  }

  signal(): void {
    this.#ring?.signal();
  }

  ready(): void {
    this.#ring?.heard();
    if (this.#closed) return;
    this.#skip();
    if (this.#ring?.filled(this.#next) !== null) this.#events.ready();
  }

  ended(result: Exclude<FromWorker, { kind: "ready" }>): void {
    this.#ended = true;
    this.#leave();
    if (!this.#closed) this.#tellEnd(result);
    this.#maybeGiveRing();
  }

  #tellEnd(result: Exclude<FromWorker, { kind: "ready" }>): void {
    if (result.kind === "done") {
      this.#skip();
      this.#chunks = result.chunks;
      if (this.#next >= this.#from) this.#events.ready();
      else this.#die(`there is no chunk ${this.#from}`);
    } else {
      this.#die(result.kind === "failed" ? result.reason : "the worker stopped");
    }
  }

  #die(reason: string): void {
    this.#closed = true;
    this.#events.failed(reason);
  }

  /** Notes and frees the chunks before the first that was asked for. */
  #skip(): void {
    while (this.#next < this.#from) {
      const slot = this.#ring!.filled(this.#next);
      if (slot === null) return;
      this.#note(slot);
      this.#ring!.free(this.#next++);
    }
  }

  #note(slot: NonNullable<ReturnType<Ring["filled"]>>): void {
    const end = { segment: slot.nextSegment, byte: slot.nextByte };
    this.#map.note(slot.number, slot.records, end);
  }

  #leave(): void {
    this.snapshot.release();
    this.#home.finished(this);
  }

  #maybeGiveRing(): void {
    const ring = this.#ring;
    // Chunks in the ring that nobody took are lost with a closed reader only.
    const drained = this.#closed || (this.#chunks >= 0 && this.#next === this.#chunks);
    if (ring === null || !this.#ended || this.#out > 0 || !drained) return;
    this.#ring = null;
    this.#home.giveRing(ring);
  }
}
