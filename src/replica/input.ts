/**
 * What arrives on a session's connection while it cannot be taken: because the decoder is suspended, or
 * because a state that answers later has too much to do already.
 *
 *   bytes -> decoder, as far as it takes them -> the rest is kept, and reading is paused
 *
 * Invariant: what is kept is the rest of what was read before the pause, so it is bounded by the reads.
 * Owns: that rest, whether reading is paused. Does not own: the decoder, the socket.
 * Tested in: test/unit/replica/late-session.test.ts.
 */
import type { Decoder } from "../wire/decoder.ts";
import type { SessionShell } from "./deps.ts";

export class Input {
  private readonly shell: Pick<SessionShell, "pauseReading">;
  private kept: Buffer[] = [];
  private isPaused = false;
  /** When reading last went on. */
  private resumedMs = Number.NEGATIVE_INFINITY;

  constructor(shell: Pick<SessionShell, "pauseReading">) {
    this.shell = shell;
  }

  /** Gives bytes[from, to) to the decoder; what it does not take is copied. Throws what it throws. */
  take(decoder: Decoder, bytes: Buffer, from: number, to: number): void {
    const rest = decoder.push(bytes, from, to);
    if (rest < to) this.kept.push(Buffer.from(bytes.subarray(rest, to)));
  }

  /** The decoder takes again: what was kept comes first. Throws what it throws. */
  release(decoder: Decoder | null): void {
    const { kept } = this;
    this.kept = [];
    for (const bytes of kept) if (decoder !== null) this.take(decoder, bytes, 0, bytes.length);
  }

  pause(isPaused: boolean, nowMs: number): void {
    if (isPaused === this.isPaused) return;
    this.isPaused = isPaused;
    if (!isPaused) this.resumedMs = nowMs;
    this.shell.pauseReading(isPaused);
  }

  /** Since when there may be silence: not while nothing is read. */
  heardMs(lastReceivedMs: number, nowMs: number): number {
    return this.isPaused ? nowMs : Math.max(lastReceivedMs, this.resumedMs);
  }

  /** The connection is over; the next is read. */
  forget(): void {
    this.kept = [];
    this.isPaused = false;
  }
}
