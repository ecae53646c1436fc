/**
 * Sockets that sent their end and wait for the other end's (Socket.linger), each for a while and not too
 * many of them.
 *
 * Owns: their time, and who has to go. Does not own: sockets that are in use.
 */
import type { Socket } from "node:net";

/** A socket that the other end does not close is destroyed after this. */
const LINGER_MS = 10_000;
/** So many at most; one more, and the one that ended first is destroyed. */
const LINGERING_MAX = 200;

export class Lingering {
  /** The one that ended first is first. */
  private readonly sockets = new Set<Socket>();

  add(socket: Socket): void {
    if (socket.destroyed || this.sockets.has(socket)) return;
    const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref();
    this.sockets.add(socket);
    socket.once("close", () => {
      clearTimeout(timer);
      this.sockets.delete(socket);
    });
    if (this.sockets.size <= LINGERING_MAX) return;
    const oldest = this.sockets.values().next().value!;
    this.sockets.delete(oldest);
    oldest.destroy();
  }
}
