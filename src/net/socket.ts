/**
 * One connection, accepted (listener.ts) or dialled (dial.ts), as the other folders see it.
 *
 *   bytes arrive                               onBytes
 *   all that had to wait is with the kernel    onDrained
 *   the connection is over                     onClosed, once and last
 *
 * Three ways to close it:
 *
 *   destroy()   at once; what was not sent is lost
 *   finish()    sends what was written, then closes
 *   linger()    sends what was written and the end; reads and drops what the other end still says until it
 *               closes too, for a while. So it reads our last words: a closed port would answer it with a
 *               reset, and a reset discards what was not read
 *
 * What node's sockets do, and what is made of it here:
 *
 *   "error", then "close"                           one onClosed, with the error's text
 *   a write after the other end is gone (EPIPE)     an error like any other
 *   the other end has nothing more to say           ours is sent and ended, then onClosed
 *   paused, a socket sees neither bytes nor an end  onClosed comes once it is resumed, or when a write fails
 *   several writes are several system calls         writeAll() makes one call of them
 *   `queued` counts a write until all is taken      `beingTaken` shows how far a large one is
 *
 * TLS: a TLSSocket is a Socket of node:net and has all that is used here; `beingTaken` then counts what TLS
 * adds, too. It becomes a Socket when it is ready to carry bytes, so nobody above sees a difference.
 *
 * Owns: one of node's sockets. Does not own: what is said, who speaks first, how much a peer may say before
 * it is known (`received` tells how much it has said).
 */
import type { Socket as NodeSocket } from "node:net";
import type { Lingering } from "./lingering.ts";

/** Hears what happens on one socket. */
export interface SocketEvents {
  /**
   * `bytes[0, length)` arrived. On an accepted connection that is all of `bytes`, and the hearer may keep
   * it; on a dialled one the next read overwrites it.
   */
  onBytes(bytes: Buffer, length: number): void;
  /** All that was written is with the kernel, after some of it had to wait. */
  onDrained?(): void;
  /** Over. `failure` is "" when one of the ends closed it, else what the system says. */
  onClosed(failure: string): void;
}

export class Socket {
  /** Address of the other end. */
  readonly remote: string;
  private readonly socket: NodeSocket;
  private readonly lingering: Lingering;

  constructor(socket: NodeSocket, remote: string, lingering: Lingering) {
    this.socket = socket;
    this.remote = remote;
    this.lingering = lingering;
  }

  /** For listener.ts and dial.ts, once, before anything can happen. They deliver the bytes. */
  tell(events: SocketEvents): void {
    let failure = "";
    this.socket.on("error", (error) => {
      failure = failureText(error);
    });
    this.socket.on("drain", () => events.onDrained?.());
    this.socket.on("close", () => events.onClosed(failure));
  }

  /** Bytes that it has said. */
  get received(): number {
    return this.socket.bytesRead;
  }

  /** Bytes of all writes that the kernel has not taken to the end. */
  get queued(): number {
    return this.socket.writableLength;
  }

  /**
   * Bytes of the write under way that the kernel has not taken: they change as long as bytes flow. Node's
   * own timeout of sockets is built on this figure, and node has no public name for it; a test sees that it
   * is there and moves.
   */
  get beingTaken(): number {
    const { _handle: handle } = this.socket as unknown as {
      readonly _handle: { readonly writeQueueSize: number } | null;
    };
    return handle?.writeQueueSize ?? 0;
  }

  /** Nothing can be sent any more; onClosed was called or will be. */
  get isGone(): boolean {
    return this.socket.destroyed;
  }

  /** `bytes` must not change while any of them are `queued`. */
  write(bytes: Uint8Array | string): void {
    this.socket.write(bytes);
  }

  /** All of `pieces` in one call of the kernel; `onTaken` is called for each, in order, as node does. */
  writeAll(pieces: readonly Uint8Array[], onTaken: (error?: Error | null) => void): void {
    const { socket } = this;
    if (pieces.length === 1) {
      socket.write(pieces[0]!, onTaken);
      return;
    }
    socket.cork();
    for (const bytes of pieces) socket.write(bytes, onTaken);
    socket.uncork();
  }

  /** Reads no more; what arrives waits in the kernel. */
  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  finish(): void {
    this.socket.destroySoon();
  }

  linger(): void {
    const { socket } = this;
    // Why resumed without a hearer: then node reads and drops.
    socket.removeAllListeners("data");
    socket.resume();
    socket.end();
    this.lingering.add(socket);
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** Whether it keeps the process alive; it does at first. */
  setRef(isRef: boolean): void {
    if (isRef) this.socket.ref();
    else this.socket.unref();
  }
}

/** A host with several numbers fails once for each, and says nothing of its own. */
function failureText(error: Error): string {
  if (!(error instanceof AggregateError) || error.message !== "") return error.message;
  return error.errors.map((one) => (one instanceof Error ? one.message : String(one))).join("; ");
}
