/**
 * A TCP proxy on loopback that breaks connections on purpose, byte-exactly.
 *
 *   client --socket--> [ up: delay, rate, stall, cut, flip ] --socket--> target
 *          <---------- [ down:   the same, set apart       ] <----------
 *
 * Faults belong to a direction and hold for all its connections, present and to come. Byte counts
 * (cutAfter, flipBitAfter) run over all connections from the moment they are armed, and fire once.
 * Memory is bounded: a pipe holds at most `bufferBytesMax` and one socket read, then it stops
 * reading its source, as a full router would.
 *
 * Owns: sockets, timers, queues. Does not own: what is proxied; it never looks into the bytes.
 */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { Random } from "./random.ts";

export interface Shape {
  /** Every byte is this late, order kept. */
  readonly delayMs: number;
  /** Up to this much more, at random (seeded), order kept. */
  readonly jitterMs: number;
  /** All connections of the direction together; Infinity is no limit. */
  readonly bytesPerSecond: number;
  /** One byte for each write, each in a turn of its own. */
  readonly oneByteWrites: boolean;
}

/**
 * How a connection ends: both sockets closed after what was sent, both reset (which also loses what
 * the kernel has not delivered yet), or only this direction ended (FIN).
 */
export type CutKind = "destroy" | "reset" | "halfClose";

export interface ProxyOptions {
  readonly bufferBytesMax?: number;
  readonly seed?: number;
}

const CLEAN: Shape = { delayMs: 0, jitterMs: 0, bytesPerSecond: Infinity, oneByteWrites: false };
const SLICE_BYTES = 64 * 1024;
/** Bytes a rate limit may send at once: small enough to be smooth, large enough for 1 ms timers. */
const burstOf = (bytesPerSecond: number): number => Math.max(1460, bytesPerSecond / 50);

/** One direction of all connections. */
export class Direction {
  readonly name: "up" | "down";
  /** Bytes handed to the receiving sockets so far, over all connections. */
  bytes = 0;
  /** Bytes swallowed by a blackhole or sent to a socket that was gone. */
  bytesLost = 0;
  /** Largest number of bytes one pipe ever held. */
  queuedBytesMax = 0;
  shape: Shape = CLEAN;
  state: "open" | "stalled" | "blackhole" = "open";
  readonly pipes = new Set<Pipe>();
  readonly random: Random;
  cut: { remaining: number; kind: CutKind; fired: () => void } | null = null;
  flip: { remaining: number; bit: number; fired: () => void } | null = null;
  #tokens = 0;
  #refilledAt = performance.now();

  constructor(name: "up" | "down", seed: number) {
    this.name = name;
    this.random = new Random(seed);
  }

  /** Changes some of delayMs, jitterMs, bytesPerSecond, oneByteWrites. */
  set(shape: Partial<Shape>): void {
    this.shape = { ...this.shape, ...shape };
    this.#tokens = 0;
    this.#refilledAt = performance.now();
    this.#wake();
  }

  /** Nothing passes and nothing is lost: the sender runs into backpressure. */
  stall(): void {
    this.state = "stalled";
  }

  /** Everything is swallowed, ends and resets too, and the sender is not told. */
  blackhole(): void {
    this.state = "blackhole";
    for (const pipe of this.pipes) pipe.swallow();
  }

  /** Ends stall and blackhole. Connections that lost bytes meanwhile are reset. */
  resume(): void {
    this.state = "open";
    for (const pipe of this.pipes) if (pipe.lostBytes) pipe.connection.cut("reset");
    this.#wake();
  }

  /** Lets exactly `bytes` more through, then cuts the connection that carried the last one. */
  cutAfter(bytes: number, kind: CutKind = "destroy"): Promise<void> {
    return new Promise((fired) => {
      this.cut = { remaining: bytes, kind, fired };
    });
  }

  /** Flips one bit of the byte that comes after `bytes` more. */
  flipBitAfter(bytes: number, bit = 0): Promise<void> {
    return new Promise((fired) => {
      this.flip = { remaining: bytes, bit, fired };
    });
  }

  /** Back to a clean wire: no shape, no stall, nothing armed. */
  heal(): void {
    this.cut = null;
    this.flip = null;
    this.set(CLEAN);
    this.resume();
  }

