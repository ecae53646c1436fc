/**
 * Flow control of one link's stream (D7), all in bytes of the log:
 *
 *   durable <= applied <= received <= sent <= max(applied + min(room, window), end of the batch at applied)
 *
 * The last term lets a batch larger than the window move when nothing else is in flight.
 *
 * Owns: those numbers, and what the replica confirmed. Does not own: the bytes (link-feed.ts), when
 * an ACK arrives (acks.ts).
 */
import { WireError } from "../errors.ts";
import type { Cursor } from "../log/cursor.ts";
import type { CopyLevel } from "./waiters.ts";

/** What the replica may be sent before its first ACK. */
const FIRST_ROOM_BYTES = 1024 * 1024;

/** What an ACK was good for: nothing, as a later one came before; the same numbers; higher ones. */
export type AckNews = "stale" | "same" | "moved";

export class Flow {
  #sent = 0;
  #received = 0;
  #applied = 0;
  #confirmed = -1;
  #durable = 0;
  #room = FIRST_ROOM_BYTES;

  /** Log offset after the last byte given to the socket. */
  get sent(): number {
    return this.#sent;
  }

  get received(): number {
    return this.#received;
  }

  get applied(): number {
    return this.#applied;
  }

  /** `applied` as confirmed by this connection's own ACKs: what WAIT may count; -1 before the first. */
  get confirmed(): number {
    return this.#confirmed;
  }

  /** What a crash of the replica's machine would not lose, as this connection's ACKs said; 0 for nothing. */
  get durable(): number {
    return this.#durable;
  }

  /** The replica said on this connection that it has the log up to `offset`. */
  has(offset: number, level: CopyLevel): boolean {
    if (this.#confirmed < 0) return false;
    return (level === "applied" ? this.#confirmed : this.#endOf(level)) >= offset;
  }

  #endOf(level: Exclude<CopyLevel, "applied">): number {
    return level === "durable" ? this.#durable : this.#received;
  }

  /** The replica has applied all that it was sent. */
  get isIdle(): boolean {
    return this.#sent === this.#applied;
  }

  /** The stream begins: the replica is at `applied`, a batch boundary, and has the log up to `sent`. */
  began(applied: number, sent: number): void {
    this.#applied = applied;
    this.#received = sent;
    this.#sent = sent;
  }

  /** The replica takes another state: what it confirmed is of the one that goes. */
  startedOver(): void {
    this.#confirmed = -1;
    this.#durable = 0;
  }

  /** The next `bytes` of the log are with the socket. */
  gave(bytes: number): void {
    this.#sent += bytes;
  }

  /** An ACK of the stream. Throws WireError ERR_WIRE_STATE when it claims the impossible. */
  acknowledged(received: number, applied: number, room: number, durable: number): AckNews {
    if (received > this.#sent || applied > received)
      throw new WireError(
        "ERR_WIRE_STATE",
        `ACK received ${received}, applied ${applied}; sent up to ${this.#sent}`,
      );
    if (durable > applied)
      throw new WireError("ERR_WIRE_STATE", `ACK durable ${durable}, applied ${applied}`);
    if (applied < this.#applied) return "stale";
    if (durable < this.#durable)
      throw new WireError(
        "ERR_WIRE_STATE",
        `ACK durable ${durable}, after ${this.#durable} of the same state`,
      );
    const moved = received > this.#received || applied > this.#applied;
    this.#received = Math.max(this.#received, received);
    this.#applied = applied;
    this.#confirmed = applied;
    this.#durable = durable;
    this.#room = room;
    return moved ? "moved" : "same";
  }

  /**
   * Log offset up to which may be sent. Worked example: window 8 MiB, a batch of 200 MiB at `applied`:
   * the plain limit ends 8 MiB into it, and it could never be applied; so the limit is its end.
   */
  limit(windowBytes: number, cursor: Cursor): number {
    const plain = this.#applied + Math.min(this.#room, windowBytes);
    if (this.#sent < plain) return plain;
    if (this.#room === 0 && this.isIdle) return plain;
    return Math.max(plain, cursor.batchEnd(this.#applied));
  }
}
