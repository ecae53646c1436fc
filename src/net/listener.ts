/**
 * A port that is listened on: accepts connections, turns away those for which there is no place, and ends
 * them all.
 *
 *   connection -> refusal(open)  -- a text -->  it is told the text and closed
 *                     | null
 *                     v
 *                 accept(socket, local) -> who hears what happens on it
 *
 * Whether a connection is a client, a replica or a stranger, and which of them speaks first, is decided by
 * those who listen (node/replication-port.ts, resp/client-server.ts).
 *
 * Here is where the next kinds of port go:
 *   TLS     serverFor() makes node:tls's server, whose connections arrive by "secureConnection"; contexts,
 *           their reload and the clock until a connection is ready are a file of their own (tls.ts)
 *   HTTP    node:http's server is a Server of node:net: http.ts makes one and listens as listen() does
 *   Unix    a place that is a path instead of host and port (address.ts), and its text as `remote`
 *
 * Owns: the server, its open sockets, socket options. Does not own: what is said on them.
 */
import { createServer, type AddressInfo, type Server, type Socket as NodeSocket } from "node:net";
import { formatAddress, type Address } from "./address.ts";
import { Lingering } from "./lingering.ts";
import { Socket, type SocketEvents } from "./socket.ts";

export interface ListenerOptions {
  /** A connection without traffic is probed after this, ms; 0 for never. */
  readonly keepAliveMs: number;
  /** What a new connection is told that is turned away; null lets it in. `open` are in already. */
  readonly refusal: (open: number) => string | null;
  /** A connection is in; what is returned hears of it. `local` is our own end's address. */
  readonly accept: (socket: Socket, local: string) => SocketEvents;
  /** The system failed to accept a connection; the port goes on. */
  readonly onError: (message: string) => void;
}

export class Listener {
  private readonly options: ListenerOptions;
  private readonly server: Server;
  private readonly open = new Set<NodeSocket>();
  private readonly lingering = new Lingering();
  private isRef = true;

  constructor(options: ListenerOptions) {
    this.options = options;
    this.server = serverFor(options);
    this.server.on("connection", (socket) => this.onConnection(socket));
  }

  /** Resolves with the port; rejects with the system's error. */
  listen({ host, port }: Address): Promise<number> {
    const { server } = this;
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, host, () => {
        server.off("error", reject);
        server.on("error", (error) => this.options.onError(error.message));
        // Of a TCP port it is an AddressInfo.
        resolve((server.address() as AddressInfo).port);
      });
    });
  }

  /** Accepts nothing more. Resolves once the port and all connections are closed. */
  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.server.close(() => resolve());
    });
  }

  /** Whether the port and its connections keep the process alive; they do at first. */
  setRef(isRef: boolean): void {
    this.isRef = isRef;
    for (const each of [this.server, ...this.open])
      if (isRef) each.ref();
      else each.unref();
  }

  /** Destroys all connections that are open. */
  destroyAll(): void {
    for (const socket of this.open) socket.destroy();
  }

  private onConnection(node: NodeSocket): void {
    const remote = formatAddress({ host: node.remoteAddress ?? "?", port: node.remotePort ?? 0 });
    const local = formatAddress({ host: node.localAddress ?? "?", port: node.localPort ?? 0 });
    const socket = new Socket(node, remote, this.lingering);
    const refusal = this.options.refusal(this.open.size);
    if (refusal !== null) {
      socket.tell(NOBODY);
      socket.write(refusal);
      socket.finish();
      return;
    }
    this.open.add(node);
    if (!this.isRef) node.unref();
    node.on("close", () => this.open.delete(node));
    const events = this.options.accept(socket, local);
    socket.tell(events);
    node.on("data", (bytes: Buffer) => events.onBytes(bytes, bytes.length));
  }
}

function serverFor({ keepAliveMs }: ListenerOptions): Server {
  const keepAlive = keepAliveMs > 0;
  return createServer({ noDelay: true, keepAlive, keepAliveInitialDelay: keepAliveMs });
}

const NOBODY: SocketEvents = { onBytes: () => undefined, onClosed: () => undefined };
