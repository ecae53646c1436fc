/**
 * The feeding side's shell: the replication port's sockets and the clock of its links.
 * No decisions: bytes and events in, bytes out.
 *
 *   connection -> doorstep, until it has said that it is a replica -> link
 *   data, taken, close  -> link
 *   every 100 ms        -> feeder.tick()
 *
 * Owns: sockets, the clock. Does not own: links' state (feeder.ts), who is let in (doorstep.ts), the
 * turn of the loop (turn.ts).
 */
import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { performance } from "node:perf_hooks";
import { awaitTurn } from "./await-turn.ts";
import type { Turn } from "./turn.ts";
import { Doorstep, type Visitor } from "../primary/doorstep.ts";
import type { Feeder } from "../primary/feeder.ts";
import { isDrained, type Lacking, lackingReplicas } from "../primary/lacking.ts";
import type { Link, LinkOut } from "../primary/link.ts";

const TICK_MS = 100;
/** A politely ended connection that does not close by itself is destroyed after this. */
const LINGER_MS = 10_000;
/** So many of them at most; then the one that was ended first is destroyed. */
const LINGERING_MAX = 200;

export class FeederServer {
  private readonly feeder: Feeder;
  private readonly turn: Turn;
  private server: Server | null = null;
  private tickTimer: NodeJS.Timeout | null = null;
  private readonly sockets = new Set<Socket>();
  /** Sockets that were ended and are not closed, oldest first. */
  private readonly lingering = new Set<Socket>();
  private readonly doorstep: Doorstep;
  /** Called when the last socket closes, while close() waits for that. */
  private onLastClosed: (() => void) | null = null;

  /** @param clientPort told to clients that come to the wrong port, 0 for none */
  constructor(feeder: Feeder, turn: Turn, clientPort: () => number) {
    this.feeder = feeder;
    this.turn = turn;
    this.doorstep = new Doorstep({
      crowd: feeder.crowd,
      options: feeder.options,
      clientPort,
      counters: feeder.counters,
      journal: feeder.deps.journal,
    });
  }

  /** Starts the clocks, which a node needs even when it does not listen. */
  start(): void {
    this.tickTimer ??= setInterval(() => {
      const nowMs = performance.now();
      this.doorstep.tick(nowMs);
      this.feeder.tick(nowMs);
    }, TICK_MS).unref();
  }

  /** Listens; resolves with the port. Rejects with the system's error. */
  listen(port: number, host: string): Promise<number> {
    const server = createServer({ noDelay: true }, (socket) => this.onSocket(socket));
    this.server = server;
    return new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, host, () => {
        server.off("error", reject);
        server.on("error", () => undefined);
        resolve((server.address() as AddressInfo).port);
      });
    });
  }

  private onSocket(socket: Socket): void {
    const remote = `${socket.remoteAddress ?? "?"}:${socket.remotePort ?? 0}`;
    let link: Link | null = null;
    let failure = "";
    const visitor: Visitor = {
      remote,
      sinceMs: performance.now(),
      get spoke() {
        return socket.bytesRead > 0;
      },
      turnAway: (text) => {
        if (text !== "") socket.write(text);
        this.endPolitely(socket);
      },
    };
    this.sockets.add(socket);
    socket.on("data", (bytes) => {
      const nowMs = performance.now();
      if (link !== null) {
        link.onBytes(bytes, 0, bytes.length, nowMs);
        return;
      }
      const rest = this.doorstep.hear(visitor, bytes);
      if (rest === null) return;
      link = this.admit(socket, remote, nowMs);
      if (rest.length > 0) link.onBytes(rest, 0, rest.length, nowMs);
    });
    socket.on("error", (error) => {
      failure = error.message;
    });
    socket.on("close", () => {
      this.sockets.delete(socket);
      if (this.sockets.size === 0) this.onLastClosed?.();
      this.lingering.delete(socket);
      this.doorstep.leave(visitor);
      const reason = failure === "" ? "peer_closed" : "socket_error";
      link?.onSocketClosed(reason, failure === "" ? "the connection ended" : failure);
    });
    this.doorstep.arrive(visitor);
  }

  /** It said that it is a replica: a link from now on. */
  private admit(socket: Socket, remote: string, nowMs: number): Link {
    const out = new SocketOut(socket, () => this.endPolitely(socket));
    const link = this.feeder.accept(remote, out, nowMs);
    out.taker = link;
    return link;
  }

  /** Ends a socket; what its other end still says is read and dropped until it closes, for a while. */
  private endPolitely(socket: Socket): void {
    socket.end();
    if (socket.destroyed) return;
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
    this.lingering.add(socket);
    const oldest = this.lingering.values().next().value;
    if (this.lingering.size > LINGERING_MAX) oldest?.destroy();
  }

  /**
   * Waits up to `drainMs` for replicas to say that they have the log, says BYE, closes everything.
   * Resolves with the connected replicas that lack something.
   */
  async close(drainMs: number): Promise<readonly Lacking[]> {
    const untilMs = performance.now() + drainMs;
    this.server?.close();
    this.doorstep.clear();
    // What was written in this turn is sealed at its end.
    await awaitTurn(this.turn, () => isDrained(this.feeder), drainMs);
    const lacking = lackingReplicas(this.feeder);
    this.feeder.stop();
    await this.allClosed(untilMs - performance.now());
    for (const socket of this.sockets) socket.destroy();
    if (this.tickTimer !== null) clearInterval(this.tickTimer);
    return lacking;
  }

  /** Until every socket is closed, for `mostMs` at most. */
  private allClosed(mostMs: number): Promise<void> {
    if (this.sockets.size === 0 || mostMs <= 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, mostMs);
      this.onLastClosed = (): void => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/**
 * Bytes of the socket's write under way that the kernel has not taken. Node's own timeout of sockets
 * is built on this, and has no public name for it; a test sees that it is there and moves.
 */
export function writeQueueBytes(socket: Socket): number {
  const { _handle: handle } = socket as unknown as {
    readonly _handle: { readonly writeQueueSize: number } | null;
  };
  return handle?.writeQueueSize ?? 0;
}

/** Gathers a link's writes of one turn into one call of the kernel. */
class SocketOut implements LinkOut {
  taker: Link | null = null;
  private readonly socket: Socket;
  private readonly endPolitely: () => void;
  private pending: Uint8Array[] = [];

  constructor(socket: Socket, endPolitely: () => void) {
    this.socket = socket;
    this.endPolitely = endPolitely;
  }

  get beingTaken(): number {
    return writeQueueBytes(this.socket);
  }

  write(bytes: Uint8Array, from: number, to: number): void {
    this.pending.push(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to));
  }

  flush(): void {
    const { pending, socket } = this;
    if (pending.length === 0) return;
    this.pending = [];
    if (socket.destroyed) return;
    if (pending.length === 1) {
      socket.write(pending[0]!, this.onTaken);
      return;
    }
    socket.cork();
    for (const bytes of pending) socket.write(bytes, this.onTaken);
    socket.uncork();
  }

  private readonly onTaken = (error?: Error | null): void => {
    // Why not on errors: the socket closes then, and everything is released at once.
    if (error == null) this.taker?.onTaken(performance.now());
  };

  end(): void {
    this.flush();
    this.endPolitely();
  }

  destroy(): void {
    this.pending = [];
    this.socket.destroy();
  }
}
