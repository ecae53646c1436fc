/**
 * The client port: accepts sockets, moves bytes between them and clients, and bounds both ways.
 *
 * A client whose replies pile up above OUTPUT_PAUSE_BYTES executes nothing until they are gone (before
 * AUTH far earlier: client.ts); one
 * command that alone exceeds LIMITS.clientOutputBytesMax, room for two of the largest values, drops it. A bad client costs one connection and one log line.
 * Owns: sockets. Does not own: order of execution (client.ts), commands.
 */
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { LIMITS } from "../limits.ts";
import { Args } from "./args.ts";
import { Client, type ClientTransport } from "./client.ts";
import { newCounters, type Call, type PortContext } from "./context.ts";
import { Keyspace } from "../node/keyspace.ts";
import type { ReplyOut } from "../node/reply-queue.ts";
import type { Logger } from "../node/logger.ts";
import type { HawserNode } from "../node/api.ts";
import { formatAddress } from "../node/option-values.ts";
import { ReplyWriter } from "./reply-writer.ts";

/** Pausing a client that sends a long pipeline before it reads would stop both for ever: generous. */
const OUTPUT_PAUSE_BYTES = 64 * 1024 * 1024;

export class ClientServer {
  readonly context: PortContext;
  /** Pointed at one client and command after the other; tests make clients of their own with it. */
  readonly call: Call;
  readonly #server: Server;
  #nextId = 1;

  constructor(node: HawserNode, log: Logger, shutdown: () => void) {
    const reply = new ReplyWriter();
    const { settings } = node;
    const keys = new Keyspace(node, settings);
    this.context = {
      node,
      keys,
      reply,
      settings,
      counters: newCounters(),
      clients: new Map(),
      log,
      startedAtMs: Date.now(),
      nodeCountersReset: {},
      port: settings.port,
      busy: false,
      shutdown,
    };
    // The client is set before any command runs.
    this.call = {
      args: new Args(),
      client: undefined as unknown as Client,
      reply,
      keys,
      port: this.context,
    };
    this.#server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 300_000 });
    this.#server.on("connection", (socket) => this.#accept(socket));
  }

  /** Resolves with the port that it listens on; rejects with the system's error. */
  listen(port: number, host: string): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, host, () => {
        this.#server.off("error", reject);
        this.#server.on("error", (error) => {
          this.context.log.error("client_port_error", { message: error.message });
        });
        // A TCP server's address is an AddressInfo.
        this.context.port = (this.#server.address() as AddressInfo).port;
        resolve(this.context.port);
      });
    });
  }

  /** Closes the port and all clients. */
  close(): Promise<void> {
    for (const client of this.context.clients.values()) client.destroy();
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  #accept(socket: Socket): void {
    const { clients, counters, settings, log } = this.context;
    counters.connections++;
    socket.on("error", () => {
      // "close" follows, and tells everything.
    });
    if (clients.size >= settings.maxclients) {
      counters.rejectedConnections++;
      socket.end("-ERR max number of clients reached\r\n");
      socket.destroySoon();
      return;
    }
    const id = this.#nextId++;
    const address = formatAddress({
      host: socket.remoteAddress ?? "?",
      port: socket.remotePort ?? 0,
    });
    const local = formatAddress({ host: socket.localAddress ?? "?", port: socket.localPort ?? 0 });
    const transport = new SocketTransport(socket, address, this.context);
    const client = new Client(id, this.call, transport, address, local);
    clients.set(id, client);
    log.debug("client_connected", { client: address, id });
    socket.on("data", (read) => client.receive(read));
    socket.on("drain", () => {
      transport.isFull = false;
      client.drained();
    });
    socket.on("close", () => {
      clients.delete(id);
      client.close();
      log.debug("client_closed", { client: address, id });
    });
  }
}

class SocketTransport implements ClientTransport, ReplyOut {
  isFull = false;
  heldReplies = 0;
  readonly #socket: Socket;
  readonly #address: string;
  readonly #context: PortContext;
  #paused = false;

  constructor(socket: Socket, address: string, context: PortContext) {
    this.#socket = socket;
    this.#address = address;
    this.#context = context;
  }

  get outputBytes(): number {
    return this.#socket.writableLength;
  }

  write(bytes: Buffer, owned: boolean): boolean | "gone" {
    if (this.#socket.destroyed) return "gone";
    if (this.#context.node.turn.holdReply(this, bytes)) return true;
    return this.writeNow(bytes, owned);
  }

  writeNow(bytes: Buffer, owned = false): boolean {
    const socket = this.#socket;
    if (socket.destroyed) return true;
    this.#context.counters.writes++;
    // Why a copy: behind others it would keep the whole buffer that it lies in, for five bytes.
    const queued = socket.writableLength > 0;
    socket.write(queued && !owned ? Buffer.from(bytes) : bytes);
    const waiting = socket.writableLength;
    this.isFull = waiting > OUTPUT_PAUSE_BYTES;
    if (waiting > LIMITS.clientOutputBytesMax) {
      this.#context.counters.outputLimitDisconnections++;
      this.#context.log.warn("client_dropped", { client: this.#address, reason: "output_limit" });
      socket.destroy();
    }
    // Nothing queued: the kernel has taken it all.
    return (queued && !owned) || waiting === 0;
  }

  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#socket.resume();
  }

  end(): void {
    if (this.heldReplies > 0) this.#context.node.turn.releaseReplies();
    this.#socket.pause();
    this.#socket.end();
    this.#socket.destroySoon();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