  /**
   * Bytes of `wanted` that may pass now; 0 means ask again in `msUntilTokens()`. Never a few only:
   * a loop that sends what trickles in meanwhile would never end.
   */
  tokens(wanted: number): number {
    const rate = this.shape.bytesPerSecond;
    if (rate === Infinity) return SLICE_BYTES;
    const now = performance.now();
    const refill = ((now - this.#refilledAt) * rate) / 1000;
    this.#tokens = Math.min(burstOf(rate), this.#tokens + refill);
    this.#refilledAt = now;
    const worthwhile = Math.min(wanted, burstOf(rate));
    return this.#tokens < worthwhile ? 0 : Math.floor(this.#tokens);
  }

  msUntilTokens(wanted: number): number {
    const rate = this.shape.bytesPerSecond;
    const missing = Math.min(wanted, burstOf(rate)) - this.#tokens;
    return Math.max(1, (missing * 1000) / rate);
  }

  spend(bytes: number): void {
    if (this.shape.bytesPerSecond !== Infinity) this.#tokens -= bytes;
  }

  #wake(): void {
    for (const pipe of this.pipes) pipe.pump();
  }
}

type Item =
  | { kind: "bytes"; bytes: Buffer; dueAt: number }
  | { kind: "end"; dueAt: number }
  | { kind: "reset"; dueAt: number };

/** One direction of one connection. */
class Pipe {
  readonly connection: Connection;
  /** Bytes of this connection were swallowed: its stream is broken. */
  lostBytes = false;
  readonly #direction: Direction;
  readonly #source: Socket;
  readonly #sink: Socket;
  readonly #bufferBytesMax: number;
  #queue: Item[] = [];
  #queuedBytes = 0;
  #lastDueAt = 0;
  #timer: NodeJS.Timeout | null = null;
  #waiting: "drain" | "turn" | "cut" | null = null;
  #ended = false;

  constructor(
    connection: Connection,
    direction: Direction,
    source: Socket,
    sink: Socket,
    bufferBytesMax: number,
  ) {
    this.connection = connection;
    this.#direction = direction;
    this.#source = source;
    this.#sink = sink;
    this.#bufferBytesMax = bufferBytesMax;
    source.on("data", (bytes: Buffer) => this.#take(bytes));
    source.on("end", () => this.#add({ kind: "end", dueAt: 0 }));
    source.on("error", () => this.#add({ kind: "reset", dueAt: 0 }));
    source.on("close", () => this.#add({ kind: "end", dueAt: 0 }));
    const unblock = (): void => {
      if (this.#waiting === "drain") this.#waiting = null;
      this.pump();
    };
    sink.on("drain", unblock);
    sink.on("close", unblock);
    direction.pipes.add(this);
  }

  /** Sends FIN in this direction; what the source says from now on is dropped. */
  halfClose(): void {
    this.#ended = true;
    this.#dropQueue();
    this.#sink.end();
    this.#source.resume();
  }

  swallow(): void {
    if (this.#queuedBytes > 0) this.lostBytes = true;
    this.#dropQueue();
    this.#source.resume();
  }

  close(): void {
    this.#ended = true;
    this.#dropQueue();
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
    this.#direction.pipes.delete(this);
  }

  /** Moves what is due and allowed; stops at the first thing to wait for, and is called again. */
  pump(): void {
    while (this.#mayMove()) {
      const item = this.#queue[0];
      if (!item) return;
      const early = item.dueAt - performance.now();
      if (early > 0) {
        this.#later(early);
        return;
      }
      if (item.kind !== "bytes") {
        this.#finish(item.kind);
        return;
      }
      const wanted = this.#direction.shape.oneByteWrites ? 1 : item.bytes.length;
      const allowed = this.#direction.tokens(wanted);
      if (allowed <= 0) {
        this.#later(this.#direction.msUntilTokens(wanted));
        return;
      }
      this.#move(item, allowed);
    }
  }

  #mayMove(): boolean {
    return (
      !this.#ended &&
      this.#direction.state === "open" &&
      this.#timer === null &&
      this.#waiting === null
    );
  }

  #take(bytes: Buffer): void {
    if (this.#ended || this.#direction.state === "blackhole") {
      if (!this.#ended) this.lostBytes = true;
      this.#direction.bytesLost += bytes.length;
      return;
    }
    this.#queuedBytes += bytes.length;
    this.#direction.queuedBytesMax = Math.max(this.#direction.queuedBytesMax, this.#queuedBytes);
    if (this.#queuedBytes >= this.#bufferBytesMax) this.#source.pause();
    this.#add({ kind: "bytes", bytes, dueAt: 0 });
  }

  #add(item: Item): void {
    if (this.#ended) return;
    if (this.#direction.state === "blackhole") {
      this.lostBytes = true;
      return;
    }
    const { delayMs, jitterMs } = this.#direction.shape;
    const late = delayMs + jitterMs * this.#direction.random.fraction();
    this.#lastDueAt = Math.max(this.#lastDueAt, late === 0 ? 0 : performance.now() + late);
    item.dueAt = this.#lastDueAt;
    this.#queue.push(item);
    this.pump();
  }

  /** Sends as much of the head as every fault allows. */
  #move(item: Item & { kind: "bytes" }, allowed: number): void {
    const direction = this.#direction;
    const { cut, flip } = direction;
    if (cut?.remaining === 0) {
      this.#cutNow(cut);
      return;
    }
    let length = Math.min(item.bytes.length, allowed, SLICE_BYTES);
    if (direction.shape.oneByteWrites) length = 1;
    if (cut) length = Math.min(length, cut.remaining);
    const slice = item.bytes.subarray(0, length);
    if (flip) this.#flipIn(slice, flip);
    this.#queuedBytes -= length;
    if (length === item.bytes.length) this.#queue.shift();
    else item.bytes = item.bytes.subarray(length);
    direction.spend(length);
    if (this.#sink.destroyed) {
      direction.bytesLost += length;
    } else {
      direction.bytes += length;
      this.#send(slice, cut);
    }
    if (this.#queuedBytes < this.#bufferBytesMax / 2) this.#source.resume();
  }

  #send(slice: Buffer, cut: Direction["cut"]): void {
    if (cut) cut.remaining -= slice.length;
    if (cut?.remaining === 0) {
      this.#waiting = "cut";
      this.#sink.write(slice, () => this.#cutNow(cut));
      return;
    }
    if (!this.#sink.write(slice)) {
      this.#waiting = "drain";
    } else if (this.#direction.shape.oneByteWrites) {
      this.#waiting = "turn";
      setImmediate(() => {
        if (this.#waiting === "turn") this.#waiting = null;
        this.pump();
      });
    }
  }

  #cutNow(cut: NonNullable<Direction["cut"]>): void {
    if (this.#direction.cut === cut) this.#direction.cut = null;
    if (cut.kind === "halfClose") this.halfClose();
    else this.connection.cut(cut.kind);
    cut.fired();
  }

  #flipIn(slice: Buffer, flip: NonNullable<Direction["flip"]>): void {
    if (flip.remaining >= slice.length) {
      flip.remaining -= slice.length;
      return;
    }
    slice[flip.remaining] = slice[flip.remaining]! ^ (1 << flip.bit);
    this.#direction.flip = null;
    flip.fired();
  }

  #finish(kind: "end" | "reset"): void {
    this.#ended = true;
    this.#dropQueue();
    if (kind === "reset") this.connection.cut("reset");
    else this.#sink.end();
  }

  #later(ms: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.pump();
    }, ms);
  }

  #dropQueue(): void {
    this.#direction.bytesLost += this.#queuedBytes;
    this.#queue = [];
    this.#queuedBytes = 0;
  }
}

/** A client's socket and the one dialled for it. */
class Connection {
  readonly up: Pipe;
  readonly down: Pipe;
  readonly #client: Socket;
  readonly #server: Socket;

