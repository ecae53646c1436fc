/**
 * One serialization of a snapshot, shared by those that need the same chunks.
 *
 *   chunks   0 ... base-1 | base ... base+held-1 | not produced yet
 *            released       held: in ring slots     the serializer sleeps when the ring is full
 *                           until every sharer's
 *                           socket took them
 *
 * Every sharer takes chunks in order, so they are released in order. A sharer may join while chunk
 * 0 is still held.
 *
 * A chunk becomes a CHUNK frame here, where it lies: its 20 bytes of head are written once, into the
 * room before the payload, with the sum that came with it. The state knows of no frames, and nobody
 * who takes one copies it.
 * Owns: held chunks and their counts, frames. Does not own: when a reading starts or splits
 * (shipping.ts), the sum of a chunk (its state).
 */
import assert from "node:assert/strict";
import type { SnapshotEnd } from "../wire/messages.ts";
import type { Owner } from "./output.ts";
import type { ChunkReader, ReadyChunk } from "../store/state.ts";
import type { ChunkTally } from "../wire/chunk-tally.ts";
import { CHUNK_HEAD_BYTES, sealChunkHead } from "../wire/frame.ts";

/** Who takes the chunks of a reading, in order (ship.ts). */
export interface Sharer {
  /** Next chunk to send. */
  readonly nextChunk: number;
}

/** What END says of a snapshot. */
export type SnapshotTotals = Omit<SnapshotEnd, "type" | "snapshotId">;

/** A chunk in a ring slot, until the last sharer's socket took it. */
export class HeldChunk implements Owner {
  readonly chunk: ReadyChunk;
  /** Its frame is bytes[from, to). */
  readonly bytes: Buffer;
  readonly from: number;
  readonly to: number;
  /** Sharers that have not taken it yet. */
  waiting: number;
  private readonly reading: { releaseFront(): void };

  constructor(chunk: ReadyChunk, waiting: number, reading: { releaseFront(): void }) {
    const { bytes, from, to } = chunk;
    this.chunk = chunk;
    this.bytes = bytes;
    this.from = from - CHUNK_HEAD_BYTES;
    this.to = to;
    sealChunkHead(bytes, this.from, chunk.number, to - from, chunk.sum);
    this.waiting = waiting;
    this.reading = reading;
  }

  release(): void {
    assert(this.waiting > 0, "a chunk was released more often than shared");
    this.waiting -= 1;
    if (this.waiting === 0) this.reading.releaseFront();
  }
}

export class Reading<S extends Sharer> {
  readonly sharers: Set<S> = new Set<S>();
  /** When the front chunk last changed, ms: a sharer that holds it back is split off. */
  frontSinceMs = 0;
  /** The front chunk that `frontSinceMs` is about. */
  splitFront = -1;
  /** A sharer has left; its socket may still have chunks that it was sent. */
  someLeft = false;
  private readonly held: HeldChunk[] = [];
  /** Of all chunks of its snapshot. */
  private readonly tally: ChunkTally;
  private base: number;
  private reader: ChunkReader | null = null;
  private closed = false;

  constructor(fromChunk: number, tally: ChunkTally) {
    this.base = fromChunk;
    this.tally = tally;
  }

  /** Attached at once after construction: the reader's events name this reading. */
  attach(reader: ChunkReader): void {
    this.reader = reader;
  }

  /** Chunk 0 is still here: a newcomer can have all of it. */
  get joinable(): boolean {
    return this.base === 0 && !this.closed;
  }

  /** What END says, once every chunk has been taken. */
  get totals(): SnapshotTotals | null {
    const totals = this.reader?.totals ?? null;
    if (totals === null) return null;
    const { chunks, bytes, digest } = this.tally;
    assert(chunks === totals.chunks, "a chunk was not counted");
    return { chunks, records: totals.records, bytes, digest };
  }

  get heldChunks(): number {
    return this.held.length;
  }

  /** First chunk that somebody still has to take. */
  get front(): number {
    return this.base;
  }

  /** First chunk that was not produced yet. */
  get frontEnd(): number {
    return this.base + this.held.length;
  }

  join(ship: S): void {
    assert(ship.nextChunk === this.base || this.joinable);
    this.sharers.add(ship);
    for (const held of this.held) held.waiting += 1;
  }

  /** A sharer goes: what it was not sent is not waited for. */
  leave(ship: S): void {
    if (!this.sharers.delete(ship)) return;
    this.someLeft = true;
    for (let n = Math.max(ship.nextChunk, this.base); n < this.base + this.held.length; n++)
      this.held[n - this.base]!.waiting -= 1;
    this.releaseFront();
    if (this.sharers.size === 0) this.close();
  }

  /** The chunk that `ship` sends next, or null when it is not ready. */
  chunkFor(ship: S): HeldChunk | null {
    const index = ship.nextChunk - this.base;
    assert(index >= 0, "a sharer is behind the held chunks");
    const held = this.held[index];
    if (held !== undefined) return held;
    if (index > this.held.length) return null;
    const chunk = this.reader?.take() ?? null;
    if (chunk === null) return null;
    assert(chunk.number === ship.nextChunk, "chunks out of order");
    this.tally.note(chunk.number, chunk.to - chunk.from, chunk.sum);
    const fresh = new HeldChunk(chunk, this.sharers.size, this);
    this.held.push(fresh);
    return fresh;
  }

  releaseFront(): void {
    while (this.held.length > 0 && this.held[0]!.waiting === 0) {
      const done = this.held.shift()!;
      this.base += 1;
      this.reader?.release(done.chunk);
    }
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.reader?.close();
  }

  get isClosed(): boolean {
    return this.closed;
  }
}
