/** Real sockets on loopback, and what was heard of them. */
import { createServer, type AddressInfo, type Server, type Socket as NodeSocket } from "node:net";
import { onTestFinished } from "vitest";
import { dial, type DialEvents, type DialOptions } from "../../../src/net/dial.ts";
import { Listener, type ListenerOptions } from "../../../src/net/listener.ts";
import type { Socket, SocketEvents } from "../../../src/net/socket.ts";
import { until } from "../../../tools/wait.ts";

export const HOST = "127.0.0.1";

/** What one socket's hearer was told, in order. */
export class Heard implements DialEvents {
  readonly events: string[] = [];
  text = "";
  bytes = 0;
  /** Of the end; null before. */
  failure: string | null = null;

  onReady(): void {
    this.events.push("ready");
  }
  onBytes(bytes: Buffer, length: number): void {
    this.events.push("bytes");
    this.text += bytes.toString("latin1", 0, Math.min(length, 1000));
    this.bytes += length;
  }
  onDrained(): void {
    this.events.push("drained");
  }
  onClosed(failure: string): void {
    this.events.push("closed");
    this.failure = failure;
  }
  closed(): Promise<unknown> {
    return until(() => this.failure !== null, { what: "the end of the connection" });
  }
}

export interface Accepted {
  readonly socket: Socket;
  readonly heard: Heard;
  readonly local: string;
}

/** A listener that accepts everything and hears it, closed at the end of the test. */
export class Port {
  readonly accepted: Accepted[] = [];
  readonly listener: Listener;
  port = 0;

  constructor(options: Partial<ListenerOptions> = {}) {
    this.listener = new Listener({
      keepAliveMs: 0,
      refusal: () => null,
      accept: (socket, local): SocketEvents => {
        const heard = new Heard();
        this.accepted.push({ socket, heard, local });
        return heard;
      },
      onError: () => undefined,
      ...options,
    });
  }

  async listen(host: string = HOST): Promise<this> {
    this.port = await this.listener.listen({ host, port: 0 });
    onTestFinished(async () => {
      const stopped = this.listener.stop();
      this.listener.destroyAll();
      await stopped;
    });
    return this;
  }

  async next(index = this.accepted.length): Promise<Accepted> {
    await until(() => this.accepted.length > index, { what: "a connection" });
    return this.accepted[index]!;
  }
}

export interface Dialled {
  readonly socket: Socket;
  readonly heard: Heard;
}

export function dialled(port: number, options: Partial<DialOptions> = {}, host = HOST): Dialled {
  const heard = new Heard();
  const readBuffer = Buffer.alloc(64 * 1024);
  const socket = dial({ host, port }, { readyMs: 5_000, readBuffer, ...options }, heard);
  onTestFinished(() => socket.destroy());
  return { socket, heard };
}

/** A peer that is plain node, whose sockets do as the test says. */
export async function peer(
  onSocket: (socket: NodeSocket) => void,
  allowHalfOpen = false,
): Promise<number> {
  const sockets = new Set<NodeSocket>();
  const server: Server = createServer({ allowHalfOpen }, (socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    onSocket(socket);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, HOST, resolve);
  });
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}
