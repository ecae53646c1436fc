/**
 * What is gathered of a thing that was cut: the first bytes of a frame's head, or of a control frame's body,
 * whose rest has not arrived.
 *
 * One small buffer, which exists once something was cut and never grows beyond LIMITS.controlBytesMax:
 * payloads are not gathered, and a length gets here when its head was checked.
 *
 * Owns: the buffer. Does not own: how much a thing needs (decoder.ts).
 */
import assert from "node:assert/strict";
import { LIMITS } from "../limits.ts";

/** The first size of the buffer: every head fits. */
const BYTES_MIN = 64;

const NO_BYTES = Buffer.alloc(0);

export class Carry {
  /** What is gathered is `bytes[0, count)`. */
  bytes: Buffer = NO_BYTES;
  count = 0;

  /** Takes of `from[at, to)` until `count` is `wanted`; returns where the rest starts. */
  fill(wanted: number, from: Buffer, at: number, to: number): number {
    if (this.bytes.length < wanted) this.#grow(wanted);
    const end = Math.min(to, at + wanted - this.count);
    from.copy(this.bytes, this.count, at, end);
    this.count += end - at;
    return end;
  }

  /** Of a thing that is whole: the next one is gathered from its start. `bytes` stay as they are. */
  empty(): void {
    this.count = 0;
  }

  /** Between two things only. */
  #grow(wanted: number): void {
    assert(wanted <= LIMITS.controlBytesMax && this.count === 0);
    this.bytes = Buffer.allocUnsafeSlow(Math.max(wanted, BYTES_MIN));
  }
}
