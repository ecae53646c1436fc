/**
 * Gathers what is written to one socket in a turn, and hands it to the kernel in one call. Tells for each
 * piece when the kernel has it: until then its memory must not change.
 *
 * Owns: pieces that wait for flush(). Does not own: how much may wait in the socket (primary/link-feed.ts).
 */
import type { Socket } from "./socket.ts";

export class GatheredOutput {
  private readonly socket: Socket;
  private readonly onTaken: () => void;
  private pieces: Uint8Array[] = [];

  /** @param onTaken called once for each piece, in order, but not for those that a broken connection left */
  constructor(socket: Socket, onTaken: () => void) {
    this.socket = socket;
    this.onTaken = onTaken;
  }

  get beingTaken(): number {
    return this.socket.beingTaken;
  }

  write(bytes: Uint8Array, from: number, to: number): void {
    this.pieces.push(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to));
  }

  flush(): void {
    const { pieces, socket } = this;
    if (pieces.length === 0) return;
    this.pieces = [];
    if (!socket.isGone) socket.writeAll(pieces, this.taken);
  }

  /** Flushes, then ends the connection politely. */
  end(): void {
    this.flush();
    this.socket.linger();
  }

  destroy(): void {
    this.pieces = [];
    this.socket.destroy();
  }

  private readonly taken = (error?: Error | null): void => {
    // Why not then: the socket closes, and its owner releases everything at once. Node reports no error for
    // a write that was under way when the socket was destroyed.
    if (error == null && !this.socket.isGone) this.onTaken();
  };
}
