/**
 * One ship: the sending of one snapshot to one replica, as its link sees it.
 *
 *   queued --begin (frozen, or joined an open reading)--> sending --ended (END written)--> finishing
 *                                                                              swapped --> done
 *
 * `finishing` lasts until the replica's first streaming ACK says that it has swapped: until then a
 * cut parks the snapshot. Others say what happened; a ship changes nothing but by that.
 *
 * Owns: one replica's place in the chunks, one use of its snapshot. Does not own: chunks (reading.ts),
 * the queue (shipping.ts).
 */
import assert from "node:assert/strict";
import type { Id } from "../wire/messages.ts";
import type { OpenSnapshot } from "./open-snapshot.ts";
import type { HeldChunk, Reading, Sharer } from "./reading.ts";

type State =
  | { readonly kind: "queued" }
  | {
      readonly kind: "sending";
      readonly snapshot: OpenSnapshot;
      /** Null once it reads no more: every chunk is out, or its link is over. */
      readonly reading: Reading<Ship> | null;
    }
  | { readonly kind: "finishing"; readonly snapshot: OpenSnapshot }
  | { readonly kind: "done" };

export type ShipState = State["kind"];

export interface ShipOptions {
  /** Its snapshot has to be beyond this offset. */
  readonly after?: number;
  /** It goes on with a snapshot that was begun on an earlier connection. */
  readonly resumed?: boolean;
  /** To nobody that counts. */
  readonly isCopy?: boolean;
}

export class Ship implements Sharer {
  /** Who is shipped to: the link's id, for logs. */
  readonly linkId: number;
  readonly queuedAtMs: number;
  readonly after: number;
  readonly resumed: boolean;
  readonly isCopy: boolean;
  #state: State = { kind: "queued" };
  #announced = false;
  #room: number;
  #firstChunk = 0;
  #nextChunk = 0;
  #ackedChunk = 0;
  #bytesSent = 0;
  #bytesAcked = 0;
  /** Bytes of each chunk that was sent, from the first on. */
  readonly #sizes: number[] = [];

  constructor(linkId: number, nowMs: number, options: ShipOptions = {}) {
    const { after = -1, resumed = false, isCopy = false } = options;
    this.linkId = linkId;
    this.queuedAtMs = nowMs;
    this.after = after;
    this.resumed = resumed;
    this.isCopy = isCopy;
    // One that goes on says when it is ready: it may have to read what it kept first.
    this.#room = resumed ? 0 : Number.POSITIVE_INFINITY;
  }

  get state(): ShipState {
    return this.#state.kind;
  }

  /** What is sent; null before it has begun, and when it is over. */
  get snapshot(): OpenSnapshot | null {
    const state = this.#state;
    return state.kind === "queued" || state.kind === "done" ? null : state.snapshot;
  }

  get snapshotId(): Id {
    return this.snapshot?.id ?? "";
  }

  /** Where its chunks come from; null unless there are more to come. */
  get reading(): Reading<Ship> | null {
    return this.#state.kind === "sending" ? this.#state.reading : null;
  }

  /** SNAPSHOT was written. */
  get isAnnounced(): boolean {
    return this.#announced;
  }

  /** What the replica is ready to take beyond its ACK. */
  get room(): number {
    return this.#room;
  }

  /** A resumed ship starts here; so does its reading. */
  get firstChunk(): number {
    return this.#firstChunk;
  }

  get nextChunk(): number {
    return this.#nextChunk;
  }

  /** First chunk that the replica has not loaded. */
  get ackedChunk(): number {
    return this.#ackedChunk;
  }

  get bytesSent(): number {
    return this.#bytesSent;
  }

  /** Bytes of chunks that the replica has loaded, as far as we sent them on this connection. */
  get bytesAcked(): number {
    return this.#bytesAcked;
  }

  /** Bytes of chunks in flight: sent on this connection and not loaded. */
  get inFlightBytes(): number {
    return this.#bytesSent - this.#bytesAcked;
  }

  /** Bytes that the replica still has to load, as far as known; `chunkBytes` is a usual chunk. */
  bytesLeft(chunkBytes: number): number {
    const { snapshot } = this;
    if (snapshot === null) return 0;
    if (this.state === "finishing") return this.inFlightBytes;
    const done = this.#firstChunk * chunkBytes + this.#bytesAcked;
    // Why at least one chunk: the snapshot's size is an estimate, and the ship is not over.
    return Math.max(chunkBytes, this.inFlightBytes, snapshot.frozen.bytes - done);
  }

  /** It has a place at `chunk` of what `reading` reads, and one use of its snapshot from now on. */
  begin(reading: Reading<Ship>, chunk: number): void {
    assert(this.#state.kind === "queued", "a ship begins once");
    const { snapshot } = reading;
    snapshot.retain();
    this.#state = { kind: "sending", snapshot, reading };
    this.#firstChunk = chunk;
    this.#nextChunk = chunk;
    this.#ackedChunk = chunk;
  }

  /** The same chunks come from another reading from now on. */
  readFrom(reading: Reading<Ship>): void {
    assert(this.#state.kind === "sending" && this.#state.snapshot === reading.snapshot);
    this.#state = { ...this.#state, reading };
  }

  /** It reads no more. @returns what it read */
  leaveReading(): Reading<Ship> | null {
    if (this.#state.kind !== "sending") return null;
    const { reading } = this.#state;
    if (reading !== null) this.#state = { ...this.#state, reading: null };
    return reading;
  }

  /** SNAPSHOT is out. */
  announced(): void {
    this.#announced = true;
  }

  sent({ number, from, to }: Pick<HeldChunk, "number" | "from" | "to">): void {
    this.#nextChunk = number + 1;
    this.#sizes.push(to - from);
    this.#bytesSent += to - from;
  }

  /**
   * The replica says that all chunks below `nextChunk` are loaded, and what it is ready to take.
   * @returns false when it never was sent that
   */
  acked(nextChunk: number, room: number): boolean {
    this.#room = room;
    if (nextChunk > this.#nextChunk) return false;
    for (; this.#ackedChunk < nextChunk; this.#ackedChunk++)
      this.#bytesAcked += this.#sizes[this.#ackedChunk - this.#firstChunk] ?? 0;
    return true;
  }

  /** END is out. */
  ended(): void {
    assert(this.#state.kind === "sending", "END of a ship that is not sent");
    this.#state = { kind: "finishing", snapshot: this.#state.snapshot };
  }

  /** The replica streams from its new state: nothing needs the snapshot. */
  swapped(): void {
    assert(this.#state.kind === "finishing", "a swap before END");
    const { snapshot } = this.#state;
    this.#state = { kind: "done" };
    snapshot.release();
  }
}
