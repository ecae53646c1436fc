/**
 * One serialization of a snapshot, shared by those that need the same chunks.
 *
 *   chunks   0 ... front-1 | front ... end-1 | not produced yet
 *            released        held: in ring     the serializer sleeps when the ring is full
 *                            slots until every
 *                            sharer's socket
 *                            took them
 *
 * Every sharer takes chunks in order, so they are released in order. A sharer may join while chunk
 * 0 is still held.
 *
 * A chunk becomes a CHUNK frame here, where it lies: its 20 bytes of head are written once, into the
 * room before the payload, with the sum that came with it. The state knows of no frames, and nobody
 * who takes one copies it.
 * Owns: held chunks and their counts, frames. Does not own: when a reading starts or splits
 * (shipping.ts), the sum of a chunk (its state).
 * Tested in: test/unit/primary/shipping.test.ts.
 */
import assert from "node:assert/strict";
import type { ChunkReader, ReadyChunk } from "../store/state.ts";
import { CHUNK_HEAD_BYTES, sealChunkHead } from "../wire/frame.ts";
import type { SnapshotEnd } from "../wire/messages.ts";
import type { OpenSnapshot } from "./open-snapshot.ts";
import type { Owner } from "./output.ts";

/** Who takes the chunks of a reading, in order (ship.ts). */
export interface Sharer {
  /** Next chunk to send. */
  readonly nextChunk: number;
}

/** What END says of a snapshot. */
export type SnapshotTotals = Omit<SnapshotEnd, "type" | "snapshotId">;

/** Called from the event loop, never from inside a call of the reading. */
export interface ReadingEvents<S extends Sharer> {
  /** A chunk, or the totals, may be there. */
  ready(): void;
  /** It has ended: worker crash, snapshot closed. */
  failed(reading: Reading<S>, reason: string): void;
}

/** A chunk in a ring slot, until the last sharer's socket took it. */
export class HeldChunk implements Owner {
  readonly number: number;
  /** Its frame is bytes[from, to). */
  readonly bytes: Buffer;
  readonly from: number;
  readonly to: number;
  readonly #chunk: ReadyChunk;
  readonly #reading: { releaseFront(): void };
  /** Sharers that have not taken it yet. */
  #waiting: number;

  constructor(chunk: ReadyChunk, waiting: number, reading: { releaseFront(): void }) {
    const { number, bytes, from, to, sum } = chunk;
    this.number = number;
    this.bytes = bytes;
    this.from = from - CHUNK_HEAD_BYTES;
    this.to = to;
    sealChunkHead(bytes, this.from, number, to - from, sum);
    this.#chunk = chunk;
    this.#waiting = waiting;
    this.#reading = reading;
  }

  /** What the reader gave, to be given back. */
  get chunk(): ReadyChunk {
    return this.#chunk;
  }

  /** Every sharer has taken it. */
  get isDone(): boolean {
    return this.#waiting === 0;
  }

  /** One sharer more, or one less that was not sent it. */
  expect(change: 1 | -1): void {
    this.#waiting += change;
  }

  /** A sharer's socket took it. */
  release(): void {
    assert(this.#waiting > 0, "a chunk was released more often than shared");
    this.#waiting -= 1;
    if (this.#waiting === 0) this.#reading.releaseFront();
  }
}

export class Reading<S extends Sharer> {
  readonly snapshot: OpenSnapshot;
  readonly #reader: ChunkReader;
  readonly #sharers = new Set<S>();
  readonly #held: HeldChunk[] = [];
  /** First chunk that somebody still has to take. */
  #front: number;
  /** The front when it was last looked at, and since when it is that. */
  #seenFront = -1;
  #seenSinceMs = 0;
  /** A sharer has left; its socket may still have chunks that it was sent. */
  #someLeft = false;
  /** The last chunk that was asked for was not ready. */
  #isStarved = false;
  #closed = false;

  /** Begins to read at `fromChunk`. Throws StoreError when the snapshot is closed. */
  constructor(snapshot: OpenSnapshot, fromChunk: number, events: ReadingEvents<S>) {
    this.snapshot = snapshot;
    this.#front = fromChunk;
    this.#reader = snapshot.frozen.read(fromChunk, {
      ready: () => events.ready(),
      failed: (reason) => events.failed(this, reason),
    });
  }

  get sharers(): ReadonlySet<S> {
    return this.#sharers;
  }

  /** Chunk 0 is still here: a newcomer can have all of it. */
  get joinable(): boolean {
    return this.#front === 0 && !this.#closed;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** A sharer could take a chunk that is not read yet. */
  get isStarved(): boolean {
    return this.#isStarved && this.#reader.totals === null;
  }

  /** First chunk that was not produced yet. */
  get end(): number {
    return this.#front + this.#held.length;
  }

  /** What END says, once every chunk has been taken. */
  get totals(): SnapshotTotals | null {
    const totals = this.#reader.totals;
    if (totals === null) return null;
    const { chunks, bytes, digest } = this.snapshot.tally;
    assert(chunks === totals.chunks, "a chunk was not counted");
    return { chunks, records: totals.records, bytes, digest };
  }

  join(sharer: S): void {
    assert(sharer.nextChunk === this.#front || this.joinable);
    this.#sharers.add(sharer);
    for (const held of this.#held) held.expect(1);
  }

  /** A sharer goes: what it was not sent is not waited for. */
  leave(sharer: S): void {
    if (!this.#sharers.delete(sharer)) return;
    this.#someLeft = true;
    for (let n = Math.max(sharer.nextChunk, this.#front); n < this.end; n++)
      this.#held[n - this.#front]!.expect(-1);
    this.releaseFront();
    if (this.#sharers.size === 0) this.close();
  }

  /** The chunk that `sharer` sends next, or null when it is not ready. */
  chunkFor(sharer: S): HeldChunk | null {
    const index = sharer.nextChunk - this.#front;
    assert(index >= 0, "a sharer is behind the held chunks");
    const held = this.#held[index];
    if (held !== undefined) return held;
    if (index > this.#held.length) return null;
    const chunk = this.#reader.take();
    this.#isStarved = chunk === null;
    if (chunk === null) return null;
    assert(chunk.number === sharer.nextChunk, "chunks out of order");
    this.snapshot.tally.note(chunk.number, chunk.to - chunk.from, chunk.sum);
    const fresh = new HeldChunk(chunk, this.#sharers.size, this);
    this.#held.push(fresh);
    return fresh;
  }

  /** Gives back what all have taken, from the front on. */
  releaseFront(): void {
    while (this.#held.length > 0 && this.#held[0]!.isDone) {
      const done = this.#held.shift()!;
      this.#front += 1;
      this.#reader.release(done.chunk);
    }
  }

  /** Looked at now: for how long the same chunk is at the front, ms; -1 for not since the last look. */
  heldBackMs(nowMs: number): number {
    if (this.#front === this.#seenFront)
      return this.#held.length === 0 ? -1 : nowMs - this.#seenSinceMs;
    this.#seenFront = this.#front;
    this.#seenSinceMs = nowMs;
    return -1;
  }

  /**
   * Sharers that have all that is held, while others hold the front back: those behind them, or the
   * sockets of those that left. When all are ahead and none has left, it is their own sockets.
   */
  get ahead(): readonly S[] {
    const ahead = [...this.#sharers].filter((sharer) => sharer.nextChunk >= this.end);
    return ahead.length < this.#sharers.size || this.#someLeft ? ahead : [];
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#reader.close();
  }
}
