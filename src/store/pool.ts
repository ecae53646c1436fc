/**
 * The pool of serializer threads: `size` for ships and one more for digests, so that a digest does
 * not wait for a slow replica. Each starts with its first job. Jobs beyond that queue in order.
 *
 * Owns: queues, rings for reuse. Does not own: threads (pool-worker.ts), reading (ring-reader.ts).
 */
import { StoreError } from "../errors.ts";
import type { ArenaDigestOptions } from "./digest.ts";
import { type PoolJob, PoolWorker } from "./pool-worker.ts";
import { allocateRing, payloadMaxOf, Ring } from "./ring.ts";
import { type ReaderHome, RingReader } from "./ring-reader.ts";
import type { Snapshot } from "./snapshot.ts";
import type { ChunkEvents, ChunkReader, Digest, DigestOptions, FrozenState } from "./state.ts";
import { ownThreads, type Threads } from "../threads.ts";

export interface PoolOptions {
  /** Threads for ships, each serving one reader at a time; default 2. */
  readonly size?: number;
  /** Ring slots of a reader; default 16. */
  readonly slots?: number;
  /** Bytes of one ring slot: a chunk and the room before it at most; default 256 KiB. */
  readonly slotBytes?: number;
  /** What starts them; by default with the code that is part of hawser. */
  readonly threads?: Threads;
  /** A thread could not be started, or fell. */
  readonly onFailed?: (why: string) => void;
}

/** One kind of job: its threads and those that wait for one. */
interface Lane {
  readonly workers: PoolWorker[];
  readonly queue: PoolJob[];
}

export class SerializerPool implements ReaderHome {
  readonly payloadMax: number;
  readonly #slots: number;
  readonly #slotBytes: number;
  readonly #ships: Lane;
  readonly #digests: Lane;
  readonly #readers = new Set<RingReader>();
  /** Rings that are ready for another reader. */
  readonly #rings: Ring[] = [];
  #closed = false;

  constructor(options: PoolOptions = {}) {
    this.#slots = options.slots ?? 16;
    this.#slotBytes = options.slotBytes ?? 256 * 1024;
    this.payloadMax = payloadMaxOf(this.#slotBytes);
    const threads = options.threads ?? ownThreads();
    const onFailed = options.onFailed ?? (() => undefined);
    this.#ships = lane(threads, options.size ?? 2, onFailed);
    this.#digests = lane(threads, 1, onFailed);
  }

  /** The snapshot as the node has it; closing it closes the snapshot. */
  frozen(snapshot: Snapshot): FrozenState {
    const readers = new Set<RingReader>();
    return {
      records: snapshot.records,
      bytes: snapshot.bytes,
      read: (fromChunk: number, events: ChunkEvents): ChunkReader => {
        this.#assertOpen(snapshot);
        const reader = new RingReader(this, snapshot, fromChunk, events);
        readers.add(reader);
        this.#readers.add(reader);
        enqueue(this.#ships, reader);
        return reader;
      },
      digest: (options: DigestOptions): Promise<Digest> => this.digest(snapshot, options),
      close: (): void => {
        for (const reader of readers) reader.fail("closed");
        readers.clear();
        snapshot.close();
      },
    };
  }

  /**
   * Sums the snapshot in a worker. The snapshot may be closed at once: it is retained meanwhile.
   * Rejects with StoreError ERR_STORE_WORKER, ERR_STORE_SNAPSHOT_CLOSED.
   */
  digest(snapshot: Snapshot, options: ArenaDigestOptions = {}): Promise<Digest> {
    return new Promise((resolve, reject) => {
      this.#assertOpen(snapshot);
      const ring = new Ring(allocateRing(1, 64));
      snapshot.retain();
      ring.reset(snapshot.epoch);
      enqueue(this.#digests, {
        snapshot,
        message: () => ({
          kind: "digest",
          ring: ring.memory,
          segmentCount: snapshot.segments.length,
          options,
        }),
        signal: () => ring.signal(),
        ready: () => undefined,
        ended: (result) => {
          snapshot.release();
          if (result.kind === "digested") resolve(result.digest);
          else reject(new StoreError("ERR_STORE_WORKER", reasonOf(result)));
        },
      });
    });
  }

  /** Whether a job keeps the process alive; it does at first. */
  setRef(isRef: boolean): void {
    for (const { workers } of [this.#ships, this.#digests])
      for (const worker of workers) worker.setRef(isRef);
  }

  /** Ends all jobs and threads. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const reader of this.#readers) reader.fail("closed");
    const lanes = [this.#ships, this.#digests];
    for (const each of lanes)
      for (const job of each.queue.splice(0)) job.ended({ kind: "failed", reason: "closed" });
    // Why together: a thread that is left to run while others end would still finish its job.
    const workers = lanes.flatMap((each) => each.workers);
    await Promise.all(workers.map((worker) => worker.close("closed")));
    this.#rings.length = 0;
  }

  takeRing(): Ring {
    return this.#rings.pop() ?? new Ring(allocateRing(this.#slots, this.#slotBytes));
  }

  giveRing(ring: Ring): void {
    if (!this.#closed && this.#rings.length < this.#ships.workers.length) this.#rings.push(ring);
  }

  withdraw(job: PoolJob): boolean {
    const at = this.#ships.queue.indexOf(job);
    if (at >= 0) this.#ships.queue.splice(at, 1);
    return at >= 0;
  }

  finished(reader: RingReader): void {
    this.#readers.delete(reader);
  }

  #assertOpen(snapshot: Snapshot): void {
    if (snapshot.closed || this.#closed) {
      throw new StoreError("ERR_STORE_SNAPSHOT_CLOSED", "the snapshot or the pool is closed");
    }
  }
}

function lane(threads: Threads, size: number, onFailed: (why: string) => void): Lane {
  const made: Lane = { workers: [], queue: [] };
  for (let n = 0; n < size; n++) {
    made.workers.push(new PoolWorker({ threads, onFailed, idle: () => startNext(made) }));
  }
  return made;
}

function enqueue(into: Lane, job: PoolJob): void {
  into.queue.push(job);
  startNext(into);
}

function startNext(from: Lane): void {
  for (const worker of from.workers) {
    if (from.queue.length === 0) return;
    if (!worker.busy) worker.start(from.queue.shift()!);
  }
}

function reasonOf(result: { readonly kind: string; readonly reason?: string }): string {
  return result.reason ?? `the worker's job ended as "${result.kind}"`;
}
