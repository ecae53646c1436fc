/**
 * One ship: the sending of one snapshot to one replica, as its link sees it.
 *
 *   queued --(frozen, or joined an open reading)--> sending --(END written)--> finishing --> done
 *
 * `finishing` lasts until the replica's first streaming ACK says that it has swapped: until then a
 * cut parks the snapshot.
 *
 * Owns: one replica's place in the chunks. Does not own: chunks (reading.ts), the queue (shipping.ts).
 */
import type { Id } from "../wire/messages.ts";
import type { OpenSnapshot } from "./open-snapshot.ts";
import type { HeldChunk, Reading } from "./reading.ts";

export type ShipState = "queued" | "sending" | "finishing" | "done";

export class Ship {
  state: ShipState = "queued";
  /** Who is shipped to: the link's id, for logs. */
  readonly linkId: number;
  readonly queuedAtMs: number;
  /** Its snapshot has to be beyond this offset. */
  readonly after: number;
  /** A resumed ship starts here; so does its reading. */
  firstChunk = 0;
  /** Next chunk to send. */
  nextChunk = 0;
  /** First chunk that the replica has not loaded. */
  ackedChunk = 0;
  bytesSent = 0;
  /** Chunk payload bytes that the replica has loaded, as far as we sent them on this connection. */
  bytesAcked = 0;
  /** What the replica is ready to take beyond its ACK. */
  room: number = Number.POSITIVE_INFINITY;
  snapshot: OpenSnapshot | null = null;
  reading: Reading<Ship> | null = null;
  /** It goes on with a snapshot that was begun on an earlier connection. */
  resumed = false;
  /** SNAPSHOT was written. */
  begun = false;
  private readonly sizes: number[] = [];

  constructor(linkId: number, nowMs: number, after = -1) {
    this.linkId = linkId;
    this.queuedAtMs = nowMs;
    this.after = after;
  }

  get snapshotId(): Id {
    return this.snapshot?.id ?? "";
  }

  /** Chunk payload in flight: sent on this connection and not loaded. */
  get inFlightBytes(): number {
    return this.bytesSent - this.bytesAcked;
  }

  /** Chunk payload that the replica still has to load, as far as known; `chunkBytes` is a usual chunk. */
  bytesLeft(chunkBytes: number): number {
    if (this.snapshot === null || this.state === "queued" || this.state === "done") return 0;
    if (this.state === "finishing") return this.inFlightBytes;
    const done = this.firstChunk * chunkBytes + this.bytesAcked;
    // Why at least one chunk: the snapshot's size is an estimate, and the ship is not over.
    return Math.max(chunkBytes, this.inFlightBytes, this.snapshot.frozen.bytes - done);
  }

  sent({ chunk, from, to }: HeldChunk): void {
    this.nextChunk = chunk.number + 1;
    this.sizes.push(to - from);
    this.bytesSent += to - from;
  }

  /** The replica says that all chunks below `nextChunk` are loaded. False when it never was sent that. */
  acked(nextChunk: number): boolean {
    if (nextChunk > this.nextChunk) return false;
    for (; this.ackedChunk < nextChunk; this.ackedChunk++)
      this.bytesAcked += this.sizes[this.ackedChunk - this.firstChunk] ?? 0;
    return true;
  }

  /** Places the ship at `chunk` of an open snapshot. */
  begin(snapshot: OpenSnapshot, reading: Reading<Ship>, chunk: number): void {
    this.state = "sending";
    this.snapshot = snapshot;
    this.reading = reading;
    this.firstChunk = chunk;
    this.nextChunk = chunk;
    this.ackedChunk = chunk;
  }
}
