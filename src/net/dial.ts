/**
 * Dials a port. Every outgoing connection of the process begins here.
 *
 *   dial -> ready -> bytes -> closed
 *     |                         ^
 *     +-- not within readyMs ---+
 *
 * Ready means that bytes can be sent: for TCP that it is connected. With TLS it will mean that the handshake
 * is done and the other end's certificate is right: then node:tls's connect(), which knows onread too, and
 * "secureConnect" take the places of connect() and "connect" here, and one clock spans both. A place that is
 * a path (a Unix socket) is one more kind of Address. Who speaks first, and how long an answer may take, is
 * decided by who dials.
 *
 * Owns: name lookup and connecting, in time; reading into one buffer. Does not own: when to dial again.
 */
import { connect } from "node:net";
import { formatAddress, type Address } from "./address.ts";
import { Lingering } from "./lingering.ts";
import { Socket, type SocketEvents } from "./socket.ts";

export interface DialOptions {
  /** It must be ready within this, ms; Infinity for as long as the system tries. */
  readonly readyMs: number;
  /** What arrives is put here, read after read, so that nothing is allocated for it. */
  readonly readBuffer: Buffer;
}

export interface DialEvents extends SocketEvents {
  onReady(): void;
}

/** What is written before it is ready is sent then. If it never is, onClosed says why. */
export function dial({ host, port }: Address, options: DialOptions, events: DialEvents): Socket {
  const node = connect({
    host,
    port,
    noDelay: true,
    onread: {
      buffer: options.readBuffer,
      callback: (length, buffer) => {
        events.onBytes(buffer as Buffer, length);
        return true;
      },
    },
  });
  const socket = new Socket(node, formatAddress({ host, port }), new Lingering());
  socket.tell(events);
  if (options.readyMs !== Number.POSITIVE_INFINITY) {
    const late = (): void => void node.destroy(new Error("connecting took too long"));
    const timer = setTimeout(late, options.readyMs).unref();
    const stopClock = (): void => clearTimeout(timer);
    node.once("connect", stopClock).once("close", stopClock);
  }
  node.once("connect", () => events.onReady());
  return socket;
}