  constructor(
    client: Socket,
    server: Socket,
    up: Direction,
    down: Direction,
    bufferBytesMax: number,
  ) {
    this.#client = client;
    this.#server = server;
    client.setNoDelay(true);
    server.setNoDelay(true);
    this.up = new Pipe(this, up, client, server, bufferBytesMax);
    this.down = new Pipe(this, down, server, client, bufferBytesMax);
  }

  cut(kind: "destroy" | "reset"): void {
    this.up.close();
    this.down.close();
    for (const socket of [this.#client, this.#server]) {
      if (kind === "reset") socket.resetAndDestroy();
      else socket.destroy();
    }
  }

  onceClosed(done: () => void): void {
    let open = 2;
    for (const socket of [this.#client, this.#server]) {
      socket.once("close", () => {
        open--;
        if (open === 0) done();
      });
    }
  }
}

export class FaultProxy {
  /** Client to target. */
  readonly up: Direction;
  /** Target to client. */
  readonly down: Direction;
  /** Connections ever accepted. */
  connectionsTotal = 0;
  /** New connections are closed at once. */
  refusing = false;
  readonly #server: Server;
  readonly #connections = new Set<Connection>();
  readonly #bufferBytesMax: number;
  #target: { readonly host: string; readonly port: number };

  private constructor(port: number, options: ProxyOptions) {
    const { bufferBytesMax = 1024 * 1024, seed = 1 } = options;
    this.#target = { host: "127.0.0.1", port };
    this.#bufferBytesMax = bufferBytesMax;
    this.up = new Direction("up", seed);
    this.down = new Direction("down", seed + 1);
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
  }

  /** Listens on a free port of loopback. */
  static async listen(targetPort: number, options: ProxyOptions = {}): Promise<FaultProxy> {
    const proxy = new FaultProxy(targetPort, options);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections open now. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Connections to come go there; present ones stay. */
  retarget(port: number): void {
    this.#target = { host: "127.0.0.1", port };
  }

  /** Both directions at once. */
  set(shape: Partial<Shape>): void {
    this.up.set(shape);
    this.down.set(shape);
  }

  /** Ends every open connection in this way; halfClose ends the client-to-target direction. */
  cutAll(kind: CutKind = "destroy"): void {
    for (const connection of this.#connections) {
      if (kind === "halfClose") connection.up.halfClose();
      else connection.cut(kind);
    }
  }

  heal(): void {
    this.refusing = false;
    this.up.heal();
    this.down.heal();
  }

  async close(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.cutAll();
    await closed;
  }

  #accept(client: Socket): void {
    this.connectionsTotal++;
    if (this.refusing) {
      client.on("error", () => undefined);
      client.destroy();
      return;
    }
    const server = connect({ ...this.#target, allowHalfOpen: true });
    const connection = new Connection(client, server, this.up, this.down, this.#bufferBytesMax);
    this.#connections.add(connection);
    connection.onceClosed(() => {
      this.#connections.delete(connection);
      this.up.pipes.delete(connection.up);
      this.down.pipes.delete(connection.down);
    });
  }
}
